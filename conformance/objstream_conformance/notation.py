"""Values in JSON, as the vectors state them, and the values of Python that they stand for.

`null`, `true`, `false`, texts, arrays (lists) and integers below 2^53 stand for themselves. Everything else is an
object with one member, whose name is that of the type and whose value is, for extension values, what their arguments
are on the wire (section 9.3), with byte strings and buffers in hexadecimal and floats as text: `{"tuple": [1, 2]}`,
`{"dict": [["a", 1], [2, null]]}`, `{"float": "1.5"}`, `{"ndarray": ["F32", [2], "0000803f00000040"]}`.
Infinities and NaN are given by their bits: `0x7ff8000000000000`. A file is `{"file": "..."}`.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import math
import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cbor import EXTENSION, SET, Map, Ref, Tag, ext, set_of

_DTYPES = """
    F64 <f8 float64, F32 <f4 float32, F16 <f2 float16, BF16 - bfloat16, I64 <i8 int64, I32 <i4 int32, I16 <i2 int16,
    I8 i1 int8, U64 <u8 uint64, U32 <u4 uint32, U16 <u2 uint16, U8 u1 uint8, BOOL ? bool, C64 <c8 complex64,
    C128 <c16 complex128, F8_E4M3 - float8_e4m3fn, F8_E5M2 - float8_e5m2, F8_E4M3FNUZ - float8_e4m3fnuz,
    F8_E5M2FNUZ - float8_e5m2fnuz, F8_E8M0 - float8_e8m0fnu
"""
_DECIMAL = 4096
"""Integers of so many bits are written in hexadecimal: Python takes no longer decimal text."""

NUMPY = {name: code for name, code, _ in map(str.split, _DTYPES.split(","))}
TORCH = {name: attribute for name, _, attribute in map(str.split, _DTYPES.split(","))}


def render(item: Any) -> Any:
    """An item of the skeleton stream, references with their buffers, in this notation."""
    if isinstance(item, bool) or item is None or isinstance(item, str):
        return item
    if isinstance(item, int):
        return (
            item if abs(item) < 1 << 53 else {"int": str(item) if item.bit_length() < _DECIMAL else hex(item)}
        )
    if isinstance(item, (float, bytes)):
        return {"float" if isinstance(item, float) else "bytes": _argument(item)}
    if isinstance(item, list):
        return [render(element) for element in item]
    if isinstance(item, Map):
        return {"dict": [[render(key), render(value)] for key, value in item.pairs]}
    if isinstance(item, dict):
        return render(Map(tuple(item.items())))
    if isinstance(item, Tag) and item.number == SET and isinstance(item.item, list):
        return {"set": render(item.item)}
    if isinstance(item, Tag) and item.number == EXTENSION and isinstance(item.item, list):
        return _extension(*item.item)
    raise ValueError(f"{item!r} is no value of the model")


def _extension(name: str, *arguments: Any) -> object:
    if name == "app":
        return {name: [arguments[0], render(arguments[1])]}
    if name in ("tuple", "frozenset"):
        return {name: render(list(arguments))}
    if name == "str":
        return str(arguments[0].buffer, "utf-8")
    shown = [_argument(argument) for argument in arguments]
    return {name: shown if len(shown) > 1 else shown[0]}


def _argument(argument: Any) -> object:
    if isinstance(argument, Ref):
        return argument.buffer.hex()
    if isinstance(argument, bytes):
        return argument.hex()
    if isinstance(argument, float):
        return repr(argument) if math.isfinite(argument) else f"0x{struct.pack('>d', argument).hex()}"
    return argument


def container(kind: str, items: Sequence[object]) -> object:
    """A container of that kind as an item, of the items of its content (of a dict: keys and values in turn)."""
    if kind == "dict":
        return Map(tuple(zip(items[::2], items[1::2], strict=True)))
    if kind in ("tuple", "frozenset"):
        return ext(kind, *items)
    return set_of(*items) if kind == "set" else list(items)


def build(value: Any) -> Any:
    """The value of Python that stands for a value in this notation."""
    if isinstance(value, list):
        return [build(element) for element in value]
    if isinstance(value, dict):
        ((name, arguments),) = value.items()
        return _BUILDERS[name](arguments)
    return value


def _each(kind: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda elements: kind(build(element) for element in elements)


def _float(text: str) -> float:
    if text.startswith("0x"):
        return struct.unpack(">d", bytes.fromhex(text[2:]))[0]  # type: ignore[no-any-return]
    return float(text)


def _zone(zone: Any) -> datetime.timezone | None:
    if zone is None:
        return None
    offset, *name = zone if isinstance(zone, list) else [zone]
    return datetime.timezone(datetime.timedelta(microseconds=offset), *name)


def _datetime(arguments: list[Any]) -> datetime.datetime:
    *fields, fold, zone = arguments
    return datetime.datetime(*fields).replace(tzinfo=_zone(zone), fold=fold)


def _time(arguments: list[Any]) -> datetime.time:
    *fields, fold, zone = arguments
    return datetime.time(*fields).replace(tzinfo=_zone(zone), fold=fold)


def _array(arguments: list[Any]) -> Any:
    dtype, shape, data = arguments
    return np.frombuffer(bytearray.fromhex(data), NUMPY[dtype]).reshape(shape)


def _tensor(arguments: list[Any]) -> Any:
    import torch

    dtype, shape, requires_grad, data = arguments
    kind = getattr(torch, TORCH[dtype])
    raw = bytearray.fromhex(data)
    flat = torch.frombuffer(raw, dtype=kind) if raw else torch.empty(0, dtype=kind)
    return flat.reshape(shape).requires_grad_(requires_grad)


def _parameter(arguments: list[Any]) -> Any:
    import torch

    tensor = _tensor(arguments)
    return torch.nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)


@dataclass(frozen=True)
class Application:
    """A value of an application type, whose registration keeps it as it is."""

    value: object


@functools.cache
def application(name: str) -> type[Application]:
    """The class that stands for the application type of that name, on the side of the suite and of an adapter."""
    return type(name, (Application,), {})


_BUILDERS: dict[str, Callable[[Any], object]] = {
    "int": lambda text: int(text, 0),
    "float": _float,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "dict": lambda pairs: {build(key): build(value) for key, value in pairs},
    "set": _each(set),
    "frozenset": _each(frozenset),
    "tuple": _each(tuple),
    "complex": lambda parts: complex(*map(_float, parts)),
    "datetime": _datetime,
    "date": lambda fields: datetime.date(*fields),
    "time": _time,
    "timedelta": lambda fields: datetime.timedelta(*fields),
    "decimal": decimal.Decimal,
    "uuid": lambda text: uuid.UUID(hex=text),
    "ndarray": _array,
    "scalar": lambda arguments: np.frombuffer(bytes.fromhex(arguments[1]), NUMPY[arguments[0]])[0],
    "tensor": _tensor,
    "parameter": _parameter,
    "app": lambda arguments: application(arguments[0])(build(arguments[1])),
    "file": bytes.fromhex,
}
