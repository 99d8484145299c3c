"""Values that are refused, and types that applications add (chapters 4 and 9)."""

from __future__ import annotations

import collections
import dataclasses
import enum
import fractions
import pathlib
import struct
from collections.abc import Iterable, Iterator

from ..case import Case
from ..cases import requirement
from .ctr import nested


@dataclasses.dataclass
class Record:
    """A class that is nobody's business but its owner's."""

    field: int = 1


class Number(int):
    """A subclass of a listed type."""


class Colour(enum.IntEnum):
    RED = 1


class Table(dict):  # type: ignore[type-arg]
    """A subclass of a container."""


Pair = collections.namedtuple("Pair", "one two")


@requirement("OSP-VAL-036", needs=["container", "sites"])
def subclasses(t: Case) -> None:
    """Instances of subclasses of listed types are refused wherever they stand: value, key, container."""
    values = {
        *(("int", Number(3)), ("IntEnum", Colour.RED), ("namedtuple", Pair(1, 2))),
        *(("str", type("Text", (str,), {})("x")), ("bytes", type("Raw", (bytes,), {})(b"x"))),
    }
    instances: dict[str, object] = dict(values)
    instances["OrderedDict"] = collections.OrderedDict(a=1)
    instances["defaultdict"] = collections.defaultdict(int, a=1)
    instances["list"] = type("Row", (list,), {})([1])
    instances["float"] = type("Real", (float,), {})(1.5)
    for name, value in instances.items():
        t.refuses(
            ["fine", {"inside": value}], f"a subclass ({name}) to be refused", "dispatch on the exact type"
        )
    keyed: tuple[object, ...] = ({Number(3): 1}, Table(a=1))
    for container in keyed:
        t.refuses(container, "a subclass to be refused as a key and as the container itself")


def unlisted() -> Iterator[tuple[str, object]]:
    """Values outside the model, each with the name of its type."""
    others: Iterable[object] = (
        *(object(), Record(), range(3), memoryview(b"x"), fractions.Fraction(1, 3), slice(1)),
        *(
            pathlib.PurePosixPath("a"),
            collections.deque([1]),
            NotImplemented,
            ...,
            iter([1]),
            ValueError("x"),
        ),
    )
    for value in others:
        yield type(value).__name__, value
    yield "function", lambda: None
    yield "type", int
    yield "module", struct


@requirement("OSP-VAL-037", needs=["container", "sites"])
def unlisted_types(t: Case) -> None:
    """Values of types outside the model are refused, and the error names the type."""
    for name, value in unlisted():
        refusal = t.refuses({"fine": 1, "odd": value}, f"a {name} to be refused")
        t.expect(
            name in refusal.message,
            f"the name of the type, {name}, in the error",
            f"the error says {refusal.message!r}",
        )


@requirement("OSP-VAL-038", needs=["container", "sites"])
def cycles(t: Case) -> None:
    """A container that contains itself, directly, through another or through a tuple, is refused."""
    loop: list[object] = [1]
    loop.append(loop)
    table: dict[str, object] = {"a": 1}
    table["self"] = [table]
    knot: list[object] = []
    knot.append((knot,))
    containers: tuple[object, ...] = (loop, table, {"fine": 1, "knot": knot})
    for container in containers:
        t.refuses(container, "a container that contains itself to be refused")


@requirement("OSP-ENC-014", needs=["container", "sites"])
def too_deep(t: Case) -> None:
    """Values of 129, 1000 and 100 000 levels are refused by the sender, without a crash."""
    for levels in (129, 1000, 100_000):
        t.refuses(
            {"fine": 1, "deep": nested(levels)}, f"{levels} levels to be refused", "walk without recursion"
        )


@requirement("OSP-ENC-022", needs=["container", "sites"])
def too_large_integers(t: Case) -> None:
    """Integers whose bignum has 65537 bytes, of either sign, are refused by the sender."""
    for value in (1 << 8 * 65_536, -1 - (1 << 8 * 65_536)):
        t.refuses([1, {"large": value}], "an integer of 65537 bytes to be refused")


class Point:
    """An application type."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


@requirement("OSP-VAL-042", needs=["container", "registry"])
def registered_types(t: Case) -> None:
    """A type that both sites registered under one name arrives as the receiver's registration makes it."""
    sender, receiver = t.sites()
    sender.extra("register", Point, "point@1", lambda p: [p.x, p.y], lambda v: Point(*v))
    receiver.extra("register", Point, "point@1", lambda p: [p.x, p.y], lambda v: Point(v[0] + 10, v[1]))
    got = t.succeeds(lambda: t.transfer({"at": Point(1, 2), "plain": 3}))
    t.expect(type(got["at"]) is Point, "a Point", f"a {type(got['at']).__name__}")
    t.same((11, 2), (got["at"].x, got["at"].y))


@requirement("OSP-VAL-043", needs=["container", "registry"])
def unregistered_types(t: Case) -> None:
    """The receiver has not registered the type, or another version of it: both sides report a failure."""
    sender, receiver = t.sites()
    sender.extra("register", Point, "point@2", lambda p: [p.x, p.y], lambda v: Point(*v))
    for register in (False, True):
        if register:
            receiver.extra("register", Point, "point@1", lambda p: [p.x, p.y], lambda v: Point(*v))
        for way in (way for way in ("pull", "push") if t.has(way)):
            move = t.pull if way == "pull" else t.push
            t.rejected(lambda m=move: m({"at": Point(1, 2)}, timeout=0.5), "the transfer to fail")  # type: ignore[misc]
    if t.has("push"):
        t.expect(not receiver.received(), "nothing delivered", "something was delivered")
