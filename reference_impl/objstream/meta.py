"""The meta map of a frame: small, plain CBOR under integer keys; which keys each frame has is data (`FIELDS`)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from . import cbor
from .errors import Code, TransferError

Meta = dict[int, Any]

MAX_DEPTH = 4
MAX_UINT = (1 << 63) - 1
MAX_MESSAGE = 512
CHAIN_BYTES = 32
MAX_VALIDATOR = 64


class Key(IntEnum):
    VERSIONS = 0
    DIGESTS = 1
    NAME = 2
    KIND = 3
    SIZE = 4
    COUNT = 5
    MAX_BYTES = 6
    CREDIT = 7
    MAX_FRAME = 8
    RESUME = 9
    VALIDATOR = 10
    DIGEST = 11
    CHAIN = 12
    CODE = 13
    MESSAGE = 14
    ATTRIBUTES = 15


def _uint(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_UINT


def _positive(value: object) -> bool:
    return _uint(value) and value != 0


def _text(value: object) -> bool:
    return type(value) is str


def _bytes(value: object) -> bool:
    return type(value) is bytes


def _chain(value: object) -> bool:
    return type(value) is bytes and len(value) == CHAIN_BYTES


def _point(value: object) -> bool:
    return type(value) is list and len(value) == 3 and all(map(_uint, value[:2])) and _chain(value[2])


def _uints(value: object) -> bool:
    return type(value) is list and len(value) > 0 and all(map(_uint, value))


def _texts(value: object) -> bool:
    return type(value) is list and len(value) > 0 and all(map(_text, value))


def _text_map(value: object) -> bool:
    return type(value) is dict and all(map(_text, value))


Check = Callable[[object], bool]
Fields = dict[Key, tuple[Check, str]]

REQUIRED: dict[str, Fields] = {
    "OFFER": {Key.NAME: (_text, "text"), Key.KIND: (_text, "text")},
    "REQUEST": {
        Key.VERSIONS: (_uints, "versions"),
        Key.DIGESTS: (_texts, "digest names"),
        Key.NAME: (_text, "text"),
        Key.KIND: (_text, "text"),
        Key.MAX_BYTES: (_uint, "uint"),
        Key.CREDIT: (_uint, "uint"),
        Key.MAX_FRAME: (_positive, "uint above 0"),
    },
    "OPEN": {Key.VERSIONS: (_uint, "uint"), Key.DIGESTS: (_text, "text"), Key.KIND: (_text, "text")},
    "ENTRIES": {},
    "DATA": {},
    "END": {
        Key.CHAIN: (_chain, f"{CHAIN_BYTES} bytes"),
        Key.SIZE: (_uint, "uint"),
        Key.COUNT: (_uint, "uint"),
    },
    "DONE": {Key.CHAIN: (_chain, f"{CHAIN_BYTES} bytes")},
    "CREDIT": {Key.CREDIT: (_uint, "uint")},
    "RESET": {Key.CODE: (_uint, "uint"), Key.MESSAGE: (_text, "text")},
}
_ANNOUNCED: Fields = {
    Key.SIZE: (_uint, "uint"),
    Key.COUNT: (_uint, "uint"),
    Key.ATTRIBUTES: (_text_map, "map of text keys"),
}
_DIGESTED: Fields = {Key.DIGEST: (_bytes, "bytes")}
_RESUMED: Fields = {Key.RESUME: (_point, "resume point"), Key.VALIDATOR: (_bytes, "bytes")}
OPTIONAL: dict[str, Fields] = {
    "OFFER": _ANNOUNCED,
    "REQUEST": _RESUMED,
    "OPEN": {**_ANNOUNCED, **_RESUMED},
    "ENTRIES": _DIGESTED,
    "DATA": _DIGESTED,
}


def encode(meta: Meta) -> bytes:
    """The map in CBOR, keys in the order given."""
    out = bytearray()
    _encode(meta, out)
    return bytes(out)


def decode(frame: str, data: bytes) -> Meta:
    """The meta of a frame of that type, every known key checked.

    Raises:
        TransferError: PROTOCOL, when it is no map of unsigned keys in strict CBOR, or a key is missing or of the
            wrong type. Unknown keys are ignored.
    """
    try:
        meta, end = _decode(data, 0, 0)
    except cbor.TruncatedError:
        raise _bad(f"the meta of {frame} ends inside an item") from None
    if end != len(data):
        raise _bad(f"{len(data) - end} bytes after the map")
    if type(meta) is not dict or not all(map(_uint, meta)):
        raise _bad(f"the meta of {frame} is no map with unsigned keys")
    for key, (check, kind) in REQUIRED[frame].items():
        if key not in meta:
            raise _bad(f"{frame} lacks {key.name.lower()} (key {int(key)})")
        if not check(meta[key]):
            raise _bad(f"{key.name.lower()} (key {int(key)}) of {frame} is no {kind}")
    for key, (check, kind) in OPTIONAL.get(frame, {}).items():
        if key in meta and not check(meta[key]):
            raise _bad(f"{key.name.lower()} (key {int(key)}) of {frame} is no {kind}")
    return meta


def _bad(message: str) -> TransferError:
    return TransferError(Code.PROTOCOL, message)


def _encode(value: object, out: bytearray) -> None:
    if value is None or value is True or value is False:
        out.append({None: cbor.NULL, True: cbor.TRUE, False: cbor.FALSE}[value])
    elif isinstance(value, int):
        out += cbor.integer(value)
    elif isinstance(value, bytes):
        out += cbor.head(cbor.BYTES, len(value))
        out += value
    elif isinstance(value, str):
        out += cbor.text(value)
    elif isinstance(value, (list, tuple)):
        out += cbor.head(cbor.ARRAY, len(value))
        for item in value:
            _encode(item, out)
    elif isinstance(value, dict):
        out += cbor.head(cbor.MAP, len(value))
        for key, item in value.items():
            _encode(key, out)
            _encode(item, out)
    else:
        raise TypeError(f"{type(value).__name__} has no place in the meta of a frame")


_SIMPLE = {cbor.FALSE: False, cbor.TRUE: True, cbor.NULL: None}


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    major, number, at = cbor.read_head(data, at)
    if depth > MAX_DEPTH and major in (cbor.ARRAY, cbor.MAP):
        raise _bad(f"the meta of a frame is nested deeper than {MAX_DEPTH}")
    if major == cbor.UINT:
        return number, at
    if major == cbor.NINT:
        return -1 - number, at
    if major in (cbor.BYTES, cbor.TEXT):
        if number > len(data) - at:
            raise cbor.TruncatedError(at + number)
        string = data[at : at + number]
        return (string if major == cbor.BYTES else cbor.decode_text(string)), at + number
    if major == cbor.ARRAY:
        items = []
        for _ in range(number):
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        return items, at
    if major == cbor.MAP:
        return _decode_map(data, at, depth, number)
    if major == cbor.SIMPLE and number in _SIMPLE:
        return _SIMPLE[number], at
    raise _bad(f"major type {major} is not allowed in the meta of a frame")


def _decode_map(data: bytes, at: int, depth: int, length: int) -> tuple[dict[Any, Any], int]:
    mapping: dict[Any, Any] = {}
    for _ in range(length):
        key, at = _decode(data, at, depth + 1)
        if not (_text(key) or (type(key) is int and key >= 0)):
            raise _bad("a key in the meta of a frame is neither an unsigned number nor a text")
        if key in mapping:
            raise _bad(f"key {key!r} occurs twice in the meta of a frame")
        mapping[key], at = _decode(data, at, depth + 1)
    return mapping, at
