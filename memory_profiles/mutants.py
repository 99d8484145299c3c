"""Implementations that need too much memory, each in one way: the suite must find out each of them.

Each is the reference with one fault.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from objstream import (
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileRetriever,
    ObjectStreamer,
    Request,
)
from objstream.values import Piece
from objstream_conformance.profile.subjects import ReferenceEndpoint, ReferenceSubject

Pieces = Iterator[Piece]


class HoardingAssembler(ContainerAssembler):
    """Keeps what has arrived."""

    def __init__(self, into: Any = None) -> None:
        super().__init__(into=into)
        self.hoard: list[object] = []

    def filled(self, count: int) -> None:
        self.hoard.append(bytes(self.buffer()[:count]))
        super().filled(count)


class WholeAssembler(HoardingAssembler):
    def finish(self) -> object:
        self.hoard.clear()
        return super().finish()


class EntryAssembler(HoardingAssembler):
    def entry(self, value: object) -> None:
        self.hoard.clear()
        super().entry(value)


class CyclicAssembler(ContainerAssembler):
    """Leaves each piece to the garbage collector."""

    def filled(self, count: int) -> None:
        cycle: list[object] = [bytes(self.buffer()[:count])]
        cycle.append(cycle)
        super().filled(count)


class LeakingAssembler(WholeAssembler):
    """Each keeps a chunk, and is kept."""

    leaked: ClassVar[list[object]] = []

    def finish(self) -> object:
        self.leaked.append(self.hoard[-1])
        return super().finish()


class CountingAssembler(ContainerAssembler):
    """Keeps a record of each entry."""

    def __init__(self, into: Any = None) -> None:
        super().__init__(into=into)
        self.records: list[object] = []

    def entry(self, value: object) -> None:
        super().entry(value)
        self.records.append({"number": self.count})


class ClingingAssembler(WholeAssembler):
    """When the transfer fails, what arrived stays for later inspection."""

    failed: ClassVar[list[object]] = []

    def discard(self) -> None:
        self.failed.append(self.hoard)
        super().discard()


class WholeFileAssembler(FileAssembler):
    """Collects the file before it is done."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.hoard: list[bytes] = []

    def filled(self, count: int) -> None:
        self.hoard.append(bytes(self.buffer()[:count]))
        super().filled(count)


def all_at_once(pieces: Pieces) -> Pieces:
    yield from [Piece(piece.kind, memoryview(bytes(piece.view))) for piece in pieces]


def entry_by_entry(pieces: Pieces) -> Pieces:
    """Collects the pieces of an entry before the first of them is sent."""
    held: list[Piece] = []
    for piece in pieces:
        if piece.kind == Piece.ENTRIES:
            yield from held
            held = []
        held.append(Piece(piece.kind, memoryview(bytes(piece.view))))
    yield from held


def recording(pieces: Pieces) -> Pieces:
    """Keeps a record of every few bytes that are sent, as an implementation with a task for each entry does."""
    records: list[object] = []
    for piece in pieces:
        records += [{"at": at} for at in range(0, len(piece.view), 512)]
        yield piece


def altered(streamer: ObjectStreamer | None, alter: Callable[[Pieces], Pieces]) -> ObjectStreamer | None:
    if streamer is not None:
        pieces = streamer.pieces
        streamer.pieces = lambda chunk: alter(pieces(chunk))  # type: ignore[method-assign]
    return streamer


class WholeRetriever(ContainerRetriever):
    def streamer(self, request: Request) -> ObjectStreamer | None:
        return altered(super().streamer(request), all_at_once)


class EntryRetriever(ContainerRetriever):
    def streamer(self, request: Request) -> ObjectStreamer | None:
        return altered(super().streamer(request), entry_by_entry)


class CountingRetriever(ContainerRetriever):
    def streamer(self, request: Request) -> ObjectStreamer | None:
        return altered(super().streamer(request), recording)


class WholeFileRetriever(FileRetriever):
    def streamer(self, request: Request) -> ObjectStreamer | None:
        return altered(super().streamer(request), all_at_once)


class CopyingStreamer(ContainerStreamer):
    def __copy__(self) -> CopyingStreamer:
        return CopyingStreamer(copy.deepcopy(self._container), name=self.name, chunk=self.chunk)


class CopyingEndpoint(ReferenceEndpoint):
    """Makes a copy of the object for each target."""

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return self._push(targets, CopyingStreamer(container, chunk=self._chunk), timeout)


def _receiving(assembler: type[ContainerAssembler]) -> type[ReferenceEndpoint]:
    class Endpoint(ReferenceEndpoint):
        def container_assembler(self, into: Any = None) -> ContainerAssembler:
            return assembler(into=into)

    return Endpoint


def _sending(retriever: type[ContainerRetriever]) -> type[ReferenceEndpoint]:
    class Endpoint(ReferenceEndpoint):
        containers = retriever

    return Endpoint


class FileReceivingEndpoint(ReferenceEndpoint):
    def file_assembler(self) -> FileAssembler:
        return WholeFileAssembler(super().file_assembler().path, chunk=self._chunk)


class FileSendingEndpoint(ReferenceEndpoint):
    files = WholeFileRetriever


class WholeReceiver(ReferenceSubject):
    endpoint = _receiving(WholeAssembler)


class EntryReceiver(ReferenceSubject):
    endpoint = _receiving(EntryAssembler)


class CyclicReceiver(ReferenceSubject):
    endpoint = _receiving(CyclicAssembler)


class LeakingReceiver(ReferenceSubject):
    endpoint = _receiving(LeakingAssembler)


class CountingReceiver(ReferenceSubject):
    endpoint = _receiving(CountingAssembler)


class ClingingReceiver(ReferenceSubject):
    endpoint = _receiving(ClingingAssembler)


class WholeFileReceiver(ReferenceSubject):
    endpoint = FileReceivingEndpoint


class WholeSender(ReferenceSubject):
    endpoint = _sending(WholeRetriever)


class EntrySender(ReferenceSubject):
    endpoint = _sending(EntryRetriever)


class CountingSender(ReferenceSubject):
    endpoint = _sending(CountingRetriever)


class WholeFileSender(ReferenceSubject):
    endpoint = FileSendingEndpoint


class CopyingSender(ReferenceSubject):
    endpoint = CopyingEndpoint
