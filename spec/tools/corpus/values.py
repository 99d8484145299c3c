"""Values: each type in its forms (chapters 4 and 9)."""

from __future__ import annotations

import math
import struct
from typing import Any

from objstream_conformance.cbor import Map, Ref, ext, set_of

from . import Vector, accept, received

NAN = struct.unpack(">d", bytes.fromhex("fff4000000000001"))[0]


ITEMS: dict[str, tuple[object, ...]] = {}


def good(
    id_: str, title: str, *items: object, why: str = "in each of its forms", kind: str = "list", **more: Any
) -> Vector:
    """A container of these items arrives as it is."""
    vector = accept(id_, title, why, received(kind, *items, **more))
    ITEMS[vector.path] = items
    return vector


# -- plain values

CONSTANTS = good("OSP-VAL-001", "None and booleans", None, True, False)
INTEGERS = good(
    "OSP-VAL-002",
    "integers",
    *(0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, -1, -24, -25, -256, -257, -(2**64)),
    why="at each length of a head",
)
BIGNUMS = good("OSP-ENC-012", "integers beyond 64 bits", 2**64, 2**72 - 1, 2**72, -(2**64) - 1)
FLOATS = good(
    "OSP-VAL-003",
    "floats",
    1.5,
    -0.0,
    1e308,
    5e-324,
    math.inf,
    -math.inf,
    NAN,
    why="64 bits, whatever they are",
)
TEXTS = good("OSP-VAL-005", "text", "", "a", "é", "e\u0301", "😀", "\0", "x" * 23, "x" * 24, "x" * 256)
LONG_TEXT = good("OSP-VAL-007", "text in a buffer", ext("str", Ref("é😀".encode())), why='27(["str", ref])')
BYTES = good("OSP-VAL-008", "bytes", b"", b"\0\xff", bytes(24), bytes(256))
LONG_BYTES = good("OSP-VAL-008", "bytes in a buffer", ext("bytes", Ref(b"\0\xff")), why='27(["bytes", ref])')
ARRAYS = good(
    "OSP-VAL-009",
    "bytearrays",
    ext("bytearray", b""),
    ext("bytearray", b"abc"),
    ext("bytearray", Ref(b"abc")),
)

# -- containers

for kind, items in (
    ("dict", ("a", 1, "b", [])),
    ("tuple", (1, "a")),
    ("set", (1, "a", ext("uuid", bytes(16)))),
    ("frozenset", (1, "a")),
):
    good(
        "OSP-CTR-001" if kind in ("dict", "set") else "OSP-CTR-002",
        f"a {kind}",
        *items,
        kind=kind,
        why="a root of this kind",
    )
for kind in ("dict", "list", "tuple", "set", "frozenset"):
    good("OSP-CTR-003", f"an empty {kind}", kind=kind, why="no content frame at all")
LISTS = good(
    "OSP-VAL-010", "lists and tuples", [], [1, [2]], ext("tuple"), ext("tuple", 1, [2], ext("tuple", 3))
)
DICTS = good(
    "OSP-VAL-011", "dicts", {}, {"b": 1, "a": {"c": []}}, why="in the order of their keys on the wire"
)
KEYED = good(
    "OSP-VAL-012",
    "dicts with every type of key",
    {None: 0, True: 1, 2: 2, -3: 3, 2**64: 4, 1.5: 5, "k": 6, b"k": 7},
    Map(((ext("tuple", 1, "a"), True), (ext("frozenset", 1, 2), 10))),
    why="what the value table allows as keys",
)
SETS = good(
    "OSP-VAL-016",
    "sets and frozensets",
    set_of(),
    set_of(1, "a", None),
    ext("frozenset"),
    ext("frozenset", 1, ext("frozenset", 2)),
)
ELEMENTS = good(
    "OSP-VAL-016",
    "elements that cannot be keys",
    set_of(ext("date", 2024, 2, 29), ext("tuple", ext("decimal", "1.0")), ext("complex", 1.0, 2.0)),
    why="scalars may be elements of sets, also inside of tuples",
)

