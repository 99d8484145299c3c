"""What cbor2 makes of the skeleton, turned into the values that it stands for; written from the specification."""

from __future__ import annotations

import datetime
import decimal
import io
import math
import uuid
from collections.abc import Mapping
from typing import Any

import cbor2
import numpy as np

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "C64": "<c8", "C128": "<c16",
}  # fmt: skip
TORCH = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu", "F64": "float64", "F32": "float32",
    "F16": "float16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64", "C128": "complex128",
}  # fmt: skip


class Extension:
    """A value under tag 27, before it is made: cbor2 freezes what is inside of tags, so that types are lost there."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name = name
        self.arguments = arguments


def read_all(data: bytes) -> list[Any]:
    """The values of a CBOR sequence, as cbor2 and the specification understand it."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(stream, tag_hook=_hook)
    items = []
    while stream.tell() < len(data):
        items.append(_thawed(decoder.decode()))
    return items


def _hook(*arguments: Any) -> Extension:
    (tag,) = (argument for argument in arguments if isinstance(argument, cbor2.CBORTag))
    assert tag.tag == 27, f"tag {tag.tag}"
    return Extension(*tag.value)


def _thawed(value: Any) -> Any:
    """All that is frozen is a list, dict or set: tuples and frozensets are extensions."""
    if isinstance(value, Extension):
        return EXTENSIONS[value.name](*map(_thawed, value.arguments))
    if isinstance(value, (list, tuple)):
        return list(map(_thawed, value))
    if isinstance(value, Mapping):
        return {_thawed(key): _thawed(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return set(map(_thawed, value))
    return value


def _zone(zone: Any) -> datetime.timezone | None:
    if zone is None:
        return None
    offset, *name = zone if isinstance(zone, (list, tuple)) else (zone,)
    return datetime.timezone(datetime.timedelta(microseconds=offset), *name)


def _datetime(*arguments: Any) -> datetime.datetime:
    *fields, fold, zone = arguments
    return datetime.datetime(*fields, tzinfo=_zone(zone), fold=fold)


def _time(*arguments: Any) -> datetime.time:
    *fields, fold, zone = arguments
    return datetime.time(*fields, tzinfo=_zone(zone), fold=fold)


def _array(dtype: str, shape: Any, data: bytes) -> Any:
    return np.frombuffer(data, DTYPES[dtype]).reshape(tuple(shape))


def _tensor(dtype: str, shape: Any, requires_grad: bool, data: bytes) -> Any:
    import torch

    raw = torch.tensor(list(data), dtype=torch.uint8)
    tensor = (
        raw.view(getattr(torch, TORCH[dtype]))
        if math.prod(shape)
        else torch.empty(0, dtype=getattr(torch, TORCH[dtype]))
    )
    return tensor.reshape(tuple(shape)).requires_grad_(requires_grad)


def _parameter(dtype: str, shape: Any, requires_grad: bool, data: bytes) -> Any:
    import torch

    return torch.nn.Parameter(_tensor(dtype, shape, False, data), requires_grad)


EXTENSIONS: dict[str, Any] = {
    "tuple": lambda *items: tuple(items),
    "frozenset": lambda *items: frozenset(items),
    "bytearray": bytearray,
    "complex": complex,
    "datetime": _datetime,
    "date": datetime.date,
    "time": _time,
    "timedelta": datetime.timedelta,
    "decimal": decimal.Decimal,
    "uuid": lambda data: uuid.UUID(bytes=data),
    "ndarray": _array,
    "scalar": lambda dtype, data: np.frombuffer(data, DTYPES[dtype])[0],
    "tensor": _tensor,
    "parameter": _parameter,
}
