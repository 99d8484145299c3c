from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objstream import Code, TransferError, cbor

EDGES = [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1]


@pytest.mark.parametrize("number", EDGES)
@pytest.mark.parametrize("major", [cbor.UINT, cbor.BYTES, cbor.ARRAY, cbor.TAG])
def test_a_head_is_read_back(major: int, number: int) -> None:
    data = cbor.head(major, number)
    assert cbor.read_head(data, 0) == (major, number, len(data))
    assert cbor.read_head(b"\xff" + data + b"\x00", 1) == (major, number, len(data) + 1)


@pytest.mark.parametrize("number", EDGES)
def test_a_head_is_the_shortest(number: int) -> None:
    assert cbor.head(cbor.UINT, number) == cbor2.dumps(number)


@pytest.mark.parametrize("number", EDGES[2:])
def test_a_truncated_head_asks_for_more(number: int) -> None:
    data = cbor.head(cbor.TEXT, number)
    for length in range(len(data)):
        with pytest.raises(cbor.TruncatedError) as caught:
            cbor.read_head(data[:length], 0)
        assert length < caught.value.end <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        "1800",
        "1817",
        "190000",
        "1900ff",
        "1a00000000",
        "1a0000ffff",
        "1b0000000000000000",
        "1b00000000ffffffff",
        "5817",
        "9a00000001",
        "d81a"[:2] + "02",
    ],
)
def test_a_head_that_is_longer_than_needed_is_refused(data: str) -> None:
    with pytest.raises(TransferError) as caught:
        cbor.read_head(bytes.fromhex(data), 0)
    assert caught.value.code is Code.PROTOCOL


@pytest.mark.parametrize("initial", [m << 5 | info for m in range(7) for info in (28, 29, 30, 31)])
def test_indefinite_and_reserved_heads_are_refused(initial: int) -> None:
    with pytest.raises(TransferError) as caught:
        cbor.read_head(bytes([initial]) + bytes(16), 0)
    assert caught.value.code is Code.PROTOCOL


@settings(max_examples=200)
@given(st.integers() | st.integers(-(2**70), 2**70) | st.integers(0, 4000).map(lambda n: -(2**n)))
def test_integers_are_those_of_cbor2(number: int) -> None:
    assert cbor.integer(number) == cbor2.dumps(number)


@given(st.text())
def test_texts_are_those_of_cbor2(text: str) -> None:
    assert cbor.text(text) == cbor2.dumps(text)


def test_a_string_is_refused_on_its_head_alone() -> None:
    with pytest.raises(TransferError) as caught:
        cbor.read_string(bytes.fromhex("5a00010001"), 0, cbor.BYTES, 65536)
    assert caught.value.code is Code.TOO_LARGE