# -- scalars with arguments

COMPLEX = good("OSP-VAL-004", "complex numbers", ext("complex", 1.5, -0.0), ext("complex", math.inf, NAN))
MOMENT = ("datetime", 2024, 2, 29, 23, 59, 59, 999999)
DATETIMES = good(
    "OSP-VAL-017",
    "dates with times",
    ext(*MOMENT, 0, None),
    ext(*MOMENT, 1, 0),
    ext(*MOMENT, 0, -86399999999),
    ext(*MOMENT, 0, [3600000000, "CET"]),
)
DATES = good("OSP-VAL-017", "dates", ext("date", 1, 1, 1), ext("date", 9999, 12, 31))
TIMES = good(
    "OSP-VAL-017", "times", ext("time", 0, 0, 0, 0, 0, None), ext("time", 23, 59, 59, 999999, 1, 86399999999)
)
DELTAS = good(
    "OSP-VAL-020",
    "time differences",
    ext("timedelta", -999999999, 0, 0),
    ext("timedelta", 999999999, 86399, 999999),
    why="at both ends of the range",
)
DECIMALS = good(
    "OSP-VAL-021",
    "decimals",
    *(
        ext("decimal", text)
        for text in ("1.10", "-0", "1E+3", "0E-7", "Infinity", "-Infinity", "NaN123", "sNaN")
    ),
    why="sign, digits, exponent and special values",
)
UUIDS = good("OSP-VAL-022", "a UUID", ext("uuid", bytes(range(16))))

# -- arrays and tensors

ARRAY = good(
    "OSP-VAL-023",
    "arrays of each dtype",
    *(
        ext("ndarray", dtype, [1], bytes(range(size)))
        for dtype, size in (
            *(("F64", 8), ("F32", 4), ("F16", 2), ("I64", 8), ("I32", 4), ("I16", 2), ("I8", 1)),
            *(("U64", 8), ("U32", 4), ("U16", 2), ("U8", 1), ("C64", 8), ("C128", 16)),
        )
    ),
    needs=("numpy",),
)
SHAPES = good(
    "OSP-VAL-025",
    "arrays without elements or dimensions",
    ext("ndarray", "F32", [], bytes(4)),
    ext("ndarray", "F32", [0, 3], b""),
    ext("ndarray", "U8", [1] * 32, b"\7"),
    needs=("numpy",),
    why="the shape is kept",
)
SCALARS = good(
    "OSP-VAL-026",
    "numpy scalars",
    ext("scalar", "F32", bytes.fromhex("0100a07f")),
    ext("scalar", "U8", b"\7"),
    ext("scalar", "C128", bytes(range(16))),
    needs=("numpy",),
)
TENSORS = good(
    "OSP-VAL-029",
    "tensors",
    ext("tensor", "F32", [2], False, bytes(8)),
    ext("tensor", "F64", [], True, bytes(8)),
    ext("tensor", "I64", [0], False, b""),
    ext("tensor", "F32", [1, 2], False, Ref(bytes(range(8)))),
    needs=("tensors",),
)
SHORT = good(
    "OSP-VAL-030",
    "tensors of short floats",
    ext("tensor", "BF16", [2], False, b"\x80\x3f\xc0\x7f"),
    ext("tensor", "F8_E4M3", [2], False, b"\x38\x7f"),
    ext("tensor", "F8_E5M2", [2], False, b"\x3c\x7e"),
    needs=("tensors",),
)
PARAMETERS = good(
    "OSP-VAL-034",
    "parameters",
    ext("parameter", "F32", [1], True, bytes(4)),
    ext("parameter", "F32", [1], False, bytes(4)),
    needs=("tensors",),
)
APP = good(
    "OSP-VAL-042",
    "a value of an application type",
    ext("app", "site/point@2", [1, ext("tuple", 2)]),
    options={"types": ["site/point@2"]},
    needs=("registry",),
    why="the receiver has registered name and version",
)
