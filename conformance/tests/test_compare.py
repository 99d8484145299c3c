"""Equality as the suite means it: finds every difference that the value model knows, and no other."""

from __future__ import annotations

import copy
import datetime
import decimal
import struct
import uuid
from typing import Any

import numpy as np
import pytest

from objstream_conformance.compare import difference

QUIET, LOUD = (
    struct.unpack(">d", bits.to_bytes(8, "big"))[0] for bits in (0x7FF8000000000000, 0x7FF8000000000001)
)
UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=UTC)

SAME: list[Any] = [
    *(None, True, 3, 1 << 200, 0.5, QUIET, LOUD, -0.0, 1j, "text", b"bytes", bytearray(b"x")),
    *([], (), {}, set(), frozenset(), [1, [2, (3, {4: {5}})]], {"a": 1, "b": 2}, {1, "a", (2, QUIET)}),
    *(decimal.Decimal("1.10"), decimal.Decimal("sNaN"), uuid.UUID(int=5), NOON, datetime.date(2026, 1, 1)),
    *(np.arange(6).reshape(2, 3), np.zeros((0, 3)), np.array(5), np.float32(0.1), np.array([QUIET, LOUD])),
]


@pytest.mark.parametrize("value", SAME, ids=range(len(SAME)))
def test_a_copy_is_no_difference(value: Any) -> None:
    assert difference(value, copy.deepcopy(value)) == ""


DIFFERENT: list[tuple[Any, Any, str]] = [
    (1, True, "object: a int was sent, a bool arrived"),
    (1, 1.0, "object: a int was sent, a float arrived"),
    (0.0, -0.0, "object: 0.0 was sent, -0.0 arrived"),
    (QUIET, LOUD, "object: nan was sent, nan arrived"),
    (complex(0, 0.0), complex(0, -0.0), "object: 0j was sent, -0j arrived"),
    (b"x", bytearray(b"x"), "object: a bytes was sent, a bytearray arrived"),
    ([1, (2,)], [1, [2]], "object[1]: a tuple was sent, a list arrived"),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, "object['a']['b']: 1 was sent, 2 arrived"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "object: key 'a': 'a' was sent, 'b' arrived"),
    ({1: "x"}, {1.0: "x"}, "object: key 1: a int was sent, a float arrived"),
    ([1, 2], [1], "object: 2 entries were sent, 1 arrived"),
    ({1, 2}, {1, 3}, "object: element 2 was sent, 3 arrived"),
    ({1}, {True}, "object: element 1 was sent, True arrived"),
    ({1}, frozenset({1}), "object: a set was sent, a frozenset arrived"),
    (decimal.Decimal("1.10"), decimal.Decimal("1.1"), "object: Decimal('1.10') was sent"),
    (NOON, NOON.astimezone(datetime.timezone(datetime.timedelta(hours=1))), "object: datetime.datetime("),
    (NOON, NOON.replace(tzinfo=None), "object: datetime.datetime("),
    (NOON, NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(0), "Z")), "object: datetime.datetime("),
    (NOON, NOON.replace(fold=1), "object: datetime.datetime("),
    (np.zeros(2, "f4"), np.zeros(2, "f8"), "object: dtype float32 was sent, float64 arrived"),
    (np.zeros((2, 1)), np.zeros((1, 2)), "object: shape (2, 1) was sent, (1, 2) arrived"),
    (np.zeros(3), np.array([0, 0, -0.0]), "object: element 2 differs"),
    (np.array(1.0), np.float64(1.0), "object: a numpy.ndarray was sent, a numpy.float64 arrived"),
    (np.float64(1.0), 1.0, "object: a numpy.float64 was sent, a float arrived"),
]


@pytest.mark.parametrize(("sent", "got", "expected"), DIFFERENT)
def test_a_difference_is_found_and_named(sent: Any, got: Any, expected: str) -> None:
    assert difference(sent, got).startswith(expected)
    assert difference(got, sent) != ""


def test_byte_order_and_layout_are_no_difference() -> None:
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    assert difference(array, array.astype(">f4")) == ""
    assert difference(array, np.asfortranarray(array)) == ""


def test_depth_is_no_problem() -> None:
    one: Any = "core"
    for _ in range(100_000):
        one = [one]
    assert difference(one, one) == ""


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([1.0, 2.0])
    assert difference(tensor, tensor.clone()) == ""
    assert "requires_grad" in difference(tensor, tensor.clone().requires_grad_())
    assert "dtype" in difference(tensor, tensor.to(torch.bfloat16))
    assert "arrived" in difference(torch.nn.Parameter(tensor), tensor)
    assert "bytes of 8 differ" in difference(tensor, tensor + 1)
    assert (
        difference(tensor.to(torch.complex64).conj(), tensor.to(torch.complex64).conj().resolve_conj()) == ""
    )
