"""Numpy arrays of every dtype of the model, in every layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

Array = np.ndarray[Any, Any]

DTYPES: dict[str, str] = {
    "F64": "f8", "F32": "f4", "F16": "f2",
    "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1",
    "BOOL": "?", "C64": "c8", "C128": "c16",
}  # fmt: skip
"""The dtypes that numpy has, by their names in the specification."""


def content(pattern: bytes, size: int) -> bytes:
    """That many bytes: the pattern over and over, mixed with the position so that no two places look alike."""
    index = np.arange(size, dtype=np.uint32)
    mixed: Array = np.resize(np.frombuffer(pattern, np.uint8), size) ^ (index // len(pattern)).astype(
        np.uint8
    )
    return mixed.tobytes()


def make(name: str, shape: tuple[int, ...], pattern: bytes) -> Array:
    """A fresh C-contiguous array of these bits."""
    dtype = np.dtype(DTYPES[name])
    raw = np.frombuffer(bytearray(content(pattern, math.prod(shape) * dtype.itemsize)), np.uint8)
    if name == "BOOL":
        raw &= 1
    return raw.view(dtype).reshape(shape)


def _strided(array: Array) -> Array:
    wide = np.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype) if array.ndim else array
    if array.ndim:
        wide[..., ::2] = array
    return wide[..., ::2] if array.ndim else array


def _reversed(array: Array) -> Array:
    backwards: Any = (..., *(slice(None, None, -1) for _ in array.shape))
    view: Array = array[backwards].copy()[backwards]
    return view


def _read_only(array: Array) -> Array:
    array.setflags(write=False)
    return array


def _unaligned(array: Array) -> Array:
    moved = bytearray(b"\0") + array.tobytes()
    return np.frombuffer(moved, array.dtype, offset=1).reshape(array.shape) if array.size else array


def _broadcast(array: Array) -> Array:
    return np.broadcast_to(array, (3, *array.shape))


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda array: array,
    "fortran": np.asfortranarray,
    "transposed": lambda array: array.T,
    "big-endian": lambda array: array.byteswap().view(array.dtype.newbyteorder(">")),
    "strided": _strided,
    "reversed": _reversed,
    "read-only": _read_only,
    "unaligned": _unaligned,
    "broadcast": _broadcast,
}


def shapes() -> SearchStrategy[tuple[int, ...]]:
    """Shapes of few elements: no dimensions, empty dimensions, and up to five."""
    return st.lists(st.integers(0, 4), max_size=3).map(tuple) | st.lists(st.integers(1, 2), max_size=5).map(
        tuple
    )


def patterns() -> SearchStrategy[bytes]:
    return st.binary(min_size=1, max_size=16)


@st.composite
def arrays(draw: DrawFn) -> Array:
    """A small array of any dtype, shape and layout, of any bits."""
    array = make(draw(st.sampled_from(sorted(DTYPES))), draw(shapes()), draw(patterns()))
    return LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](array)


@st.composite
def large_arrays(draw: DrawFn, least: int = 16_385, most: int = 70_000) -> Array:
    """An array of some ten kilobytes, beyond what encoders put into one piece with other values."""
    name = draw(st.sampled_from(sorted(DTYPES)))
    size = draw(st.integers(least, most)) // np.dtype(DTYPES[name]).itemsize + 1
    columns = draw(st.sampled_from([1, 3, 64]))
    array = make(name, (size // columns + 1, columns), draw(patterns()))
    return LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](array)


@st.composite
def numpy_scalars(draw: DrawFn) -> np.generic:
    """A numpy scalar of any dtype and bits."""
    scalar: np.generic = make(draw(st.sampled_from(sorted(DTYPES))), (1,), draw(patterns()))[0]
    return scalar
