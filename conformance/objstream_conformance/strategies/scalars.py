"""Values without parts: numbers, text, bytes, times, and their corners."""

from __future__ import annotations

import struct
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

LONG = (4_000, 16_384, 16_385, 65_535, 65_536, 65_537, 70_000)
"""Lengths at which encoders change from one form of a string to another."""

_EDGES = [
    sign * (1 << bits) + step
    for bits in (8, 16, 31, 32, 53, 63, 64, 128)
    for sign in (1, -1)
    for step in (-1, 0, 1)
]
_PATTERNS = [
    0x7FF8000000000001,
    0xFFF8000000000000,
    0x7FF0000000000001,
    0xFFF4DEADBEEF0001,
    0x8000000000000000,
    1,
]
_TEXTS = [
    "",
    "\0",
    "e\u0301",
    "\u00e9",
    "\ud7ff\ue000",
    "\U0001f600",
    "\ufeff",
    "\u2028",
    "a\r\nb",
    "\U0010ffff",
]
_FOREVER = timedelta(days=1) - timedelta(microseconds=1)


def _float(bits: int) -> float:
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


def _long(unit: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.builds(lambda part, size: (part * size)[:size], unit, st.sampled_from(LONG))


def integers() -> SearchStrategy[int]:
    """Ints of any size, the edges of 64 bits and of the forms of the encoding among them."""
    long = st.builds(lambda bits, odd: odd * (1 << bits) | 1, st.integers(64, 2400), st.sampled_from([1, -1]))
    return st.integers(-300, 300) | st.sampled_from(_EDGES) | st.integers() | long


def floats() -> SearchStrategy[float]:
    """Floats of any 64 bits, with every payload of NaN."""
    return st.floats() | st.integers(0, (1 << 64) - 1).map(_float) | st.sampled_from(_PATTERNS).map(_float)


def texts(*, long: bool = True) -> SearchStrategy[str]:
    """Text without lone surrogates; some of it longer than a chunk."""
    short = st.text(max_size=20) | st.sampled_from(_TEXTS)
    return short | _long(st.sampled_from(["x", "é", "\U0001f600ab", "\0"])) if long else short


def byte_strings(*, long: bool = True) -> SearchStrategy[bytes]:
    """Bytes; some of them longer than a chunk."""
    short = st.binary(max_size=40)
    return short | _long(st.sampled_from(["x", "\0ab"])).map(str.encode) if long else short


def zones() -> SearchStrategy[timezone | None]:
    """No zone, or a fixed offset of any microsecond, with or without a name."""
    offsets = st.timedeltas(-_FOREVER, _FOREVER)
    fixed = st.builds(timezone, offsets) | st.builds(timezone, offsets, st.text(max_size=8))
    return st.none() | st.just(timezone.utc) | fixed


def datetimes() -> SearchStrategy[datetime]:
    return st.builds(
        lambda value, zone, fold: value.replace(tzinfo=zone, fold=fold),
        st.datetimes(),
        zones(),
        st.integers(0, 1),
    )


def times() -> SearchStrategy[time]:
    return st.builds(
        lambda value, zone, fold: value.replace(tzinfo=zone, fold=fold),
        st.times(),
        zones(),
        st.integers(0, 1),
    )


def decimals() -> SearchStrategy[Decimal]:
    """Decimals with their zeros kept, far exponents, infinities, and both kinds of NaN with payloads."""
    exponents = st.integers(-40, 40) | st.sampled_from(
        [-6176, 6111, -999_999, 999_999, -10_000_000, 10_000_000]
    )
    digits = st.lists(st.integers(0, 9), min_size=1, max_size=40).map(tuple)
    finite = st.builds(
        lambda sign, number, exponent: Decimal((sign, number, exponent)), st.integers(0, 1), digits, exponents
    )
    special = ["Infinity", "-Infinity", "NaN", "-NaN", "NaN123", "sNaN", "-sNaN7", "0E+9", "-0.00", "1.10"]
    return finite | st.sampled_from(special).map(Decimal)


def complexes() -> SearchStrategy[complex]:
    return st.builds(complex, floats(), floats())


def key_scalars(*, long: bool = False) -> SearchStrategy[object]:
    """Values without parts that may be keys of a dict."""
    return st.one_of(
        st.none(), st.booleans(), integers(), floats(), texts(long=long), byte_strings(long=long)
    )


def element_scalars(*, long: bool = False) -> SearchStrategy[object]:
    """Values without parts that may be elements of a set, those that have a hash."""
    return st.one_of(
        key_scalars(long=long),
        complexes(),
        datetimes(),
        st.dates(),
        times(),
        st.timedeltas(),
        decimals().filter(lambda number: not number.is_snan()),
        st.uuids(),
    )


def scalars(*, long: bool = True) -> SearchStrategy[object]:
    """Every value without parts but arrays and tensors."""
    return st.one_of(element_scalars(long=long), decimals(), byte_strings(long=long).map(bytearray))
