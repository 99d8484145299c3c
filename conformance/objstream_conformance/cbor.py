"""CBOR as the suite writes and reads it, without the help of any implementation: any form, right or wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
BIGNUM, NEGATIVE_BIGNUM, EXTENSION, SET = 2, 3, 27, 258

_WIDTHS: Final = [1] * 9 + [2] * 8 + [4] * 16 + [8] * 32
"""Bytes of an argument, by the length of the number in bits."""
_CONSTANTS: Final = {20: False, 21: True, 22: None}


class Raw(bytes):
    """An item as it shall stand on the wire, however wrong."""


@dataclass(frozen=True)
class Tag:
    """A tag on an item."""

    number: int
    item: object


@dataclass(frozen=True)
class Map:
    """A map, whose keys need not be hashable nor unique."""

    pairs: tuple[tuple[object, object], ...]


@dataclass(frozen=True)
class Ref:
    """A buffer beside the skeleton; what stands on the wire is a reference to it."""

    buffer: bytes


class Node(NamedTuple):
    """An item as it stands on the wire.

    `value` is the number of a head, the bytes, the text, the list of items or of pairs; `inner` is the item in a tag,
    or the additional information of a simple value.
    """

    major: int
    value: Any
    inner: Any = None


def ext(name: str, *arguments: object) -> Tag:
    """An extension value (section 9.2)."""
    return Tag(EXTENSION, [name, *arguments])


def set_of(*items: object) -> Tag:
    """A set (section 9.2)."""
    return Tag(SET, list(items))


@lru_cache(1024)
def head(major: int, number: int, width: int | None = None) -> Raw:
    """A head, with an argument of so many bytes (0, 1, 2, 4 or 8); the shortest that will do when none is given."""
    if width is None:
        width = 0 if number < 24 else _WIDTHS[number.bit_length()]
    if width == 0:
        return Raw([major << 5 | number])
    return Raw(bytes([major << 5 | 23 + width.bit_length()]) + number.to_bytes(width, "big"))


def cbor(item: object) -> bytes:
    """An item in the one form of chapter 9; :class:`Raw` parts as they are, references without their buffers."""
    return b"".join(head(UINT, len(part.buffer)) if isinstance(part, Ref) else part for part in _parts(item))


def pieces(*items: object) -> list[tuple[bool, bytes]]:
    """The content of a container: pieces of skeleton (False) and buffers (True), in order."""
    found: list[tuple[bool, bytes]] = []
    skeleton = bytearray()
    for part in (part for item in items for part in _parts(item)):
        if isinstance(part, Ref):
            found += [(False, bytes(skeleton + head(UINT, len(part.buffer)))), (True, part.buffer)]
            skeleton.clear()
        else:
            skeleton += part
    return [*found, (False, bytes(skeleton))] if skeleton else found


def _parts(item: Any) -> Iterator[bytes | Ref]:
    """An item in encoded bytes and references."""
    if isinstance(item, (Raw, Ref)):
        yield item
    elif item is None or item is True or item is False:
        yield {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[item]
    elif isinstance(item, int):
        yield _integer(item)
    elif isinstance(item, float):
        yield struct.pack(">Bd", 0xFB, item)
    elif isinstance(item, bytes):
        yield head(BYTES, len(item)) + item
    elif isinstance(item, str):
        yield head(TEXT, len(item.encode())) + item.encode()
    elif isinstance(item, Tag):
        yield head(TAG, item.number)
        yield from _parts(item.item)
    elif isinstance(item, list):
        yield head(ARRAY, len(item))
        for element in item:
            yield from _parts(element)
    elif isinstance(item, (dict, Map)):
        pairs = list(item.items()) if isinstance(item, dict) else item.pairs
        yield head(MAP, len(pairs))
        for pair in pairs:
            yield from (part for element in pair for part in _parts(element))
    else:
        raise TypeError(f"a {type(item).__name__} has no form in CBOR here")


def _integer(value: int) -> bytes:
    major, number = (UINT, value) if value >= 0 else (NINT, -1 - value)
    if number < 1 << 64:
        return head(major, number)
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return head(TAG, NEGATIVE_BIGNUM if major else BIGNUM) + head(BYTES, len(digits)) + digits


def read(data: bytes, at: int = 0) -> tuple[Node, int]:
    """The item that starts at `at`, and the index after it. Forms that are longer than needed are read as well.

    Raises:
        ValueError: the bytes end inside the item, or it is of a form that has no place here (indefinite lengths,
            text that is not UTF-8).
    """
    if at >= len(data):
        raise ValueError("the bytes end where an item should begin")
    major, info = data[at] >> 5, data[at] & 31
    if info > 27:
        raise ValueError(f"initial byte {data[at]:#04x}")
    size = 1 << info - 24 if info > 23 else 0
    number = int.from_bytes(_take(data, at + 1, size), "big") if size else info
    at += 1 + size
    if major in (BYTES, TEXT):
        raw = _take(data, at, number)
        return Node(major, raw if major == BYTES else raw.decode()), at + number
    if major in (ARRAY, MAP):
        items: list[Node] = []
        for _ in range(number * (major - 3)):
            item, at = read(data, at)
            items.append(item)
        return Node(major, items if major == ARRAY else list(zip(items[::2], items[1::2], strict=True))), at
    if major == TAG:
        inner, at = read(data, at)
        return Node(major, number, inner), at
    if major == SIMPLE:
        return Node(major, number, info), at
    return Node(major, -1 - number if major else number), at


def _take(data: bytes, at: int, count: int) -> bytes:
    if at + count > len(data):
        raise ValueError("the bytes end inside an item")
    return data[at : at + count]


def read_all(data: bytes) -> list[Node]:
    """The items of a CBOR sequence; raises ValueError as :func:`read` does."""
    items, at = [], 0
    while at < len(data):
        item, at = read(data, at)
        items.append(item)
    return items


def plain(node: Node) -> Any:
    """An item as :func:`cbor` takes it: so `cbor(plain(read(data)[0])) == data` when its form is the one form.

    Raises:
        ValueError: a float of less than 64 bits, or a simple value without a meaning here.
    """
    if node.major == ARRAY:
        return [plain(item) for item in node.value]
    if node.major == MAP:
        return Map(tuple((plain(key), plain(value)) for key, value in node.value))
    if node.major == TAG:
        if node.value in (BIGNUM, NEGATIVE_BIGNUM) and node.inner.major == BYTES:
            number = int.from_bytes(node.inner.value, "big")
            return number if node.value == BIGNUM else -1 - number
        return Tag(node.value, plain(node.inner))
    if node.major == SIMPLE:
        if node.inner == 27:
            return struct.unpack(">d", node.value.to_bytes(8, "big"))[0]
        if node.inner != node.value or node.value not in _CONSTANTS:
            raise ValueError(f"simple value {node.value} of additional information {node.inner}")
        return _CONSTANTS[node.value]
    return node.value
