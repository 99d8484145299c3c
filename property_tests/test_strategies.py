"""The strategies make what they are said to make: each kind of example is found, none is only promised."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from objstream_conformance import strategies
from objstream_conformance.strategies.arrays import DTYPES
from objstream_conformance.strategies.refusals import CULPRITS
from objstream_conformance.strategies.transport import DAMAGING, HARMLESS

torch = pytest.importorskip("torch") if strategies.HAVE_TORCH else None

SEARCH = settings(
    max_examples=20_000, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None
)
CHUNK = 100

Test = Callable[[Any], bool]


def makes(strategy: st.SearchStrategy[Any], kinds: Mapping[str, Test]) -> None:
    """There is an example of every kind among those that are made."""
    missing = dict(kinds)

    def complete(example: Any) -> bool:
        for name in [name for name, test in missing.items() if test(example)]:
            del missing[name]
        return not missing

    with contextlib.suppress(NoSuchExample):
        find(strategy, complete, settings=SEARCH)
    assert list(missing) == []


def parts(value: Any, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """A value and all that is in it, with its depth."""
    yield depth, value
    inside = [part for item in value.items() for part in item] if type(value) is dict else value
    if type(value) in (dict, list, tuple, set, frozenset):
        for part in inside:
            yield from parts(part, depth + 1)


def somewhere(test: Test) -> Test:
    return lambda container: any(test(part) for _, part in parts(container))


def nan_bits(value: Any) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


CONTAINERS: dict[str, Test] = {
    **{f"an empty {kind.__name__}": lambda one, kind=kind: type(one) is kind and not one  # type: ignore[misc]
       for kind in (dict, list, tuple, set, frozenset)},
    **{f"a {kind.__name__} of something": lambda one, kind=kind: type(one) is kind and bool(one)  # type: ignore[misc]
       for kind in (dict, list, tuple, set, frozenset)},
    "one nested in four others": lambda one: max(depth for depth, _ in parts(one)) >= 4,
    "an int of more than 64 bits": somewhere(lambda one: type(one) is int and one.bit_length() > 64),
    "a negative int of more than 64 bits": somewhere(lambda one: type(one) is int and one < -(1 << 64)),
    "a NaN with a payload": somewhere(
        lambda one: type(one) is float and math.isnan(one) and nan_bits(one) & ((1 << 51) - 1) != 0
    ),
    "a signalling NaN": somewhere(
        lambda one: type(one) is float and math.isnan(one) and not nan_bits(one) & (1 << 51)
    ),
    "a negative zero": somewhere(
        lambda one: type(one) is float and one == 0 and math.copysign(1, one) < 0
    ),
    "text beyond 16 bits": somewhere(lambda one: type(one) is str and any(char > "\uffff" for char in one)),
    "a decimal with a payload": somewhere(lambda one: type(one) is Decimal and one.is_nan()),
    "a datetime in a zone": somewhere(lambda one: type(one) is datetime and one.tzinfo is not None),
    "a time with fold": somewhere(lambda one: type(one) is time and one.fold == 1),
    "a value that occurs twice": lambda one: _repeated(one),
    "a bytearray": somewhere(lambda one: type(one) is bytearray),
    "a numpy scalar": somewhere(lambda one: isinstance(one, np.generic)),
    "an array of more than 16 KiB": somewhere(lambda one: type(one) is np.ndarray and one.nbytes > 16_384),
    "text of more than 64 KiB": somewhere(lambda one: type(one) is str and len(one.encode()) > 65_536),
}  # fmt: skip


def _repeated(container: Any) -> bool:
    seen = [id(part) for _, part in parts(container) if type(part) in (list, dict, bytearray, np.ndarray)]
    return len(seen) > len(set(seen))


def test_containers() -> None:
    makes(strategies.containers(), CONTAINERS)


KEYS = (type(None), bool, int, float, str, bytes, tuple, frozenset)


def of_types(*kinds: type) -> dict[str, Test]:
    return {kind.__name__: lambda one, kind=kind: type(one) is kind for kind in kinds}  # type: ignore[misc]


def test_keys_of_every_kind() -> None:
    makes(strategies.keys(), of_types(*KEYS))
    in_dicts = {
        name: lambda one, test=test: type(one) is dict and any(map(test, one))
        for name, test in of_types(*KEYS).items()
    }
    makes(strategies.containers(large=False), in_dicts)


def test_elements_are_of_every_kind_that_keys_are_of_and_more() -> None:
    makes(strategies.elements(), of_types(*KEYS, complex, datetime, Decimal, np.float32))


@given(strategies.texts() | strategies.keys().filter(lambda key: type(key) is str))
def test_no_text_has_a_lone_surrogate(text: str) -> None:
    text.encode()


LAYOUTS: dict[str, Test] = {
    "no dimensions": lambda array: array.shape == (),
    "an empty dimension": lambda array: 0 in array.shape,
    "five dimensions": lambda array: array.ndim == 5,
    "Fortran order": lambda array: array.flags.f_contiguous and not array.flags.c_contiguous,
    "strides": lambda array: array.size > 1 and not (array.flags.f_contiguous or array.flags.c_contiguous),
    "negative strides": lambda array: array.size > 1 and min(array.strides, default=0) < 0,
    "strides of zero": lambda array: array.size > 3 and 0 in array.strides,
    "big-endian": lambda array: array.dtype.byteorder == ">",
    "read-only": lambda array: not array.flags.writeable,
    "unaligned": lambda array: array.size > 0 and not array.flags.aligned,
}


def test_arrays_of_every_layout() -> None:
    makes(strategies.arrays(), LAYOUTS)


def test_arrays_and_scalars_of_every_dtype() -> None:
    def is_of(name: str) -> Test:
        return lambda one: one.dtype.newbyteorder("=") == np.dtype(DTYPES[name]) and one.size > 0

    for strategy in (strategies.arrays(), strategies.large_arrays(), strategies.numpy_scalars()):
        makes(strategy, {name: is_of(name) for name in DTYPES})


if torch is not None:
    TENSORS = [
        "float64",
        "float32",
        "float16",
        "bfloat16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint64",
        "uint32",
        "uint16",
        "uint8",
        "bool",
        "complex64",
        "complex128",
        "float8_e4m3fn",
        "float8_e5m2",
        "float8_e4m3fnuz",
        "float8_e5m2fnuz",
        "float8_e8m0fnu",
    ]
    TENSOR_LAYOUTS: dict[str, Test] = {
        "no dimensions": lambda tensor: tensor.dim() == 0,
        "an empty dimension": lambda tensor: tensor.numel() == 0,
        "strides": lambda tensor: not tensor.is_contiguous(),
        "an offset": lambda tensor: tensor.storage_offset() > 0,
        "expanded": lambda tensor: tensor.numel() > 3 and 0 in tensor.stride(),
        "conjugated": lambda tensor: tensor.is_conj(),
        "negated": lambda tensor: tensor.is_neg(),
        "with a gradient": lambda tensor: tensor.requires_grad,
        "a frozen Parameter": lambda one: isinstance(one, torch.nn.Parameter) and not one.requires_grad,
    }

    def test_tensors_of_every_dtype_and_layout() -> None:
        def is_of(name: str) -> Test:
            return lambda one: one.dtype is getattr(torch, name) and one.numel() > 0

        makes(strategies.tensors(), {**{name: is_of(name) for name in TENSORS}, **TENSOR_LAYOUTS})

    def test_tied_tensors_share_their_memory() -> None:
        def shares(state: dict[str, Any]) -> bool:
            first, other = state["embedding"], state["flat"]
            return (
                first.numel() > 1 and first.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
            )

        makes(strategies.tied(), {"shared memory": shares})
        makes(strategies.containers(), {"a state dict": lambda one: type(one) is dict and "embedding" in one})


def test_every_culprit_is_refused_somewhere() -> None:
    others = ("a list that contains itself", "129 levels of lists", "an int of more than 65536 bytes")
    kinds: dict[str, Test] = {
        name: lambda refusal, name=name: refusal.culprit == name  # type: ignore[misc]
        for name in (*CULPRITS, *others)
    }
    for place in ("key", "element"):
        kinds[place] = lambda refusal, place=place: refusal.culprit.endswith(place)  # type: ignore[misc]
    makes(strategies.refused(), kinds)


def test_files_around_every_boundary_of_a_chunk() -> None:
    sizes = {max(0, number * CHUNK + step) for number in range(4) for step in (-1, 0, 1)}
    makes(
        strategies.files(CHUNK),
        {str(size): lambda content, size=size: len(content) == size for size in sizes},  # type: ignore[misc]
    )


def test_plans_with_every_fault() -> None:
    kinds: dict[str, Test] = {
        kind: lambda plan, kind=kind: any(fault.kind == kind for fault in plan)  # type: ignore[misc]
        for kind in HARMLESS + DAMAGING
    }
    makes(
        strategies.fault_plans(("a", "b")),
        {
            **kinds,
            "none": lambda plan: plan == [],
            "three": lambda plan: len(plan) == 3,
            "forth": lambda plan: "a" in {fault.source for fault in plan},
            "back": lambda plan: "b" in {fault.source for fault in plan},
        },
    )


def test_limits_of_every_kind() -> None:
    kinds: dict[str, Test] = {}
    for name in ("max_bytes", "max_frame", "max_items", "max_depth", "max_inline"):
        kinds[f"a small {name}"] = lambda limits, name=name: limits.get(name, 100) < 100  # type: ignore[misc]
        kinds[f"a large {name}"] = lambda limits, name=name: limits.get(name, 0) > 100  # type: ignore[misc]
        kinds[f"no {name}"] = lambda limits, name=name: name not in limits  # type: ignore[misc]
    makes(strategies.limits(), kinds)
