"""Mutants that are wrong about frames."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from zlib import crc32

from objstream import Code, TransferError, frames, meta
from objstream.frames import CONTENT, IGNORABLE, PREFACE, FrameReader, FrameType, FrameWriter
from objstream.meta import Key
from objstream.session import Connection, Receiver, Sender

from .kit import assign, instead, wire_mutant

KNOWN = frozenset(int(kind) for kind in FrameType)
TYPE, FLAGS, META, DATA, SEQ = range(5)


def reading(change: Callable[[Any, list[int]], object]) -> None:
    """Let the fields of a header be changed before it is looked at; what is returned are those that arrived."""

    @instead(FrameReader, "_header")
    def header(original: Any, self: Any, head: bytes) -> Any:
        fields = list(frames.HEADER.unpack(head))
        real = tuple(fields)
        if crc32(head[:-4]) == real[6]:
            change(self, fields)
        first = frames.HEADER.pack(*fields)[:-4]
        type_, _, _, meta_crc = original(
            self, first + struct.pack(">I", crc32(first) ^ crc32(head[:-4]) ^ real[6])
        )
        return type_, real[META], real[DATA], meta_crc


@wire_mutant("OSP-FRM-001", "the preface from the owner")
def owners_wait_for_the_preface() -> None:
    """Who did not open the connection says nothing before the peer has."""

    @instead(Connection, "received")
    def received(original: Any, self: Any, count: int) -> None:
        self.addressed = True
        original(self, count)

    @instead(Connection, "output")
    def output(original: Any, self: Any) -> Any:
        return original(self) if self.session is not None or hasattr(self, "addressed") else None


@wire_mutant("OSP-FRM-002", "reject/OSP-FRM-002.*the outcome PROTOCOL")
def any_preface_with_the_name() -> None:
    """Of the preface only the name of the protocol is compared."""

    @instead(frames, "_check_preface")
    def check(original: Any, received: bytes) -> None:
        if received[1:4] != PREFACE[1:4]:
            original(received)


@wire_mutant("OSP-FRM-003", "the checksums of CREDIT to be right")
def wrong_checksum_of_credit() -> None:
    """The checksum of the meta of CREDIT is wrong."""

    @instead(frames, "encode_header")
    def header(original: Any, type_: int, encoded: bytes, *rest: Any) -> bytes:
        if type_ != FrameType.CREDIT:
            return original(type_, encoded, *rest)  # type: ignore[no-any-return]
        head = original(type_, encoded + b"\0", *rest)[: frames.HEADER_BYTES - 4]
        head = head[:2] + struct.pack(">H", len(encoded)) + head[4:]
        return head + struct.pack(">I", crc32(head)) + encoded  # type: ignore[no-any-return]


@wire_mutant("OSP-FRM-004", "reject/OSP-FRM-004")
def header_checksums_are_ignored() -> None:
    """The checksum of a header is not compared."""

    @instead(FrameReader, "_header")
    def header(original: Any, self: Any, head: bytes) -> Any:
        return original(self, head[:-4] + struct.pack(">I", crc32(head[:-4])))


class _Any(int):
    """Equal to every number."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@wire_mutant("OSP-FRM-005", "reject/OSP-FRM-005")
def meta_checksums_are_ignored() -> None:
    """The checksum of the meta is not compared."""

    @instead(FrameReader, "_header")
    def header(original: Any, self: Any, head: bytes) -> Any:
        *fields, checksum = original(self, head)
        return (*fields, _Any(checksum))


@wire_mutant("OSP-FRM-006", "reject/OSP-FRM-006")
def any_amount_of_meta() -> None:
    """The length of meta is not limited."""
    reading(lambda reader, fields: fields.__setitem__(META, min(fields[META], reader._limits.max_meta)))


@wire_mutant("OSP-FRM-007", "reject/OSP-FRM-007")
def any_amount_of_data() -> None:
    """The length of data is not limited."""
    reading(lambda reader, fields: fields.__setitem__(DATA, min(fields[DATA], reader._limits.max_frame)))


@wire_mutant("OSP-FRM-008", "the same, however the bytes are split")
def portions_of_seven_are_damaged() -> None:
    """Data that arrive in portions of 2, 3 or 7 bytes are taken for damaged."""

    @instead(FrameReader, "received")
    def received(original: Any, self: Any, count: int) -> None:
        if self.inside_data and count in (2, 3, 7) and count < len(self.want()):
            raise TransferError(Code.CORRUPT, "a short portion")
        original(self, count)


@wire_mutant("OSP-FRM-009", "reject/OSP-FRM-009")
def other_flags_are_ignored() -> None:
    """Undefined flags are ignored."""
    reading(lambda reader, fields: fields.__setitem__(FLAGS, fields[FLAGS] & IGNORABLE))


@wire_mutant("OSP-FRM-010", "accept/OSP-FRM-010")
def sessions_begin_with_a_known_frame() -> None:
    """A frame of an unknown type with meta is refused where it is the first of a session."""

    def change(reader: Any, fields: list[int]) -> None:
        if fields[TYPE] not in KNOWN and fields[SEQ] == 0 and fields[META]:
            fields[FLAGS] = 0

    reading(change)


@wire_mutant("OSP-FRM-011", "reject/OSP-FRM-011")
def type_10_is_skipped() -> None:
    """A frame of type 10 is skipped whether it may be or not."""

    def change(reader: Any, fields: list[int]) -> None:
        if fields[TYPE] == 10:
            fields[FLAGS] |= IGNORABLE

    reading(change)


