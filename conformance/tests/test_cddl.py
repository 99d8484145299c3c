"""The schema: accepted by a CDDL tool, and neither wider nor narrower than chapters 4, 8 and 9.

pycddl reads the schema and validates the meta of frames. It does not validate values: it takes any tag for an int, and
cannot match arrays of several types. The suite's own matcher does, for as much of CDDL as the schema uses.
"""

from __future__ import annotations

import re
import struct
from typing import Any

import cbor2
import pycddl
import pytest

from objstream_conformance.cbor import read
from objstream_conformance.registry import spec_path
from objstream_conformance.schema import schema

SCHEMA = spec_path().joinpath("osp.cddl").read_text("utf-8")
CHAIN = bytes(32)


def fits(rule: str, value: object) -> bool:
    data = value if isinstance(value, bytes) else cbor2.dumps(value)
    item, end = read(data)
    assert end == len(data)
    return schema().match(rule, item)


def pycddl_accepts(rule: str, value: object) -> bool:
    try:
        pycddl.Schema(f"start = {rule}\n{SCHEMA}").validate_cbor(cbor2.dumps(value))
    except pycddl.ValidationError:
        return False
    return True


def ext(*arguments: object) -> cbor2.CBORTag:
    return cbor2.CBORTag(27, list(arguments))


REQUEST = {0: [1], 1: ["sha-256"], 2: "model", 3: "container", 6: 100, 7: 50, 8: 1}
OPEN = {0: 1, 1: "sha-256", 3: "dict"}
END = {4: 1, 5: 2, 12: CHAIN}
FRAMES: list[tuple[str, dict[int, Any]]] = [
    ("offer", {2: "model", 3: "list"}),
    ("offer", {2: "model", 3: "x-table", 4: 0, 5: 0, 15: {"round": 7}}),
    ("request", REQUEST),
    ("request", {**REQUEST, 0: [2, 1], 3: "file"}),
    ("request", {**REQUEST, 3: "frozenset"}),
    ("request", {**REQUEST, 9: [3, 4096, CHAIN], 10: b"v"}),
    ("request", {**REQUEST, 10: b""}),
    ("request", {**REQUEST, 77: {"new": [1, {2: b"x"}]}}),
    ("open", OPEN),
    ("open", {**OPEN, 4: 5, 5: 1, 15: {}}),
    ("content", {11: CHAIN}),
    ("content", {}),
    ("end", END),
    ("done", {12: CHAIN}),
    ("credit", {7: 0}),
    ("reset", {13: 8, 14: ""}),
]
BAD_FRAMES: list[tuple[str, dict[int, Any]]] = [
    *(("request", {key: value for key, value in REQUEST.items() if key != missing}) for missing in REQUEST),
    *(("open", {key: value for key, value in OPEN.items() if key != missing}) for missing in OPEN),
    *(("end", {key: value for key, value in END.items() if key != missing}) for missing in END),
    ("offer", {2: "model"}),
    ("offer", {3: "list"}),
    ("offer", {2: "model", 3: "container"}),
    ("offer", {2: "model", 3: "list", 4: "5"}),
    ("request", {**REQUEST, 0: []}),
    ("request", {**REQUEST, 1: [1]}),
    ("request", {**REQUEST, 2: "m" * 1025}),
    ("request", {**REQUEST, 3: "x-"}),
    ("request", {**REQUEST, 7: -1}),
    ("request", {**REQUEST, 8: 0}),
    ("request", {**REQUEST, 9: [1, 2]}),
    ("open", {**OPEN, 0: [1]}),
    ("content", {11: "digest"}),
    ("end", {**END, 12: bytes(31)}),
    ("done", {}),
    ("credit", {}),
    ("reset", {13: 18, 14: "x"}),
    ("reset", {13: 0, 14: "x"}),
    ("reset", {13: 1}),
    ("reset", {13: 1, 14: "x" * 513}),
]

