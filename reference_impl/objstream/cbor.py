"""CBOR primitives (RFC 8949) of the skeleton stream: one form for each number (spec chapter "Encoding")."""

from __future__ import annotations

import struct

from .errors import Code, TransferError

UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)

TAG_BIGNUM = 2
TAG_NEGATIVE_BIGNUM = 3
TAG_EXTENSION = 27
TAG_SET = 258

FALSE, TRUE, NULL, FLOAT = 0xF4, 0xF5, 0xF6, 0xFB

_HEADS = (struct.Struct(">BB"), struct.Struct(">BH"), struct.Struct(">BI"), struct.Struct(">BQ"))
_SHORTEST = (24, 1 << 8, 1 << 16, 1 << 32)

pack_float = struct.Struct(">Bd").pack
unpack_float = struct.Struct(">d").unpack_from


class TruncatedError(Exception):
    """The bytes end inside a token, which reaches to `end` at least (an index into them)."""

    def __init__(self, end: int) -> None:
        self.end = end
        super().__init__(end)


def head(major: int, number: int) -> bytes:
    """The shortest head of that major type; `number` is below 2**64."""
    if number < 24:
        return bytes((major << 5 | number,))
    size = 0 if number < 1 << 8 else 1 if number < 1 << 16 else 2 if number < 1 << 32 else 3
    return _HEADS[size].pack(major << 5 | 24 + size, number)


def integer(value: int) -> bytes:
    """An int of any size: a bignum only where 64 bits do not hold it."""
    major, number = (UINT, value) if value >= 0 else (NINT, -1 - value)
    length = (number.bit_length() + 7) // 8
    if length <= 8:
        return head(major, number)
    tag = TAG_BIGNUM if major == UINT else TAG_NEGATIVE_BIGNUM
    return head(TAG, tag) + head(BYTES, length) + number.to_bytes(length, "big")


def text(value: str) -> bytes:
    """Raises UnicodeEncodeError for a lone surrogate."""
    data = value.encode()
    return head(TEXT, len(data)) + data


def extension(name: str, count: int) -> bytes:
    """The beginning of an extension value of that name with `count` arguments to follow."""
    return head(TAG, TAG_EXTENSION) + head(ARRAY, count + 1) + text(name)


def read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type, number and the index after the head that starts at `at`.

    The number of major type 7, which has no argument here, is the initial byte itself.

    Raises:
        TruncatedError: the head is not all there.
        TransferError: PROTOCOL, for an indefinite length, a reserved form or a head that is not the shortest.
    """
    if at >= len(data):
        raise TruncatedError(at + 1)
    initial = data[at]
    major, info = initial >> 5, initial & 0x1F
    if major == SIMPLE:
        return major, initial, at + 1
    if info < 24:
        return major, info, at + 1
    if info > 27:
        raise TransferError(Code.PROTOCOL, f"initial byte {initial:#04x} is not allowed")
    end = at + 1 + (1 << (info - 24))
    if end > len(data):
        raise TruncatedError(end)
    number = int.from_bytes(data[at + 1 : end], "big")
    if number < _SHORTEST[info - 24]:
        raise TransferError(Code.PROTOCOL, f"the head of {number} is longer than needed")
    return major, number, end


def read_string(data: bytes, at: int, expected: int, limit: int) -> tuple[bytes, int]:
    """The byte string or text (`expected` says which) that starts at `at`, and the index after it.

    Raises:
        TruncatedError: it is not all there.
        TransferError: TOO_LARGE for a string of either kind that is longer than `limit` bytes, PROTOCOL when
            something else is there.
    """
    major, length, at = read_head(data, at)
    if length > limit and major in (BYTES, TEXT):
        raise TransferError(Code.TOO_LARGE, f"an inline string of {length} bytes, {limit} are allowed")
    if major != expected:
        raise TransferError(Code.PROTOCOL, f"a {'text' if expected == TEXT else 'byte string'} is missing")
    end = at + length
    if end > len(data):
        raise TruncatedError(end)
    return data[at:end], end


def decode_text(data: bytes) -> str:
    """Raises TransferError: PROTOCOL for what is not valid UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise TransferError(Code.PROTOCOL, "a text is not valid UTF-8") from None
