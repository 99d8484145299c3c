"""Meta: its grammar, the keys that have to be there, the types of their values (section 8.4)."""

from __future__ import annotations

from objstream_conformance.cbor import Raw, Tag, cbor
from objstream_conformance.frames import ABSENT, Type

from . import accept, reject
from .talks import EACH, LIST, PULL, after_end

# -- grammar

OPEN = {0: 1, 1: "sha-256", 3: "list"}
PAIRS = cbor(OPEN)[1:]
REQUEST = {0: [1], 1: ["sha-256"], 2: "object", 3: "container", 6: 1 << 30, 7: 0, 8: 1 << 16}

for title, why, meta in (
    ("no meta", "nothing is no map", b""),
    ("an array", "it is no map", cbor([1, "sha-256", "list"])),
    ("bytes after the map", "two parsers read two messages", cbor(OPEN) + b"\x00"),
    ("a map that ends early", "the meta ends inside of it", b"\xa4" + PAIRS),
    ("a map of indefinite length", "lengths are definite", b"\xbf" + PAIRS + b"\xff"),
    ("a long head of the map", "heads are the shortest", b"\xb8\x03" + PAIRS),
    ("a long head of a key", "heads are the shortest", b"\xa3\x18\x00" + PAIRS[1:]),
    (
        "a long head of a text",
        "heads are the shortest",
        b"\xa3" + PAIRS.replace(b"\x64list", b"\x78\x04list"),
    ),
    ("a key twice", "which one wins depends on the parser", b"\xa4" + PAIRS + cbor(3) + cbor("dict")),
    ("the same key twice with one value", "a key occurs once", b"\xa4" + PAIRS + cbor(3) + cbor("list")),
    ("a text as a key", "keys of the outer map are numbers", b"\xa4" + PAIRS + cbor("note") + cbor(1)),
    ("a negative key", "keys of the outer map are unsigned", b"\xa4" + PAIRS + cbor(-1) + cbor(1)),
    ("a reserved head", "additional information 28 has no meaning", b"\xa4" + PAIRS + cbor(77) + b"\x1c"),
    ("text that is not UTF-8", "text is valid", b"\xa4" + PAIRS + cbor(77) + b"\x61\xff"),
    ("a text of indefinite length", "lengths are definite", b"\xa4" + PAIRS + cbor(77) + b"\x7f\x61a\xff"),
):
    reject("OSP-FRM-018", title, why, LIST, Type.OPEN, {"meta": meta})

KNOWN = accept(
    "OSP-FRM-018",
    "the edge of the grammar",
    "every kind of plain value, keys in any order, and 4 levels below the outer map",
    LIST.talk.changed(
        0, extra={99: {"a": [{1: Raw(b"\xf6")}], 0: b"x"}, 98: [[[[]]]], 97: [-1, True, None, "é", 2**64 - 1]}
    ),
)
accept(
    "OSP-FRM-018",
    "keys in another order",
    "the order of keys is free",
    LIST.talk.changed(0, meta=cbor(dict(reversed(OPEN.items())))),
)
for title, why, extra in (
    ("a float", "meta has no floats", 1.5),
    ("a tag", "meta has no tags", Tag(1, 5)),
    ("undefined", "true, false and null are the simple values", Raw(b"\xf7")),
    ("5 levels", "nothing is nested deeper than 4", [[[[[]]]]]),
    ("a bool as an inner key", "keys are numbers or texts, and true is not 1", {True: 1}),
    ("a negative inner key", "keys are unsigned", {-1: 1}),
    ("bytes as an inner key", "keys are numbers or texts", {b"k": 1}),
    ("an inner key twice", "a key occurs once in its map", Raw(b"\xa2\x01\x01\x01\x02")),
):
    change = {99: extra, 98: [[[[]]]], 97: [-1, True, None, "é", 2**64 - 1]}
    reject("OSP-FRM-018", f"an unknown key with {title}", why, KNOWN, Type.OPEN, {"extra": change})

