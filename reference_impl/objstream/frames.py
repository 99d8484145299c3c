"""Frames to bytes and back: exactly the grammar of spec chapter "Frames", nothing more lenient.

A frame is a fixed header, a meta map and raw data. `FrameReader` is told where the data of a frame must land before
the first of its bytes is read, so that payload goes from the socket into its final place.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from zlib import crc32

from . import meta as metas
from .errors import Code, TransferError
from .limits import Limits

PREFACE = b"\x89OSP\r\n\x1a\n"
HEADER = struct.Struct(">BBHIQII")
HEADER_BYTES = HEADER.size
IGNORABLE = 0x01
KEEP_ALIVE = 255

_CRC = struct.Struct(">I")


class FrameType(IntEnum):
    OFFER = 1
    REQUEST = 2
    OPEN = 3
    ENTRIES = 4
    DATA = 5
    END = 6
    DONE = 7
    CREDIT = 8
    RESET = 9


CONTENT = frozenset({FrameType.ENTRIES, FrameType.DATA})
_BY_NUMBER: dict[int, FrameType] = {int(kind): kind for kind in FrameType}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame without its data: `length` bytes of data belong to it."""

    type: FrameType
    meta: metas.Meta
    length: int = 0


def encode_header(type_: int, meta: bytes, length: int, seq: int, flags: int = 0) -> bytes:
    """Header and meta of a frame, ready to be sent in front of its `length` bytes of data."""
    head = HEADER.pack(type_, flags, len(meta), length, seq, crc32(meta), 0)[:-4]
    return head + _CRC.pack(crc32(head)) + meta


class FrameWriter:
    """Numbers the frames of one session in one direction."""

    def __init__(self) -> None:
        self.seq = 0

    def encode(self, type_: FrameType, meta: metas.Meta, length: int = 0) -> bytes:
        encoded = encode_header(type_, metas.encode(meta), length, self.seq)
        self.seq += 1
        return encoded

    def keep_alive(self) -> bytes:
        """An ignorable frame that says nothing but that the sender is alive."""
        encoded = encode_header(KEEP_ALIVE, b"", 0, self.seq, IGNORABLE)
        self.seq += 1
        return encoded


