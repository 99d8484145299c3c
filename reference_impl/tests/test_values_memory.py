"""Neither side needs more than about a chunk beside the value itself, whatever the value (by tracemalloc)."""

from __future__ import annotations

import contextlib
import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from objstream import Limits, cbor
from objstream.values import Decoder, Piece, encode
from objstream.values.buffers import WINDOW

from .codec import decode_all, encode_all, refused

CHUNK = 1 << 18
MiB = 1 << 20
SIZE = 8 * MiB


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Without the hook of a debugger or coverage tool: CPython 3.11 appends to no text in place while one is set."""
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)


def text(count: int) -> str:
    return "aé😀" * count


VALUES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: bytes(SIZE),
    "bytearray": lambda: bytearray(SIZE + 12345),
    "ascii": lambda: "a" * SIZE,
    "latin": lambda: "é" * (SIZE // 2),
    "wide": lambda: text(SIZE // 12),
    "array": lambda: np.zeros(SIZE // 8),
    "fortran array": lambda: np.asfortranarray(np.zeros((1024, SIZE // 8 // 1024))),
    "strided array": lambda: np.zeros(SIZE // 4)[::2],
    "big-endian array": lambda: np.zeros(SIZE // 8, ">f8"),
    "broadcast array": lambda: np.broadcast_to(np.zeros(1024), (SIZE // 8 // 1024, 1024)),
    "bools": lambda: np.zeros((SIZE // 1024, 1024), bool).T,
    "list of integers": lambda: [1] * 100_000,
    "list of floats": lambda: [float(i) for i in range(50_000)],
    "list of texts": lambda: [str(i) for i in range(50_000)],
    "tuple": lambda: (None,) * 300_000,
    "list of lists": lambda: [[] for _ in range(50_000)],
    "list of middling bytes": lambda: [bytes(16_000) for _ in range(300)],
}


def peak(action: Callable[[], Any]) -> tuple[int, Any]:
    """The most memory that the action takes at any time, and its result."""
    gc.collect()
    tracemalloc.start()
    try:
        result = action()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def sizes(value: Any) -> int:
    return sum(len(piece.view) for piece in encode([("m", value)], limits=Limits(), chunk=CHUNK))


@pytest.mark.parametrize("name", VALUES)
def test_a_sender_needs_no_more_than_a_chunk(name: str) -> None:
    value = VALUES[name]()
    extra, total = peak(lambda: sizes(value))
    assert total >= 50_000
    assert extra < 1.3 * CHUNK + 64 * 1024


def receive(parts: list[tuple[int, bytes]]) -> Any:
    """Decode with a source that holds no memory of its own."""
    out: list[Any] = []
    decoder = Decoder(out.append, limits=Limits())
    for kind, data in parts:
        if kind == Piece.ENTRIES:
            decoder.feed(data)
            continue
        rest = memoryview(data)
        while rest:
            window = decoder.buffer()
            assert window is not None
            size = min(len(window), len(rest))
            window[:size] = rest[:size]
            decoder.filled(size)
            rest = rest[size:]
            del window
    decoder.finish()
    return out.pop()


@pytest.mark.parametrize("name", VALUES)
def test_a_receiver_needs_no_more_than_a_chunk(name: str) -> None:
    value = VALUES[name]()
    parts = [(p.kind, bytes(p.view)) for p in encode([("m", value)], limits=Limits(), chunk=CHUNK)]
    del value
    gc.collect()
    tracemalloc.start()
    try:
        with untraced():
            result = receive(parts)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A tuple grows to a quarter more pointers than it keeps; a text moves once to wider characters.
    slack = kept // 4 if name in ("tuple", "wide") else 0
    assert most - kept < 4 * WINDOW + slack
    assert result is not None


def test_a_view_that_is_kept_costs_no_copy() -> None:
    for name in ("bytes", "bytearray", "str"):
        kept: list[memoryview] = []
        out: list[Any] = []
        tracemalloc.start()
        try:
            decoder = Decoder(out.append, limits=Limits())
            decoder.feed(cbor.extension(name, 1) + cbor.integer(SIZE))
            with untraced():
                while decoder.remaining:
                    window = decoder.buffer()
                    assert window is not None
                    kept.append(window[:])
                    decoder.filled(len(window))
            assert tracemalloc.get_traced_memory()[1] < SIZE + 5 * WINDOW
        finally:
            tracemalloc.stop()
        assert len(out[0]) == SIZE


def test_arrays_are_received_in_place() -> None:
    out: list[Any] = []
    decoder = Decoder(out.append, limits=Limits())
    decoder.feed(cbor.extension("ndarray", 3) + cbor.text("U8") + b"\x81" + 2 * cbor.integer(SIZE))
    window = decoder.buffer()
    assert window is not None
    address = np.frombuffer(window, np.uint8).ctypes.data
    decoder.filled(SIZE)
    assert out[0].ctypes.data == address


@pytest.mark.parametrize("mode", [{}, {"pairs": True}, {"elements": True}])
def test_a_decoder_is_gone_when_it_is_no_longer_used(mode: dict[str, bool]) -> None:
    values: list[Any] = ["k", (1, ("x", 2.5)), (None,), frozenset({"y"})]
    if "elements" not in mode:
        values += [b"key", {1: [np.arange(9), {3}, bytes(100_000), np.arange(99_999)]}]
    parts = encode_all(values, **mode)
    gc.collect()
    gc.disable()
    try:
        decode_all(parts, **mode)
        refused(lambda: decode_all([*parts, (Piece.ENTRIES, b"\x81\xf7")], **mode))
        refused(lambda: Decoder(lambda _: 1 // 0, limits=Limits()).feed(b"\x01"))
        assert gc.collect() == 0
    finally:
        gc.enable()
