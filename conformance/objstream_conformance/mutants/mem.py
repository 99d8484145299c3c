"""Mutants that need too much memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from objstream import (
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileStreamer,
    Site,
)
from objstream.limits import MIB
from objstream.session import Receiver
from objstream.values import Piece, arrays

from .kit import instead, mutant

COLLECTOR = {"OSP-MEM-010": "to grow by"}
"""Who needs too much memory needs it without the garbage collector too."""


@mutant("OSP-MEM-001", "memory of the sender to grow by", COLLECTOR)
def objects_are_serialised_first() -> None:
    """All pieces of a container that is asked for are made before the first of them is sent."""

    @instead(ContainerRetriever, "streamer")
    def streamer(original: Any, self: Any, request: Any) -> Any:
        found = original(self, request)
        if found is not None:
            found.eager = len(found._container) > 2
        return found

    @instead(ContainerStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        if not getattr(self, "eager", False):
            yield from original(self, chunk)
        else:
            yield from [Piece(piece.kind, memoryview(bytes(piece.view))) for piece in original(self, chunk)]


@mutant("OSP-MEM-002", "memory of the receiver to grow by", COLLECTOR)
def entries_are_kept_twice() -> None:
    """Of each array that is retrieved in a large container, a second copy is kept until the end."""

    @instead(ContainerRetriever, "retrieve")
    def retrieve(original: Any, self: Any, peer: str, name: str, assembler: Any, *rest: Any) -> object:
        assembler.spare = []
        return original(self, peer, name, assembler, *rest)

    @instead(ContainerAssembler, "entry")
    def entry(original: Any, self: Any, value: Any) -> None:
        if (
            self.count > 2
            and hasattr(self, "spare")
            and self._kind == "dict"
            and type(value[1]) is np.ndarray
        ):
            self.spare.append(value[1].copy())
        original(self, value)


@mutant("OSP-MEM-003", "memory of the sender to grow by")
def arrays_are_copied_to_be_sent() -> None:
    """An array is copied as a whole before it is sent."""

    @instead(arrays, "encode_array")
    def encode(original: Any, array: Any) -> Any:
        return original(array.copy())


@mutant("OSP-MEM-004", "memory of the receiver to grow by")
def arrays_are_received_beside() -> None:
    """An array is received into a buffer and copied from there."""

    @instead(arrays, "array_sink")
    def sink(original: Any, name: str, shape: Any, destination: object) -> Any:
        found = original(name, shape, destination)
        if destination is None:
            finish = found._finish
            found._finish = lambda: finish().copy()
        return found


@mutant("OSP-MEM-005", "memory of the sender to grow by", COLLECTOR)
def files_are_read_at_once() -> None:
    """A file is read as a whole."""

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        parts = [bytes(piece.view) for piece in original(self, chunk)]
        for part in parts:
            yield Piece(Piece.DATA, memoryview(part))


@mutant("OSP-MEM-006", "memory of the receiver to grow by", COLLECTOR)
def files_are_kept_in_memory() -> None:
    """A file that is written is kept in memory as well until it is complete."""

    @instead(FileAssembler, "filled")
    def filled(original: Any, self: Any, count: int) -> None:
        self.__dict__.setdefault("parts", []).append(bytes(self._scratch[:count]))
        original(self, count)


@mutant("OSP-MEM-007", "memory of the sender to grow by")
def sent_entries_are_listed() -> None:
    """A sender keeps a record of 200 bytes for each entry."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        records = []
        for entry in original(self):
            records.append(bytearray(200))
            yield entry


@mutant("OSP-MEM-008", "memory of the receiver to grow by")
def received_entries_are_listed() -> None:
    """A receiver keeps a record of 200 bytes for each entry."""

    @instead(ContainerAssembler, "entry")
    def entry(original: Any, self: Any, value: object) -> None:
        self.__dict__.setdefault("records", []).append(bytearray(200))
        original(self, value)


@mutant("OSP-MEM-009", "no memory to be kept for a finished session")
def samples_are_kept() -> None:
    """A site keeps a sixteenth of each object that it has retrieved, at most 64 KiB."""
    samples: list[bytes] = []

    @instead(Receiver, "_on_end")
    def end(original: Any, self: Any, frame: Any) -> None:
        original(self, frame)
        samples.append(bytes(min(self._bytes, MIB) // 16))


@mutant("OSP-MEM-010", "to grow by")
def garbage_goes_in_circles() -> None:
    """For each entry of a mebibyte the sender leaves behind memory that only the garbage collector finds."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        for label, value in original(self):
            if type(value) is np.ndarray and value.nbytes == MIB:
                circle: list[Any] = [bytearray(MIB // 3)]
                circle += [[circle] for _ in range(600)]
            yield label, value


@mutant("OSP-MEM-010", "to grow by")
def chunks_go_in_circles() -> None:
    """Beside each chunk of a large file the sender leaves memory behind that only the garbage collector finds."""

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        for piece in original(self, chunk):
            if self._before[0] >= 4 * MIB:
                circle: list[Any] = [bytes(piece.view[: len(piece.view) // 3])]
                circle += [[circle] for _ in range(600)]
            yield piece


@mutant("OSP-MEM-011", "the extra peak grew from")
def targets_have_copies() -> None:
    """For each target of a push the arrays of a dict are copied."""

    @instead(Site, "push")
    def push(original: Any, self: Any, peers: Any, streamer: Any, options: Any = None) -> Any:
        peers = list(peers)
        if len(peers) > 1 and getattr(streamer, "kind", "") == "dict":
            streamer.__class__ = _Copying
        return original(self, peers, streamer, options)


class _Copying(ContainerStreamer):
    def __copy__(self) -> Any:
        streamer = ContainerStreamer(copy.deepcopy(self._container), name=self.name, chunk=self.chunk)
        streamer.registry, streamer.limits = self.registry, self.limits
        return streamer


@mutant("OSP-MEM-012", "to be held after a failure")
def failures_are_kept() -> None:
    """What had been received when the last transfer failed is kept."""
    kept: list[Any] = []

    @instead(ContainerAssembler, "discard")
    def discard(original: Any, self: Any) -> None:
        if self._items:
            kept[:] = [self._items]
        original(self)
