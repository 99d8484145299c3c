"""Mutants that are wrong about objects of an application's own kind."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from objstream import Code, Sample, TransferError
from objstream.values import Label

from ..adapters.records import RecordsAssembler, RecordsStreamer
from .kit import instead, mutant


@mutant("OSP-OBJ-001", "to arrive.*rejected: SOURCE_FAILED.*no records")
def no_records_are_a_failure() -> None:
    """An object without records is taken for one that could not be read."""

    @instead(RecordsStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[tuple[Label, object]]:
        found = original(self)
        first = next(found, None)
        if first is None:
            raise TransferError(Code.SOURCE_FAILED, "no records")
        yield first
        yield from found


@mutant("OSP-OBJ-002", "nothing left behind.*files left")
def records_stay_on_the_disk() -> None:
    """Records are written to a file as they come, which is forgotten when the transfer fails."""

    class Writing(RecordsAssembler):
        def __init__(self, directory: Path) -> None:
            super().__init__()
            self._path = directory / secrets.token_hex(4)

        def entry(self, value: object) -> None:
            super().entry(value)
            with self._path.open("ab") as file:
                file.write(value)  # type: ignore[arg-type]

    @instead(RecordsStreamer, "sample")
    def sample(original: Any, size: int) -> Sample:
        one = original(size)
        return Sample(one.streamer, Writing, one.content, one.read)


@mutant("OSP-OBJ-003", "extra peak memory of the sender")
def records_are_read_beforehand() -> None:
    """All records are read before the first is sent."""

    @instead(RecordsStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[tuple[Label, object]]:
        yield from list(original(self))


@mutant("OSP-OBJ-004", "extra peak memory of the receiver")
def records_are_kept_twice() -> None:
    """What arrives is collected, and copied when it is complete."""

    @instead(RecordsAssembler, "result")
    def result(original: Any, self: Any) -> object:
        return [bytes(bytearray(record)) for record in original(self)]


@mutant("OSP-OBJ-005", "to get the object|was sent|entries were sent")
def records_are_shared() -> None:
    """The streams of one push take their records from one iterator."""

    @instead(RecordsStreamer, "__init__")
    def init(original: Any, self: Any, source: Any) -> None:
        shared = iter(source())
        original(self, lambda: shared)
