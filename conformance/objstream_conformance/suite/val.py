"""Values of the language itself (chapter 4)."""

from __future__ import annotations

import datetime
import decimal
import re
import struct
import uuid
import zoneinfo
from typing import Any

import numpy as np

from ..case import Case
from ..cases import requirement
from ..compare import show

_WORD = re.compile(rb"[ -~]{3,60}")


def floats(*bits: int) -> list[float]:
    """Floats by their 64 bits."""
    return [struct.unpack(">d", pattern.to_bytes(8, "big"))[0] for pattern in bits]


SPECIAL_FLOATS = [
    *(0.0, -0.0, 1.0, 0.1, -1.5e308, 5e-324, float("inf"), float("-inf")),
    *floats(
        0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000001, 0x7FF0000000000001, 0xFFF4DEADBEEF0001
    ),
]
TEXTS = [
    "",
    "a",
    "\0",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "\ufeff",
    "\u2028",
    "a\r\nb",
    "\uffff",
    "x" * 70_000,
]


@requirement("OSP-VAL-001", needs=["container"])
def singletons(t: Case) -> None:
    """None, True and False arrive as themselves, beside 1 and 0."""
    t.carries([None, True, False, 1, 0])


@requirement("OSP-VAL-002", needs=["container"])
def integers(t: Case) -> None:
    """Integers around 0, 53, 63, 64 and 128 bits, of 5000 bits and of 65535 bytes arrive exactly."""
    edges = [
        sign * ((1 << bits) + step)
        for bits in (0, 8, 31, 53, 63, 64, 127, 5000)
        for step in (-1, 0, 1)
        for sign in (1, -1)
    ]
    largest = (1 << 65_535 * 8) - 1
    t.carries([*edges, largest, -largest])


@requirement("OSP-VAL-003", needs=["container"])
def floats_keep_bits(t: Case) -> None:
    """Zeros of both signs, subnormal, infinite and NaN floats with payloads arrive with their bits."""
    t.carries(SPECIAL_FLOATS, check="carry the eight bytes of a float, not its text")


@requirement("OSP-VAL-004", needs=["container"])
def complex_keeps_bits(t: Case) -> None:
    """Complex numbers with special floats in both parts arrive with their bits."""
    t.carries(
        [complex(real, 1.5) for real in SPECIAL_FLOATS] + [complex(-2.5, imag) for imag in SPECIAL_FLOATS]
    )


@requirement("OSP-VAL-005", needs=["container"])
def text(t: Case) -> None:
    """Empty, NUL, decomposed, astral and line-end characters arrive code point by code point."""
    t.carries(TEXTS)


@requirement("OSP-VAL-006", needs=["container", "sites"])
def lone_surrogates(t: Case) -> None:
    """A str with a lone surrogate is refused, as a value and as a key."""
    containers: tuple[object, ...] = (["fine", "bad \ud800"], {"\udfff": 1})
    for container in containers:
        t.refuses(container, "text without a UTF-8 form to be refused")


@requirement("OSP-VAL-007", needs=["container"])
def long_text(t: Case) -> None:
    """Texts of more than 1 MiB, with characters of 1 to 4 bytes at every alignment, arrive equal."""
    t.carries([shift * "x" + "\U0001f600" * 300_000 for shift in range(4)] + ["é" * 600_001], timeout=3.0)


@requirement("OSP-VAL-008", needs=["container"])
def bytes_(t: Case) -> None:
    """Bytes of 0 bytes to 3 MiB arrive as equal bytes, beside the text of the same characters."""
    sizes = (0, 1, 23, 24, 255, 256, 16_384, 16_385, 65_535, 65_536, 65_537, (1 << 20) + 1, 3 << 20)
    t.carries([b"text", "text", *(t.random.randbytes(size) for size in sizes)], timeout=3.0)


@requirement("OSP-VAL-009", needs=["container"])
def bytearrays(t: Case) -> None:
    """Bytearrays of 0 bytes to 2 MiB arrive as bytearrays."""
    sizes = (0, 1, 255, 65_536, 65_537, 2 << 20)
    t.carries([bytearray(t.random.randbytes(size)) for size in sizes], timeout=3.0)


@requirement("OSP-VAL-010", needs=["container"])
def lists_and_tuples(t: Case) -> None:
    """Lists in tuples in lists, empty ones too, keep their types."""
    t.carries([[], (), [()], ([],), ((1,), [2]), [(3, [4, (5,)])]], check="do not map tuples to arrays")


