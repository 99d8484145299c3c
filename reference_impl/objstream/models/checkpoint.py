"""Checkpoints as torch writes them: `.pt` and `.pth`."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np

from ..errors import Code, TransferError
from .formats import Metadata, ModelError, Writer

_MISSING = "checkpoints need torch: install objstream[torch]"


def read(path: str | os.PathLike[str]) -> Any:
    """The container in the checkpoint, its tensors mapped from the file; no code in it is run.

    Ordered dicts, as which torch saves state dicts, become dicts. Files in the format of torch before 1.6 are read into
    memory.

    Raises:
        ModelError: the file cannot be loaded with `weights_only`, or torch is missing.
        OSError: it cannot be read.
    """
    try:
        import torch
    except ImportError as problem:
        raise ModelError(f"{os.fspath(path)}: {_MISSING}") from problem
    with open(path, "rb"):
        pass  # an OSError that says what is the matter
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        return _plain(loaded)
    except pickle.UnpicklingError as problem:
        message = "not a checkpoint, or one that holds more than tensors and plain values"
        raise ModelError(f"{os.fspath(path)}: {message}") from problem
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError) as problem:
        first = str(problem).split("\n", 1)[0]
        raise ModelError(f"{os.fspath(path)}: not a checkpoint: {first}") from problem


def _plain(value: Any) -> Any:
    if type(value) in (dict, OrderedDict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


class CheckpointWriter(Writer):
    """Gives torch the whole container at the end; arrays are stored as tensors."""

    whole = True

    def __init__(self, file: BinaryIO, *, count: int | None, metadata: Metadata) -> None:
        super().__init__(file, count=count, metadata=metadata)
        self._container: Any = {}
        try:
            import torch
        except ImportError as problem:
            raise TransferError(Code.UNSUPPORTED, _MISSING) from problem
        self._torch = torch

    def add(self, key: object, value: object) -> None:
        self._container[key] = value

    def take(self, container: object) -> None:
        """Write this container, whatever its kind."""
        self._container = container

    def finish(self) -> None:
        container, self._container = self._container, None
        self._torch.save(self._tensors(container), self._file)

    def _tensors(self, value: Any) -> Any:
        if type(value) is np.ndarray:
            return self._torch.from_numpy(value)
        if type(value) is dict:
            return {key: self._tensors(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(map(self._tensors, value))
        return value
