"""What is next to the form of a value and is none: of these, a receiver refuses each (chapters 4 and 9)."""

from __future__ import annotations

from objstream_conformance.cbor import Raw, Tag, cbor, ext, pieces, set_of
from objstream_conformance.frames import Type

from . import Vector, reject
from .talks import LIST
from .values import (
    APP,
    ARRAY,
    ARRAYS,
    BIGNUMS,
    BYTES,
    COMPLEX,
    CONSTANTS,
    DATES,
    DATETIMES,
    DECIMALS,
    DELTAS,
    DICTS,
    FLOATS,
    INTEGERS,
    ITEMS,
    KEYED,
    LISTS,
    LONG_BYTES,
    LONG_TEXT,
    MOMENT,
    PARAMETERS,
    SCALARS,
    SETS,
    TENSORS,
    TEXTS,
    TIMES,
    UUIDS,
    good,
)


def bad(
    id_: str,
    title: str,
    why: str,
    twin: Vector,
    item: object,
    code: str = "PROTOCOL",
    *,
    at: int | None = None,
    schema: str = "value",
) -> None:
    """The same container with another item, at that place or in the place of the one most like it, is refused."""
    items = list(ITEMS[twin.path])
    items[_nearest(items, item) if at is None else at] = item
    (_, data), *_ = pieces(*items)
    reject(id_, title, why, twin, Type.ENTRIES, {"data": data}, code, schema=schema)


def _nearest(items: list[object], item: object) -> int:
    """The first of the items that begin like this one for the most bytes."""

    def alike(one: object) -> int:
        pairs = zip(cbor(one), cbor(item), strict=False)
        return next((at for at, (byte, other) in enumerate(pairs) if byte != other), 1 << 16)

    return max(range(len(items)), key=lambda index: alike(items[index]))


def raw(text: str) -> Raw:
    return Raw(bytes.fromhex(text))


# -- forms that are none

ONE = "its size cannot be checked before it is read"
for title, twin, form in (
    ("a list", LISTS, "9f01ff"),
    ("a dict", DICTS, "bf0101ff"),
    ("text", TEXTS, "7f6161ff"),
    ("bytes", BYTES, "5f4161ff"),
    ("a tuple", LISTS, "d81b9f657475706c6501ff"),
    ("a set", SETS, "d901029f01ff"),
):
    bad("OSP-ENC-001", f"{title} of indefinite length", ONE, twin, raw(form))
bad("OSP-ENC-001", "a break alone", "it ends nothing", LISTS, raw("ff"))

ONE = "one value, one form"
for title, twin, form in (
    ("an integer in 2 bytes", INTEGERS, "1817"),
    ("an integer in 3 bytes", INTEGERS, "1900ff"),
    ("an integer in 5 bytes", INTEGERS, "1a0000ffff"),
    ("an integer in 9 bytes", INTEGERS, "1b00000000ffffffff"),
    ("a negative integer in 2 bytes", INTEGERS, "3800"),
    ("a text with a long head", TEXTS, "780161"),
    ("bytes with a long head", BYTES, "580161"),
    ("a list with a long head", LISTS, "9800"),
    ("a dict with a long head", DICTS, "b90000"),
    ("a set with a long tag", SETS, "da0000010280"),
    ("an extension with a long tag", LISTS, "d9001b81657475706c65"),
    ("an extension with a long name", LISTS, "d81b8178057475706c65"),
):
    bad("OSP-ENC-002", title, ONE, twin, raw(form), schema="")
for info in (28, 29, 30):
    bad("OSP-ENC-002", f"additional information {info}", "it has no meaning", INTEGERS, raw(f"{info:02x}"))

ONE = "an ignored tag changes the value"
for title, number, item in (
    ("0, a date in text", 0, "2024-02-29T00:00:00Z"),
    ("1, a date in seconds", 1, 1700000000),
    ("24, CBOR in bytes", 24, b"\1"),
    ("28, a shared value", 28, [1]),
    ("55799, a mark of CBOR", 55799, 1),
    ("2 on text", 2, "aaaaaaaaa"),
    ("258 on a map", 258, {}),
    ("27 on a map", 27, {}),
    ("27 on an empty array", 27, []),
):
    bad("OSP-ENC-004", f"tag {title}", ONE, INTEGERS, Tag(number, item))

