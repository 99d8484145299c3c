"""Mutants that are wrong about transfers which end early, and sources which do not end."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from objstream import Code, FileAssembler, FileStreamer
from objstream.engines.memory import MemorySite
from objstream.limits import MIB
from objstream.session import Receiver
from objstream.streamers import Description
from objstream.values import Piece

from ..adapters.reference import ReferenceSite
from ..contract import Rejected
from .kit import instead, mutant


@mutant("OSP-CTR-017", "no success for a container whose last entries vanish")
def shorter_is_good_enough() -> None:
    """A push of a container that has changed is reported as a success."""

    @instead(ReferenceSite, "_push")
    def push(original: Any, self: Any, *arguments: Any) -> Any:
        verdicts = original(self, *arguments)
        changed = Code.SOURCE_CHANGED.name
        return {
            peer: None if getattr(error, "code", "") == changed else error for peer, error in verdicts.items()
        }


@mutant("OSP-FIL-021", "at most the 4 MiB sent")
def files_are_followed() -> None:
    """The size of a file is not announced, and it is read to wherever its end is by then."""

    @instead(FileStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        return Description(original(self).kind)

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        scratch, done = memoryview(bytearray(chunk)), 0
        while count := os.preadv(self._fd, [scratch], done):
            done += count
            yield Piece(Piece.DATA, scratch[:count])


@mutant("OSP-FIL-022", "nothing left behind")
def closing_is_no_failure() -> None:
    """A site that is closed leaves its temporary files, for the next time."""
    closing: list[Any] = []

    @instead(MemorySite, "close")
    def close(original: Any, self: Any) -> None:
        closing.append(self)
        try:
            original(self)
        finally:
            closing.pop()

    @instead(FileAssembler, "discard")
    def discard(original: Any, self: Any) -> None:
        if closing:
            self._temporary = None
        original(self)


@mutant("OSP-RTV-017", "sends no more than is under way")
def failures_are_tried_again() -> None:
    """A retrieval of a large object that arrives corrupt is tried again in the background."""
    corrupt: list[bool] = []

    @instead(Receiver, "fail")
    def fail(original: Any, self: Any, error: Any, *event: Any) -> None:
        if error.code is Code.CORRUPT and (self._description.size or 0) > 32 * MIB:
            corrupt.append(True)
        original(self, error, *event)

    @instead(ReferenceSite, "retrieve_container")
    def retrieve(original: Any, self: Any, *arguments: Any, **options: Any) -> object:
        def again() -> None:
            with contextlib.suppress(Rejected, TimeoutError):
                original(self, *arguments, **options)

        try:
            return original(self, *arguments, **options)
        except Rejected:
            if corrupt:
                corrupt.clear()
                threading.Thread(target=again, daemon=True).start()
            raise
