"""Helpers of the value tests: whole round trips, and what equality cannot see."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from objstream import Code, Limits, TransferError
from objstream.values import Decoder, Piece, encode

Parts = list[tuple[int, bytes]]


def labelled(values: Iterable[Any], pairs: bool = False) -> Iterator[tuple[Any, Any]]:
    key = None
    for number, value in enumerate(values):
        if pairs and number % 2 == 0:
            key = value
            yield "m", value
        else:
            yield ("m", key if pairs else number), value


def encode_all(values: Iterable[Any], *, chunk: int = 1 << 20, **options: Any) -> Parts:
    """The pieces of the values, copied; each is checked to be within the chunk and not empty."""
    options.setdefault("limits", Limits())
    parts: Parts = []
    for piece in encode(labelled(values, options.get("pairs", False)), chunk=chunk, **options):
        assert 1 <= len(piece.view) <= chunk
        parts.append((piece.kind, bytes(piece.view)))
    return parts


def skeleton(*values: Any, **options: Any) -> bytes:
    """The skeleton of values without large buffers."""
    parts = encode_all(values, **options)
    assert all(kind == Piece.ENTRIES for kind, _ in parts)
    return b"".join(data for _, data in parts)


def fill(decoder: Decoder, data: bytes, step: int = 1 << 30) -> None:
    rest = memoryview(data)
    while rest:
        window = decoder.buffer()
        assert window is not None
        size = min(len(window), len(rest), step)
        window[:size] = rest[:size]
        decoder.filled(size)
        rest = rest[size:]


def decode_all(parts: Parts, *, step: int = 1 << 30, **options: Any) -> list[Any]:
    """What the pieces decode to, fed at most `step` bytes at a time."""
    options.setdefault("limits", Limits())
    out: list[Any] = []
    decoder = Decoder(out.append, **options)
    for kind, data in parts:
        if kind == Piece.DATA:
            fill(decoder, data, step)
        else:
            for start in range(0, len(data), step):
                decoder.feed(data[start : start + step])
    decoder.finish()
    return out


def roundtrip(value: Any, *, chunk: int = 1 << 20, step: int = 1 << 30, **options: Any) -> Any:
    (result,) = decode_all(encode_all([value], chunk=chunk, **options), step=step, **options)
    return result


def refused(action: Callable[[], object]) -> TransferError:
    """The error that the action must raise."""
    try:
        action()
    except TransferError as error:
        return error
    raise AssertionError("nothing was refused")


def decode_refusal(data: bytes, **options: Any) -> Code:
    """The code with which a skeleton is refused, at its last byte at the latest.

    It must be the same whole, byte by byte and with bytes after it.
    """
    options.setdefault("limits", Limits())

    def feed(parts: list[bytes]) -> None:
        decoder = Decoder(lambda _: None, **options)
        for part in parts:
            decoder.feed(part)

    ways = [[data], [data[at : at + 1] for at in range(len(data))], [data + bytes(64)]]
    codes = {refused(lambda parts=parts: feed(parts)).code for parts in ways}  # type: ignore[misc]
    assert len(codes) == 1, codes
    return codes.pop()


def identical(a: Any, b: Any) -> bool:
    """Equal in type and in every bit; dicts in order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, complex):
        return identical(a.real, b.real) and identical(a.imag, b.imag)
    if isinstance(a, (np.ndarray, np.generic)):
        same = a.dtype.newbyteorder("=") == b.dtype.newbyteorder("=") and a.shape == b.shape
        return same and a.astype(b.dtype).tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, dict):
        return identical(list(a.items()), list(b.items()))
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and all(any(identical(x, y) for y in b) for x in a)
    if hasattr(a, "tzinfo"):
        zones = [zone and zone.__getinitargs__() for zone in (a.tzinfo, b.tzinfo)]
        return zones[0] == zones[1] and a.replace(tzinfo=None) == b.replace(tzinfo=None) and a.fold == b.fold
    if hasattr(a, "as_tuple"):
        return bool(a.as_tuple() == b.as_tuple())
    return bool(a == b)


def nan(bits: int) -> float:
    (value,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    assert math.isnan(value)
    return float(value)
