"""Bytes to frames: each case whole, byte by byte, and with more bytes after it."""

from __future__ import annotations

import weakref

import pytest

from objstream import Code, Limits, TransferError
from objstream.frames import (
    HEADER_BYTES,
    PREFACE,
    Frame,
    FrameReader,
    FrameType,
    FrameWriter,
    encode_header,
    peek,
)

from .helpers import (
    CREDIT,
    DATA,
    DONE,
    END,
    ENTRIES,
    IGNORABLE,
    OFFER,
    OPEN,
    REQUEST,
    RESET,
    SIGN_OF_LIFE,
    Meta,
    frame,
    parse,
    request,
)

META: dict[int, Meta] = {
    OFFER: {2: "m", 3: "dict"},
    REQUEST: request(),
    OPEN: {0: 1, 1: "none", 3: "list"},
    ENTRIES: {11: b"d"},
    DATA: {},
    END: {4: 1, 5: 1, 12: bytes(32)},
    DONE: {12: bytes(32)},
    CREDIT: {7: 5},
    RESET: {13: 4, 14: "no"},
}
CONTENT = (ENTRIES, DATA)
SMALL = Limits(max_meta=100, max_frame=1000, max_skipped=3)


class Memory(bytearray):
    """Memory that can be watched."""


class Recorder:
    """A handler that keeps what it is told; data lands in views of at most `portion` bytes."""

    def __init__(self, portion: int) -> None:
        self.portion = portion
        self.frames: list[tuple[int, Meta, bytes]] = []
        self.skipped = 0
        self._data = bytearray()
        self._landing = memoryview(b"")

    def on_frame(self, frame: Frame) -> None:
        self._data.clear()
        if not frame.length:
            self.frames.append((int(frame.type), frame.meta, b""))

    def landing(self, frame: Frame, left: int) -> memoryview:
        self._landing = memoryview(Memory(min(left, self.portion)))
        return self._landing

    def landed(self, frame: Frame, view: memoryview) -> None:
        assert view is self._landing
        self._data += view

    def on_data(self, frame: Frame) -> None:
        assert len(self._data) == frame.length
        self.frames.append((int(frame.type), frame.meta, bytes(self._data)))

    def on_skipped(self) -> None:
        self.skipped += 1


class Reading:
    def __init__(self, *, limits: Limits = SMALL, preface: bool = False, portion: int = 1 << 20) -> None:
        self.handler = Recorder(portion)
        self.reader = FrameReader(self.handler, limits, preface=preface)
        self.taken = 0

    def feed(self, data: bytes, step: int = 1 << 30) -> Reading:
        view = memoryview(data)
        while len(view):
            place = self.reader.want()
            count = min(len(place), len(view), step)
            place[:count] = view[:count]
            self.taken += count
            self.reader.received(count)
            view = view[count:]
        return self


def read(data: bytes, limits: Limits = SMALL, preface: bool = False) -> list[tuple[int, Meta, bytes]]:
    """The frames of the data: the same ones however it is cut and wherever it lands."""
    whole = Reading(limits=limits, preface=preface).feed(data)
    for step, portion in ((1, 1 << 20), (1, 1), (7, 3), (25, 10)):
        other = Reading(limits=limits, preface=preface, portion=portion).feed(data, step)
        assert other.handler.frames == whole.handler.frames
        assert other.handler.skipped == whole.handler.skipped
        assert not other.reader.inside_frame
        assert not other.reader.inside_data
    return whole.handler.frames


def refused(data: bytes, *, at: int, limits: Limits = SMALL, preface: bool = False) -> Code:
    """The code with which the data is refused as soon as the first `at` bytes are there, and not before."""
    codes = set()
    for step, more in ((1 << 30, b""), (1, b""), (1, bytes(300)), (1 << 30, bytes(300))):
        reading = Reading(limits=limits, preface=preface)
        with pytest.raises(TransferError) as caught:
            reading.feed(data[:at] + more, step)
        assert step > 1 or reading.taken == at
        codes.add((caught.value.code, caught.value.message))
    assert len(codes) == 1
    Reading(limits=limits, preface=preface).feed(data[: at - 1])
    return codes.pop()[0]


@pytest.mark.parametrize("type_", META)
def test_each_frame_is_read_as_it_was_written(type_: int) -> None:
    data = b"some data" if type_ in CONTENT else b""
    assert read(frame(type_, META[type_], data)) == [(type_, META[type_], data)]


def test_the_numbers_of_the_types_are_those_of_the_wire() -> None:
    assert [int(type_) for type_ in FrameType] == list(META)


def test_frames_follow_each_other_without_anything_between() -> None:
    stream = b"".join(
        frame(type_, META[type_], b"x" * 700 if type_ in CONTENT else b"", seq=seq)
        for seq, type_ in enumerate(META)
    )
    assert [(type_, len(data)) for type_, _, data in read(stream)] == [
        (type_, 700 if type_ in CONTENT else 0) for type_ in META
    ]


