"""What the formats of model files have in common."""

from __future__ import annotations

import mmap
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ..errors import Code, TransferError
from ..limits import MIB
from ..values import arrays
from ..values.buffers import Source

Metadata = Mapping[str, str]


class ModelError(ValueError):
    """A model file cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Entry:
    """An array or tensor on its way into a file.

    Attributes:
        dtype: its name in the value model ("F32", "BF16", ...).
        source: its elements, little-endian, in C order.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: Source

    def write(self, file: BinaryIO) -> None:
        for view in self.source.pieces(MIB):
            file.write(view)


class Writer(ABC):
    """Writes a model to a new file, entry by entry.

    Args:
        file: where to; unbuffered or flushed by the caller.
        count: how many entries will come, None when that is not known.
        metadata: texts that belong to the model as a whole; kept by formats that have a place for them.
    """

    whole = False
    """The format is written at once: it takes any container, and must be given the whole of it."""

    def __init__(self, file: BinaryIO, *, count: int | None, metadata: Metadata) -> None:
        self._file = file

    @abstractmethod
    def add(self, key: object, value: object) -> None:
        """Write one entry.

        Raises:
            TransferError: UNSUPPORTED, when the format does not hold it; the caller knows which entry it is.
            OSError: it cannot be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write what is left after the last entry. Raises OSError."""

    def abandon(self) -> None:  # noqa: B027 - optional hook
        """The file will not be completed: write nothing any more."""


def entry(key: object, value: object, format_: str) -> Entry:
    """The array or tensor `value` under the name `key`.

    Raises:
        TransferError: UNSUPPORTED, when key or value are something else; `format_` is what cannot hold it.
    """
    if type(key) is not str:
        raise unsupported(f"{format_} holds names that are texts, not {type(key).__name__}")
    if isinstance(value, np.ndarray):
        return Entry(key, arrays.dtype_name(value.dtype), value.shape, arrays.encode_array(value)[1])
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        from .. import tensors

        _, source = tensors.encode_tensor(value)
        return Entry(key, tensors.NAMES[value.dtype], tuple(value.shape), source)
    raise unsupported(f"{format_} holds arrays and tensors, not {type(value).__name__}")


def unsupported(message: str) -> TransferError:
    return TransferError(Code.UNSUPPORTED, message)


def map_file(path: str | os.PathLike[str]) -> mmap.mmap:
    """The file's bytes, read from the disk as they are used; writing to them changes memory, never the file.

    Raises:
        ModelError: the file is empty.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise ModelError(f"{os.fspath(path)}: the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def have_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True
