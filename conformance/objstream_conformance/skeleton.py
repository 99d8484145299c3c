"""Values of Python in the form of content (section 8.5), and back: pieces of skeleton and buffers, without frames.

:mod:`.notation` says which value of Python stands for which item of the skeleton stream; here are both directions.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from . import notation
from .cbor import Map, Ref, ext, pieces, set_of
from .frames import Frame, items

_INLINE = 4096
"""Bytes from which on strings and arrays go into buffers."""

_KINDS: Mapping[type, str] = {
    dict: "dict",
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
}


def taken_apart(container: Any) -> tuple[str, list[tuple[bool, bytes]]]:
    """The kind of a container, and its content as :func:`~.cbor.pieces` gives it.

    Raises:
        TypeError: it is no container, or something in it is no value of the model.
    """
    kind = _KINDS.get(type(container))
    if kind is None:
        raise TypeError(f"a {type(container).__name__} is no container")
    parts = (
        (part for pair in container.items() for part in pair) if isinstance(container, dict) else container
    )
    return kind, pieces(*map(item, parts))


def put_together(kind: str, content: Iterable[tuple[bool, bytes]]) -> Any:
    """The container of that kind whose content this is, cut in any way.

    Raises:
        ValueError: this is not the content of a container.
    """
    if kind not in _KINDS.values():
        raise ValueError(f"{kind!r} is no kind of containers")
    frames = (Frame(5 if out else 4, 0, 0, b"", data, b"") for out, data in content)
    try:
        return notation.build(notation.render(notation.container(kind, items(frames))))
    except (TypeError, KeyError, IndexError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def item(value: Any) -> Any:
    """The item of the skeleton stream that stands for a value, references with their buffers.

    Raises:
        TypeError: it is no value of the model.
    """
    writer = _ITEMS.get(type(value))
    if writer is not None:
        return writer(value)
    if isinstance(value, notation.Application):
        return ext("app", type(value).__name__, item(value.value))
    if isinstance(value, np.generic):
        return ext("scalar", *_elements(np.asarray(value)))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _tensor(value, torch)
    raise TypeError(f"a {type(value).__name__} is no value of the model")


def _same(value: object) -> object:
    return value


def _string(value: str | bytes) -> object:
    data = value.encode() if isinstance(value, str) else value
    return value if len(data) < _INLINE else ext(type(value).__name__, Ref(data))


def _buffer(data: bytes) -> bytes | Ref:
    return data if len(data) < _INLINE else Ref(data)


def _zone(zone: Any) -> object:
    if zone is None:
        return None
    offset, *name = zone.__getinitargs__()
    microseconds = offset // datetime.timedelta(microseconds=1)
    return [microseconds, *name] if name else microseconds


def _time(value: datetime.datetime | datetime.time) -> list[object]:
    return [
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.fold,
        _zone(value.tzinfo),
    ]


def _elements(array: Any) -> tuple[str, bytes]:
    """Name of the dtype, and the elements in C order, little-endian."""
    little = array.dtype.newbyteorder("<")
    for name, code in notation.NUMPY.items():
        if code != "-" and np.dtype(code) == little:
            return name, array.astype(little).tobytes()
    raise TypeError(f"{array.dtype} is no dtype of the model")


def _array(array: Any) -> object:
    name, data = _elements(array)
    return ext("ndarray", name, list(array.shape), _buffer(data))


@functools.cache
def _dtypes(torch: Any) -> dict[Any, str]:
    known = {name: getattr(torch, attribute, None) for name, attribute in notation.TORCH.items()}
    return {dtype: name for name, dtype in known.items() if dtype is not None}


def _tensor(tensor: Any, torch: Any) -> object:
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    kind = "parameter" if isinstance(tensor, torch.nn.Parameter) else "tensor"
    data = flat.view(torch.uint8).numpy().tobytes()
    return ext(kind, _dtypes(torch)[tensor.dtype], list(tensor.shape), tensor.requires_grad, _buffer(data))


_ITEMS: Mapping[type, Callable[[Any], object]] = {
    type(None): _same,
    bool: _same,
    int: _same,
    float: _same,
    str: _string,
    bytes: _string,
    list: lambda elements: list(map(item, elements)),
    dict: lambda pairs: Map(tuple((item(key), item(value)) for key, value in pairs.items())),
    set: lambda elements: set_of(*map(item, elements)),
    frozenset: lambda elements: ext("frozenset", *map(item, elements)),
    tuple: lambda elements: ext("tuple", *map(item, elements)),
    bytearray: lambda data: ext("bytearray", _buffer(bytes(data))),
    complex: lambda number: ext("complex", number.real, number.imag),
    datetime.datetime: lambda one: ext("datetime", one.year, one.month, one.day, *_time(one)),
    datetime.date: lambda one: ext("date", one.year, one.month, one.day),
    datetime.time: lambda one: ext("time", *_time(one)),
    datetime.timedelta: lambda one: ext("timedelta", one.days, one.seconds, one.microseconds),
    decimal.Decimal: lambda number: ext("decimal", str(number)),
    uuid.UUID: lambda one: ext("uuid", one.bytes),
    np.ndarray: _array,
}
