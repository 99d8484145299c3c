"""What the vectors are made of: good conversations, and each fault as a good one with one field changed.

`accept` and `reject` note a vector; the modules of this package are lists of calls to them. `VECTORS` has all that were
noted. Nothing here knows an implementation: frames and items are those of the suite's own writer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from objstream_conformance.frames import NAME, PREFACE, Author, Step, Type, content, step
from objstream_conformance.notation import container, render

Says = tuple[str, ...]

VECTORS: dict[str, Vector] = {}
_OPENING: Mapping[str, Says] = {"requester": ("REQUEST",), "sender": ("OFFER",)}
_ANSWERS: Mapping[tuple[str, int], Says] = {
    ("requester", Type.END): ("DONE",),
    ("receiver", Type.OFFER): ("REQUEST",),
    ("receiver", Type.END): ("DONE",),
}


@dataclass(frozen=True)
class Talk:
    """What the peer of the end under test says, frame by frame, and what comes of it.

    `says` has what the end answers to each frame, content and credit aside; `value` is what an owner or sender sends.
    """

    role: str
    steps: tuple[Step, ...]
    expected: Mapping[str, Any]
    says: tuple[Says, ...]
    value: Any = None
    name: str = NAME
    options: Mapping[str, object] = field(default_factory=dict)
    needs: Says = ()
    preface: bytes = PREFACE
    eof: bool = False

    def of(self, type_: int, nth: int = 0) -> int:
        """The index of the nth frame of a type."""
        return [index for index, one in enumerate(self.steps) if one.fields["type"] == type_][nth]

    def having(self, **options: object) -> Talk:
        """The same with options of the end."""
        return replace(self, options={**self.options, **options})

    def with_step(self, at: int, extra: Step) -> Talk:
        """The same with a frame more, to which nothing is answered."""
        return replace(
            self,
            steps=(*self.steps[:at], extra, *self.steps[at:]),
            says=(*self.says[:at], (), *self.says[at:]),
        )

    def changed(self, at: int, **fields: object) -> Talk:
        """The same with other fields in one frame."""
        return replace(self, steps=(*self.steps[:at], self.steps[at].but(**fields), *self.steps[at + 1 :]))


@dataclass(frozen=True)
class Vector:
    """A vector as it is written: its directory, its description, its lines."""

    path: str
    talk: Talk
    description: Mapping[str, object]
    lines: tuple[tuple[bytes, str], ...]


def spoken(role: str, *steps: Step, expected: Mapping[str, Any], **more: Any) -> Talk:
    """A talk whose answers follow from the role of the end, a receiver."""
    says = tuple(_ANSWERS.get((role, one.fields["type"]), ()) for one in steps)
    return Talk(role, steps, expected, says, **more)


def received(kind: str, *items: object, role: str = "requester", **more: Any) -> Talk:
    """A whole session that delivers a container of these items (of a dict: keys and values in turn)."""
    count = len(items) // 2 if kind == "dict" else len(items)
    steps = [step(Type.OPEN, kind=kind), *content(*items), step(Type.END, count=count)]
    if role == "receiver":
        steps.insert(0, step(Type.OFFER, kind=kind))
    return spoken(role, *steps, expected={"delivered": render(container(kind, items))}, **more)


def file(*parts: bytes) -> Talk:
    """A whole session that delivers a file."""
    steps = [step(Type.OPEN, kind="file"), *(step(Type.DATA, data=part) for part in parts)]
    return spoken(
        "requester",
        *steps,
        step(Type.END, count=0),
        expected={"delivered": {"file": b"".join(parts).hex()}},
        options={"kind": "file"},
        needs=("file",),
    )


def accept(id_: str, title: str, why: str, talk: Talk, *, schema: str = "") -> Vector:
    """Note a good stream. One of a later version may be beyond `osp.cddl`, in the "meta" of its last frame."""
    return _note("accept", id_, title, why, talk, {"schema": schema} if schema else {})


def reject(
    id_: str,
    title: str,
    why: str,
    twin: Vector,
    at: int | Type,
    change: Mapping[str, object] | Step | None,
    code: str = "PROTOCOL",
    *,
    cut: str = "",
    until: int | Type | None = None,
    schema: str = "",
    reply: Says = ("RESET",),
) -> Vector:
    """Note a stream that differs from its twin in one field of the frame `at` (an index or a type), and ends there.

    A `change` that is a frame is put in front of that one, and None leaves that one out. `cut` says after which part
    of the frame it has to be refused, `until` that it is refused only at a later frame. `schema` says whether
    `osp.cddl` shows the fault: in "meta", in a "value", or not.
    """
    good = twin.talk
    at = good.of(at) if isinstance(at, Type) else at
    if change is None:
        last, differs = good.steps[at + 1], "left out"
    elif isinstance(change, Step):
        last, differs = change, "inserted"
    else:
        ((differs, _),) = change.items()
        last = good.steps[at].but(**change)
    if cut:
        last = last.but(cut=cut)
    end = at if until is None else good.of(until) if isinstance(until, Type) else until
    talk = replace(
        good,
        steps=(*good.steps[:at], last, *good.steps[at + 1 : end + 1]),
        says=(*good.says[:end], reply),
        expected={"failed": code},
    )
    about = {"twin": twin.path, "differs": differs} | ({"schema": schema} if schema else {})
    return _note("reject", id_, title, why, talk, about)


def reject_stream(
    id_: str, title: str, why: str, twin: Vector, talk: Talk, code: str, differs: str, reply: Says = ()
) -> Vector:
    """Note a stream that differs from its twin outside of its frames: in the preface or in where it ends."""
    talk = replace(talk, says=(*talk.says[:-1], reply) if talk.says else (reply,), expected={"failed": code})
    return _note("reject", id_, title, why, talk, {"twin": twin.path, "differs": differs})


def _note(folder: str, id_: str, title: str, why: str, talk: Talk, about: Mapping[str, object]) -> Vector:
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    path = f"{folder}/{id_}-{slug}"
    says = _OPENING.get(talk.role, ()) + tuple(name for said in talk.says for name in said)
    description: dict[str, object] = {"id": id_, "title": title, "why": why, "role": talk.role}
    if talk.value is not None:
        description["value"] = render(talk.value)
    if talk.name != NAME:
        description["name"] = talk.name
    for name in ("options", "needs"):
        if getattr(talk, name):
            description[name] = getattr(talk, name)
    description |= about
    if talk.eof:
        description["eof"] = True
    description |= {"expected": talk.expected, "answer": says}
    author = Author()
    lines = [(talk.preface, "preface"), *((author.write(one), _name(one)) for one in talk.steps)]
    if path in VECTORS:
        raise ValueError(f"two vectors are called {path}")
    VECTORS[path] = vector = Vector(path, talk, description, tuple(lines))
    return vector


def _name(one: Step) -> str:
    type_ = one.fields["type"]
    return Type(type_).name if type_ in set(Type) else f"type {type_}"
