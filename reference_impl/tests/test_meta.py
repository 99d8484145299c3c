"""The meta map of a frame: what is valid arrives, everything else is refused."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from objstream import Code, meta
from objstream.meta import Key

from .helpers import failure

CHAIN = bytes(range(32))
VALID: dict[str, dict[int, Any]] = {
    "OFFER": {2: "model", 3: "dict"},
    "REQUEST": {0: [1], 1: ["sha-256"], 2: "m", 3: "container", 6: 0, 7: 0, 8: 1},
    "OPEN": {0: 1, 1: "sha-256", 3: "list"},
    "ENTRIES": {},
    "DATA": {11: b"digest"},
    "END": {4: 10, 5: 2, 12: CHAIN},
    "DONE": {12: CHAIN},
    "CREDIT": {7: 2**63 - 1},
    "RESET": {13: 1, 14: "no"},
}
NOT_UINT: list[Any] = [-1, 2**63, True, 1.0, "1", b"1", None, [1], {}]
NOT_TEXT: list[Any] = [1, b"text", None, True, ["text"], {}]
NOT_CHAIN: list[Any] = [1, "bytes", None, True, [1], {}, b"", bytes(31), bytes(33)]
NOT_BYTES: list[Any] = [1, "bytes", None, True, [1], {}]
WRONG: list[tuple[str, Key, list[Any]]] = [
    ("OFFER", Key.NAME, NOT_TEXT),
    ("OFFER", Key.KIND, NOT_TEXT),
    ("OFFER", Key.SIZE, NOT_UINT),
    ("OFFER", Key.COUNT, NOT_UINT),
    ("OFFER", Key.ATTRIBUTES, [1, "a", b"a", None, True, [1], {1: 2}]),
    ("REQUEST", Key.VERSIONS, [1, [], ["1"], [1, True], [-1], [2**63], {}, None, "1"]),
    ("REQUEST", Key.DIGESTS, ["sha-256", [], [1], ["sha-256", b"none"], {}, None]),
    ("REQUEST", Key.NAME, NOT_TEXT),
    ("REQUEST", Key.KIND, NOT_TEXT),
    ("REQUEST", Key.MAX_BYTES, NOT_UINT),
    ("REQUEST", Key.CREDIT, NOT_UINT),
    ("REQUEST", Key.MAX_FRAME, [*NOT_UINT, 0]),
    ("OPEN", Key.VERSIONS, NOT_UINT),
    ("OPEN", Key.DIGESTS, NOT_TEXT),
    ("OPEN", Key.KIND, NOT_TEXT),
    ("OPEN", Key.SIZE, NOT_UINT),
    ("OPEN", Key.COUNT, NOT_UINT),
    ("OPEN", Key.ATTRIBUTES, [1, "a", None, [], {1: 2}]),
    ("ENTRIES", Key.DIGEST, NOT_BYTES),
    ("DATA", Key.DIGEST, NOT_BYTES),
    ("END", Key.SIZE, NOT_UINT),
    ("END", Key.COUNT, NOT_UINT),
    ("END", Key.CHAIN, NOT_CHAIN),
    ("DONE", Key.CHAIN, NOT_CHAIN),
    ("CREDIT", Key.CREDIT, NOT_UINT),
    ("RESET", Key.CODE, NOT_UINT),
    ("RESET", Key.MESSAGE, NOT_TEXT),
]
MALFORMED = {
    "nothing": "",
    "an array": "80",
    "a number": "01",
    "a text": "6161",
    "null": "f6",
    "two maps": "a0a0",
    "a byte after the map": "a000",
    "a negative key": "a120f6",
    "a text key": "a16161f6",
    "a byte string as key": "a14161f6",
    "true as key": "a1f5f6",
    "an array as key": "a180f6",
    "a map as key": "a1a0f6",
    "a key above 2^63 - 1": "a11b8000000000000000f6",
    "one key twice": "a2186400186400",
    "one key twice in an inner map": "a11864a201000100",
    "a negative key of an inner map": "a11864a12000",
    "true as key of an inner map": "a11864a1f500",
    "a byte string as key of an inner map": "a11864a1416100",
    "a key in a longer head": "a1190064f6",
    "a length in a longer head": "b801186400",
    "a number in a longer head": "a118641817",
    "an indefinite map": "bf1864f6ff",
    "an indefinite array": "a118649fff",
    "an indefinite text": "a118647f6161ff",
    "a reserved length": "a118641c",
    "a tag": "a11864c001",
    "a bignum": "a11864c24101",
    "a float": "a11864fb3ff0000000000000",
    "a short float": "a11864f93c00",
    "undefined": "a11864f7",
    "an unassigned simple value": "a11864e0",
    "a simple value in two bytes": "a11864f818",
    "a break alone": "a11864ff",
    "text that is not UTF-8": "a1186461ff",
    "a surrogate in UTF-8": "a1186463eda080",
    "five levels of arrays inside the map": "a118648181818180",
    "five levels of maps inside the map": "a11864a101a101a101a101a0",
}


@pytest.mark.parametrize("frame", VALID)
def test_what_is_valid_is_taken_as_it_is(frame: str) -> None:
    assert meta.decode(frame, cbor2.dumps(VALID[frame])) == VALID[frame]


@pytest.mark.parametrize("frame", VALID)
def test_keys_may_come_in_any_order(frame: str) -> None:
    backwards = dict(reversed(VALID[frame].items()))
    assert meta.decode(frame, cbor2.dumps(backwards)) == VALID[frame]


@pytest.mark.parametrize("frame", VALID)
def test_every_prefix_is_refused(frame: str) -> None:
    encoded = cbor2.dumps(VALID[frame] | {100: [{"a": b"bc", 2: -3}, True, None]})
    assert meta.decode(frame, encoded)[100] == [{"a": b"bc", 2: -3}, True, None]
    for end in range(len(encoded)):
        assert failure(lambda end=end: meta.decode(frame, encoded[:end])).code is Code.PROTOCOL


@pytest.mark.parametrize(
    ("frame", "key"), [(frame, key) for frame in VALID for key in VALID[frame] if key != 11]
)
def test_a_frame_without_a_required_key_is_refused_by_name(frame: str, key: int) -> None:
    rest = {other: value for other, value in VALID[frame].items() if other != key}
    problem = failure(lambda: meta.decode(frame, cbor2.dumps(rest)))
    assert problem.code is Code.PROTOCOL
    assert problem.message == f"{frame} lacks {Key(key).name.lower()} (key {key})"


@pytest.mark.parametrize(
    ("frame", "key", "value"), [(frame, key, value) for frame, key, values in WRONG for value in values]
)
def test_a_value_of_another_type_is_refused_by_name(frame: str, key: Key, value: Any) -> None:
    problem = failure(lambda: meta.decode(frame, cbor2.dumps(VALID[frame] | {int(key): value})))
    assert problem.code is Code.PROTOCOL
    if type(value) is not float:
        assert problem.message.startswith(f"{key.name.lower()} (key {int(key)}) of {frame} is no ")


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_outside_the_grammar_is_refused(what: str) -> None:
    problem = failure(lambda: meta.decode("DATA", bytes.fromhex(MALFORMED[what])))
    assert problem.code is Code.PROTOCOL


def test_unknown_keys_are_ignored_whatever_plain_value_they_have() -> None:
    extra = {99: [1, -(2**64), {"a": {1: "b"}}, b"", "", True, False, None], 2**63 - 1: 2**64 - 1}
    assert meta.decode("CREDIT", cbor2.dumps({7: 1} | extra)) == {7: 1} | extra


def test_a_known_key_is_ignored_where_the_frame_does_not_have_it() -> None:
    assert meta.decode("CREDIT", cbor2.dumps({7: 1, 2: 5, 12: None})) == {7: 1, 2: 5, 12: None}


def test_four_levels_inside_the_map_are_taken() -> None:
    deep = {100: [[[[1, None]]]], 101: {1: {2: {3: {4: "x"}}}}, 102: [{"a": [{}]}]}
    assert meta.decode("DATA", cbor2.dumps(deep)) == deep


def test_optional_keys_may_be_there() -> None:
    announced = {4: 1 << 40, 5: 3, 15: {"note": [1, {"x": None}]}}
    for frame in ("OFFER", "OPEN"):
        decoded = meta.decode(frame, cbor2.dumps(VALID[frame] | announced))
        assert decoded == VALID[frame] | announced


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        23,
        24,
        255,
        256,
        65536,
        2**63 - 1,
        -1,
        -(2**63),
        b"",
        b"x" * 300,
        "",
        "ü" * 200,
        [],
        {},
    ],
)
def test_values_are_encoded_in_their_shortest_form(value: Any) -> None:
    encoded = meta.encode({100: value, 101: [value, {1: value, "a": value}]})
    assert encoded == cbor2.dumps({100: value, 101: [value, {1: value, "a": value}]})
    assert meta.decode("DATA", encoded) == {100: value, 101: [value, {1: value, "a": value}]}


def test_keys_are_encoded_as_their_numbers_in_the_order_given() -> None:
    assert meta.encode({Key.CODE: 3, Key.VERSIONS: (1,)}) == bytes.fromhex("a20d03008101")


@pytest.mark.parametrize("value", [1.5, object(), {1, 2}, bytearray(b"x")])
def test_what_has_no_place_in_meta_is_not_encoded(value: Any) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        meta.encode({Key.ATTRIBUTES: {"a": value}})
