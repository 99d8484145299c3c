from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import cbor2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from objstream.limits import Limits
from objstream.values import Piece, measure

from .codec import decode_all, encode_all, identical, labelled, nan, roundtrip, skeleton

KiB = 1 << 10

SCALARS: list[Any] = [
    None,
    True,
    False,
    *(
        sign * 2**power + offset
        for power in (0, 5, 8, 16, 32, 53, 63, 64, 65, 500)
        for offset in (-1, 0, 1)
        for sign in (1, -1)
    ),
    0.0,
    -0.0,
    1.5,
    math.inf,
    -math.inf,
    5e-324,
    nan(0x7FF8000000000000),
    nan(0xFFF8000000000001),
    nan(0x7FF0000000000001),
    1 + 2j,
    complex(-0.0, nan(0x7FF8DEADBEEF0001)),
    "",
    "a",
    "x" * 23,
    "x" * 24,
    "\0",
    "é€😀",
    "e\u0301",
    b"",
    b"\xff" * 24,
    bytearray(),
    bytearray(b"abc"),
    date.min,
    date.max,
    datetime.min,
    datetime.max,
    datetime(2024, 10, 27, 2, 30, fold=1),
    datetime(2024, 1, 1, tzinfo=timezone.utc),
    datetime(2024, 1, 1, 12, 0, 0, 1, timezone(timedelta(hours=-3, microseconds=7))),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "CET")),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59))),
    time(23, 59, 59, 999999, fold=1),
    time(1, tzinfo=timezone(timedelta(0), "")),
    timedelta.min,
    timedelta.max,
    timedelta(microseconds=-1),
    *map(
        Decimal,
        ["0", "-0", "1.10", "1E+5", "1E-400", "NaN", "sNaN12", "-NaN", "Infinity", "-Infinity", "9" * 100],
    ),
    UUID(int=0),
    UUID("12345678123456781234567812345678"),
]


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: f"{type(value).__name__} {value!r:.20}")
def test_scalars_arrive_as_they_are(value: Any) -> None:
    assert identical(roundtrip(value), value)
    assert identical(roundtrip(value, step=1), value)
    assert identical(roundtrip([value, {"k": value}, (value,)], chunk=7), [value, {"k": value}, (value,)])


CONTAINERS: list[Any] = [
    [],
    (),
    {},
    set(),
    frozenset(),
    [[], (), {}, [[[]]]],
    ((1, 2), [3, (4,)]),
    {"b": 1, "a": {"d": [], "c": ()}},
    {None: 0, True: 1, 2: 2, 2.5: 3, "s": 4, b"s": 5, (1, ("x", None)): 6, frozenset({1, (2, 3)}): 7},
    {1, 2.5, "a", b"a", None, (1, 2), frozenset({frozenset()})},
    {
        Decimal("1.5"),
        UUID(int=1),
        date.min,
        datetime.max,
        time(1),
        timedelta(1),
        1j,
        np.float32(7),
        np.bool_(True),
    },
    frozenset({1, "x"}),
    list(range(300)),
    dict.fromkeys(range(300)),
    ["tuple", ["app", "x@1", 1]],
    {"__type__": "tuple", 27: ["tuple", 1], 258: [1]},
]


@pytest.mark.parametrize("value", CONTAINERS, ids=range(len(CONTAINERS)))
def test_containers_arrive_as_they_are(value: Any) -> None:
    assert identical(roundtrip(value), value)
    assert identical(roundtrip(value, step=1), value)


def test_long_tuples_and_frozensets_arrive() -> None:
    items = [*range(10000), "x", None]
    assert roundtrip(tuple(items)) == tuple(items)
    assert roundtrip(frozenset(items)) == frozenset(items)
    assert roundtrip({tuple(items): 1}) == {tuple(items): 1}


def test_long_strings_can_be_keys_and_elements() -> None:
    for long in ("x" * 100_000, "é" * 100_000, b"x" * 100_000):
        value = [{long: 1, (long, 2): [3]}, {long, (long,)}, frozenset({long})]
        assert identical(roundtrip(value), value)
        assert decode_all(encode_all([long, [1]], pairs=True), pairs=True) == [(long, [1])]
        assert decode_all(encode_all([long, 1], elements=True), elements=True) == [long, 1]