def test_a_writer_writes_what_other_implementations_read() -> None:
    writer = FrameWriter()
    written = (
        writer.encode(FrameType.RESET, {13: 4, 14: "no"}) + writer.encode(FrameType.DATA, {}, 3) + b"abc"
    )
    first, second = parse(written)
    assert (first.name, first.seq, first.code, first.message, first.flags) == ("RESET", 0, 4, "no", 0)
    assert (second.name, second.seq, second.data) == ("DATA", 1, b"abc")


def test_a_sign_of_life_is_an_ignorable_frame_without_anything_in_it() -> None:
    writer = FrameWriter()
    (alive,) = parse(writer.keep_alive())
    assert (alive.type, alive.flags, alive.seq, alive.meta, alive.data) == (255, IGNORABLE, 0, {}, b"")
    assert parse(writer.keep_alive())[0].seq == 1


def test_a_header_has_24_bytes() -> None:
    assert HEADER_BYTES == 24
    assert len(encode_header(1, b"", 0, 0)) == 24


@pytest.mark.parametrize("damaged", range(24))
def test_a_damaged_header_is_refused_before_anything_in_it_is_believed(damaged: int) -> None:
    good = frame(CREDIT, META[CREDIT])
    for bit in range(8):
        bad = bytearray(good)
        bad[damaged] ^= 1 << bit
        assert refused(bytes(bad), at=24) is Code.CORRUPT


@pytest.mark.parametrize("type_", META)
def test_damaged_meta_is_refused_when_it_is_there(type_: int) -> None:
    encoded = frame(type_, META[type_])
    data = b"data" if type_ in CONTENT else b""
    for at in range(24, len(encoded)):
        bad = bytearray(frame(type_, META[type_], data))
        bad[at] ^= 0x40
        assert refused(bytes(bad), at=len(encoded)) is Code.CORRUPT


@pytest.mark.parametrize("flags", [0x02, 0x03, 0x80, 0xFF])
def test_undefined_flags_are_refused(flags: int) -> None:
    assert refused(frame(CREDIT, META[CREDIT], flags=flags), at=24) is Code.PROTOCOL
    assert refused(frame(77, flags=flags), at=24) is Code.PROTOCOL


@pytest.mark.parametrize("type_", [0, 10, 200, SIGN_OF_LIFE])
def test_an_unknown_type_is_refused_unless_it_is_ignorable(type_: int) -> None:
    assert refused(frame(type_), at=24) is Code.PROTOCOL


@pytest.mark.parametrize("type_", META)
def test_a_known_type_must_not_be_ignorable(type_: int) -> None:
    data = b"data" if type_ in CONTENT else b""
    assert refused(frame(type_, META[type_], data, flags=IGNORABLE), at=24) is Code.PROTOCOL


@pytest.mark.parametrize("seq", [1, 2, 2**32, 2**64 - 1])
def test_the_first_frame_has_number_0(seq: int) -> None:
    assert refused(frame(CREDIT, META[CREDIT], seq=seq), at=24) is Code.PROTOCOL


@pytest.mark.parametrize("seq", [0, 1, 3])
def test_a_gap_a_repetition_and_a_step_back_are_refused(seq: int) -> None:
    before = frame(CREDIT, META[CREDIT]) + frame(CREDIT, META[CREDIT], seq=1)
    assert refused(before + frame(CREDIT, META[CREDIT], seq=seq), at=len(before) + 24) is Code.PROTOCOL


def test_a_new_session_counts_from_0_again() -> None:
    reading = Reading().feed(frame(CREDIT, META[CREDIT]) + frame(CREDIT, META[CREDIT], seq=1))
    assert reading.reader.expected == 2
    reading.reader.new_session()
    reading.feed(frame(DONE, META[DONE]))
    assert [type_ for type_, *_ in reading.handler.frames] == [CREDIT, CREDIT, DONE]


def test_too_much_meta_is_refused_on_the_header_alone() -> None:
    fits, above = {99: b"x" * 95}, {99: b"x" * 96}
    assert len(frame(DATA, fits)) == 24 + 100
    assert read(frame(DATA, fits, b"x")) == [(DATA, fits, b"x")]
    assert refused(frame(DATA, above, b"x"), at=24) is Code.TOO_LARGE
    assert refused(frame(200, b"x" * 101, flags=IGNORABLE), at=24) is Code.TOO_LARGE


def test_too_much_data_is_refused_on_the_header_alone() -> None:
    assert read(frame(DATA, {}, b"x" * 1000)) == [(DATA, {}, b"x" * 1000)]
    assert refused(frame(DATA, {}, b"x" * 1001), at=24) is Code.TOO_LARGE
    assert refused(frame(DATA, {}, length=2**32 - 1), at=24) is Code.TOO_LARGE
    assert refused(frame(200, b"", b"x" * 1001, flags=IGNORABLE), at=24) is Code.TOO_LARGE


@pytest.mark.parametrize("type_", [type_ for type_ in META if type_ not in CONTENT])
def test_only_content_frames_have_data(type_: int) -> None:
    assert refused(frame(type_, META[type_], b"x"), at=24) is Code.PROTOCOL


