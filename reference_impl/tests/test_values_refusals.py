"""What the sender cannot carry is refused by name and place; what changes meanwhile is noticed."""

from __future__ import annotations

import collections
import enum
import io
import struct
import threading
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from objstream import Code, Limits
from objstream.values import Piece, encode, measure

from .codec import encode_all, labelled, refused


class Colour(enum.IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int


class Zone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(0)


def named_zone() -> ZoneInfo:
    """UTC, from a file made here: not every machine has a database of zones."""
    counts = struct.pack(">6L", 0, 0, 0, 0, 1, 4)
    data = b"TZif" + bytes(16) + counts + struct.pack(">lBB", 0, 0, 0) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(data), key="UTC")


def subclass(base: type, *arguments: Any) -> Any:
    return type("Sub", (base,), {})(*arguments)


REFUSED: dict[str, Any] = {
    "object": object(),
    "class": int,
    "function": len,
    "module": collections,
    "lock": threading.Lock(),
    "iterator": iter([]),
    "range": range(3),
    "slice": slice(3),
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "memoryview": memoryview(b"abc"),
    "OrderedDict": collections.OrderedDict(a=1),
    "defaultdict": collections.defaultdict(list),
    "Counter": collections.Counter("a"),
    "deque": collections.deque([1]),
    "named tuple": Point(1),
    "IntEnum": Colour.RED,
    "Fraction": Fraction(1, 2),
    **{
        f"subclass of {base.__name__}": subclass(base, *arguments)
        for base, *arguments in [
            (int, 1),
            (float, 1.0),
            (complex, 1j),
            (str, "a"),
            (bytes, b"a"),
            (bytearray, b"a"),
            (list, [1]),
            (tuple, (1,)),
            (dict, {"a": 1}),
            (set, {1}),
            (frozenset, {1}),
            (date, 1, 1, 1),
            (datetime, 1, 1, 1),
            (time, 1),
            (timedelta, 1),
            (Decimal, "1"),
            (UUID, "12345678123456781234567812345678"),
        ]
    },
    "object array": np.array([None]),
    "str array": np.array(["abc"]),
    "bytes array": np.array([b"abc"]),
    "structured array": np.zeros(1, [("a", "f4")]),
    "datetime array": np.array(["2024"], "M8[s]"),
    "timedelta array": np.array([1], "m8[s]"),
    "long double array": np.zeros(1, np.longdouble),
    "complex long double array": np.zeros(1, np.clongdouble),
    "array with metadata": np.zeros(1, np.dtype("f4", metadata={"unit": "m"})),
    "array of bools that are none": np.array([2], np.uint8).view(bool),
    "masked array": np.ma.array([1]),
    "matrix": np.zeros((1, 1)).view(np.matrix),
    "record array": np.rec.array([(1,)], dtype=[("a", "i4")]),
    "subclass of ndarray": np.zeros(1).view(type("Sub", (np.ndarray,), {})),
    "long double scalar": np.longdouble(1),
    "datetime scalar": np.datetime64("2024"),
    "str scalar": np.str_("a"),
    "bytes scalar": np.bytes_(b"a"),
    "void scalar": np.void(b"a"),
    "named zone": datetime(2024, 1, 1, tzinfo=named_zone()),
    "zone of one's own": time(1, tzinfo=Zone()),
    "lone surrogate": "a\ud800",
    "lone surrogate in a long text": "a" * 100_000 + "\ud800",
    "lone surrogate in the name of a zone": time(1, tzinfo=timezone(timedelta(0), "\udfff")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_in_the_model_is_refused_with_its_path(name: str) -> None:
    value = REFUSED[name]
    for container, path in (
        (value, "m[1]"),
        ([0, value], "m[1][1]"),
        ({"a": {1: value}}, "m[1]['a'][1]"),
        ([{"x": ((), (1, 2, value))}, 5], "m[1][0]['x'][1][2]"),
    ):
        for action in (
            lambda container=container: encode_all([0, container]),
            lambda container=container: measure(labelled([0, container]), limits=Limits()),
        ):
            error = refused(action)
            assert error.code is Code.UNSUPPORTED
            assert error.message.startswith(f"{path}: "), error.message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(2, np.clongdouble), "is not in the value model"),
        (np.zeros(2, object), "an array of object"),
        (np.ma.array([1]), "MaskedArray"),
        (collections.OrderedDict(), "collections.OrderedDict"),
        (Colour.RED, "Colour"),
        (time(1, tzinfo=named_zone()), "ZoneInfo"),
    ],
)
def test_the_refusal_names_the_type(value: Any, words: str) -> None:
    assert words in refused(lambda: encode_all([value])).message


KEYS_REFUSED: list[Any] = [
    1j,
    date(1, 1, 1),
    Decimal(1),
    UUID(int=1),
    timedelta(1),
    np.float32(1),
    np.str_("a"),
    Colour.RED,
    Point(1),
    (1, date(1, 1, 1)),
    frozenset({1j}),
    (1, (2, frozenset({Decimal(1)}))),
    object(),
    len,
    range(2),
]


@pytest.mark.parametrize("key", KEYS_REFUSED, ids=range(len(KEYS_REFUSED)))
def test_other_keys_are_refused(key: Any) -> None:
    for action in (
        lambda: encode_all([{"ok": 1, key: 2}]),
        lambda: encode_all(["ok", 1, key, 2], pairs=True),
    ):
        error = refused(action)
        assert error.code is Code.UNSUPPORTED
        assert "a key of a dict" in error.message
    error = refused(lambda: encode_all([[{"ok": 1, key: 2}]]))
    assert error.message.startswith("m[0][0]{key}")


class Hashable:
    pass