LENGTHS = [1, 16 * KiB, 16 * KiB + 1, 64 * KiB, 64 * KiB + 1, 300 * KiB]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("cls", [bytes, bytearray])
def test_bytes_of_any_length_arrive(length: int, cls: type) -> None:
    value = cls(bytes(range(251)) * (length // 251 + 1))[:length]
    for chunk in (1000, 1 << 20):
        assert identical(roundtrip([value, 1, value], chunk=chunk), [value, 1, value])


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("text", ["a", "é", "a€", "xy😀z"])
def test_texts_of_any_length_arrive(length: int, text: str) -> None:
    value = (text * length)[:length]
    for chunk in (1000, 1 << 20):
        assert roundtrip([value, "x"], chunk=chunk) == [value, "x"]
    assert roundtrip(value, step=4093) == value


def test_the_bytes_of_a_long_text_may_land_one_by_one() -> None:
    value = "😀é" * 4000
    assert roundtrip(value, step=1) == value


def test_long_strings_are_announced_with_their_length() -> None:
    value = "é" * 20000
    (_, head), *data = encode_all([value], chunk=10000)
    assert head == bytes.fromhex("d81b82 63737472 199c40")
    assert {kind for kind, _ in data} == {Piece.DATA}
    assert b"".join(part for _, part in data) == value.encode()


DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8", "c16"]


def sample(dtype: str, shape: tuple[int, ...] = (3, 5, 4)) -> np.ndarray[Any, Any]:
    """Elements of every bit pattern that random bytes give, NaNs of both kinds among them."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    data = np.random.default_rng(7).integers(0, 256, size, dtype=np.uint8)
    if kind.kind == "b":
        data %= 2
    if kind.kind == "f" and size >= 4 * kind.itemsize:
        special = np.array([np.nan, -0.0, np.inf], kind).tobytes()
        data[: len(special)] = np.frombuffer(special, np.uint8)
    return data.view(kind).reshape(shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype_arrive(dtype: str) -> None:
    for shape in [(3, 5, 4), (), (0,), (0, 3), (1,), (50, 70, 3)]:
        value = sample(dtype, shape)
        result = roundtrip(value)
        assert identical(result, value)
        assert result.flags.writeable
        assert result.flags.c_contiguous
        assert result.flags.owndata or result.base is not None


LAYOUTS = {
    "fortran": lambda a: np.asfortranarray(a),
    "transposed": lambda a: a.transpose(2, 0, 1),
    "strided": lambda a: a[::2, :, ::3],
    "reversed": lambda a: a[::-1, ::-1, ::-1],
    "slice": lambda a: a[:, 1:3],
    "last axis": lambda a: a[..., 1],
    "broadcast": lambda a: np.broadcast_to(a[0, 0], (9, a.shape[2])),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "big-endian and reversed": lambda a: a.astype(a.dtype.newbyteorder(">"))[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype),
    "empty strided": lambda a: a[:, :0, ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "?", "c16", "u1"])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_arrays_of_any_layout_arrive_in_c_order(layout: str, dtype: str, chunk: int) -> None:
    small = LAYOUTS[layout](sample(dtype))
    large = LAYOUTS[layout](sample(dtype, (20, 90, 30))) if chunk > 1 else small
    for value in (small, large):
        result = roundtrip(value, chunk=chunk)
        assert result.shape == value.shape
        assert result.dtype == value.dtype.newbyteorder("=")
        assert result.tobytes() == value.astype(result.dtype).tobytes()


def test_arrays_of_many_dimensions_arrive() -> None:
    most = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32
    value = np.zeros((1,) * most, np.int8)
    assert roundtrip(value).shape == value.shape
    assert roundtrip(np.zeros((2,) + (1,) * (most - 2) + (3,), np.float64).T).shape == (3,) + (1,) * (
        most - 2
    ) + (2,)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_scalars_stay_numpy_scalars(dtype: str) -> None:
    for value in sample(dtype, (8,)):
        assert identical(roundtrip(value), value)
        assert type(roundtrip((value,))[0]) is type(value)


def test_a_contiguous_array_is_sent_from_its_own_memory() -> None:
    from objstream.values import encode

    value = np.arange(100_000.0)
    pieces = [p for p in encode(labelled([value]), limits=Limits(), chunk=1 << 16) if p.kind == Piece.DATA]
    addresses = [np.frombuffer(piece.view, np.uint8).ctypes.data for piece in pieces]
    assert addresses == [value.ctypes.data + (i << 16) for i in range(len(addresses))]


def test_each_occurrence_is_a_value_of_its_own() -> None:
    shared = [1]
    array = np.arange(5)
    first, second, third, fourth = roundtrip([shared, shared, array, array])
    assert first == second == shared
    assert first is not second
    assert not np.shares_memory(third, fourth)


def test_pairs_alternate_and_elements_are_elements() -> None:
    values = ["a", 1, (2, 3), [4], None, np.arange(100_000)]
    result = decode_all(encode_all(values, pairs=True), pairs=True)
    assert identical(result, [("a", 1), ((2, 3), [4]), (None, values[5])])
    elements = [1, "x", Decimal(2), frozenset()]
    assert decode_all(encode_all(elements, elements=True), elements=True) == elements


def test_measure_is_the_length_of_all_pieces() -> None:
    values = [
        1,
        "x" * 100_000,
        "é" * 100_000,
        np.arange(99_999)[::3],
        {"k": bytearray(50_000)},
        (b"y" * 70_000,),
    ]
    assert measure(labelled(values), limits=Limits()) == sum(len(data) for _, data in encode_all(values))


hashables = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=6,
)
elements = (
    hashables
    | st.complex_numbers()
    | st.datetimes(
        timezones=st.none() | st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
    )
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals().filter(lambda value: not value.is_snan())
    | st.uuids()
)
values = st.recursive(
    elements | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(hashables, inner, max_size=5)
        | st.sets(elements, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values, st.integers(1, 40), st.integers(1, 40))
def test_any_value_arrives_however_it_is_cut(value: Any, chunk: int, step: int) -> None:
    assert identical(roundtrip(value, chunk=chunk, step=step), value)


finite = st.floats(allow_nan=False, allow_infinity=False)  # cbor2 shortens the others to 16 bits
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.integers(), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(plain)
def test_plain_values_are_those_of_cbor2(value: Any) -> None:
    assert identical(cbor2.loads(skeleton(value)), value)


@settings(max_examples=100, deadline=None)
@given(plain)
def test_what_cbor2_writes_is_read(value: Any) -> None:
    (result,) = decode_all([(Piece.ENTRIES, cbor2.dumps(value))])
    assert identical(result, value)
