"""What is fuzzed. Each target takes any bytes; the first line of each says what holds for all of them.

A target raises when it does not hold. It returns in words what came of the input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

from objstream import ContainerAssembler, Description, Limits, Registry, TransferError
from objstream import meta as metas
from objstream.frames import PREFACE, Frame, FrameReader, encode_header
from objstream.meta import Key
from objstream.session.kept import MAGIC, Kept
from objstream.values import Piece
from objstream_conformance.compare import difference
from objstream_conformance.frames import CODES, Type, split
from objstream_conformance.notation import application
from objstream_conformance.trace import check

from ..ends import Role, Target
from ..helpers import decoded, encoded, place, portions
from .scripts import ACTIONS, UNPACED, Writer, records

with contextlib.suppress(ImportError):
    import objstream.tensors  # noqa: F401 - so that no input has to wait for torch

SAMPLE = 8
"""One input in so many is held against the specification by its log, and played again in other portions."""

REGISTRY = Registry()
REGISTRY.register(
    application("site/point@2"), "site/point@2", lambda point: point.value, application("site/point@2")
)
LIMITS = Limits(max_bytes=1 << 20, max_frame=1 << 16, max_meta=512, max_items=20_000, max_skipped=4)
KEPT = ("frames", "content")
_SHM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
NO_MEMORY = "there is no memory for the object"


def frames(data: bytes) -> str:
    """Any bytes are frames, or PROTOCOL, CORRUPT or TOO_LARGE; what is read is exactly what would be written."""
    setting, portion, rest = data[:1], data[1:2], data[2:]
    preface, scripted = bool(setting and setting[0] & 1), bool(setting and setting[0] & 2)
    if scripted:
        writer = Writer()
        rest = b"".join(map(writer.write, records(rest)))
    if preface:
        rest = PREFACE + rest
    once = _read(rest, preface, len(rest))
    lengths = max(1, portion[0] if portion else 1)
    assert _read(rest, preface, lengths) == once, "the outcome depends on how the bytes are split"
    return f"{len(once[1])} frames, {once[2]}"


class _Heard:
    """What a reader reports."""

    def __init__(self) -> None:
        self.frames: list[tuple[Frame, bytearray]] = []
        self.skipped = 0

    def on_frame(self, frame: Frame) -> None:
        self.frames.append((frame, bytearray()))

    def landing(self, frame: Frame, left: int) -> memoryview:
        return memoryview(bytearray(min(left, 1000)))

    def landed(self, frame: Frame, view: memoryview) -> None:
        self.frames[-1][1].extend(view)

    def on_data(self, frame: Frame) -> None:
        assert len(self.frames[-1][1]) == frame.length

    def on_skipped(self) -> None:
        self.skipped += 1


def _read(stream: bytes, preface: bool, portion: int) -> tuple[int, list[object], str]:
    heard = _Heard()
    reader = FrameReader(heard, LIMITS, preface=preface)
    taken, problem = 0, None
    try:
        for part in portions(memoryview(stream), [portion]):
            while len(part):
                room = reader.want()
                count = min(len(room), len(part))
                room[:count] = part[:count]
                reader.received(count)
                part = part[count:]
                if not reader.inside_frame:
                    taken = reader.expected
    except TransferError as error:
        problem = _documented(error, "PROTOCOL", "CORRUPT", "TOO_LARGE")
    whole = [one for one in heard.frames if len(one[1]) == one[0].length]
    if not heard.skipped:
        _rewritten(whole, stream[len(PREFACE) :] if preface else stream)
    return taken, [(int(frame.type), frame.meta, bytes(part)) for frame, part in whole], str(problem)


def _rewritten(whole: list[tuple[Frame, bytearray]], stream: bytes) -> None:
    """What has been read is the one form of what it says."""
    at = 0
    for seq, (frame, part) in enumerate(whole):
        again = encode_header(frame.type, metas.encode(frame.meta), len(part), seq) + part
        assert stream[at : at + len(again)] == again, f"{frame} was read from other bytes"
        at += len(again)


KINDS = ("list", "dict", "set", "tuple", "frozenset")


def values(data: bytes) -> str:
    """Any content is a container, or PROTOCOL, TOO_LARGE or UNSUPPORTED; it is written and read again the same."""
    kind = KINDS[data[0] % len(KINDS)] if data else "list"
    limits = dataclasses.replace(LIMITS, max_inline=64) if data and data[0] & 0x80 else LIMITS
    parts = list(_parts(data[2:]))
    got, problem = _assembled(kind, parts, limits, 1 << 20)
    if _sampled(data):
        again = _assembled(kind, parts, limits, max(1, data[1]) if len(data) > 1 else 1)
        assert (again[1], difference(got, again[0])) == (problem, ""), "it depends on how the bytes are split"
    if problem:
        return problem
    written = encoded(got, 64, limits, REGISTRY)
    assert difference(got, decoded(kind, written, [1 << 20], limits, REGISTRY)) == ""
    return f"{kind} of {len(written)} parts"


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Pieces of content: a byte that says of which kind, two of the length."""
    at = 0
    while at + 3 <= len(data):
        length = int.from_bytes(data[at + 1 : at + 3], "big")
        yield Piece.DATA if data[at] & 1 else Piece.ENTRIES, data[at + 3 : at + 3 + length]
        at += 3 + length