class FrameReader:
    """Turns bytes into frames, in place.

    The caller fills `want()`, all or part of it, and reports with `received`. For each frame the handler is called:
    `on_frame` when header and meta are known; then, if the frame has data, `landing` for the writable views that take
    it and `landed` as each is full, and `on_data` when the last byte is there.

    Attributes:
        inside_frame: some but not all bytes of a frame have arrived.
        inside_data: they end within its data.
        greeted: the preface, where there is one, has arrived.

    Raises:
        TransferError: from `received`; PROTOCOL, CORRUPT or TOO_LARGE for bytes that are no valid frame, and whatever
            the handler raises. The reader is unusable afterwards.
    """

    def __init__(self, handler: Handler, limits: Limits, *, preface: bool = False) -> None:
        self._handler = handler
        self._limits = limits
        self._small = bytearray(max(HEADER_BYTES, limits.max_meta))
        self._seq = 0
        self._skipped = 0
        self.inside_frame = False
        self.inside_data = False
        self.greeted = not preface
        self._run = self._parse(preface)
        self._view = next(self._run)

    def want(self) -> memoryview:
        """Where the next bytes must land; never empty."""
        return self._view

    def received(self, count: int) -> None:
        """`count` bytes, at least one, have landed at the start of `want()`."""
        self.inside_frame = True
        self._view = self._run.send(count)

    def close(self) -> None:
        """Let go of the handler and of all memory."""
        self._run.close()
        del self._handler, self._view

    def new_session(self) -> None:
        """The next frame is the first of another session."""
        self._seq = 0
        self._skipped = 0

    @property
    def expected(self) -> int:
        """The sequence number that the next frame must have."""
        return self._seq

    def _parse(self, preface: bool) -> Generator[memoryview, int, None]:
        small = memoryview(self._small)
        if preface:
            yield from _fill(small[: len(PREFACE)])
            _check_preface(bytes(small[: len(PREFACE)]))
            self.greeted = True
        while True:
            self.inside_frame = self.inside_data = False
            yield from _fill(small[:HEADER_BYTES])
            type_, meta_length, length, meta_crc = self._header(bytes(small[:HEADER_BYTES]))
            encoded = small[:meta_length]
            yield from _fill(encoded)
            if crc32(encoded) != meta_crc:
                raise TransferError(Code.CORRUPT, "the meta of a frame does not match its CRC")
            known = _BY_NUMBER.get(type_)
            if known is None:
                yield from self._skip(length)
                continue
            frame = Frame(known, metas.decode(known.name, bytes(encoded)), length)
            self._handler.on_frame(frame)
            if length:
                yield from self._data(frame)

    def _data(self, frame: Frame) -> Generator[memoryview, int, None]:
        left = frame.length
        self.inside_data = True
        while left:
            view = self._handler.landing(frame, left)
            yield from _fill(view)
            self._handler.landed(frame, view)
            left -= len(view)
        self._handler.on_data(frame)

    def _header(self, head: bytes) -> tuple[int, int, int, int]:
        type_, flags, meta_length, length, seq, meta_crc, head_crc = HEADER.unpack(head)
        if crc32(head[:-4]) != head_crc:
            raise TransferError(Code.CORRUPT, "a frame header does not match its CRC")
        if flags & ~IGNORABLE:
            raise TransferError(Code.PROTOCOL, f"a frame has undefined flags {flags:#04x}")
        known = _BY_NUMBER.get(type_)
        if known is None and not flags & IGNORABLE:
            raise TransferError(Code.PROTOCOL, f"frame type {type_} is unknown and not ignorable")
        if known is not None and flags & IGNORABLE:
            raise TransferError(Code.PROTOCOL, f"a frame of type {known.name} is marked ignorable")
        if seq != self._seq:
            raise TransferError(Code.PROTOCOL, f"expected frame {self._seq} of the session, received {seq}")
        if meta_length > self._limits.max_meta:
            raise TransferError(
                Code.TOO_LARGE, f"{meta_length} bytes of meta, at most {self._limits.max_meta} are accepted"
            )
        if length > self._limits.max_frame:
            raise TransferError(
                Code.TOO_LARGE,
                f"{length} bytes of data in a frame, at most {self._limits.max_frame} are accepted",
            )
        if known is not None and (length > 0) != (known in CONTENT):
            raise TransferError(Code.PROTOCOL, f"a frame of type {known.name} has {length} bytes of data")
        self._seq += 1
        return type_, meta_length, length, meta_crc

    def _skip(self, length: int) -> Generator[memoryview, int, None]:
        self._skipped += 1
        if self._skipped > self._limits.max_skipped:
            raise TransferError(
                Code.TOO_LARGE, f"more than {self._limits.max_skipped} frames of unknown types"
            )
        waste = memoryview(self._small)
        while length:
            view = waste[:length]
            yield from _fill(view)
            length -= len(view)
        self._handler.on_skipped()


class Handler(Protocol):
    """What a `FrameReader` reports to; every method may raise TransferError."""

    def on_frame(self, frame: Frame) -> None:
        """Header and meta are there; the data, if any, comes next."""

    def landing(self, frame: Frame, left: int) -> memoryview:
        """Where the next of the `left` bytes of data must land; at most `left` bytes long, never empty."""

    def landed(self, frame: Frame, view: memoryview) -> None:
        """That view is full."""

    def on_data(self, frame: Frame) -> None:
        """The last byte of the frame's data is there."""

    def on_skipped(self) -> None:
        """A frame of an unknown type was skipped, as its sender allowed."""


def peek(head: memoryview) -> tuple[int, int, int] | None:
    """Type, sequence number and whole length of the frame that starts here; None when its header is damaged."""
    if len(head) < HEADER_BYTES:
        return None
    type_, _, meta_length, length, seq, _, head_crc = HEADER.unpack(head[:HEADER_BYTES])
    if crc32(head[: HEADER_BYTES - 4]) != head_crc:
        return None
    return type_, seq, HEADER_BYTES + meta_length + length


def _fill(view: memoryview) -> Generator[memoryview, int, None]:
    while len(view):
        count = yield view
        view = view[count:]


def _check_preface(received: bytes) -> None:
    if received == PREFACE:
        return
    if received[1:4] == PREFACE[1:4]:
        raise TransferError(Code.PROTOCOL, "the preface arrived altered: the connection is not 8-bit clean")
    raise TransferError(Code.PROTOCOL, "the peer does not speak the Object Streaming Protocol: no preface")