for title, item in (
    ("a function", ext("os.system", "true")),
    ("a class", ext("builtins.object")),
    ("an empty name", ext("")),
    ("a name in other letters", ext("Tuple", 1)),
    ("a kind of Python", ext("OrderedDict", 1)),
):
    bad(
        "OSP-ENC-005",
        f"an extension named like {title}",
        "no such type is in the value table",
        LISTS,
        item,
        code="UNSUPPORTED",
    )
bad(
    "OSP-ENC-005",
    "an application type that is not registered",
    "the registry does not have it",
    LISTS,
    ext("app", "site/point@2", 1),
    code="UNSUPPORTED",
    schema="",
)

for title, form in (("16 bits", "f93e00"), ("32 bits", "fa3fc00000")):
    bad("OSP-ENC-006", f"a float of {title}", "two forms for one value", FLOATS, raw(form))

for title, form in (
    ("a lone byte", "61ff"),
    ("an overlong form", "62c081"),
    ("a surrogate", "63eda080"),
    ("a character cut short", "61c3"),
    ("a code point beyond Unicode", "64f4908080"),
):
    bad("OSP-ENC-007", f"text with {title}", "replacement is a silent change", TEXTS, raw(form))

# -- duplicates

TWICE = "one would silently replace the other"
for title, form in (
    ("two texts", "a2616101616102"),
    ("true and 1", "a2f5010102"),
    ("1 and 1.0", "a20101fb3ff000000000000002"),
    ("two zeros", "a20001fb800000000000000002"),
):
    bad("OSP-ENC-008", f"a map with {title}", TWICE, DICTS, raw(form), schema="")
ENTRIES = good("OSP-ENC-009", "a dict of two entries", "a", 1, "b", 2, kind="dict", why="keys that differ")
bad("OSP-ENC-009", "two entries with one key", TWICE, ENTRIES, "a", at=2, schema="")
NUMBERED = good("OSP-ENC-009", "a dict of two numbers", 1, 1, 2.0, 2, kind="dict", why="keys that differ")
bad("OSP-ENC-009", "two entries with equal numbers", TWICE, NUMBERED, 1.0, at=2, schema="")
UNIQUE = good("OSP-ENC-010", "a set of two entries", 1, 2, kind="set", why="elements that differ")
TWICE = "the sender's set cannot have had them"
bad("OSP-ENC-010", "a set with an element twice", TWICE, SETS, set_of(1, 1), schema="")
bad("OSP-ENC-010", "a set with 1 and true", TWICE, SETS, set_of(1, True), schema="")
bad("OSP-ENC-010", "a frozenset with an element twice", TWICE, SETS, ext("frozenset", "a", "a"), schema="")
bad(
    "OSP-ENC-010",
    "a set with equal frozensets",
    TWICE,
    SETS,
    set_of(ext("frozenset", 1, 2), ext("frozenset", 2, 1)),
    schema="",
)
bad("OSP-ENC-010", "two equal entries of a set", TWICE, UNIQUE, 2, at=0, schema="")

# -- simple values, bignums

for title, form in (
    ("undefined", "f7"),
    ("simple value 0", "e0"),
    ("simple value 32", "f820"),
    ("false in two bytes", "f814"),
):
    bad("OSP-ENC-011", title, "it has no counterpart", CONSTANTS, raw(form), at=2 if "false" in title else 0)
for title, form in (
    ("a leading zero", "c24a00010000000000000000"),
    ("8 bytes", "c248ffffffffffffffff"),
    ("no bytes", "c240"),
    ("8 bytes and a sign", "c348ffffffffffffffff"),
    ("a leading zero and a sign", "c34a00010000000000000000"),
):
    bad(
        "OSP-ENC-012",
        f"a bignum with {title}",
        "one value, one form",
        BIGNUMS,
        raw(form),
        schema="" if "zero" in title else "value",
    )

