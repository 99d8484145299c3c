"""Where fuzzing begins: the vectors of the specification as inputs of each target."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from objstream_conformance.frames import HEADER, Type
from objstream_conformance.vectors import Vector, load

from .scripts import ACTIONS, Record, noted
from .targets import KINDS

_CONTENT = (Type.ENTRIES, Type.DATA)
_ENDS = {"requester": "receiver", "receiver": "receiver", "owner": "sender", "sender": "sender"}


def seeds(target: str) -> list[bytes]:
    """The inputs that the vectors make for a target, each once."""
    return list(dict.fromkeys(seed for vector in load().values() for seed in _of(target, vector)))


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
    elif _ENDS[vector.role] == target:
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
