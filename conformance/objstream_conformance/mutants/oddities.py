"""Odd but conforming implementations: what they do differently is left to the implementation."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from objstream import ContainerStreamer, FileAssembler, FileStreamer, Site, meta
from objstream.digests import ALGORITHMS
from objstream.engines.memory import MemoryNetwork
from objstream.frames import FrameType
from objstream.meta import Key
from objstream.session import Connection, Receiver, Session, sender
from objstream.values import Piece
from objstream.values.encode import _Encoder

from ..adapters import reference
from ..adapters.reference import ReferenceSite
from ..contract import Rejected
from .kit import assign, instead, oddity, site_oddity

ENCODE = importlib.import_module("objstream.values.encode")


@oddity
def nothing_is_different() -> None:
    """The reference implementation as it is."""


# -- pieces


def recut(sizes: Callable[[], Iterable[int]], kinds: tuple[int, ...] = (Piece.ENTRIES, Piece.DATA)) -> None:
    """Cut the pieces of containers again: one after the other into these sizes, the last of which is for the rest."""

    @instead(ContainerStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        lengths = iter(sizes())
        length = next(lengths)
        for piece in original(self, chunk):
            rest = piece.view
            while len(rest):
                size = min(length, chunk) if piece.kind in kinds else len(rest)
                yield Piece(piece.kind, rest[:size])
                rest = rest[size:]
                length = next(lengths, length)


@oddity
def single_bytes_first() -> None:
    """The first 200 content frames of a container hold one byte each, those after them 16 KiB."""
    recut(lambda: itertools.chain(itertools.repeat(1, 200), [16 << 10]))


@oddity
def kilobytes() -> None:
    """The first 300 content frames of a container hold 1 KiB at most, those after them 64 KiB."""
    recut(lambda: itertools.chain(itertools.repeat(1 << 10, 300), [64 << 10]))


@oddity
def growing_pieces() -> None:
    """Content frames of a container grow from 1 byte to 1 MiB."""
    recut(lambda: (1 << number for number in range(21)))


@oddity
def odd_pieces() -> None:
    """Containers are sent in pieces of 300 001 bytes."""
    recut(lambda: [300_001])


@oddity
def odd_cuts_of_entries() -> None:
    """The first skeleton bytes of a container are cut after 1, 2, 3, 5, 7, 11 and 13 bytes, again and again."""
    recut(lambda: (*(1, 2, 3, 5, 7, 11, 13) * 20, 1 << 16), (Piece.ENTRIES,))


@oddity
def single_entries() -> None:
    """Each item of the skeleton is sent in a frame of its own."""
    assign(ENCODE, "BATCH", 1)


@oddity
def small_file_chunks() -> None:
    """Files are sent in chunks of a third of the size that is set."""

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Any:
        return original(self, max(1, chunk // 3))


@oddity
def nothing_inline() -> None:
    """All text, bytes and arrays that are not empty go through buffers."""

    @instead(_Encoder, "__init__")
    def init(original: Any, self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        self._inline = 0


@oddity
def much_inline() -> None:
    """Text, bytes and arrays of up to 65536 bytes are inline."""
    assign(ENCODE, "INLINE", 1 << 16)


@oddity
def sets_in_another_order() -> None:
    """The elements of a set are sent in the order of their representations."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        found = original(self)
        if self.kind in ("set", "frozenset"):
            found = sorted(found, key=lambda entry: repr(entry[1]))
        yield from found


# -- frames and meta


@oddity
def meta_in_another_order() -> None:
    """The keys of a frame's meta stand in descending order."""

    @instead(meta, "encode")
    def encode(original: Any, fields: Any) -> Any:
        return original(dict(sorted(fields.items(), reverse=True)))


@oddity
def unknown_meta() -> None:
    """Each frame has keys that the table does not."""

    @instead(meta, "encode")
    def encode(original: Any, fields: Any) -> Any:
        return original({1 << 40: [1, {"a": None}], **fields, 77: b"for later"})


@oddity
def signs_of_life() -> None:
    """After each frame follows a sign of life, except after the last."""

    @instead(Connection, "output")
    def output(original: Any, self: Any) -> Any:
        session = self.session
        if getattr(session, "spoken", False) and not session.finished and not self._outbox:
            session.spoken = False
            return [memoryview(session._writer.keep_alive())]
        frame = original(self)
        if frame and self.session is not None:
            self.session.spoken = self.session._writer.seq > 0
        return frame


@oddity
def nothing_announced() -> None:
    """OFFER and OPEN say neither size nor count."""

    @instead(sender, "announcement")
    def announcement(original: Any, description: Any) -> Any:
        return original(replace(description, size=None, count=None))


@oddity
def attributes() -> None:
    """Every object has attributes."""
    extra = {"round": 7, "site": "odd", "list": [1, None, True], "map": {"a": b"b"}}

    @instead(sender, "announcement")
    def announcement(original: Any, description: Any) -> Any:
        return original(replace(description, attributes=extra))


@oddity
def silent_failures() -> None:
    """RESET has an empty message."""
    _messages("")


@oddity
def talkative_failures() -> None:
    """RESET has a message of 512 bytes, in letters of three bytes, with control characters."""
    _messages("\x1b[2J\r\n" + "失" * 168 + ".")


