"""Hostile skeletons: colliding keys, random bytes, mutated streams."""

from __future__ import annotations

import random
import resource
import struct
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objstream import Code, Limits, TransferError, cbor
from objstream.values import Decoder, Piece
from objstream.values.hashables import FREE, CollisionGuard

from .codec import decode_all, encode_all, fill, refused

MODULUS = 2**61 - 1
COUNT = 50_000


def as_map(keys: list[bytes]) -> bytes:
    return cbor.head(cbor.MAP, len(keys)) + b"\xf6".join([*keys, b""])


def as_set(keys: list[bytes]) -> bytes:
    return cbor.head(cbor.TAG, 258) + cbor.head(cbor.ARRAY, len(keys)) + b"".join(keys)


def as_frozenset(keys: list[bytes]) -> bytes:
    return cbor.extension("frozenset", len(keys)) + b"".join(keys)


COLLIDING: dict[str, list[bytes]] = {
    "integers": [cbor.integer(k * MODULUS) for k in range(COUNT)],
    "small integers after honest ones": [
        cbor.integer(k if k < 30_000 else k * MODULUS) for k in range(COUNT)
    ],
    "tuples": [
        cbor.extension("tuple", 2) + cbor.integer(k * MODULUS) + cbor.integer(1) for k in range(COUNT)
    ],
    "frozensets": [cbor.extension("frozenset", 1) + cbor.integer(k * MODULUS) for k in range(COUNT)],
}


@pytest.mark.parametrize("keys", COLLIDING)
@pytest.mark.parametrize("container", [as_map, as_set, as_frozenset], ids=lambda f: f.__name__)
def test_colliding_keys_are_refused_quickly(keys: str, container: Any) -> None:
    assert len({hash(k * MODULUS) for k in range(COUNT)}) == 1
    data = container(COLLIDING[keys])
    start = time.process_time()
    error = refused(lambda: decode_all([(Piece.ENTRIES, data)]))
    assert error.code is Code.TOO_LARGE
    assert "hash" in error.message
    assert time.process_time() - start < 2


@pytest.mark.parametrize("mode", [{"pairs": True}, {"elements": True}])
def test_colliding_entries_are_refused_quickly(mode: dict[str, bool]) -> None:
    glue = b"\xf6" if "pairs" in mode else b""
    data = glue.join([*COLLIDING["integers"], b""])
    error = refused(lambda: decode_all([(Piece.ENTRIES, data)], **mode))
    assert error.code is Code.TOO_LARGE
    assert "hash" in error.message


HONEST: dict[str, Any] = {
    "small integers": lambda k: k,
    "negative integers": lambda k: -k,
    "multiples of 4096": lambda k: k * 4096,
    "high bits": lambda k: k << 32,
    "higher bits": lambda k: k << 45,
    "beyond 64 bits": lambda k: k << 70,
    "floats": lambda k: k / 7,
    "whole floats": lambda k: float(k) * 1e10,
    "tuples of integers": lambda k: (k // 1000, k % 1000),
    "tuples with a constant": lambda k: ("layer", k, None),
    "frozensets": lambda k: frozenset({k, k + 1}),
}


@pytest.mark.parametrize("keys", HONEST)
def test_honest_keys_of_any_structure_pass(keys: str) -> None:
    guard = CollisionGuard()
    for k in range(200_000):
        guard.admit(HONEST[keys](k))


def test_small_containers_may_collide() -> None:
    value = {k * MODULUS for k in range(FREE)}
    assert decode_all(encode_all([value])) == [value]


def test_honest_containers_arrive() -> None:
    value = {k << 32: float(k) for k in range(50_000)}
    assert decode_all(encode_all([value])) == [value]


def feed(data: bytes, **options: Any) -> None:
    """Feed anything; buffers that are announced get bytes too. Nothing but TransferError may come out."""
    decoder = Decoder(lambda _: None, limits=Limits(max_bytes=1 << 20), **options)
    try:
        while data:
            if decoder.remaining:
                size = min(decoder.remaining, len(data))
                fill(decoder, data[:size], 7)
            else:
                size = 1 + data[0] % 9
                decoder.feed(data[:size])
            data = data[size:]
        decoder.finish()
    except TransferError:
        pass


NAMES = [
    "tuple",
    "frozenset",
    "bytearray",
    "bytes",
    "str",
    "complex",
    "datetime",
    "date",
    "time",
    "timedelta",
]
NAMES += ["decimal", "uuid", "ndarray", "scalar", "app"]

tokens = (
    st.integers().map(cbor.integer)
    | st.integers(-3, 40).map(cbor.integer)
    | st.floats().map(lambda value: cbor.pack_float(cbor.FLOAT, value))
    | st.text(max_size=5).map(cbor.text)
    | st.sampled_from(["F64", "U8", "BOOL", "NaN", "1E+5", "-Infinity", "x@1"]).map(cbor.text)
    | st.binary(max_size=17).map(lambda data: cbor.head(cbor.BYTES, len(data)) + data)
    | st.sampled_from([b"\xf4", b"\xf5", b"\xf6"])
    | st.integers(0, 4).map(lambda size: cbor.head(cbor.ARRAY, size))
    | st.integers(0, 3).map(lambda size: cbor.head(cbor.MAP, size))
    | st.integers(0, 4).map(lambda size: b"\xd9\x01\x02" + cbor.head(cbor.ARRAY, size))
    | st.sampled_from([cbor.extension("scalar", 2) + cbor.text("U8") + b"\x41\x05"])
    | st.sampled_from(
        [cbor.extension("decimal", 1) + cbor.text("5"), cbor.extension("uuid", 1) + b"\x50" + bytes(16)]
    )
    | st.tuples(st.sampled_from(NAMES), st.integers(0, 9)).map(lambda pair: cbor.extension(*pair))
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([{}, {"pairs": True}, {"elements": True}]))
def test_random_bytes_give_the_documented_error(data: bytes, mode: dict[str, bool]) -> None:
    feed(data, **mode)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(tokens, max_size=25).map(b"".join), st.sampled_from([{}, {"pairs": True}, {"elements": True}])
)
def test_random_tokens_give_the_documented_error(data: bytes, mode: dict[str, bool]) -> None:
    feed(data, **mode)