# -- arguments

WRONG = "a missing argument must not become a default, an extra one not be dropped"
for title, twin, item in (
    ("a complex number of one part", COMPLEX, ext("complex", 1.5)),
    ("a complex number of integers", COMPLEX, ext("complex", 1, 2)),
    ("a datetime without a zone", DATETIMES, ext(*MOMENT, 0)),
    ("a datetime with a text", DATETIMES, ext("datetime", "2024", *MOMENT[2:], 0, None)),
    ("a datetime with a zone in text", DATETIMES, ext(*MOMENT, 0, "UTC")),
    ("a zone without an offset", DATETIMES, ext(*MOMENT, 0, ["CET"])),
    ("a zone of three parts", DATETIMES, ext(*MOMENT, 0, [0, "UTC", 1])),
    ("a date of four parts", DATES, ext("date", 2024, 1, 1, 1)),
    ("a date with true", DATES, ext("date", 2024, True, 1)),
    ("a time of one part", TIMES, ext("time", 1)),
    ("a timedelta of seconds", DELTAS, ext("timedelta", 1.5)),
    ("a decimal with a number", DECIMALS, ext("decimal", 1)),
    ("a UUID in text", UUIDS, ext("uuid", "0" * 16)),
    ("text inline where a reference belongs", LONG_TEXT, ext("str", "a")),
    ("bytes inline where a reference belongs", LONG_BYTES, ext("bytes", b"a")),
    ("a bytearray of text", ARRAYS, ext("bytearray", "abc")),
    ("a bytearray of two", ARRAYS, ext("bytearray", b"abc", b"d")),
    ("an array without a shape", ARRAY, ext("ndarray", "F32", bytes(4))),
    ("an array with a number for a shape", ARRAY, ext("ndarray", "F32", 1, bytes(4))),
    ("an array with a float in its shape", ARRAY, ext("ndarray", "F32", [1.0], bytes(4))),
    ("an array with a negative dimension", ARRAY, ext("ndarray", "F32", [-1], bytes(4))),
    ("an array with a list of bytes", ARRAY, ext("ndarray", "F32", [1], [bytes(4)])),
    ("an array of an unknown dtype", ARRAY, ext("ndarray", "F31", [1], bytes(4))),
    ("an array of a dtype of tensors", ARRAY, ext("ndarray", "BF16", [1], bytes(2))),
    ("a scalar in a buffer", SCALARS, ext("scalar", "U8", Raw(b"\1"))),
    ("a scalar of an unknown dtype", SCALARS, ext("scalar", "V8", bytes(8))),
    ("a tensor without requires_grad", TENSORS, ext("tensor", "F32", [1], bytes(4))),
    ("a tensor with a number for requires_grad", TENSORS, ext("tensor", "F32", [1], 1, bytes(4))),
    ("a parameter without requires_grad", PARAMETERS, ext("parameter", "F32", [1], bytes(4))),
    ("an application value without its type", APP, ext("app", 1)),
    ("an application type without a version", APP, ext("app", "site/point", [1, ext("tuple", 2)])),
    ("an application value of two", APP, ext("app", "site/point@2", 1, 2)),
    ("an extension without a name", LISTS, Tag(27, [1, 2])),
):
    bad("OSP-ENC-018", title, WRONG, twin, item)

