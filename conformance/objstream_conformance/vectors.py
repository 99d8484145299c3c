"""The vectors of `spec/vectors`: streams of bytes, and what has to come of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from .contract import Role
from .frames import HEADER, NAME, Frame, split
from .registry import spec_path


@dataclass(frozen=True)
class Vector:
    """What the peer of one end says, and how that end takes it.

    Attributes:
        path: of its directory; it begins with `accept/` or `reject/`.
        id: the requirement that it is about.
        title: what it is.
        why: why it is taken, or refused.
        role: of the end under test.
        expected: `{"delivered": value}` (of a sender: null) or `{"failed": code}`; values are in the notation of
            :mod:`.notation`.
        answer: the types of the frames that the end sends, content, CREDIT and frames to be skipped aside.
        name: what the object is called.
        value: the object of an owner or a sender.
        options: of the end, beyond its usual ones.
        needs: capabilities without which the vector says nothing.
        twin: the path of the good stream from which a bad one differs in one field.
        differs: in which one.
        schema: where `osp.cddl` shows the fault: in the "meta" of the last frame, in a "value", or nowhere.
        eof: the input ends after the last line.
        lines: the preface, then a frame each; nothing is said before the end has answered what came before.
    """

    path: str
    id: str
    title: str
    why: str
    role: Role
    expected: Mapping[str, Any]
    answer: tuple[str, ...]
    lines: tuple[bytes, ...]
    name: str = NAME
    value: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    twin: str = ""
    differs: str = ""
    schema: str = ""
    eof: bool = False

    @property
    def good(self) -> bool:
        return self.path.startswith("accept/")

    @property
    def code(self) -> str:
        """The code with which the session fails, empty when it does not."""
        return str(self.expected.get("failed", ""))

    @property
    def frames(self) -> list[Frame]:
        """The frames of the lines; of one that ends inside a frame, as much as there is of it."""
        return [_frame(line) for line in self.lines[1:]]


def _frame(line: bytes) -> Frame:
    whole, _ = split(line)
    if whole:
        return whole[0]
    header, rest = line[: HEADER.size], line[HEADER.size :]
    type_, flags, meta_len, _, seq, _, _ = HEADER.unpack(header)
    return Frame(type_, flags, seq, rest[:meta_len], rest[meta_len:], header)


@cache
def load() -> dict[str, Vector]:
    """All vectors by their paths, good ones first."""
    root = spec_path() / "vectors"
    return {
        vector.path: vector
        for folder in ("accept", "reject")
        for vector in (_read(root, f"{folder}/{one.name}") for one in sorted(root.joinpath(folder).iterdir()))
    }


def _read(root: Any, path: str) -> Vector:
    description = json.loads(root.joinpath(path, "vector.json").read_text("utf-8"))
    text = root.joinpath(path, "input.hex").read_text("utf-8")
    description["answer"] = tuple(description["answer"])
    description["needs"] = tuple(description.get("needs", ()))
    lines = tuple(bytes.fromhex(line.partition("#")[0]) for line in text.splitlines())
    return Vector(path=path, lines=lines, **description)


def of(id_: str) -> list[Vector]:
    """The vectors of a requirement."""
    found = [vector for vector in load().values() if vector.id == id_]
    if not found:
        raise KeyError(f"no vector is about {id_}")
    return found