def test_mutated_streams_give_the_documented_error() -> None:
    rng = random.Random(1)
    values = [
        {"a": [1, 2.5, (None, b"xyz")], 7: {1, 2}},
        frozenset({3}),
        "text",
        bytearray(b"12"),
        10**30,
        1j,
    ]
    whole = b"".join(data for _, data in encode_all(values))
    for _ in range(5000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 2))
        feed(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        cbor.extension("bytes", 1) + cbor.integer(1 << 30),
        cbor.extension("str", 1) + cbor.integer(1 << 30),
        cbor.extension("bytearray", 1) + cbor.integer(1 << 30),
        cbor.head(cbor.ARRAY, 1 << 27),
        cbor.head(cbor.MAP, 1 << 26),
        cbor.extension("tuple", 1 << 27),
        cbor.extension("frozenset", 1 << 27),
        b"\x81" * 100,
        cbor.head(cbor.TEXT, 1 << 16),
    ],
    ids=lambda data: data[:12].hex(),
)
def test_what_is_only_announced_takes_no_memory(data: bytes) -> None:
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1])
    decoder = Decoder(print, limits=Limits(max_bytes=1 << 32))
    decoder.feed(data)
    if decoder.remaining:
        assert decoder.buffer()
    with open("/proc/self/statm") as file:
        after = int(file.read().split()[1])
    assert (after - before) * resource.getpagesize() < 8 << 20


def test_memory_that_is_not_there_is_an_error_like_any_other() -> None:
    limits = Limits(max_bytes=1 << 62)
    for name in ("bytes", "ndarray"):
        arguments = [cbor.text("U8"), b"\x81" + cbor.integer(1 << 60)] if name == "ndarray" else []
        data = cbor.extension(name, len(arguments) + 1) + b"".join(arguments) + cbor.integer(1 << 60)
        assert (
            refused(lambda data=data: decode_all([(Piece.ENTRIES, data)], limits=limits)).code
            is Code.TOO_LARGE
        )


def test_a_failed_decoder_lets_go_of_what_it_had() -> None:
    reference = struct.pack(">BI", 26, 1 << 24)
    tracemalloc.start()
    try:
        decoder = Decoder(print, limits=Limits())
        decoder.feed(
            cbor.head(cbor.ARRAY, 99) + cbor.text("x" * 60_000) * 50 + cbor.extension("bytes", 1) + reference
        )
        fill(decoder, bytes(1 << 20))
        held, _ = tracemalloc.get_traced_memory()
        error = refused(lambda: decoder.feed(b"\xf6"))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.code is Code.PROTOCOL
    assert decoder.buffer() is None
    assert held > 19_000_000
    assert after < 1 << 19