for title, why, meta in (
    ("no meta in a request", "nothing is no map", b""),
    ("bytes after the map in a request", "two parsers read two messages", cbor(REQUEST) + b"\xf6"),
    (
        "a key twice in a request",
        "which one wins depends on the parser",
        b"\xa8" + cbor(REQUEST)[1:] + cbor(7) + cbor(0),
    ),
):
    reject("OSP-FRM-018", title, why, PULL, Type.REQUEST, {"meta": meta})

# -- required keys

REQUIRED = {
    Type.OFFER: ("name", "kind"),
    Type.REQUEST: ("versions", "digests", "name", "kind", "max_bytes", "credit", "max_frame"),
    Type.OPEN: ("versions", "digests", "kind"),
    Type.ENTRIES: ("digest",),
    Type.DATA: ("digest",),
    Type.END: ("size", "count", "chain"),
    Type.DONE: ("chain",),
    Type.CREDIT: ("credit",),
    Type.RESET: ("code", "message"),
}

for type_, keys in REQUIRED.items():
    for key in keys:
        optional_in_schema = key == "digest"  # the schema does not know which digest was agreed
        reject(
            "OSP-FRM-019",
            f"{type_.name} without {key}",
            "a default on one side is a disagreement in waiting",
            EACH[type_],
            type_,
            {key: ABSENT},
            after_end(type_, "PROTOCOL"),
            cut="meta" if key == "digest" else "",
            schema="" if optional_in_schema else "meta",
        )

# -- types of values

WRONG: dict[Type, dict[str, dict[str, object]]] = {
    Type.OFFER: {
        "name": {"a number": 1},
        "kind": {"null": None},
        "size": {"a negative number": -1},
        "count": {"a text": "1"},
        "attributes": {"an array": [], "a map with a number as key": {1: 2}},
    },
    Type.REQUEST: {
        "versions": {"a number": 1, "empty": [], "a text in it": ["1"], "a negative number in it": [-1]},
        "digests": {"a text": "sha-256", "empty": [], "a number in it": [1]},
        "name": {"bytes": b"object", "null": None},
        "kind": {"a number": 1},
        "max_bytes": {"a negative number": -1, "2 to the 63": 1 << 63},
        "credit": {"true": True, "a text": "0"},
        "max_frame": {"zero": 0, "an array": [65536]},
    },
    Type.OPEN: {
        "versions": {"an array": [1], "true": True},
        "digests": {"an array": ["sha-256"]},
        "kind": {"bytes": b"list"},
        "size": {"a text": "1", "2 to the 63": 1 << 63},
        "count": {"null": None},
        "attributes": {"an array": ["a"]},
    },
    Type.ENTRIES: {"digest": {"a text": "x" * 32}},
    Type.DATA: {"digest": {"null": None}},
    Type.END: {
        "size": {"null": None},
        "count": {"a negative number": -1},
        "chain": {"a text": "x" * 32, "31 bytes": bytes(31)},
    },
    Type.DONE: {"chain": {"a text": "x" * 32, "33 bytes": bytes(33)}},
    Type.CREDIT: {"credit": {"a negative number": -1, "a text": "1", "2 to the 63": 1 << 63}},
    Type.RESET: {"code": {"a negative number": -1, "a text": "10"}, "message": {"bytes": b"", "null": None}},
}

for type_, fields in WRONG.items():
    for key, values in fields.items():
        for what, value in values.items():
            reject(
                "OSP-FRM-020",
                f"{type_.name}: {key} is {what}",
                "careless code takes it for something else",
                EACH[type_],
                type_,
                {key: value},
                after_end(type_, "PROTOCOL"),
                cut="meta" if type_ in (Type.ENTRIES, Type.DATA) else "",
                schema="meta",
            )

# -- keys of later versions, and keys that have no place in a frame

for type_, good in EACH.items():
    misplaced = 0 if type_ is Type.RESET else 14
    accept(
        "OSP-VER-003",
        f"{type_.name} with unknown keys",
        "keys that are not in the table, or have no mark for this frame, are ignored",
        good.talk.changed(
            good.talk.of(type_),
            extra={misplaced: -1, 16: "later", 1000: {"new": [1, {2: b"x"}]}, 2**63 - 1: None},
        ),
    )
