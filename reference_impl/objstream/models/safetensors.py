"""safetensors files: an 8-byte length, a JSON header with name, dtype, shape and place of each tensor, the data.

Written and read here, with no need for the safetensors package: its writer must know all tensors before the first.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from typing import Any, BinaryIO

import numpy as np

from ..errors import Code, TransferError
from ..limits import MIB
from ..values import arrays
from .formats import Entry, Metadata, ModelError, Writer, entry, have_torch, map_file, unsupported

METADATA = "__metadata__"
MAX_HEADER = 100_000_000
ALIGNMENT = 8

_LENGTH = struct.Struct("<Q")
_ENTRY_ROOM = 256
_UNHELD = frozenset({"C128", "F8_E8M0"})


def read(path: str | os.PathLike[str], *, torch: bool | None) -> tuple[dict[str, Any], Metadata]:
    """The tensors, mapped from the file in the order in which they lie there, and the metadata.

    Args:
        torch: make tensors, not arrays; None: when torch is installed.

    Raises:
        ModelError: the file is no valid safetensors file, or holds what only torch can hold and there is no torch.
        OSError: it cannot be read.
    """
    mapped = map_file(path)
    try:
        header, start = _header(mapped)
        metadata = header.pop(METADATA, {})
        if type(metadata) is not dict or not all(type(text) is str for text in metadata.values()):
            raise ModelError("its metadata is not a map of texts")
        make = _tensor if (have_torch() if torch is None else torch) else _array
        places = {name: _place(name, told, len(mapped) - start) for name, told in header.items()}
        ordered = sorted(places.items(), key=lambda place: place[1][2:])
        return {
            name: make(mapped, name, dtype, shape, start + begin)
            for name, (dtype, shape, begin, _) in ordered
        }, metadata
    except ModelError as problem:
        raise ModelError(f"{os.fspath(path)}: {problem}") from problem


def _header(mapped: mmap.mmap) -> tuple[dict[str, Any], int]:
    if len(mapped) < _LENGTH.size:
        raise ModelError("too short for a safetensors file")
    (length,) = _LENGTH.unpack_from(mapped)
    if length > min(MAX_HEADER, len(mapped) - _LENGTH.size):
        raise ModelError("not a safetensors file: its header would be longer than it can be")
    end = _LENGTH.size + length
    try:
        header = json.loads(mapped[_LENGTH.size : end])
    except (ValueError, RecursionError) as problem:
        raise ModelError("not a safetensors file: its header is no JSON") from problem
    if type(header) is not dict:
        raise ModelError("not a safetensors file: its header is no JSON object")
    return header, end


def _place(name: str, told: Any, available: int) -> tuple[str, list[int], int, int]:
    """dtype, shape, begin and end of a tensor, checked against each other and the file."""
    try:
        dtype, shape, (begin, end) = told["dtype"], told["shape"], told["data_offsets"]
        numbers = [*shape, begin, end]
    except (TypeError, KeyError, ValueError):
        raise ModelError(f"tensor {name!r} lacks dtype, shape or data_offsets") from None
    if type(dtype) is not str or dtype not in arrays.ITEM_SIZES:
        raise ModelError(f"tensor {name!r} has the dtype {dtype!r}, which is not in the value model")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ModelError(f"tensor {name!r} has a shape or offsets that are not counts")
    size = math.prod(shape) * arrays.ITEM_SIZES[dtype]
    if end > available or end - begin != size:
        raise ModelError(f"tensor {name!r} has {size} bytes, the file has not as many for it")
    return dtype, shape, begin, end


def _array(mapped: mmap.mmap, name: str, dtype: str, shape: list[int], offset: int) -> Any:
    if dtype not in arrays.DTYPES:
        raise ModelError(f"tensor {name!r} is {dtype}, which numpy does not have: install objstream[torch]")
    if not math.prod(shape):
        return np.empty(shape, arrays.DTYPES[dtype])
    return np.ndarray(shape, arrays.DTYPES[dtype], mapped, offset)


def _tensor(mapped: mmap.mmap, name: str, dtype: str, shape: list[int], offset: int) -> Any:
    import torch

    from .. import tensors

    if dtype not in tensors.DTYPES:
        raise ModelError(f"tensor {name!r} is {dtype}, which this version of torch does not have")
    if not math.prod(shape):
        return torch.empty(shape, dtype=tensors.DTYPES[dtype])
    flat = torch.frombuffer(mapped, dtype=tensors.DTYPES[dtype], count=math.prod(shape), offset=offset)
    return flat.reshape(shape)


class SafetensorsWriter(Writer):
    """Leaves room for the header, writes each tensor as it comes, the header last.

    Loaders want each tensor at a multiple of its item size, with no gap before it: the few whose length is not a
    multiple of 8 bytes wait until the end, the larger items first.
    """

    def __init__(self, file: BinaryIO, *, count: int | None, metadata: Metadata) -> None:
        super().__init__(file, count=count, metadata=metadata)
        self._header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
        room = len(_encode(self._header)) + _ENTRY_ROOM * (64 if count is None else min(count, MIB))
        self._start = _LENGTH.size + room + -room % ALIGNMENT
        self._at = 0
        self._waiting: list[Entry] = []
        self._names: set[str] = {METADATA}
        file.seek(self._start)

    def add(self, key: object, value: object) -> None:
        tensor = entry(key, value, "safetensors")
        if tensor.dtype in _UNHELD:
            raise unsupported(f"safetensors does not hold {tensor.dtype}")
        if tensor.name in self._names:
            raise unsupported("safetensors holds a name once, and keeps one for metadata")
        self._names.add(tensor.name)
        if tensor.source.size % ALIGNMENT:
            self._waiting.append(tensor)
        else:
            self._write(tensor)

    def _write(self, tensor: Entry) -> None:
        tensor.write(self._file)
        end = self._at + tensor.source.size
        self._header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [self._at, end],
        }
        self._at = end

    def finish(self) -> None:
        for tensor in sorted(self._waiting, key=lambda one: -arrays.ITEM_SIZES[one.dtype]):
            self._write(tensor)
        self._waiting.clear()
        header = _encode(self._header)
        if len(header) > MAX_HEADER:
            raise TransferError(Code.UNSUPPORTED, "safetensors does not hold that many names")
        room = max(self._start - _LENGTH.size, len(header) + -len(header) % ALIGNMENT)
        self._shift(_LENGTH.size + room)
        self._file.seek(0)
        self._file.write(_LENGTH.pack(room) + header.ljust(room))

    def _shift(self, start: int) -> None:
        """Move the data up, last part first, where the header needs more room than it was given."""
        left = self._at if start != self._start else 0
        while left:
            count = min(left, MIB)
            left -= count
            self._file.seek(self._start + left)
            part = self._file.read(count)
            self._file.seek(start + left)
            self._file.write(part)


def _encode(header: dict[str, Any]) -> bytes:
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