BEYOND = "such a value crashes the constructor"
for title, twin, item, schema in (
    ("month 13", DATES, ext("date", 2024, 13, 1), "value"),
    ("30 February", DATES, ext("date", 2024, 2, 30), ""),
    ("29 February 2023", DATETIMES, ext("datetime", 2023, 2, 29, 0, 0, 0, 0, 0, None), ""),
    ("year 0", DATES, ext("date", 0, 1, 1), "value"),
    ("year 10000", DATETIMES, ext("datetime", 10000, 1, 1, 0, 0, 0, 0, 0, None), "value"),
    ("24 o'clock", TIMES, ext("time", 24, 0, 0, 0, 0, None), "value"),
    ("second 60", TIMES, ext("time", 23, 59, 60, 0, 0, None), "value"),
    ("a million microseconds", TIMES, ext("time", 0, 0, 0, 1000000, 0, None), "value"),
    ("fold 2", DATETIMES, ext(*MOMENT, 2, None), "value"),
    ("an offset of 24 hours", DATETIMES, ext(*MOMENT, 0, 86400000000), "value"),
    ("a zone with a long name", DATETIMES, ext(*MOMENT, 0, [0, "n" * 256]), ""),
    ("86400 seconds", DELTAS, ext("timedelta", 0, 86400, 0), "value"),
    ("a billion days", DELTAS, ext("timedelta", 10**9, 0, 0), "value"),
    ("negative seconds", DELTAS, ext("timedelta", 0, -1, 0), "value"),
    ("a word as a decimal", DECIMALS, ext("decimal", "ten"), ""),
    ("an empty decimal", DECIMALS, ext("decimal", ""), ""),
    ("a decimal with a small e", DECIMALS, ext("decimal", "1e+3"), ""),
    ("a decimal with a plus", DECIMALS, ext("decimal", "+1"), ""),
    ("a decimal with spaces", DECIMALS, ext("decimal", " 1"), ""),
    ("a decimal in other digits", DECIMALS, ext("decimal", "١"), ""),
    ("a decimal with leading zeros", DECIMALS, ext("decimal", "007"), ""),
    ("a UUID of 15 bytes", UUIDS, ext("uuid", bytes(15)), "value"),
    ("a scalar of too many bytes", SCALARS, ext("scalar", "F32", bytes(8)), ""),
    ("a scalar without bytes", SCALARS, ext("scalar", "F32", b""), "value"),
    ("an integer that requires a gradient", TENSORS, ext("tensor", "I64", [1], True, bytes(8)), ""),
    ("a parameter of booleans with a gradient", PARAMETERS, ext("parameter", "BOOL", [1], True, b"\1"), ""),
):
    bad("OSP-ENC-019", title, BEYOND, twin, item, schema=schema)

# -- what may be a key or an element

PLACE = "a crash in some languages and a surprise in others"
for title, item in (
    ("a list", [1]),
    ("a dict", {}),
    ("a set", set_of(1)),
    ("a bytearray", ext("bytearray", b"k")),
    ("an array", ext("ndarray", "U8", [1], b"k")),
    ("a UUID", ext("uuid", bytes(16))),
    ("a tuple that holds a list", ext("tuple", 1, [])),
    ("a tuple that holds a date", ext("tuple", ext("date", 2024, 1, 1))),
):
    bad("OSP-ENC-020", f"{title} as a key", PLACE, KEYED, Raw(b"\xa1" + cbor(item) + b"\x01"))
bad("OSP-ENC-020", "a list as the key of an entry", PLACE, ENTRIES, [1], schema="")
for title, item in (
    ("a list", [1]),
    ("a dict", {}),
    ("a bytearray", ext("bytearray", b"k")),
    ("an array", ext("ndarray", "U8", [1], b"k")),
    ("a tuple that holds a set", ext("tuple", set_of())),
):
    bad("OSP-ENC-020", f"{title} as an element", PLACE, SETS, set_of(item))
    bad("OSP-ENC-020", f"{title} as an element of a frozenset", PLACE, SETS, ext("frozenset", item))
bad("OSP-ENC-020", "a list as an entry of a set", PLACE, UNIQUE, [1], schema="")

# -- incomplete objects

reject(
    "OSP-ENC-021",
    "a key without its value",
    "a lost value is a lost entry",
    ENTRIES,
    Type.ENTRIES,
    {"data": cbor("a") + cbor(1) + cbor("b")},
    until=Type.END,
)
for title, data in (
    ("a head", b"\x19\x01"),
    ("a text", b"\x65abc"),
    ("a list", b"\x83\x01\x02"),
    ("a tuple", cbor(ext("tuple", 1))[:-1]),
):
    reject(
        "OSP-BUF-007",
        f"END inside {title}",
        "the sender forgot the rest",
        LIST,
        Type.ENTRIES,
        {"data": data},
        until=Type.END,
    )