def _messages(text: str) -> None:
    @instead(Session, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        original(self, type_, {**fields, Key.MESSAGE: text} if type_ is FrameType.RESET else fields)


# -- credit


@oddity
def credit_after_each_frame() -> None:
    """A receiver renews the credit after each content frame."""

    @instead(Receiver, "_grant")
    def grant(original: Any, self: Any) -> None:
        self._granted = self._bytes + self._window
        self._send(FrameType.CREDIT, {Key.CREDIT: self._granted})


@oddity
def credit_comes_later() -> None:
    """A REQUEST has no credit; a CREDIT follows at once."""

    @instead(Receiver, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        later = fields[Key.CREDIT] if type_ is FrameType.REQUEST else 0
        original(self, type_, {**fields, Key.CREDIT: 0} if later else fields)
        if later:
            original(self, FrameType.CREDIT, {Key.CREDIT: later})


@site_oddity
def tiny_window() -> None:
    """A receiver grants 1000 bytes at a time, later 100 000; at once where it keeps what it receives."""

    @instead(Receiver, "__init__")
    def init(original: Any, self: Any, assembler: Any = None, **options: Any) -> None:
        keeps = assembler is not None and assembler.resume is not None
        original(self, assembler, **{**options, "window": 100_000 if keeps else 1000})

    @instead(Receiver, "_grant")
    def grant(original: Any, self: Any) -> None:
        self._window = 1000 if self._bytes < 50_000 else 100_000
        original(self)


@oddity
def boundless_window() -> None:
    """A receiver without wishes grants all the credit there is."""

    @instead(Receiver, "__init__")
    def init(original: Any, self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        if self._window == 16 << 20:
            self._window = (1 << 63) - 1


# -- digests and limits


def _digest(name: str) -> None:
    if name in ALGORITHMS:
        assign(reference, "PATIENT", replace(reference.PATIENT, digests=(name,)))


@site_oddity
def sha_256_alone() -> None:
    """Sites know no digest but sha-256."""
    _digest("sha-256")


@site_oddity
def blake3_alone() -> None:
    """Sites offer and accept blake3 alone, where it is installed."""
    _digest("blake3")


@site_oddity
def xxh3_alone() -> None:
    """Sites offer and accept xxh3-128 alone, where it is installed."""
    _digest("xxh3-128")


@site_oddity
def small_frames() -> None:
    """Sites take frames of 5000 bytes at most."""
    limits = replace(reference.PATIENT.limits, max_frame=5000)
    assign(reference, "PATIENT", replace(reference.PATIENT, limits=limits))


# -- sites


@site_oddity
def slow_network() -> None:
    """Each message takes 2 ms."""

    @instead(MemoryNetwork, "_carried")
    def carried(original: Any, self: Any, carry: Any, *rest: Any) -> Any:
        def slowly(*message: Any) -> Any:
            time.sleep(0.002)
            return carry(*message)

        return original(self, slowly, *rest)


@oddity
def newest_provider_first() -> None:
    """A site asks its retrievers in the opposite order."""

    @instead(Site, "provide")
    def provide(original: Any, self: Any, provider: Any) -> None:
        self._providers.insert(0, provider)


@site_oddity
def time_outs_are_refusals() -> None:
    """That a deadline has passed is reported like any other failure."""
    _refusals(lambda error: Rejected(str(error), "TIMEOUT") if isinstance(error, TimeoutError) else error)


@site_oddity
def other_names_of_codes() -> None:
    """The implementation has other names for the reasons of failures."""
    _refusals(
        lambda error: (
            Rejected(error.message, f"E-{error.code.lower()}") if isinstance(error, Rejected) else error
        )
    )


def _refusals(change: Callable[[Any], Any]) -> None:
    @instead(reference, "translated")
    def translated(original: Any, error: Any) -> Any:
        return change(original(error))


@site_oddity
def durable_files() -> None:
    """Files are on the disk before success is reported."""

    @instead(FileAssembler, "__init__")
    def init(original: Any, self: Any, path: Any, **options: Any) -> None:
        original(self, path, **{**options, "sync": True})


@site_oddity
def files_arrive_in_a_folder() -> None:
    """Files are received in a folder of their own and moved from there."""

    @instead(FileAssembler, "begin")
    def begin(original: Any, self: Any, *arguments: Any) -> None:
        place, self.path = self.path, self.path.parent / ".incoming" / self.path.name
        self.path.parent.mkdir(exist_ok=True)
        try:
            original(self, *arguments)
        finally:
            self.path = place


@site_oddity
def files_keep_their_names() -> None:
    """A file that is retrieved is put under its name, in a directory for its owner."""

    @instead(ReferenceSite, "retrieve_file")
    def retrieve(original: Any, self: Any, peer: str, name: str, **options: Any) -> Any:
        folder = self._directory / peer
        folder.mkdir(exist_ok=True)
        directory, self._directory, numbers = self._directory, folder, self._numbers
        self._numbers = iter([name.replace("/", "_").replace("\0", "_")])
        try:
            return original(self, peer, name, **options)
        finally:
            self._directory, self._numbers = directory, numbers


@oddity
def sent_as_it_was() -> None:
    """Smaller arrays of a dict are copied when it begins to be sent, and it is not looked at again."""

    @instead(ContainerStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        values = list(self._container.values()) if self.kind == "dict" else [None]
        if all(type(value) is np.ndarray and value.nbytes < 1 << 19 for value in values) and values:
            self._container = {key: value.copy() for key, value in self._container.items()}
            self.repeatable = False
        return original(self)


@oddity
def lists_are_not_surveyed() -> None:
    """Of a list of bytes and numbers a copy of the references is sent, without a look at it beforehand."""

    @instead(ContainerStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        if self.kind == "list" and {type(value) for value in self._container} <= {bytes, int, float}:
            self._container = list(self._container)
            self.repeatable = False
            self.validator = lambda: hashlib.sha256(repr(self._container).encode()).digest()
        return original(self)
