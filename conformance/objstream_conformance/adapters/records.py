"""Records of bytes, as an example of a kind of an application's own: what the reference is tried with."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from objstream import ObjectAssembler, ObjectStreamer, Sample
from objstream.values import Label

LONG = 10_000
"""Bytes in each record but the last."""


class RecordsStreamer(ObjectStreamer):
    """Streams what an iterable gives, record by record, so that all of them need never be there at once.

    Args:
        records: called for each transfer.
    """

    kind = "x-records"

    def __init__(self, records: Callable[[], Iterable[bytes]]) -> None:
        super().__init__()
        self._records = records

    def entries(self) -> Iterator[tuple[Label, object]]:
        for number, record in enumerate(self._records()):
            yield (self.name, number), record

    @classmethod
    def sample(cls, size: int) -> Sample:
        def records() -> Iterator[bytes]:
            source = random.Random(size)
            for start in range(0, size, LONG):
                yield source.randbytes(min(LONG, size - start))

        return Sample(lambda: cls(records), lambda directory: RecordsAssembler(), list(records()), list)


class RecordsAssembler(ObjectAssembler):
    """Receives records, into a list."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[bytes] = []

    def accepts(self, kind: str) -> bool:
        return kind == RecordsStreamer.kind

    def entry(self, value: object) -> None:
        if not isinstance(value, bytes):
            raise TypeError(f"a record is bytes, not {type(value).__name__}")
        self._records.append(value)

    def result(self) -> object:
        return self._records

    def discard(self) -> None:
        self._records = []
