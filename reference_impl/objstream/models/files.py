"""Model files by their suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import TransferError
from ..values import paths
from . import checkpoint, npz, safetensors
from .atomic import Replacement
from .checkpoint import CheckpointWriter
from .formats import Metadata, ModelError, Writer


class Model(NamedTuple):
    """A model file in memory: its container, and the texts that belong to it as a whole (safetensors metadata)."""

    container: Any
    metadata: Metadata


class Format(NamedTuple):
    read: Callable[[str | os.PathLike[str], bool | None], Model]
    writer: type[Writer]


_CHECKPOINT = Format(lambda path, torch: Model(checkpoint.read(path), {}), CheckpointWriter)
FORMATS: dict[str, Format] = {
    ".safetensors": Format(
        lambda path, torch: Model(*safetensors.read(path, torch=torch)), safetensors.SafetensorsWriter
    ),
    ".npz": Format(lambda path, torch: Model(npz.read(path), {}), npz.NpzWriter),
    ".pt": _CHECKPOINT,
    ".pth": _CHECKPOINT,
}


def is_model(path: str | os.PathLike[str]) -> bool:
    """Whether the suffix is that of a model file."""
    return Path(path).suffix.lower() in FORMATS


def format_of(path: str | os.PathLike[str]) -> Format:
    try:
        return FORMATS[Path(path).suffix.lower()]
    except KeyError:
        raise ModelError(f"{os.fspath(path)}: model files end in {', '.join(FORMATS)}") from None


def load_model(path: str | os.PathLike[str], *, torch: bool | None = None) -> Model:
    """Load a model file; its arrays are mapped from the file wherever the format allows.

    The file must not be written to while they are in use; replacing it by another is harmless.

    Args:
        torch: safetensors become torch tensors, not numpy arrays; None: when torch is installed.

    Raises:
        ModelError: the file cannot be read as what its suffix says.
        OSError: it cannot be read at all.
    """
    return format_of(path).read(path, torch)


def save_model(container: Any, path: str | os.PathLike[str], *, metadata: Metadata | None = None) -> None:
    """Save a container as a model file, which appears only when it is complete.

    Args:
        container: a dict of arrays and tensors; for a checkpoint any container.
        metadata: texts kept in safetensors files.

    Raises:
        ModelError: the suffix is not that of a model file.
        TransferError: UNSUPPORTED, when the format does not hold an entry.
        OSError: it cannot be written.
    """
    make = format_of(path).writer
    with Replacement(path) as replacement:
        writer = make(replacement.file, count=len(container), metadata=metadata or {})
        try:
            if isinstance(writer, CheckpointWriter):
                writer.take(container)
            else:
                for key, value in container.items():
                    _add(writer, key, value)
            writer.finish()
        except BaseException:
            writer.abandon()
            raise
        replacement.commit()


def _add(writer: Writer, key: object, value: object) -> None:
    try:
        writer.add(key, value)
    except TransferError as problem:
        raise TransferError(problem.code, f"{paths.step(key)}: {problem.message}") from problem
