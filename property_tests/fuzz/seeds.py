"""Where fuzzing begins: the vectors of the specification as inputs of each target."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from objstream import ContainerAssembler
from objstream.session import Connection, Receiver
from objstream_conformance.cbor import cbor
from objstream_conformance.frames import HEADER, KEYS, PREFACE, Author, Type, chain_of, split, step
from objstream_conformance.trace.recorder import named
from objstream_conformance.vectors import Vector, load

from ..ends import Target
from .scripts import ACTIONS, HERE, Record, Writer, noted
from .targets import KEPT, KINDS, LIMITS, kept_stem

_CONTENT = (Type.ENTRIES, Type.DATA)
_ENDS = {"requester": "receiver", "receiver": "receiver", "owner": "sender", "sender": "sender"}


def seeds(target: str) -> list[bytes]:
    """The inputs that the vectors make for a target, each once."""
    from_vectors = (seed for vector in load().values() for seed in _of(target, vector))
    more: dict[str, Callable[[], Iterator[bytes]]] = {"sender": _resumed, "kept": _kept}
    return list(dict.fromkeys(itertools.chain(from_vectors, more.get(target, lambda: iter(()))())))


def _of(target: str, vector: Vector) -> Iterator[bytes]:
    lines = [line for line in vector.lines[1:] if len(line) >= HEADER.size]
    if target == "frames":
        yield b"\1\7" + b"".join(vector.lines)[8:]
        yield b"\2\7" + _script(map(noted, lines))
    elif target == "values":
        parts = [frame for frame in map(noted, lines) if frame.type in _CONTENT]
        if parts:
            kind = next((kind for kind in KINDS if any(_says(kind, line) for line in lines)), "list")
            yield bytes((KINDS.index(kind), 7)) + b"".join(map(_part, parts))
    elif target == _ENDS[vector.role]:
        setting = vector.role in ("receiver", "sender")
        file = vector.options.get("kind") == "file"
        script = [noted(line) for line in lines]
        yield bytes((setting | 2 * file, 7)) + _script(script)
        if vector.good and len(script) < 8:
            for action, at in itertools.product(ACTIONS, range(len(script) + 1)):
                happens = Record(action, 0, b"", b"")
                yield bytes((setting | 2 * file, 7)) + _script([*script[:at], happens, *script[at:]])


def _script(frames: Iterable[Record]) -> bytes:
    return b"".join(frame.dump() for frame in frames)


def _says(kind: str, line: bytes) -> bool:
    """Whether the line is an OPEN of that kind."""
    return line[0] == Type.OPEN and b"\3" + bytes((0x60 + len(kind),)) + kind.encode() in line


def _part(frame: Record) -> bytes:
    return bytes((frame.type == Type.DATA,)) + len(frame.data).to_bytes(2, "big") + frame.data


def _resumed() -> Iterator[bytes]:
    """Requests to go on from every point of the container that a sender has."""
    target = Target("owner", traced=False)
    asked = step(Type.REQUEST, kind="container", max_frame=64, validator=b"")
    target.hear(PREFACE + Author().write(asked))
    while target.say():
        pass
    opened, *said = split(bytes(target.said[len(PREFACE) :]))[0]
    content, size = [frame for frame in said if frame.is_content], 0
    yield b"\0\7" + _script([noted(Author().write(asked)), _DONE])
    for number, frame in enumerate(content, 1):
        size += len(frame.data)
        chain = chain_of(opened.get("kind"), content[:number])
        again = asked.but(validator=opened.get("validator"), resume=[number, size, chain])
        yield b"\0\7" + _script([noted(Author().write(again)), _DONE])


_DONE = Record(Type.DONE, 0, b"\xa1\x0c\x58\x20" + HERE, b"")


def _kept() -> Iterator[bytes]:
    """What receivers keep of the good sessions among the vectors, at every frame."""
    yield from _taken_apart()
    for vector in load().values():
        if not vector.good or vector.role != "requester" or vector.options.get("kind") == "file":
            continue
        with tempfile.TemporaryDirectory() as place:
            receiver = Receiver(
                ContainerAssembler(resume=place), name="object", limits=LIMITS, offered=["sha-256"]
            )
            receiver.ask("container")
            end = Connection(limits=LIMITS, preface=True)
            end.start(receiver)
            writer = Writer()
            end.feed([memoryview(PREFACE)])
            for line in vector.lines[1:]:
                end.feed([memoryview(writer.write(_resumable(noted(line))))])
                files = [Path(place, f"{kept_stem()}.{suffix}") for suffix in KEPT]
                if all(path.exists() for path in files):
                    frames, content = (path.read_bytes() for path in files)
                    yield b"\0" + len(frames).to_bytes(2, "big") + frames + content
            end.eof()


def _taken_apart() -> Iterator[bytes]:
    """The same with digests to be filled in: the head, then the pieces of a container."""
    for vector in load().values():
        frames = [noted(line) for line in vector.lines[1:] if len(line) >= HEADER.size]
        content = [frame for frame in frames if frame.type in _CONTENT]
        if not vector.good or not content or vector.role != "requester":
            continue
        opened = {
            **(named(next(one.meta for one in frames if one.type == Type.OPEN)) or {}),
            "validator": b"v",
            "max_frame": 64,
        }
        head = cbor({KEYS.index(name): value for name, value in opened.items() if name in KEYS})
        yield b"\1" + b"".join(
            [
                *(len(head).to_bytes(2, "big"), head),
                *(bytes((one.type, 1)) + len(one.data).to_bytes(2, "big") + one.data for one in content),
            ]
        )


def _resumable(frame: Record) -> Record:
    """The same of a sender that can resume."""
    if frame.type != Type.OPEN:
        return frame
    keys = {**(named(frame.meta) or {}), "validator": b"as it was"}
    known = {KEYS.index(name): value for name, value in keys.items() if name in KEYS}
    return frame._replace(meta=cbor(known))