@pytest.mark.parametrize("type_", CONTENT)
def test_content_frames_are_never_empty(type_: int) -> None:
    assert refused(frame(type_, META[type_]), at=24) is Code.PROTOCOL


def test_meta_outside_the_grammar_is_refused_when_it_is_there() -> None:
    assert refused(frame(DATA, b"", b"x"), at=24) is Code.PROTOCOL
    assert refused(frame(DATA, b"\xa0\xa0", b"x"), at=26) is Code.PROTOCOL


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"flags": 2, "header_crc": 1}, Code.CORRUPT),
        ({"seq": 5, "meta_length": 101}, Code.PROTOCOL),
        ({"meta_length": 101, "length": 1001}, Code.TOO_LARGE),
        ({"length": 1001, "meta_crc": 1}, Code.TOO_LARGE),
        ({"length": 5, "meta_crc": 1}, Code.PROTOCOL),
    ],
)
def test_the_first_check_decides(fields: dict[str, int], code: Code) -> None:
    assert refused(frame(CREDIT, META[CREDIT], **fields), at=24) is code


@pytest.mark.parametrize(
    ("meta", "data"), [(b"", b""), (b"not CBOR", b""), (b"", b"x" * 999), (b"\xff" * 100, b"y" * 1000)]
)
def test_an_ignorable_frame_is_skipped_with_its_meta_and_data_and_counted(meta: bytes, data: bytes) -> None:
    stream = (
        frame(CREDIT, META[CREDIT])
        + frame(200, meta, data, seq=1, flags=IGNORABLE)
        + frame(DATA, {}, b"abc", seq=2)
    )
    assert read(stream) == [(CREDIT, META[CREDIT], b""), (DATA, {}, b"abc")]
    assert Reading().feed(stream).handler.skipped == 1


def test_meta_of_an_ignorable_frame_is_checked_against_its_crc() -> None:
    assert refused(frame(200, b"abc", b"x", flags=IGNORABLE, meta_crc=1), at=27) is Code.CORRUPT


def test_the_number_of_ignorable_frames_is_limited_in_each_session() -> None:
    stream = b"".join(frame(200, b"", b"x", seq=seq, flags=IGNORABLE) for seq in range(4))
    assert refused(stream, at=len(stream) - 1) is Code.TOO_LARGE
    reading = Reading().feed(stream[:-25])
    reading.reader.new_session()
    reading.feed(stream[:-25])
    assert reading.handler.skipped == 6


def test_the_preface_comes_first_and_once() -> None:
    assert PREFACE == b"\x89OSP\r\n\x1a\n"
    assert read(PREFACE + frame(CREDIT, META[CREDIT]), preface=True) == [(CREDIT, META[CREDIT], b"")]
    assert refused(PREFACE * 4, at=8 + 24, preface=True) is Code.CORRUPT


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (b"\x89OSP\n\x1a\n\x00", "8-bit clean"),
        (b"\x89OSP\r\r\n\x1a", "8-bit clean"),
        (b"\x09OSP\r\n\x1a\n", "8-bit clean"),
        (b"GET / HT", "does not speak"),
        (b"\x89PNG\r\n\x1a\n", "does not speak"),
        (bytes(8), "does not speak"),
    ],
)
def test_another_preface_is_refused_in_eight_bytes(start: bytes, hint: str) -> None:
    assert refused(start + frame(CREDIT, META[CREDIT]), at=8, preface=True) is Code.PROTOCOL
    with pytest.raises(TransferError, match=hint):
        Reading(preface=True).feed(start)


def test_a_reader_knows_where_it_is() -> None:
    stream = frame(DATA, {}, b"abc")
    reading = Reading()
    seen = []
    for at in range(len(stream)):
        seen.append((reading.reader.inside_frame, reading.reader.inside_data))
        reading.feed(stream[at : at + 1])
    head = len(stream) - 3
    assert seen == [(False, False)] + [(True, False)] * (head - 1) + [(True, True)] * 3
    assert (reading.reader.inside_frame, reading.reader.inside_data) == (False, False)


def test_a_peek_tells_type_number_and_length_of_a_sound_header() -> None:
    good = frame(DONE, META[DONE], seq=7)
    assert peek(memoryview(good)) == peek(memoryview(good[:24])) == (DONE, 7, len(good))
    assert peek(memoryview(frame(DATA, {}, b"abc"))) == (DATA, 0, 24 + 1 + 3)
    assert peek(memoryview(good[:23])) is None
    assert peek(memoryview(b"")) is None
    for at in range(24):
        bad = bytearray(good)
        bad[at] ^= 1
        assert peek(memoryview(bad)) is None


def test_a_reader_that_is_closed_holds_nothing() -> None:
    reading = Reading().feed(frame(DATA, {}, b"abc")[:-1])
    handler = weakref.ref(reading.handler)
    landing = weakref.ref(reading.handler._landing.obj)
    reading.reader.close()
    del reading.handler
    assert handler() is None
    assert landing() is None
