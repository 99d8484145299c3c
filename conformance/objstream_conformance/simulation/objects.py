"""The objects of the simulation: containers, files and an application's own, made and changed at random."""

from __future__ import annotations

import contextlib
import copy
import math
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

_SCALARS: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        23,
        24,
        1 << 40,
        -(1 << 63),
        1 << 64,
        -(1 << 200),
        0.0,
        -0.0,
        1.5,
        math.inf,
        math.nan,
    ),
    *(
        "",
        "a",
        "text of some length",
        "é\U0001f600",
        "x" * 90,
        b"",
        b"\0\xff",
        b"bytes" * 30,
        1j,
        Decimal("1.10"),
    ),
    *(date(2024, 2, 29), datetime(2024, 1, 1, 12, tzinfo=timezone.utc), timedelta(days=-1, microseconds=5)),
    *(UUID(int=5), np.float32(0.1), np.int64(-3), (1, "two", None), frozenset({1, 2})),
)
_NUMBERS: tuple[Any, ...] = (
    0,
    1.5,
    -7,
    1 << 70,
    (1, 2),
    (3, (4.5,)),
    frozenset({1, 2}),
    2j,
    Decimal("0.1"),
    255,
    256,
)
"""Elements of sets: their hashes are the same in every process, so that a set has one order."""

_DTYPES = ("<f8", "<f4", "<f2", "<i8", "u1", "?", "<c8")


def make_object(kind: str, rng: random.Random, size: int) -> Any:
    """A container, the bytes of a file, or the list of the entries of an application's object."""
    if kind == "file":
        return rng.randbytes(rng.choice((0, 1, size, 63, 64, 65, 200 * size)))
    if kind == "x-sim":
        return [_value(rng, 1) for _ in range(size)]
    return _container(rng, rng.choice(("dict", "dict", "list", "tuple", "set", "frozenset")), size, 0)


def _container(rng: random.Random, kind: str, size: int, depth: int) -> Any:
    if kind == "dict":
        return {_key(rng, index): _value(rng, depth + 1) for index in range(size)}
    if kind in ("set", "frozenset"):
        elements = {rng.choice(_NUMBERS) for _ in range(size)}
        return elements if kind == "set" else frozenset(elements)
    items = [_value(rng, depth + 1) for _ in range(size)]
    return items if kind == "list" else tuple(items)


def _key(rng: random.Random, index: int) -> Any:
    roll = rng.random()
    return (
        f"key {index}"
        if roll < 0.6
        else index
        if roll < 0.8
        else (index, "pair")
        if roll < 0.9
        else b"%d" % index
    )


def _value(rng: random.Random, depth: int) -> Any:
    roll = rng.random()
    if roll < 0.5:
        return rng.choice(_SCALARS)
    if roll < 0.8:
        return _array(rng)
    if roll < 0.85:
        return bytearray(rng.randbytes(rng.choice((0, 3, 150))))
    if depth > 3:
        return rng.randrange(1000)
    return _container(rng, rng.choice(("dict", "list", "tuple", "set", "frozenset")), rng.randrange(4), depth)


def _array(rng: random.Random) -> Any:
    dtype = np.dtype(rng.choice(_DTYPES))
    count = rng.choice((0, 1, 8, 20, 40))
    raw = np.frombuffer(bytearray(rng.randbytes(count * dtype.itemsize)), np.uint8)
    if dtype.kind == "b":
        raw &= 1
    array = raw.view(dtype)
    roll = rng.random()
    if roll < 0.15:
        return array[::2]
    if roll < 0.3:
        return array.byteswap().view(dtype.newbyteorder(">"))
    if roll < 0.4:
        return (
            array.reshape(-1, 1)
            if roll < 0.35
            else np.asfortranarray(array.reshape(count // 4, 4) if count > 3 else array)
        )
    return array


def change(subject: Any, rng: random.Random) -> None:
    """Change an object in two places at once, where it has them: what is half changed equals no state of it."""
    places = [place for place in _places(subject) if not isinstance(place, np.ndarray) or place.size]
    for place in rng.sample(places, min(2, len(places))):
        if isinstance(place, np.ndarray):
            place.view(np.uint8)[:1] ^= 1
        elif isinstance(place, bytearray):
            with contextlib.suppress(BufferError):  # it cannot be resized while it is being sent
                place[-1:] = b"!?" if rng.random() < 0.5 else b"!"
        elif isinstance(place, set):
            place.add(rng.randrange(1 << 20))
        elif isinstance(place, list):
            _change_list(place, rng)
        elif place and rng.random() < 0.6:
            key = rng.choice(list(place))
            if rng.random() < 0.4:
                del place[key]
            else:
                place[key] = rng.random()
        else:
            place[rng.random()] = "new"


def _change_list(place: list[Any], rng: random.Random) -> None:
    if place and rng.random() < 0.7:
        index = rng.randrange(len(place))
        if rng.random() < 0.4:
            del place[index]
        else:
            place[index] = rng.random()
    else:
        place.insert(rng.randint(0, len(place)), rng.random())


def _places(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _places(part)
    elif isinstance(value, (list, tuple)):
        if isinstance(value, list):
            yield value
        for part in value:
            yield from _places(part)
    elif isinstance(value, (set, bytearray)) or (isinstance(value, np.ndarray) and value.flags.c_contiguous):
        yield value


class Subject:
    """The object of one session, with the states that it has had.

    Attributes:
        states: copies of it, the first state first; made only where something is going to change it.
        pinned: how many of them it had when the sender announced it: no later one may be delivered.
    """

    def __init__(self, kind: str, value: Any, changing: bool) -> None:
        self.kind = kind
        self.value = value
        self.states: list[Any] = [copy.deepcopy(value) if changing else value]
        self.pinned: int | None = None

    def change(self, rng: random.Random) -> None:
        if self.kind == "file":
            self.value = self.value[:-1] if rng.random() < 0.5 else self.value + b"more"
        else:
            change(self.value, rng)
        self.states.append(copy.deepcopy(self.value))