@pytest.mark.parametrize(
    "element", [Hashable(), len, range(2), Point(1), (1, Hashable()), frozenset({Hashable()})]
)
def test_other_elements_are_refused(element: Any) -> None:
    for action in (lambda: encode_all([{element}]), lambda: encode_all([frozenset({element})])):
        error = refused(action)
        assert error.code is Code.UNSUPPORTED
        assert "an element of a set" in error.message
        assert error.message.startswith("m[0]{…}")
    assert refused(lambda: encode_all([1, element], elements=True)).code is Code.UNSUPPORTED


def test_cycles_are_refused_where_they_close() -> None:
    first: list[Any] = [1]
    first.append({"a": (first,)})
    assert refused(lambda: encode_all([first])).message.startswith(
        "m[0][1]['a'][0]: a container that contains itself"
    )
    second: dict[str, Any] = {}
    second["x"] = [second]
    assert refused(lambda: encode_all([second])).message.startswith("m[0]['x'][0]: ")
    assert refused(lambda: encode_all([second])).code is Code.UNSUPPORTED


def test_what_occurs_twice_is_no_cycle() -> None:
    shared: list[Any] = [1]
    assert encode_all([[shared, shared, {"a": shared}, (shared,)]])


def nested(depth: int, kind: str) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value] if kind == "list" else (value,) if kind == "tuple" else {"k": value}
    return value


@pytest.mark.parametrize("kind", ["list", "tuple", "dict"])
def test_depth_is_limited(kind: str) -> None:
    assert encode_all([nested(128, kind)])
    for depth in (129, 100_000):
        value = nested(depth, kind)
        assert refused(lambda value=value: encode_all([value])).code is Code.TOO_LARGE
        while value is not None:  # or the interpreter recurses to free it
            (value,) = value.values() if kind == "dict" else value


def test_items_and_integers_are_limited() -> None:
    assert encode_all([[1, 2, {3: 4}]], limits=Limits(max_items=6))
    assert refused(lambda: encode_all([[1, 2, {3: 4}]], limits=Limits(max_items=5))).code is Code.TOO_LARGE
    assert encode_all([1 << (65536 * 8 - 1)])
    for number in (1 << 65536 * 8, -(1 << 65536 * 8) - 1):
        error = refused(lambda number=number: encode_all([[number]]))
        assert error.code is Code.TOO_LARGE
        assert error.message.startswith("m[0][0]: ")


def test_a_long_decimal_is_refused_for_its_length() -> None:
    assert encode_all([Decimal("9" * 65536)])
    assert refused(lambda: encode_all([Decimal("9" * 65537)])).code is Code.TOO_LARGE


def test_a_decimal_beyond_the_range_of_exponents_is_refused() -> None:
    assert encode_all([Decimal(text) for text in ("1.5E-999999999999999999", "-1.5E+999999999999999999")])
    for text in ("1.5E-1000000000000000000", "0E-1000000000000000000"):
        assert refused(lambda text=text: encode_all([Decimal(text)])).code is Code.TOO_LARGE


def test_a_long_name_of_a_zone_is_refused_for_its_length() -> None:
    assert encode_all([time(1, tzinfo=timezone(timedelta(0), "ü" * 255))])
    error = refused(lambda: encode_all([time(1, tzinfo=timezone(timedelta(0), "x" * 256))]))
    assert error.code is Code.TOO_LARGE


def pieces_with(value: Any, change: Any) -> None:
    for number, piece in enumerate(encode([("m", value)], limits=Limits(), chunk=1000)):
        assert piece.kind in (Piece.ENTRIES, Piece.DATA)
        if number == 1:
            change()


CHANGES: dict[str, Any] = {
    "list grows": lambda: ((value := list(range(5000))), lambda: value.append(1)),
    "list shrinks": lambda: ((value := list(range(5000))), value.clear),
    "list shrinks a little": lambda: ((value := list(range(5000))), value.pop),
    "dict grows": lambda: ((value := dict.fromkeys(range(5000))), lambda: value.update(a=1)),
    "dict shrinks": lambda: ((value := dict.fromkeys(range(5000))), value.clear),
    "set grows": lambda: ((value := set(range(5000))), lambda: value.add("a")),
    "set shrinks": lambda: ((value := set(range(5000))), value.clear),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_container_that_changes_meanwhile_is_an_error(change: str) -> None:
    value, action = CHANGES[change]()
    error = refused(lambda: pieces_with({"k": [0, value]}, action))
    assert error.code is Code.SOURCE_CHANGED
    assert error.message.startswith("m['k'][1]: ")


def test_an_outer_container_that_changes_is_an_error_of_its_own() -> None:
    outer: dict[str, Any] = {"a": list(range(5000)), "b": 1}
    error = refused(lambda: pieces_with(outer, lambda: outer.pop("b")))
    assert error.code is Code.SOURCE_CHANGED
    assert error.message.startswith("m: ")


LONG_KEYS = [10**5000, "k" * 1000, b"k" * 1000, (b"k" * 1000,) * 3, tuple(range(100)), frozenset(range(100))]


def test_labels_are_texts_or_root_and_key() -> None:
    def items(label: Any) -> Iterator[tuple[Any, Any]]:
        yield label, object()

    messages = [
        refused(lambda label=label: list(encode(items(label), limits=Limits()))).message
        for label in ("model['x']", ("model", "x"), ("model", 3), "", *[("m", key) for key in LONG_KEYS])
    ]
    assert messages[0] == messages[1] == "model['x']: object is not in the value model"
    assert messages[2].startswith("model[3]: ")
    assert messages[3] == "object is not in the value model"
    assert messages[4].startswith("m[int]: ")
    assert all(len(message) < 300 for message in messages)