@wire_mutant("OSP-FRM-012", "reject/OSP-FRM-012")
def known_frames_may_be_marked() -> None:
    """That a frame of a known type is marked ignorable is ignored."""

    def change(reader: Any, fields: list[int]) -> None:
        if fields[TYPE] in KNOWN:
            fields[FLAGS] &= ~IGNORABLE

    reading(change)


@wire_mutant("OSP-FRM-013", "whose input ends after byte|reject/OSP-FRM-013")
def receivers_do_not_see_the_end() -> None:
    """A receiver whose input ends between two frames goes on waiting."""

    @instead(Connection, "eof")
    def eof(original: Any, self: Any, detail: str = "") -> None:
        if self._reader.inside_frame or not isinstance(self.session, Receiver):
            original(self, detail)


@wire_mutant("OSP-FRM-014", "numbers without gaps")
def a_gap_after_credit() -> None:
    """After a CREDIT a number is left out."""

    @instead(FrameWriter, "encode")
    def encode(original: Any, self: Any, type_: Any, *rest: Any) -> Any:
        encoded = original(self, type_, *rest)
        self.seq += type_ is FrameType.CREDIT
        return encoded


@wire_mutant("OSP-FRM-015", "reject/OSP-FRM-015")
def numbers_are_ignored() -> None:
    """The numbers of frames are not looked at."""
    reading(lambda reader, fields: fields.__setitem__(SEQ, reader._seq))


@wire_mutant("OSP-FRM-016", "reject/OSP-FRM-016")
def data_may_be_anywhere() -> None:
    """Any frame may have data."""

    def change(reader: Any, fields: list[int]) -> None:
        if fields[TYPE] in KNOWN - CONTENT:
            fields[DATA] = 0

    reading(change)


@wire_mutant("OSP-FRM-017", "reject/OSP-FRM-017")
def content_may_be_empty() -> None:
    """Content frames may be empty."""

    def change(reader: Any, fields: list[int]) -> None:
        if fields[TYPE] in CONTENT:
            fields[DATA] = fields[DATA] or 1

    reading(change)


@wire_mutant("OSP-FRM-018", "reject/OSP-FRM-018-bytes-after-the-map")
def rest_of_meta_is_ignored() -> None:
    """Bytes after the map of a frame's meta are ignored."""

    @instead(meta, "decode")
    def decode(original: Any, frame: str, data: bytes) -> Any:
        try:
            return original(frame, data)
        except TransferError as error:
            if "bytes after the map" not in error.message:
                raise
            return original(frame, data[: meta._decode(data, 0, 0)[1]])


@wire_mutant("OSP-FRM-019", "reject/OSP-FRM-019")
def resets_need_no_message() -> None:
    """A RESET without message is taken."""

    @instead(meta, "decode")
    def decode(original: Any, frame: str, data: bytes) -> Any:
        try:
            return original(frame, data)
        except TransferError as error:
            if frame != "RESET" or "lacks message" not in error.message:
                raise
            return original(frame, bytes((data[0] + 1,)) + data[1:] + b"\x0e\x60")


@wire_mutant("OSP-FRM-020", "reject/OSP-FRM-020")
def attributes_may_be_anything() -> None:
    """The attributes in an OPEN may have any type."""
    assign(meta.OPTIONAL, "OPEN", {**meta.OPTIONAL["OPEN"], Key.ATTRIBUTES: (lambda value: True, "")})


@wire_mutant("OSP-FRM-021", "at most 65536 bytes of data in a frame")
def max_frame_is_ignored() -> None:
    """A sender does not look at the size of frames that its receiver takes."""

    @instead(Sender, "_on_request")
    def request(original: Any, self: Any, frame: Any) -> None:
        original(self, type(frame)(frame.type, {**frame.meta, Key.MAX_FRAME: 1 << 24}, frame.length))


@wire_mutant("OSP-VER-001", "version 1 of")
def highest_version_is_chosen() -> None:
    """The highest version that is offered is chosen, known or not."""

    @instead(Sender, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        if type_ is FrameType.OPEN:
            fields[Key.VERSIONS] = max(self.request[Key.VERSIONS])
        original(self, type_, fields)


@wire_mutant("OSP-VER-002", "the outcome VERSION.*PROTOCOL")
def no_common_version_is_a_fault() -> None:
    """That no version is common is reported as PROTOCOL."""

    @instead(Sender, "_on_request")
    def request(original: Any, self: Any, frame: Any) -> None:
        try:
            original(self, frame)
        except TransferError as error:
            code = Code.PROTOCOL if error.code is Code.VERSION else error.code
            raise TransferError(code, error.message) from None


@wire_mutant("OSP-VER-003", "accept/OSP-VER-003")
def unknown_keys_are_refused() -> None:
    """A key of meta that no frame has is refused in END."""

    @instead(meta, "decode")
    def decode(original: Any, frame: str, data: bytes) -> Any:
        decoded = original(frame, data)
        if frame == "END" and set(decoded) - set(Key):
            raise TransferError(Code.PROTOCOL, "an unknown key")
        return decoded


@wire_mutant("OSP-VER-004", "reject/OSP-VER-004")
def any_version_will_do() -> None:
    """A receiver does not look at the version that was chosen."""

    @instead(Receiver, "_on_open")
    def open_(original: Any, self: Any, frame: Any) -> None:
        original(self, type(frame)(frame.type, {**frame.meta, Key.VERSIONS: 1}, frame.length))
