"""Frames: preface, headers, meta, numbers, portions (chapter 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .. import vectors
from ..case import Case
from ..cases import requirement
from ..cbor import Ref, ext
from ..compare import difference
from ..frames import IGNORABLE, PREFACE, SIGN_OF_LIFE, Type
from ..peer import WIRE, Peer, gives, opened, play, playable, roles, takes
from ..vectors import Vector

MANY = [bytes([number]) * 40_000 for number in range(6)]


@requirement("OSP-FRM-001", needs=WIRE)
def preface_first(t: Case) -> None:
    """The first 8 bytes of every end are the preface, before anything has come from the peer."""
    for role in roles(t, "owner", "requester", "sender", "receiver"):
        peer = Peer(t, role, [1], preface=b"")
        t.expect(peer.preface == PREFACE, f"the preface from the {role}", f"{peer.preface!r}")


@requirement("OSP-FRM-002", needs=WIRE)
def wrong_preface(t: Case) -> None:
    """Another protocol, converted line ends, a lost high bit in place of the preface: refused at its eighth byte."""
    play(t, "OSP-FRM-002")


def _sessions(t: Case) -> Iterable[Peer]:
    """Good sessions with content and CREDIT, one for each role."""
    for role in roles(t, "owner", "sender"):
        yield gives(t, role, MANY)
    for role in roles(t, "requester", "receiver"):
        yield takes(t, role, *(ext("bytes", Ref(one)) for one in MANY), window=100_000)


@requirement("OSP-FRM-003", needs=WIRE)
def headers(t: Case) -> None:
    """Whole sessions of every role: each frame has a type of the table, its flags, lengths and checksums right."""
    for peer in _sessions(t):
        peer.delivered()
        t.expect(not peer.rest, "whole frames and nothing else", f"{len(peer.rest)} bytes that are no frame")
        for frame in peer.heard:
            known = frame.type in set(Type) and not frame.flags
            skipped = frame.type == SIGN_OF_LIFE and frame.flags == IGNORABLE
            t.expect(known or skipped, "frames of this version", f"type {frame.type}, flags {frame.flags}")
            t.expect(
                all(frame.crcs), f"the checksums of {frame.name} to be right", f"header, meta: {frame.crcs}"
            )
            has_data = len(frame.data) > 0
            t.expect(
                has_data == frame.is_content,
                "data in content frames, nowhere else",
                f"{frame.name}: {has_data}",
            )


@requirement("OSP-FRM-004", needs=WIRE)
def damaged_header(t: Case) -> None:
    """The checksum of the header of each type of frame is wrong: CORRUPT, on the header alone."""
    play(t, "OSP-FRM-004")


@requirement("OSP-FRM-005", needs=WIRE)
def damaged_meta(t: Case) -> None:
    """The checksum of the meta of each type of frame is wrong, of one to be skipped too: CORRUPT."""
    play(t, "OSP-FRM-005")


@requirement("OSP-FRM-006", needs=WIRE)
def too_much_meta(t: Case) -> None:
    """4096 bytes of meta are taken; a header that announces 4097 is refused alone with TOO_LARGE."""
    play(t, "OSP-FRM-006")


@requirement("OSP-FRM-007", needs=WIRE)
def too_much_data(t: Case) -> None:
    """A header that announces a byte more than max_frame is refused alone with TOO_LARGE, to be skipped or not."""
    play(t, "OSP-FRM-007")


@requirement("OSP-FRM-008", needs=WIRE)
def portions(t: Case) -> None:
    """Every vector once frame by frame, once in random portions or byte by byte: the same comes of it."""
    for vector in vectors.load().values():
        if playable(t, vector):
            one, other = _fed(t, vector, list), _fed(t, vector, lambda lines: _cut(t, lines))
            found = difference(one, other, vector.path)
            t.expect(not found, "the same, however the bytes are split", found)


def _fed(t: Case, vector: Vector, cut: Callable[[Iterable[bytes]], list[bytes]]) -> list[object]:
    """The outcome and the frames heard when the lines are fed in these portions."""
    peer = opened(t, vector)
    for portion in cut(vector.lines):
        peer.feed(portion)
    outcome: Any = peer.outcome
    how, value = outcome or ("running", None)
    return [how, value.read_bytes() if isinstance(value, Path) else value, peer.types]


def _cut(t: Case, lines: Iterable[bytes]) -> list[bytes]:
    """The lines in portions; one that waits for an answer is not mixed with those before."""
    portions = []
    for line in lines:
        step = 1 if len(line) < 100 else t.random.choice((2, 3, 7, 23, 24, 25, 100))
        portions += [line[at : at + step] for at in range(0, len(line), step)]
    return portions


@requirement("OSP-FRM-009", needs=WIRE)
def undefined_flags(t: Case) -> None:
    """Each type of frame with a flag that is not defined: PROTOCOL."""
    play(t, "OSP-FRM-009")


@requirement("OSP-FRM-010", needs=WIRE)
def ignorable_frames(t: Case) -> None:
    """Unknown ignorable frames in every place, with meta that is no CBOR and data: skipped, and counted."""
    play(t, "OSP-FRM-010")


@requirement("OSP-FRM-011", needs=WIRE)
def unknown_frames(t: Case) -> None:
    """Unknown types without IGNORABLE: PROTOCOL; with it they are skipped."""
    play(t, "OSP-FRM-011")


@requirement("OSP-FRM-012", needs=WIRE)
def known_frames_marked(t: Case) -> None:
    """Each known type marked ignorable: PROTOCOL."""
    play(t, "OSP-FRM-012")


WHOLE = (
    "accept/OSP-CTR-001-a-list-of-one-entry",
    "accept/OSP-SES-032-a-list-that-is-offered",
    "accept/OSP-SES-031-a-list-is-sent-to-who-asks-for-it",
    "accept/OSP-SES-041-a-list-is-sent-to-who-takes-the-offer",
)


@requirement("OSP-FRM-013", needs=WIRE)
def end_of_input(t: Case) -> None:
    """The input of every role ends after each of its bytes: LOST, after END at the sender UNCONFIRMED."""
    play(t, "OSP-FRM-013")
    for vector in map(vectors.load().__getitem__, WHOLE):
        stream = b"".join(vector.lines)
        begun = 0 if vector.role in ("requester", "sender") else len(PREFACE) + 1
        for end in range(begun, len(stream)) if playable(t, vector) else ():
            peer = opened(t, vector)
            peer.feed(stream[:end])
            code = "UNCONFIRMED" if "END" in peer.types else "LOST"
            peer.eof()
            peer.failed(
                code, f"a {vector.role} whose input ends after byte {end} of {len(stream)}", told=False
            )


@requirement("OSP-FRM-014", needs=WIRE)
def numbers_sent(t: Case) -> None:
    """Whole sessions of every role: the frames of an end are numbered 0, 1, 2 and so on."""
    for peer in _sessions(t):
        numbers = [frame.seq for frame in peer.heard]
        t.exercised(len(numbers) > 1, "more than one frame")
        t.expect(numbers == list(range(len(numbers))), "numbers without gaps", f"{numbers}")


@requirement("OSP-FRM-015", needs=WIRE)
def numbers_received(t: Case) -> None:
    """A number skipped at each type of frame, repeated, or right in 32 bits only: PROTOCOL."""
    play(t, "OSP-FRM-015")


@requirement("OSP-FRM-016", needs=WIRE)
def data_elsewhere(t: Case) -> None:
    """Each type of frame that has no data announces a byte of it: PROTOCOL, on the header alone."""
    play(t, "OSP-FRM-016")


@requirement("OSP-FRM-017", needs=WIRE)
def empty_content(t: Case) -> None:
    """ENTRIES and DATA without data: PROTOCOL, on the header alone."""
    play(t, "OSP-FRM-017")


@requirement("OSP-FRM-018", needs=WIRE)
def strict_meta(t: Case) -> None:
    """Meta next to the grammar (no map, twice a key, long heads, floats, tags, 5 levels, more bytes): PROTOCOL."""
    play(t, "OSP-FRM-018")


@requirement("OSP-FRM-019", needs=WIRE)
def required_meta(t: Case) -> None:
    """Each required key of each type of frame is missing in turn: PROTOCOL."""
    play(t, "OSP-FRM-019")


@requirement("OSP-FRM-020", needs=WIRE)
def types_of_meta(t: Case) -> None:
    """Each key of each type of frame with values of other types and beyond the range: PROTOCOL."""
    play(t, "OSP-FRM-020")


@requirement("OSP-FRM-021", needs=WIRE)
def max_frame(t: Case) -> None:
    """A container and a file of 300 000 bytes are asked for with max_frame 65536: no frame has more data."""
    size, most = 300_000, 1 << 16
    values: list[object] = [[t.random.randbytes(size)]]
    if t.has("file"):
        values.append(t.file(t.random.randbytes(size)))
    for role in roles(t, "owner", "sender"):
        for value in values:
            kind = "file" if isinstance(value, Path) else "container"
            peer = gives(t, role, value, max_frame=most, **({"kind": kind} if role == "owner" else {}))
            peer.delivered()
            t.exercised(peer.sent >= size, f"content of {size} bytes")
            largest = max(len(frame.data) for frame in peer.content)
            t.expect(
                largest <= most, f"at most {most} bytes of data in a frame", f"{largest} from the {role}"
            )