@requirement("OSP-VAL-011", needs=["container"])
def nested_dicts(t: Case) -> None:
    """Dicts inside entries keep type and order, empty ones too."""
    t.carries([{}, {"z": 1, "a": {"y": 2, "b": 3}}, {"k": {2: "b", 1: "a"}}])


@requirement("OSP-VAL-012", needs=["container"])
def scalar_keys(t: Case) -> None:
    """Keys None, True, integers of any size and floats keep their type, at the top and inside."""
    keys = {None: 0, True: 1, 0: 2, -7: 3, 1 << 70: 4, 2.5: 5, float("inf"): 6}
    t.carries(keys)
    t.carries({"inside": keys, "others": {False: 0, 1: 1, 0.5: 2}, "zero": {-0.0: 1}})


@requirement("OSP-VAL-013", needs=["container"])
def text_and_bytes_keys(t: Case) -> None:
    """The keys "a" and b"a" are two keys, at the top and inside; so are two normal forms of one letter."""
    keys = {"a": 1, b"a": 2, "": 3, b"": 4, "é": 5, "e\u0301": 6}
    t.carries(keys)
    t.carries({"inside": keys})


@requirement("OSP-VAL-014", needs=["container"])
def tuple_and_frozenset_keys(t: Case) -> None:
    """Tuples and frozensets of scalars, nested ones too, arrive as keys of the same type."""
    keys = {(1, "a"): 1, (): 2, frozenset({1, 2}): 3, frozenset(): 4, ((1, (2,)), frozenset({(3,)})): 5}
    t.carries(keys)
    t.carries({"inside": keys, "set": {(1, 2), frozenset({3})}})


ELEMENTS: list[Any] = [
    *(complex(1, 2), decimal.Decimal("1.50"), uuid.UUID(int=5), datetime.timedelta(1, 2, 3)),
    *(datetime.date(2026, 1, 2), datetime.time(1, 2), datetime.datetime(2026, 1, 2, 3)),
]
"""Values that may be elements of sets and not keys."""


@requirement("OSP-VAL-015", needs=["container", "sites"])
def other_keys(t: Case) -> None:
    """Keys and elements of types that must not stand there are refused, alone and inside a tuple."""
    for odd in ELEMENTS:
        containers: tuple[object, ...] = ({odd: 1}, {"inside": {(1, odd): 2}})
        for container in containers:
            t.refuses(container, f"a {type(odd).__name__} to be refused as a key")
    elements: tuple[object, ...] = ({object()}, [frozenset({(1, len)})], {"inside": {(1, int)}})
    for container in elements:
        t.refuses(container, f"{show(container)} to be refused for its element")


@requirement("OSP-VAL-016", needs=["container"])
def nested_sets(t: Case) -> None:
    """Sets and frozensets inside entries keep their type and the types of their elements."""
    sets: list[object] = [set(), frozenset(), {1, 2.5, "a", b"a", None, (1, 2)}, {frozenset({1}), True}]
    t.carries([*sets, set(ELEMENTS), frozenset({(element,) for element in ELEMENTS})])


@requirement("OSP-VAL-017", needs=["container"])
def dates_and_times(t: Case) -> None:
    """Dates, times and datetimes arrive with microseconds and fold, from the first year to the last."""
    moment = datetime.datetime(2026, 10, 25, 2, 30, 15, 123_456)
    values: list[object] = [
        moment,
        moment.replace(fold=1),
        moment.date(),
        moment.time(),
        moment.time().replace(fold=1),
    ]
    values += [datetime.datetime.min, datetime.datetime.max, datetime.date.min, datetime.date.max]
    t.carries([*values, datetime.time.min, datetime.time.max, datetime.datetime(2026, 1, 2)])


@requirement("OSP-VAL-018", needs=["container"])
def fixed_offsets(t: Case) -> None:
    """Offsets from UTC, whole hours, seconds, microseconds and negative, named or not, are kept."""
    deltas = (0, 3600, -18_000, 19_800, 1, -0.000001, 86_399)
    zones = [datetime.timezone(datetime.timedelta(seconds=delta)) for delta in deltas]
    zones += [datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=2), "over there")]
    moment = datetime.datetime(2026, 3, 29, 1, 2, 3, 4)
    t.carries([moment.replace(tzinfo=zone) for zone in zones] + [moment.time().replace(tzinfo=zones[2])])


class Local(datetime.tzinfo):
    """A time zone that the model does not know."""

    def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=1)

    def dst(self, moment: datetime.datetime | None) -> None:
        return None

    def tzname(self, moment: datetime.datetime | None) -> str:
        return "local"


