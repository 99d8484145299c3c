"""Resume, frame by frame (chapter 16)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..case import Case
from ..cases import requirement
from ..contract import Role
from ..frames import ABSENT, Frame, Step, Type, chain_of, items, step
from ..outcomes import Unexercised
from ..peer import ANY, File, Peer, asks, gives, play, roles

WIRE = ("wire", "resume")
SIZE = 200_000
PIECE = 10_000
SENDERS: tuple[Role, ...] = ("owner", "sender")

Point = list[Any]
"""Frames, bytes, chain."""


@dataclass(frozen=True)
class Source:
    """What a sender sends, the source after a change (of as many bytes), and what an owner of it is asked for."""

    value: object
    changed: object
    asked: str

    def wanted(self, role: Role) -> dict[str, str]:
        """The kind in REQUEST; a sender is asked for what it has offered."""
        return {"kind": self.asked} if role == "owner" else {}

    def resumed(self, t: Case, role: Role, validator: bytes, point: Point) -> Peer:
        """The peer of a sender that has been asked to go on from a point."""
        return asks(Peer(t, role, self.value), **self.wanted(role), validator=validator, resume=point)


class Whole:
    """A session from the beginning: its validator, its content, and the points from which one could go on."""

    def __init__(self, t: Case, role: Role, source: Source, value: object) -> None:
        peer = gives(t, role, value, **source.wanted(role), validator=b"")
        peer.delivered()
        opened = peer.first(Type.OPEN)
        self.kind: str = opened.get("kind")
        self.validator: bytes | None = opened.get("validator")
        self.content = peer.content
        self.size = peer.sent
        self.end: bytes = peer.first(Type.END).get("chain")

    def points(self) -> list[Point]:
        """After each frame of a file; between the entries of a container."""
        places = range(len(self.content) + 1)
        return [self.point(place) for place in places if self.kind == "file" or _whole(self.content[:place])]

    def point(self, frames: int) -> Point:
        before = self.content[:frames]
        return [frames, sum(len(frame.data) for frame in before), chain_of(self.kind, before)]


def _whole(frames: list[Frame]) -> bool:
    try:
        items(frames)
    except ValueError:
        return False
    return True


def _sources(t: Case) -> Iterator[Source]:
    if t.has("file"):
        data = t.random.randbytes(SIZE)
        yield Source(t.file(data), t.file(b"other" + data[5:]), "file")
    if t.has("container"):
        entries = [t.random.randbytes(SIZE // 5) for _ in range(5)]
        yield Source(entries, [bytes(SIZE // 5), *entries[1:]], "container")


def _resumable(t: Case) -> Iterator[tuple[Role, Source, Whole, bytes]]:
    """The senders and sources that can be resumed, each after a session from the beginning."""
    found = False
    for role in roles(t, *SENDERS):
        for source in _sources(t):
            whole = Whole(t, role, source, source.value)
            if whole.validator is not None:
                found = True
                yield role, source, whole, whole.validator
    if not found:
        raise Unexercised("a validator in OPEN", "there is none, of no source")


@requirement("OSP-RES-003", needs=WIRE)
def chain_is_compared(t: Case) -> None:
    """Points that were never passed, and that of another source under this one's validator: SOURCE_CHANGED."""
    for role, source, whole, validator in _resumable(t):
        points = whole.points()
        t.exercised(len(points) > 2, "content in several frames")
        middle = points[len(points) // 2]
        source.resumed(t, role, validator, middle).running(f"a right point to be taken by the {role}")
        wrong = dict(_wrong(middle, points))
        changed = Whole(t, role, source, source.changed)
        wrong["the chain of a source with another beginning"] = changed.point(middle[0])
        for what, point in wrong.items():
            peer = source.resumed(t, role, validator, point)
            peer.failed("SOURCE_CHANGED", f"a REQUEST with {what}")
            t.expect(not peer.content, "no content after it", f"{peer.sent} bytes from the {role}")


def _wrong(point: Point, points: list[Point]) -> Iterator[tuple[str, Point]]:
    frames, size, chain = point
    yield "a chain with another bit", [frames, size, chain[:-1] + bytes([chain[-1] ^ 1])]
    yield "the chain of an earlier point", [frames, size, points[points.index(point) - 1][2]]
    yield "a byte more", [frames, size + 1, chain]
    yield "the frames and bytes of a later point", [*points[points.index(point) + 1][:2], chain]
    last = points[-1]
    yield "a frame more than there are", [last[0] + 1, last[1] + 1, last[2]]


@requirement("OSP-RES-004", needs=WIRE)
def point_is_repeated(t: Case) -> None:
    """OPEN has the point of the REQUEST, and the rest follows; an OPEN with none or another one: PROTOCOL."""
    present = roles(t, *SENDERS, "requester")
    if present != ["requester"]:
        for role, source, whole, validator in _resumable(t):
            for point in whole.points():
                _goes_on(t, source.resumed(t, role, validator, point), role, whole, point)
    if "requester" in present and t.has("file"):
        _listens(t)


def _goes_on(t: Case, peer: Peer, role: Role, whole: Whole, point: Point) -> None:
    found = peer.first(Type.OPEN).get("resume")
    at = f"after {point[0]} of {len(whole.content)} frames, from the {role}"
    t.expect(found == point, f"the point of the REQUEST in OPEN {at}", f"{found!r}")
    rest = [(frame.type, frame.data) for frame in peer.content]
    due = [(frame.type, frame.data) for frame in whole.content[point[0] :]]
    t.expect(rest == due, f"the {whole.size - point[1]} bytes of the rest {at}", f"{peer.sent} bytes")
    end = peer.first(Type.END)
    t.expect(
        (end.get("size"), end.get("chain")) == (whole.size, whole.end),
        f"size and chain of all the content in END {at}",
        f"the size {end.get('size')} and {'the' if end.get('chain') == whole.end else 'another'} chain",
    )
    peer.say(step(Type.DONE, chain=whole.end))
    peer.delivered(ANY, f"an object that is resumed {at}")


def _listens(t: Case) -> None:
    data = t.random.randbytes(4 * PIECE)
    parts = [step(Type.DATA, data=data[at : at + PIECE]) for at in range(0, len(data), PIECE)]
    peer, point, earlier = _asking(t, parts)
    peer.say(_open(resume=point))
    peer.author.size, peer.author.chain = point[1:]
    peer.say(*parts[point[0] :], step(Type.END, count=0))
    peer.delivered(File(data), "a file that is resumed")
    frames, size, chain = point
    for what, other in {
        "without a point": ABSENT,
        "with the point before it": earlier,
        "with a frame less": [frames - 1, size, chain],
        "with a byte less": [frames, size - 1, chain],
        "with another chain": [frames, size, earlier[2]],
    }.items():
        peer = _asking(t, parts)[0]
        peer.say(_open(resume=other))
        peer.failed("PROTOCOL", f"an OPEN {what}")


def _open(**fields: object) -> Step:
    return step(Type.OPEN, kind="file", size=4 * PIECE, validator=b"as it was", **fields)


def _asking(t: Case, parts: list[Step]) -> tuple[Peer, Point, Point]:
    """A requester that asks to go on after it has lost its first session; its point, and the one before it."""
    folder: Path = t.directory / t.fresh_name()
    folder.mkdir()
    first = Peer(t, "requester", kind="file", resume=folder)
    first.say(_open())
    passed: list[Point] = [[0, 0, first.author.chain]]
    for part in parts[:3]:
        first.say(part)
        passed.append([passed[-1][0] + 1, first.author.size, first.author.chain])
    first.eof()
    peer = Peer(t, "requester", kind="file", resume=folder)
    point = peer.first(Type.REQUEST).get("resume")
    t.exercised(point in passed[1:], "a REQUEST with a point that was passed before")
    return peer, point, passed[passed.index(point) - 1]


@requirement("OSP-RES-008", needs=["wire"], any_of=["file", "container"])
def cannot_be_resumed(t: Case) -> None:
    """The point of a session without digests, and of any one where resume is not on offer: UNSUPPORTED."""
    play(t, "OSP-RES-008")
    for digest in ("none",) if t.has("resume") else ("none", "sha-256"):
        for role in roles(t, *SENDERS):
            for source in _sources(t):
                _refused(t, role, source, digest)


def _refused(t: Case, role: Role, source: Source, digest: str) -> None:
    request = {**source.wanted(role), "digests": [digest]}
    peer = asks(Peer(t, role, source.value, digests=[digest]), **request, validator=b"")
    opened = peer.first(Type.OPEN)
    point = [len(peer.content), peer.sent, chain_of(opened.get("kind"), peer.content, digest)]
    peer.say(step(Type.DONE, chain=point[2]))
    peer.delivered(what=f"a session of the {role} with the digest {digest}")
    validator = opened.get("validator") or b"any"
    peer = asks(Peer(t, role, source.value, digests=[digest]), **request, validator=validator, resume=point)
    peer.failed("UNSUPPORTED", f"a REQUEST to resume what the {role} has sent with the digest {digest}")
    t.expect(not peer.content, "no content after it", f"{peer.sent} bytes from the {role}")
