"""What can be done to bytes on their way: by accident, and by someone who knows the format but not the content."""

from __future__ import annotations

import struct
from zlib import crc32

from objstream.digests import ALGORITHMS

from ..cbor import cbor
from ..frames import HEADER, KEYS, Type
from ..trace.recorder import named


def damaged(kind: str, amount: int, data: bytes) -> bytes:
    """The bytes with a bit flipped, some of the last taken away, or some added."""
    if kind == "corrupt" and data:
        return _flipped(data, amount)
    if kind == "truncate":
        return data[: len(data) - 1 - amount % max(1, len(data))]
    if kind == "extend":
        return data + bytes(amount % 251 for _ in range(1 + amount % 40))
    return data


def forged(data: bytes, amount: int, digest: str) -> bytes:
    """A frame with something in it altered, and with checksums and digest that are right again.

    Only numbers, sizes, counts, chains and states that the peer keeps can find it. Half a frame stays as it is.
    """
    if len(data) < HEADER.size or crc32(data[:20]) != HEADER.unpack_from(data)[-1]:
        return data
    type_, flags, length, data_length, seq, _, _ = HEADER.unpack_from(data)
    if len(data) != HEADER.size + length + data_length:
        return data  # something else has happened to it already
    keys = named(data[HEADER.size : HEADER.size + length])
    content = data[HEADER.size + length :]
    if keys is None:
        return data
    if amount % 4 == 0:
        seq += 1
    elif type_ in (Type.ENTRIES, Type.DATA):
        content = _flipped(content, amount)
        if "digest" in keys:
            keys["digest"] = _digest(digest, content)
    elif type_ == Type.END:
        key = ("size", "count", "chain")[amount % 3]
        keys[key] = _flipped(keys[key], amount) if key == "chain" else keys[key] + 1
    elif type_ == Type.DONE:
        keys["chain"] = _flipped(keys["chain"], amount)
    elif type_ == Type.CREDIT:
        keys["credit"] += 1 + amount % 100
    elif type_ == Type.OPEN and "size" in keys:
        keys["size"] += 1
    meta = cbor({KEYS.index(name) if name in KEYS else int(name): value for name, value in keys.items()})
    head = struct.pack(">BBHIQI", type_, flags, len(meta), len(content), seq, crc32(meta))
    return head + struct.pack(">I", crc32(head)) + meta + content


def _flipped(data: bytes, amount: int) -> bytes:
    at = amount % (len(data) * 8)
    return data[: at >> 3] + bytes((data[at >> 3] ^ 1 << (at & 7),)) + data[(at >> 3) + 1 :]


def _digest(algorithm: str, data: bytes) -> bytes:
    hasher = ALGORITHMS[algorithm]()
    hasher.update(memoryview(data))
    return hasher.digest()
