"""Equality as the value model means it: exact types, float bits, order of dicts, dtypes, shapes."""

from __future__ import annotations

import datetime
import decimal
import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


def difference(sent: object, got: object, path: str = "object") -> str:
    """Where and how `got` first differs from `sent`; empty when it does not. Iterative: any depth will do."""
    pending = [(sent, got, path)]
    while pending:
        one, other, where = pending.pop()
        found = _here(one, other)
        if found:
            return f"{where}: {found}"
        pending.extend(reversed(list(_children(one, other, where))))
    return ""


def _children(one: Any, other: Any, where: str) -> Iterator[tuple[object, object, str]]:
    if type(one) is dict:
        for (key, value), (key2, value2) in zip(one.items(), other.items(), strict=True):
            yield key, key2, f"{where}: key {show(key)}"
            yield value, value2, f"{where}[{show(key)}]"
    elif type(one) in (list, tuple):
        for index, (value, value2) in enumerate(zip(one, other, strict=True)):
            yield value, value2, f"{where}[{index}]"


def _here(one: Any, other: Any) -> str:
    """The difference of two values themselves, not of what is inside a dict, list or tuple."""
    kind = type(one)
    if type(other) is not kind:
        return f"a {_name(kind)} was sent, a {_name(type(other))} arrived ({show(other)})"
    if kind in (dict, list, tuple):
        return "" if len(one) == len(other) else f"{len(one)} entries were sent, {len(other)} arrived"
    if kind in (set, frozenset):
        return _sets(one, other)
    if isinstance(one, np.ndarray):
        return _arrays(one, other)
    if isinstance(one, np.generic):
        return _arrays(np.asarray(one), np.asarray(other))
    if _is_tensor(one):
        return _tensors(one, other)
    if key(one) != key(other):
        return f"{show(one)} was sent, {show(other)} arrived"
    return ""


def key(value: Any) -> object:
    """A hashable stand-in of a hashable value: equal exactly when the values are the same, bit for bit."""
    kind = type(value)
    if kind is float:
        return kind, struct.pack(">d", value)
    if kind is complex:
        return kind, struct.pack(">dd", value.real, value.imag)
    if kind is tuple:
        return kind, tuple(key(item) for item in value)
    if kind is frozenset:
        return kind, frozenset(key(item) for item in value)
    if kind is decimal.Decimal:
        return kind, str(value)
    if kind in (datetime.datetime, datetime.time):
        zone = value.tzinfo
        return kind, value.replace(tzinfo=None).isoformat(), value.fold, repr(zone), type(zone)
    if kind is bytearray:
        return kind, bytes(value)
    if isinstance(value, np.generic):
        return kind, value.dtype.str, value.tobytes()
    return kind, value


def _sets(one: Any, other: Any) -> str:
    mine, theirs = {key(item) for item in one}, {key(item) for item in other}
    if len(one) != len(other):
        return f"{len(one)} elements were sent, {len(other)} arrived"
    lost = [item for item in one if key(item) not in theirs]
    if lost:
        new = [item for item in other if key(item) not in mine]
        return f"element {show(lost[0])} was sent, {show(new[0] if new else None)} arrived"
    return ""


def _arrays(one: Any, other: Any) -> str:
    mine, theirs = one.dtype.newbyteorder("="), other.dtype.newbyteorder("=")
    if mine != theirs:
        return f"dtype {one.dtype} was sent, {other.dtype} arrived"
    if one.shape != other.shape:
        return f"shape {one.shape} was sent, {other.shape} arrived"
    raw, raw2 = (
        np.ascontiguousarray(array.astype(mine, copy=False)).view(np.uint8) for array in (one, other)
    )
    wrong = np.flatnonzero(raw.reshape(-1) != raw2.reshape(-1))
    if wrong.size:
        at = int(wrong[0]) // max(1, one.dtype.itemsize)
        return f"element {at} differs ({wrong.size} bytes of {raw.size} in all)"
    return ""


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _tensors(one: Any, other: Any) -> str:
    import torch

    for what in ("dtype", "shape", "requires_grad"):
        mine, theirs = getattr(one, what), getattr(other, what)
        if mine != theirs:
            return f"{what} {mine} was sent, {theirs} arrived"
    if not one.numel():
        return ""
    raw, raw2 = (
        tensor.detach()
        .resolve_conj()
        .resolve_neg()
        .contiguous()
        .as_strided((one.numel(),), (1,))
        .view(torch.uint8)
        for tensor in (one, other)
    )
    wrong = int((raw != raw2).sum())
    return f"{wrong} bytes of {raw.numel()} differ" if wrong else ""


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def show(value: object, limit: int = 60) -> str:
    try:
        text = repr(value)
    except Exception as error:  # a broken __repr__ must not hide what was found
        text = f"<{_name(type(value))}: {error}>"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
