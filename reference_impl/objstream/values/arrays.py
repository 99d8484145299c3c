"""Numpy arrays and scalars: dtypes by name, elements as little-endian bytes in C order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import cbor
from ..errors import Code, TransferError
from .buffers import MemorySink, Sink, Source, ViewSource, cut

Array = np.ndarray[Any, Any]
DType = np.dtype[Any]
Fix = Callable[[Array], None]

MAX_DIMENSIONS = 64
MAX_SIZE = (1 << 63) - 1

DTYPES: dict[str, DType] = {
    name: np.dtype(code)
    for name, code in {
        "F64": "<f8",
        "F32": "<f4",
        "F16": "<f2",
        "I64": "<i8",
        "I32": "<i4",
        "I16": "<i2",
        "I8": "i1",
        "U64": "<u8",
        "U32": "<u4",
        "U16": "<u2",
        "U8": "u1",
        "BOOL": "?",
        "C64": "<c8",
        "C128": "<c16",
    }.items()
}
NAMES: dict[DType, str] = {dtype: name for name, dtype in DTYPES.items()}
SCALARS: dict[type, str] = {dtype.type: name for name, dtype in DTYPES.items()}

_ITEM_SIZES = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "F8_E8M0": 1}
ITEM_SIZES: dict[str, int] = {name: dtype.itemsize for name, dtype in DTYPES.items()} | _ITEM_SIZES


def head(kind: str, dtype: str, shape: Sequence[int], *flags: bytes) -> bytes:
    """An array value up to its data."""
    dimensions = b"".join(cbor.head(cbor.UINT, length) for length in shape)
    begin = cbor.extension(kind, 3 + len(flags)) + cbor.text(dtype)
    return begin + cbor.head(cbor.ARRAY, len(shape)) + dimensions + b"".join(flags)


def byte_size(shape: object, item_size: int) -> int:
    """Bytes of an array of that shape.

    Raises:
        TransferError: PROTOCOL, when it is not the shape of an array that can exist.
    """
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
        raise TransferError(Code.PROTOCOL, f"a shape is not an array of at most {MAX_DIMENSIONS} dimensions")
    for length in shape:
        if type(length) is not int or not 0 <= length <= MAX_SIZE:
            raise TransferError(Code.PROTOCOL, "a dimension is not an unsigned integer below 2**63")
    if math.prod(filter(None, shape)) * item_size > MAX_SIZE:
        raise TransferError(Code.PROTOCOL, "a shape has more bytes than an array can have")
    return math.prod(shape) * item_size


def dtype_name(dtype: DType) -> str:
    """The name of a dtype on the wire. Raises TransferError: UNSUPPORTED for one outside the value model."""
    name = NAMES.get(dtype.newbyteorder("<"))
    if name is None:
        raise TransferError(Code.UNSUPPORTED, f"an array of {dtype.name} is not in the value model")
    if dtype.metadata:
        raise TransferError(
            Code.UNSUPPORTED, f"a dtype with metadata ({dtype.name}) is not in the value model"
        )
    return name


def flat_bytes(array: Array) -> memoryview:
    """The memory of a C-contiguous array."""
    return memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def check_elements(array: Array, name: str, code: Code = Code.PROTOCOL) -> None:
    """Refuse, with `code`, BOOL elements with another byte than 0 or 1: they are no value in most languages."""
    if name == "BOOL" and array.size and array.view(np.uint8).max() > 1:
        raise TransferError(code, "a BOOL element is neither 0 nor 1")


class ArraySource(Source):
    """The elements of an array whose memory is not as they travel: converted part by part, in one scratch."""

    def __init__(self, array: Array, dtype: DType, fix: Fix | None) -> None:
        self.size = array.size * dtype.itemsize
        self._array = array
        self._dtype = dtype
        self._fix = fix

    def pieces(self, chunk: int) -> Iterator[memoryview]:
        if not self.size:
            return
        room = chunk if self._fix is None else chunk // 2
        nditer: Any = np.nditer  # whose annotations do not know the flag "contig"
        parts = nditer(
            [self._array],
            flags=["external_loop", "buffered"],
            op_flags=[["readonly", "contig"]],
            op_dtypes=[self._dtype],
            order="C",
            casting="equiv",
            buffersize=max(1, room // self._dtype.itemsize),
        )
        for part in parts:
            if self._fix is not None:
                part = part.copy()
                self._fix(part)
            yield from cut(flat_bytes(part), chunk)


def encode_array(array: Array) -> tuple[bytes, Source]:
    """The head and the data of an array of exactly `numpy.ndarray`.

    Raises:
        TransferError: UNSUPPORTED, for dtypes and contents that are not in the value model.
    """
    name = dtype_name(array.dtype)
    return head("ndarray", name, array.shape), source(array, name)


def source(array: Array, name: str, fix: Fix | None = None) -> Source:
    """The elements of the array as they travel: its memory where that is so already.

    Args:
        fix: changes a copy of some elements in place before they are sent.

    Raises:
        TransferError: UNSUPPORTED, for BOOL elements that are neither 0 nor 1.
    """
    check_elements(array, name, Code.UNSUPPORTED)
    if fix is None and array.flags.c_contiguous and array.dtype == DTYPES[name]:
        return ViewSource(flat_bytes(array))
    return ArraySource(array, DTYPES[name], fix)


def encode_scalar(name: str, value: np.generic) -> bytes:
    data: bytes = np.asarray(value, DTYPES[name]).tobytes()
    return cbor.extension("scalar", 2) + cbor.text(name) + cbor.head(cbor.BYTES, len(data)) + data


def decode_scalar(name: Any, data: object) -> object:
    dtype = DTYPES.get(name) if type(name) is str else None
    if dtype is None or type(data) is not bytes or len(data) != dtype.itemsize:
        raise TransferError(Code.PROTOCOL, "a numpy scalar is not a dtype and the bytes of one element")
    value = np.frombuffer(data, dtype)
    check_elements(value, name)
    return value[0]


def array_sink(name: str, shape: list[int], destination: object) -> Sink:
    """Where the elements of an array land: `destination` itself where one is given, else a new array.

    Raises:
        TransferError: PROTOCOL for a dtype that arrays do not have, MISMATCH when the destination does not
            fit, UNSUPPORTED when numpy cannot make the array.
    """
    dtype = DTYPES.get(name)
    if dtype is None:
        raise TransferError(Code.PROTOCOL, f"{name} is not a dtype of numpy arrays")
    array = _new(shape, dtype) if destination is None else _fitting(destination, shape, dtype)

    def finish() -> Array:
        check_elements(array, name)
        return array

    return MemorySink(flat_bytes(array), finish)


def _new(shape: list[int], dtype: DType) -> Array:
    try:
        return np.empty(shape, dtype)
    except ValueError:  # older numpy: at most 32 dimensions
        raise TransferError(
            Code.UNSUPPORTED, f"this numpy cannot make an array of {len(shape)} dimensions"
        ) from None


def _fitting(destination: object, shape: list[int], dtype: DType) -> Array:
    if not isinstance(destination, np.ndarray):
        raise mismatch(f"an array of {dtype.name}", shape, f"a {type(destination).__qualname__}")
    if destination.dtype != dtype or list(destination.shape) != shape:
        raise mismatch(dtype.name, shape, f"{destination.dtype} {destination.shape}")
    if not (destination.flags.c_contiguous and destination.flags.writeable):
        raise mismatch(dtype.name, shape, "an array that is not writable or not C-contiguous")
    return destination


def mismatch(what: str, shape: Sequence[int], other: str) -> TransferError:
    return TransferError(Code.MISMATCH, f"{what} {tuple(shape)} arrives, the destination is {other}")
