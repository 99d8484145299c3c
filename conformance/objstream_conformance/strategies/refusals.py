"""Containers with one value in them that cannot be carried, and the path that a refusal has to name."""

from __future__ import annotations

import array
import collections
import dataclasses
import decimal
import enum
import fractions
import pathlib
import types
import uuid
import warnings
import zoneinfo
from collections.abc import Callable
from datetime import datetime, time, tzinfo
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .scalars import scalars
from .tensors import HAVE_TORCH


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Something that a sender must refuse.

    Attributes:
        container: what to send.
        path: where in it the culprit stands: `[repr(key)]` or `[index]` for each step, `{key}` for a key that is
            at fault itself, `{…}` for an element of a set; empty for the container itself or one of its keys.
        code: the name of the code of the error table that applies.
        culprit: what cannot be carried, in words.
    """

    container: Any
    path: str
    code: str
    culprit: str


class _Text(str):
    __slots__ = ()


class _Number(int):
    pass


class _Float(float):
    pass


class _Bytes(bytes):
    pass


class _List(list[object]):
    pass


class _Dict(dict[object, object]):
    pass


class _Set(set[object]):
    pass


class _Array(np.ndarray[Any, Any]):
    pass


class _Zone(tzinfo):
    def utcoffset(self, when: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


class _Colour(enum.IntEnum):
    RED = 1


class _Decimal(decimal.Decimal):
    pass


class _Uuid(uuid.UUID):
    pass


_Point = collections.namedtuple("_Point", "x y")


@dataclasses.dataclass(frozen=True)
class _Record:
    field: int = 1


def _cycle() -> list[object]:
    ring: list[object] = [1]
    ring.append({"back": ring})
    return ring


_HASHABLE: dict[str, Callable[[], Any]] = {
    "an object": object,
    "a class": lambda: int,
    "a function": lambda: len,
    "a subclass of int": lambda: _Number(1),
    "a subclass of float": lambda: _Float(1),
    "a subclass of str": lambda: _Text("a"),
    "a subclass of bytes": lambda: _Bytes(b"a"),
    "a subclass of Decimal": lambda: _Decimal("1"),
    "a subclass of UUID": lambda: _Uuid(int=1),
    "an enum": lambda: _Colour.RED,
    "a named tuple": lambda: _Point(1, 2),
    "a dataclass": _Record,
    "a range": lambda: range(3),
    "a fraction": lambda: fractions.Fraction(1, 3),
    "a path": lambda: pathlib.PurePosixPath("a"),
    "an ellipsis": lambda: ...,
    "a lone surrogate": lambda: "a\ud800b",
    "a datetime in a named zone": lambda: datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    "a time in a zone of its own": lambda: time(1, tzinfo=_Zone()),
    "a longdouble scalar": lambda: np.longdouble(1),
    "a clongdouble scalar": lambda: np.clongdouble(1),
    "a datetime64 scalar": lambda: np.datetime64("2024-01-01"),
    "a numpy str": lambda: np.str_("a"),
}
_MUTABLE: dict[str, Callable[[], Any]] = {
    "an OrderedDict": lambda: collections.OrderedDict(a=1),
    "a defaultdict": lambda: collections.defaultdict(int, a=1),
    "a Counter": lambda: collections.Counter("a"),
    "a deque": lambda: collections.deque([1]),
    "a namespace": lambda: types.SimpleNamespace(a=1),
    "a subclass of list": lambda: _List([1]),
    "a subclass of dict": lambda: _Dict(a=1),
    "a subclass of set": lambda: _Set([1]),
    "a memoryview": lambda: memoryview(b"abc"),
    "an array.array": lambda: array.array("b", b"abc"),
    "an iterator": lambda: iter(()),
    "keys of a dict": lambda: {}.keys(),
    "an object array": lambda: np.array([None, 1], object),
    "a str array": lambda: np.array(["a"]),
    "a void array": lambda: np.zeros(2, "V3"),
    "a structured array": lambda: np.zeros(2, [("a", "i4")]),
    "a longdouble array": lambda: np.zeros(2, np.longdouble),
    "a datetime64 array": lambda: np.zeros(2, "M8[s]"),
    "an array with metadata": lambda: np.zeros(2, np.dtype("f4", metadata={"unit": "m"})),
    "a masked array": lambda: np.ma.masked_array([1, 2], [False, True]),
    "a subclass of ndarray": lambda: np.zeros(2).view(_Array),
}
if HAVE_TORCH:
    import torch

    def _quantized() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces the end of this kind of tensor
            return torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8)

    _MUTABLE |= {
        "a tensor with a gradient function": lambda: torch.zeros(2, requires_grad=True) * 2,
        "a sparse tensor": lambda: torch.zeros(2, 2).to_sparse(),
        "a meta tensor": lambda: torch.zeros(2, device="meta"),
        "a quantized tensor": _quantized,
        "an uninitialized parameter": lambda: torch.nn.parameter.UninitializedParameter(),
        "a module": lambda: torch.nn.Linear(1, 1),
    }

CULPRITS = _HASHABLE | _MUTABLE
"""Makers of values that are not in the model, by what they are."""

BAD_KEYS: dict[str, Callable[[], Any]] = _HASHABLE | {
    "a complex key": lambda: 1j,
    "a datetime key": lambda: datetime(2024, 1, 1),
    "a Decimal key": lambda: decimal.Decimal("1.5"),
    "a numpy key": lambda: np.int8(1),
    "a UUID key": lambda: uuid.UUID(int=1),
}

_STEPS = st.text(max_size=8) | st.integers(-99, 99) | st.none() | st.binary(max_size=4)
_SIBLINGS = st.lists(scalars(long=False), max_size=3)


@st.composite
def _wrapped(draw: DrawFn, inner: Any, path: str) -> tuple[Any, str]:
    """A container with `inner` somewhere in it and harmless values around."""
    before, after = draw(_SIBLINGS), draw(_SIBLINGS)
    if draw(st.booleans()):
        key = draw(_STEPS)
        around = dict(enumerate([*before, *after], 100))
        entries = [*around.items()][: len(before)], [*around.items()][len(before) :]
        return {**dict(entries[0]), key: inner, **dict(entries[1])}, f"[{key!r}]{path}"
    items = [*before, inner, *after]
    return (tuple(items) if draw(st.booleans()) else items), f"[{len(before)}]{path}"


@st.composite
def _core(draw: DrawFn) -> tuple[Any, str, str, str]:
    """What is at the heart of a refusal: value, path inside of it, code, words."""
    what = draw(st.sampled_from(["value", "value", "value", "key", "element", "cycle", "deep", "long"]))
    if what == "key":
        name = draw(st.sampled_from(sorted(BAD_KEYS)))
        return {"fine": 1, BAD_KEYS[name](): 2}, "{key}", "UNSUPPORTED", f"{name} as a key"
    if what == "element":
        name = draw(st.sampled_from(sorted(_HASHABLE)))
        kind = draw(st.sampled_from([set, frozenset]))
        return kind([_HASHABLE[name]()]), "{…}", "UNSUPPORTED", f"{name} as an element"
    if what == "cycle":
        return _cycle(), "[1]['back']", "UNSUPPORTED", "a list that contains itself"
    if what == "deep":
        nest: list[Any] = []
        for _ in range(128):
            nest = [nest]
        return nest, "[0]" * 128, "TOO_LARGE", "129 levels of lists"
    if what == "long":
        return 1 << (8 * 65_536 + 1), "", "TOO_LARGE", "an int of more than 65536 bytes"
    name = draw(st.sampled_from(sorted(CULPRITS)))
    return CULPRITS[name](), "", "UNSUPPORTED", name


@st.composite
def refused(draw: DrawFn) -> Refusal:
    """A container of the model with one thing in it, at any place and depth, that is not in the model."""
    inner, path, code, culprit = draw(_core())
    levels = 1 if culprit.startswith("129") else draw(st.integers(1, 4))
    for _ in range(levels):
        inner, path = draw(_wrapped(inner, path))
    return Refusal(inner, path, code, culprit)


def refused_containers() -> SearchStrategy[Refusal]:
    """What is no container of the model at all and has to be refused before anything is sent."""
    makers: dict[str, Callable[[], Any]] = CULPRITS | {
        "an int": lambda: 1,
        "a text": lambda: "abc",
        "bytes": lambda: b"abc",
        "an array": lambda: np.zeros(3),
        "nothing": lambda: None,
    }
    return st.sampled_from(sorted(makers)).map(lambda name: Refusal(makers[name](), "", "UNSUPPORTED", name))
