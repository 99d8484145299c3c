"""Model files as what is streamed: mapped at the sender, written entry by entry at the receiver."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import Code, TransferError
from ..limits import MIB, Limits
from ..streamers import ContainerAssembler, ContainerStreamer, Description, kept_beside
from .atomic import Replacement
from .checkpoint import CheckpointWriter
from .files import Model, format_of, load_model
from .formats import Metadata, Writer

ATTRIBUTE = "metadata"
"""The attribute of a transfer that carries the metadata of a safetensors file: a map of texts."""

MAX_METADATA = 2048


class ModelStreamer(ContainerStreamer):
    """Streams a model, its metadata in the attributes of the transfer as long as it is small."""

    def __init__(
        self, model: Model, *, name: str = "model", chunk: int = MIB, limits: Limits | None = None
    ) -> None:
        super().__init__(model.container, name=name, chunk=chunk, limits=limits)
        self._metadata = model.metadata if metadata_fits(model.metadata) else {}

    def describe(self) -> Description:
        described = super().describe()
        if not self._metadata:
            return described
        return dataclasses.replace(described, attributes={ATTRIBUTE: dict(self._metadata)})


def metadata_fits(metadata: Metadata) -> bool:
    """Whether this metadata is small enough to travel with the model."""
    return sum(len(key.encode()) + len(text.encode()) + 10 for key, text in metadata.items()) <= MAX_METADATA


class ModelFile:
    """A model file that is offered: loaded once, and again when another file has taken its place.

    Args:
        torch: see `load_model`.

    Raises:
        ModelError, OSError: as `load_model`.
    """

    def __init__(self, path: str | os.PathLike[str], *, torch: bool | None = None) -> None:
        self.path = Path(path)
        self._torch = torch
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._model = self.model()

    def model(self) -> Model:
        """The model as it is in the file now. Raises ModelError or OSError when it cannot be read any more."""
        with self._lock:
            state = os.stat(self.path)
            stamp = state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns
            if stamp != self._stamp:
                self._model = load_model(self.path, torch=self._torch)
                self._stamp = stamp
            return self._model


class ModelAssembler(ContainerAssembler):
    """Receives a container into a model file.

    Each entry is written as it arrives and then let go (only a checkpoint has to be whole in memory first); the file
    appears under its name when all is complete and verified. The result is its path.

    Args:
        path: where the file shall be; the suffix chooses the format, an existing file is replaced.
        sync: let success wait until the file is on the disk.
        resume: keep the entries that have arrived when the transfer fails, in a directory beside the final place, and
            go on with what is there.

    Raises:
        ModelError: the suffix is not that of a model file.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = False, resume: bool = False) -> None:
        self.path = Path(path)
        self._make = format_of(path).writer
        self._sync = sync
        self._part: Path | None = None
        self._replacement: Replacement | None = None
        self._writer: Writer | None = None
        super().__init__(
            observe=None if self._make.whole else self._add,
            keep=self._make.whole,
            resume=kept_beside(self.path) if resume else None,
        )

    def adopt(self, content: Path, size: int) -> bool:
        self._part = content.with_suffix(".part")
        return super().adopt(content, size)

    def begin(self, description: Description, limits: Limits) -> None:
        if description.kind != "dict" and not self._make.whole:
            raise TransferError(
                Code.MISMATCH, f"a {description.kind} arrives, {self.path.suffix} files hold a dict of arrays"
            )
        if self._make.whole:  # in memory first, whatever the disk may hold
            limits = dataclasses.replace(limits, max_bytes=min(limits.max_bytes, Limits().max_bytes))
        super().begin(description, limits)
        _check_space(self.path.parent, description.size or 0)
        told = description.attributes.get(ATTRIBUTE)
        metadata = {
            key: text
            for key, text in (told.items() if isinstance(told, dict) else ())
            if isinstance(key, str) and isinstance(text, str)
        }
        self._replacement = Replacement(self.path, self._part)
        self._writer = self._make(self._replacement.file, count=description.count, metadata=metadata)

    def result(self) -> object:
        assert self._writer is not None
        assert self._replacement is not None
        container = super().result()
        if isinstance(self._writer, CheckpointWriter):
            self._writer.take(container)
        with _storing():
            self._writer.finish()
            self._replacement.commit(sync=self._sync)
        return self.path

    def discard(self) -> None:
        super().discard()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()
        replacement, self._replacement = self._replacement, None
        if replacement is not None:
            replacement.discard()

    def _add(self, value: object) -> None:
        assert self._writer is not None
        assert isinstance(value, tuple)
        with _storing():
            self._writer.add(*value)


def _check_space(directory: Path, size: int) -> None:
    state = os.statvfs(directory)
    free = state.f_bavail * state.f_frsize
    if size > free:
        raise TransferError(
            Code.STORE_FAILED, f"{size} bytes announced, the disk has {free} left", local=str(directory)
        )


@contextlib.contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise TransferError(Code.STORE_FAILED, "the file cannot be written", local=str(problem)) from problem