def _assembled(kind: str, parts: list[tuple[int, bytes]], limits: Limits, portion: int) -> tuple[object, str]:
    assembler = ContainerAssembler(registry=REGISTRY)
    assembler.begin(Description(kind), limits)
    try:
        for piece, data in parts:
            if piece == Piece.DATA:
                if len(data) > assembler.room():
                    return None, "more data than are awaited"
                place(memoryview(data), assembler)
            else:
                for part in portions(memoryview(data), [portion]):
                    assembler.feed(part)
        assembler.check_complete()
        return assembler.finish(), ""
    except TransferError as error:
        return None, str(_documented(error, "PROTOCOL", "TOO_LARGE", "UNSUPPORTED"))


def receiver(data: bytes) -> str:
    """Whatever a sender says, the object arrives as the last END has it, or the session fails and leaves nothing."""
    roles: tuple[Role, ...] = ("requester", "receiver")
    kinds = ("container", "file", "container", "dict")
    return _ended(data, roles[data[0] & 1 if data else 0], kinds[data[0] >> 1 & 3 if data else 0])


def sender(data: bytes) -> str:
    """Whatever a receiver says, the object is confirmed by its chain, or the session fails and leaves nothing."""
    roles: tuple[Role, ...] = ("owner", "sender")
    return _ended(data, roles[data[0] & 1 if data else 0], "file" if data and data[0] & 2 else "container")


def kept(data: bytes) -> str:
    """Whatever lies where a transfer kept its content, as much is taken up as is verified, or nothing: no error."""
    files = _mended(data[1:]) if data[:1] == b"\1" else _parted(data[1:])
    with tempfile.TemporaryDirectory(dir=_SHM) as place:
        assembler = ContainerAssembler(resume=place)
        for suffix, content in zip(KEPT, files, strict=True):
            Path(place, f"{kept_stem()}.{suffix}").write_bytes(content)
        found = Kept(Path(place), "container", "object", LIMITS)
        try:
            return _replayed(found, assembler) if found.point is not None else "nothing"
        finally:
            found.end(None)
            assert not Path(place).exists(), "something is left of it"
            Path(place).mkdir()


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """The two files: two bytes say how long the first is."""
    length = int.from_bytes(data[:2], "big")
    return data[2 : 2 + length], data[2 + length :]


def _mended(data: bytes) -> tuple[bytes, bytes]:
    """The two files with right digests: a length and the head, then pieces: two bytes, a length and the content."""
    length = int.from_bytes(data[:2], "big")
    head, rest = data[2 : 2 + length], data[2 + length :]
    frames = struct.pack(">8sI32s", MAGIC, len(head), hashlib.sha256(head).digest()) + head
    content = b""
    while len(rest) >= 4:
        count = int.from_bytes(rest[2:4], "big")
        piece = rest[4 : 4 + count]
        frames += rest[:2] + len(piece).to_bytes(4, "big") + hashlib.sha256(piece).digest()
        content, rest = content + piece, rest[4 + count :]
    return frames, content


def _replayed(found: Kept, assembler: ContainerAssembler) -> str:
    """What is taken up is the content of as many frames as is said, or no content of a container."""
    assert found.point is not None
    kind = found.opened[Key.KIND]
    try:
        assembler.begin(Description(kind), LIMITS)
        pieces = sum(1 for _ in found.replay(assembler))
    except TransferError as error:
        return _documented(error, "PROTOCOL", "TOO_LARGE", "UNSUPPORTED", "STORE_FAILED").message
    assert pieces == found.point.frames
    return f"{pieces} pieces of a {kind}"


@functools.cache
def kept_stem() -> str:
    """How the two files are called."""
    with tempfile.TemporaryDirectory() as place:
        found = Kept(Path(place), "container", "object", LIMITS)
        stem = found.content.stem
        found.end(None)
        Path(place).mkdir(exist_ok=True)
    return stem


def _ended(data: bytes, role: Role, kind: str) -> str:
    """Play the script of these bytes; what the end has said, and how it ended."""
    sampled = _sampled(data)
    target = _played(data, role, kind, 0, traced=sampled)
    left = target.left()
    assert left == "", left
    said, rest = split(bytes(target.said[len(PREFACE) :]))
    assert rest == b"", "half a frame was said"
    session = target.connection.session
    problems = {session and session.error, target.connection.problem} - {None}
    for problem in problems:
        _documented(problem, *CODES)
    if sampled:
        violations = check(target.log)
        assert violations == [], [str(violation) for violation in violations]
        other = _played(data, role, kind, max(1, data[1]) if len(data) > 1 else 1, traced=False)
        assert other.said == target.said, "what an end says depends on how the bytes are split"
    return f"{role} says {' '.join(frame.name for frame in said)}; {', '.join(map(str, problems))}"


def _played(data: bytes, role: Role, kind: str, portion: int, *, traced: bool) -> Target:
    target = Target(role, kind, traced=traced)
    target.portion = portion
    writer = Writer()
    while target.say():
        pass
    target.hear(PREFACE)
    for record in records(data[2:]):
        action = ACTIONS.get(record.type)
        if action is not None:
            target.act(action)
            continue
        chain = target.last_chain() if record.type == Type.DONE else None
        target.hear(writer.write(record, chain))
        if not record.how & UNPACED:
            while target.say():
                pass
    target.leave()
    return target


def _documented(error: TransferError, *codes: str) -> TransferError:
    """The error, if it is one of these; that memory was asked for and not there is none of them."""
    assert error.code.name in codes, error
    assert NO_MEMORY not in error.message, error
    return error


def _sampled(data: bytes) -> bool:
    return crc32(data) % SAMPLE == 0


Fuzzed = Callable[[bytes], str]
TARGETS: dict[str, Fuzzed] = {
    "frames": frames,
    "values": values,
    "receiver": receiver,
    "sender": sender,
    "kept": kept,
}