VALUES: list[object] = [
    *(None, True, False, 0, -1, 23, 2**63, 2**64 - 1, -(2**64), 2**64, -(2**64) - 1, 2**4000),
    *(1.5, "", "é", [], {}, [1, "a", None, [[]]], {1: 2, None: [3], "k": {}}),
    bytes.fromhex("40"),
    bytes.fromhex("43010203"),
    bytes.fromhex("fb7ff0000000000000"),
    bytes.fromhex("fb7ff8000000000001"),
    bytes.fromhex("a1d81b83657475706c65016161f5"),
    bytes.fromhex("a1d81b836966726f7a656e7365740161610a"),
    cbor2.CBORTag(258, []),
    cbor2.CBORTag(258, [1, "a", ext("uuid", bytes(16)), ext("tuple", ext("decimal", "1.0"))]),
    ext("tuple"),
    ext("tuple", 1, [2], {}),
    ext("frozenset", 1, "a"),
    ext("str", 70000),
    ext("bytes", 1),
    ext("bytearray", b""),
    ext("bytearray", 5),
    ext("complex", 1.1, -0.0),
    ext("datetime", 2024, 2, 29, 23, 59, 59, 999999, 1, None),
    ext("datetime", 1, 1, 1, 0, 0, 0, 0, 0, -86399999999),
    ext("date", 9999, 12, 31),
    ext("time", 0, 0, 0, 0, 0, [3600000000, "CET"]),
    ext("timedelta", -1, 86399, 0),
    ext("decimal", "sNaN12"),
    ext("uuid", bytes(16)),
    ext("ndarray", "F32", [2, 2], 16),
    ext("ndarray", "C128", [], bytes(16)),
    ext("scalar", "BOOL", b"\1"),
    ext("tensor", "BF16", [1], False, b"ab"),
    ext("parameter", "F8_E4M3", [70], True, 70),
    ext("app", "site/thing@2", [1, ext("tuple")]),
]
BAD_VALUES: list[object] = [
    cbor2.CBORTag(5, [1, 2]),
    cbor2.CBORTag(258, [[1]]),
    cbor2.CBORTag(258, {}),
    cbor2.CBORTag(258, [ext("ndarray", "F32", [], 4)]),
    bytes.fromhex("f7"),
    bytes.fromhex("e0"),
    bytes.fromhex("f93c00"),
    bytes.fromhex("fa3fc00000"),
    bytes.fromhex("c24101"),
    bytes.fromhex("a1810101"),
    bytes.fromhex("a1d81b8464646174650101010a"),
    ext("tuple2", 1),
    ext("frozenset", [1]),
    ext("str", "inline"),
    ext("bytes", b"inline"),
    ext("bytes", 0),
    ext("complex", 1, 2),
    ext("complex", 1.1),
    ext("datetime", 2024, 2, 29, 23, 59, 59, 999999, 1),
    ext("date", 2024, 13, 1),
    ext("date", 2024, 1, 1, 1),
    ext("time", 0, 0, 0, 0, 2, None),
    ext("time", 0, 0, 0, 0, 0, [0]),
    ext("time", 0, 0, 0, 0, 0, 86400000000),
    ext("timedelta", 0, 86400, 0),
    ext("decimal", 1),
    ext("uuid", bytes(15)),
    ext("ndarray", "F31", [1], 4),
    ext("ndarray", "BF16", [1], 2),
    ext("ndarray", "F32", [-1], 4),
    ext("ndarray", "F32", [1.5], 4),
    ext("ndarray", "F32", 1, 4),
    ext("ndarray", "F32", [1], 0),
    ext("scalar", "F32", 4),
    ext("tensor", "F32", [1], 4),
    ext("tensor", "F32", [1], 1, 4),
    ext("app", "thing", 1),
    ext("app", "thing@1"),
    b"\x5a\x00\x01\x00\x01" + bytes(65537),
]


@pytest.mark.parametrize(("rule", "meta"), FRAMES)
def test_meta_of_a_frame_fits(rule: str, meta: dict[int, Any]) -> None:
    assert fits(rule, meta)
    assert pycddl_accepts(rule, meta)


@pytest.mark.parametrize(("rule", "meta"), BAD_FRAMES)
def test_other_meta_does_not_fit(rule: str, meta: dict[int, Any]) -> None:
    assert not fits(rule, meta)
    assert not pycddl_accepts(rule, meta)


@pytest.mark.parametrize(
    "value",
    VALUES,
    ids=lambda value: (
        f"{type(value).__name__} {value!r:.40}" if not isinstance(value, (set, frozenset)) else None
    ),
)
def test_a_value_fits(value: object) -> None:
    assert fits("entry", value)


@pytest.mark.parametrize(
    "value",
    BAD_VALUES,
    ids=lambda value: (
        f"{type(value).__name__} {value!r:.40}" if not isinstance(value, (set, frozenset)) else None
    ),
)
def test_another_value_does_not_fit(value: object) -> None:
    assert not fits("entry", value)


def test_every_rule_is_used() -> None:
    names = re.findall(r"^([a-z][\w-]*) =", SCHEMA, re.MULTILINE)
    text = re.sub(r";[^\n]*|\"[^\"]*\"", "", SCHEMA)
    unused = [name for name in names if len(re.findall(rf"(?<![\w-]){name}(?![\w:-])", text)) < 2]
    assert unused == ["osp"]


def test_every_extension_name_of_the_value_table_is_in_the_schema() -> None:
    table = spec_path().joinpath("04-values.md").read_text("utf-8")
    names = set(re.findall(r'27\(\["(\w+)"', table))
    assert names == set(re.findall(r'#6\.27\(\["(\w+)"', SCHEMA)) | {"parameter"}


def test_a_float_keeps_its_form() -> None:
    assert fits("entry", struct.pack(">Bd", 0xFB, 1.0))
    assert not fits("entry", cbor2.dumps(1.0, canonical=True))
