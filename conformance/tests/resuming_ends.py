"""Ends of sessions with the capability `resume`, and the honest toy that has both."""

from __future__ import annotations

import marshal
from pathlib import Path
from typing import Any

from honest import HonestAdapter
from resuming import ResumingSite, chained

from objstream_conformance.cbor import Ref, ext
from objstream_conformance.frames import (
    ABSENT,
    CODES,
    PREFACE,
    Author,
    Frame,
    Step,
    Type,
    content,
    split,
    step,
)

PIECE = 50_000


class End:
    """One end of a session on the wire: a sender of a file or of a list of bytes, or a requester of a file."""

    def __init__(self, role: str, value: Any, resume: Path | None) -> None:
        self.role, self.value, self.folder = role, value, resume
        self.author, self.received, self.rest = Author(), Author(), b""
        self.ended: tuple[Any, Any] | None = None

    def start(self) -> bytes:
        if self.role == "requester":
            return PREFACE + self.write(self.request())
        offer = step(Type.OFFER, kind="file" if isinstance(self.value, Path) else "list")
        return PREFACE + (self.write(offer) if self.role == "sender" else b"")

    def write(self, *steps: Step) -> bytes:
        return b"".join(map(self.author.write, steps))

    def feed(self, data: bytes) -> bytes:
        frames, self.rest = split((self.rest + data).removeprefix(PREFACE))
        return b"".join(self.answer(frame) for frame in frames if self.ended is None)

    def eof(self) -> bytes:
        self.ended = self.ended or ("failed", "LOST")
        return b""

    def advance(self, seconds: float) -> bytes:
        return b""

    def outcome(self) -> Any:
        return self.ended

    def fail(self, code: str) -> bytes:
        self.ended = "failed", code
        return self.write(step(Type.RESET, code=CODES.index(code) + 1))

    def answer(self, frame: Frame) -> bytes:
        if frame.type == Type.REQUEST:
            return self.send(frame.get("resume"), frame.get("validator"))
        if frame.type == Type.DONE:
            self.ended = "delivered", None
            return b""
        return self.receive(frame)

    # a sender

    def send(self, point: Any, known: bytes | None) -> bytes:
        if isinstance(self.value, Path):
            data = self.value.read_bytes()
            kind, count = "file", 0
            steps = [step(Type.DATA, data=data[at : at + PIECE]) for at in range(0, len(data), PIECE)]
        else:
            kind, count = "list", len(self.value)
            steps = content(*(ext("bytes", Ref(one)) for one in self.value))
        valid = chained([one.fields["data"] for one in steps])
        passed = steps[: point[0]] if point else []
        opened = step(Type.OPEN, kind=kind, validator=valid, resume=self.repeated(point))
        there = passing(kind, passed)
        if point and not self.agrees([len(passed), there.size, there.chain], point, valid == known):
            return self.fail("SOURCE_CHANGED")
        out = self.write(opened)
        self.author.size, self.author.chain = there.size, there.chain
        return out + self.write(*self.rest_of(steps, len(passed)), step(Type.END, count=count))

    def repeated(self, point: Any) -> Any:
        return ABSENT if point is None else point

    def rest_of(self, steps: list[Step], passed: int) -> list[Step]:
        return steps[passed:]

    def agrees(self, here: Any, point: Any, validator: bool) -> bool:
        return validator and bool(here == point)

    # a requester

    def request(self) -> Step:
        self.kept: list[Any] = [None, []]
        if self.folder and (self.folder / "kept").exists():
            self.kept = marshal.loads((self.folder / "kept").read_bytes())
        self.received = passing("file", [step(Type.DATA, data=one) for one in self.kept[1]])
        self.point = [len(self.kept[1]), self.received.size, self.received.chain] if self.kept[0] else None
        known = {"resume": self.point, "validator": self.kept[0]} if self.point else {}
        return step(Type.REQUEST, kind="file", **known)

    def receive(self, frame: Frame) -> bytes:
        if frame.type == Type.OPEN:
            self.kept[0] = frame.get("validator")
            return b"" if self.accepts(frame.get("resume")) else self.fail("PROTOCOL")
        if frame.type == Type.DATA:
            self.kept[1].append(frame.data)
            self.received.write(step(Type.DATA, data=frame.data))
            if self.folder:
                (self.folder / "kept").write_bytes(marshal.dumps(self.kept, 2))
        if frame.type != Type.END:
            return b""
        if frame.get("chain") != self.received.chain or self.folder is None:
            return self.fail("CORRUPT")
        final = self.folder / "file"
        final.write_bytes(b"".join(self.kept[1]))
        self.ended = "delivered", str(final)
        return self.write(step(Type.DONE, chain=self.received.chain))

    def accepts(self, point: Any) -> bool:
        return bool(point == self.point)


def passing(kind: str, steps: list[Step]) -> Author:
    """Where these frames lead: an author that has written them."""
    author = Author()
    for one in (step(Type.OPEN, kind=kind), *steps):
        author.write(one)
    return author


class Resuming(HonestAdapter):
    site_class = ResumingSite
    end_class = End
    capabilities = frozenset({"container", "file", "push", "pull", "numpy", "resume", "wire"})

    def wire(
        self, role: str, name: str, value: object = None, *, resume: Path | None = None, **_: object
    ) -> End:
        return self.end_class(role, value, resume)