@requirement("OSP-VAL-019", needs=["container", "sites"])
def named_zones(t: Case) -> None:
    """A datetime or time in a zone of a database, or of a class of the user's, is refused."""
    zones: list[datetime.tzinfo] = [Local(), zoneinfo.ZoneInfo.no_cache("UTC")] if _has_zones() else [Local()]
    for zone in zones:
        aware: tuple[object, ...] = (
            datetime.datetime(2026, 1, 1, tzinfo=zone),
            datetime.time(1, tzinfo=zone),
        )
        for value in aware:
            t.refuses({"when": value}, f"the zone {type(zone).__name__} to be refused")


def _has_zones() -> bool:
    try:
        zoneinfo.ZoneInfo("UTC")
    except zoneinfo.ZoneInfoNotFoundError:
        return False
    return True


@requirement("OSP-VAL-020", needs=["container"])
def time_differences(t: Case) -> None:
    """Time differences arrive to the microsecond, the largest and the smallest too."""
    delta = datetime.timedelta
    t.carries(
        [delta(), delta.max, delta.min, delta.resolution, delta(-1, 5, 7), delta(999_999, 86_399, 999_999)]
    )


@requirement("OSP-VAL-021", needs=["container"])
def decimals(t: Case) -> None:
    """Decimals arrive with sign, every digit, trailing zeros, exponent, infinities and both kinds of NaN."""
    texts = (
        "0",
        "-0",
        "1.10",
        "1.1",
        "1E+3",
        "1E-400",
        "-123456789012345678901234567890.1",
        "Infinity",
        "-Infinity",
    )
    t.carries([decimal.Decimal(text) for text in (*texts, "NaN", "sNaN", "-NaN123", "0E+7")])


@requirement("OSP-VAL-022", needs=["container"])
def uuids(t: Case) -> None:
    """UUIDs arrive as equal UUIDs."""
    t.carries([uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1), uuid.UUID(int=t.random.getrandbits(128))])


@requirement("OSP-VAL-039", needs=["container", "sites"])
def occurrences(t: Case) -> None:
    """One list and one dict stand in several places: each arrives equal, and sharing nothing."""
    shared = [1, [2]]
    table = {"x": shared}
    container = {"a": shared, "b": shared, "c": [table, table], "d": (shared,)}
    got = t.carries(container)
    places = [got["a"], got["b"], got["c"][0]["x"], got["c"][1]["x"], got["d"][0]]
    inner = [place[1] for place in places]
    tables = [got["c"][0], got["c"][1]]
    for group in (places, inner, tables):
        t.expect(
            len({id(item) for item in group}) == len(group),
            "each occurrence to be an object of its own",
            "two places of the delivered object are one object",
        )


@requirement("OSP-VAL-041", needs=["container"])
def control_words(t: Case) -> None:
    """Dicts, lists and texts that look like markers of an encoding, common ones and this one, arrive as plain data."""
    names = (
        "__type__",
        "__class__",
        "py/object",
        "$ref",
        "@type",
        "_data_",
        "__fobs__",
        "__ndarray__",
        "__dot__",
    )
    markers: list[object] = [{name: "int", "value": [1, 2], "__data__": "AA=="} for name in names]
    markers += [
        ["tuple", [1, 2]],
        ("ndarray", "F32", [2], b"12345678"),
        ["set", []],
        {"tag": 27, "value": ["tuple"]},
    ]
    markers += [
        "__fobs_dc__",
        "tuple",
        "\x80\x04K\x01.",
        b"\x80\x04K\x01.",
        {"27": ["tuple", 1]},
        {258: [1, 1]},
    ]
    t.carries({"markers": markers, "__type__": "dict", "tuple": 1})
    _words_of_the_wire(t)


def _words_of_the_wire(t: Case) -> None:
    """Every word seen on the wire while many values travel is sent as a key, as a value and alone: they arrive."""
    values: list[object] = [None, True, 1.5, "text", b"bytes", (1, "two"), {3}, {"key": [4]}]
    if t.has("numpy"):
        values.append(np.arange(3.0))
    t.succeeds(lambda: t.transfer(values))
    bodies = [message.body or b"" for message in t.network.since(0).messages]
    words = sorted({word.decode() for body in bodies for word in _WORD.findall(body)})[:200]
    t.exercised(words, "words to be seen on the wire")
    t.carries([[word, {word: word}, {word: [1], "more": 2}] for word in words])
