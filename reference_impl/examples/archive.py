"""A streamer of one's own: zip archives, member by member, so that neither side unpacks one or holds it in memory.

    objstream check --streamer reference_impl/examples/archive.py:ArchiveStreamer

What arrives is an archive with the same members in the same order; the bytes of the file itself, such as how well it is
compressed, are the receiver's. An entry is a tuple for the beginning of a member, and then bytes, a chunk at a time.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from objstream import Code, Description, Limits, ObjectAssembler, ObjectStreamer, Sample, TransferError
from objstream.values import Label

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ArchiveStreamer(ObjectStreamer):
    """Streams the zip archive at `path`."""

    kind = "x-archive"

    def __init__(self, path: str | os.PathLike[str], *, name: str = "archive") -> None:
        super().__init__(name=name)
        self._path = Path(path)
        self._archive: zipfile.ZipFile | None = None
        self._before: tuple[int, ...] = ()

    def describe(self) -> Description:
        try:
            self._archive = zipfile.ZipFile(self._path)
        except (OSError, zipfile.BadZipFile) as problem:
            code = Code.NOT_FOUND if isinstance(problem, FileNotFoundError) else Code.SOURCE_FAILED
            raise TransferError(code, f"{self.name}: no archive to read", local=str(problem)) from problem
        for member in self._archive.infolist():
            if member.compress_type not in METHODS:
                raise TransferError(
                    Code.UNSUPPORTED, f"{self.name}[{member.filename!r}]: compressed in an unusual way"
                )
        self._before = self._state()
        return Description(self.kind)

    def entries(self) -> Iterator[tuple[Label, object]]:
        assert self._archive is not None
        for member in self._archive.infolist():
            label = (self.name, member.filename)
            yield label, (member.filename, member.date_time, member.compress_type)
            with self._archive.open(member) as content:
                while block := content.read(self.chunk):
                    yield label, block

    def confirm(self) -> None:
        if self._state() != self._before:
            raise TransferError(Code.SOURCE_CHANGED, f"{self.name}: the archive changed while it was sent")

    def close(self) -> None:
        archive, self._archive = self._archive, None
        if archive is not None:
            archive.close()

    def _state(self) -> tuple[int, ...]:
        state = self._path.stat()
        return state.st_size, state.st_mtime_ns, state.st_ino

    @classmethod
    def sample(cls, size: int) -> Sample:
        content = {f"member-{number}": data for number, data in enumerate(_cut(random.Random(size), size))}
        folder = tempfile.TemporaryDirectory(prefix="archive-")
        path = Path(folder.name) / "sample.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)

        def streamer(folder: object = folder) -> ObjectStreamer:  # the folder lives as long as the sample
            return cls(path)

        return Sample(
            streamer, lambda store: ArchiveAssembler(store / secrets.token_hex(8)), content, _members
        )


class ArchiveAssembler(ObjectAssembler):
    """Receives an archive; the file at `path` is there only when it is complete."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path = Path(path)
        self._temporary: Path | None = None
        self._archive: zipfile.ZipFile | None = None
        self._member: IO[bytes] | None = None

    def accepts(self, kind: str) -> bool:
        return kind == ArchiveStreamer.kind

    def begin(self, description: Description, limits: Limits) -> None:
        super().begin(description, limits)
        self._temporary = self._path.with_name(f".{secrets.token_hex(8)}.part")
        self._archive = zipfile.ZipFile(self._temporary, "x")

    def entry(self, value: object) -> None:
        assert self._archive is not None
        if isinstance(value, bytes) and self._member is not None:
            self._member.write(value)
            return
        match value:
            case (str(name), (int(), int(), int(), int(), int(), int()) as date, int(method)) if (
                method in METHODS
            ):
                self._close_member()
                info = zipfile.ZipInfo(name, tuple(date))  # type: ignore[arg-type]
                info.compress_type = method
                self._member = self._archive.open(info, "w", force_zip64=True)
            case _:
                raise TransferError(Code.PROTOCOL, f"entry {self.count}: neither a member nor its content")

    def result(self) -> object:
        assert self._archive is not None
        assert self._temporary is not None
        self._close_member()
        self._archive.close()
        os.replace(self._temporary, self._path)
        self._archive = self._temporary = None
        return self._path

    def discard(self) -> None:
        archive, self._archive = self._archive, None
        temporary, self._temporary = self._temporary, None
        if archive is not None:
            with contextlib.suppress(OSError, ValueError):
                self._close_member()
                archive.close()
        if temporary is not None:
            temporary.unlink(missing_ok=True)

    def _close_member(self) -> None:
        member, self._member = self._member, None
        if member is not None:
            member.close()


def _cut(source: random.Random, size: int) -> Iterator[bytes]:
    """So many random bytes, in three parts of different lengths."""
    if size:
        yield source.randbytes(size // 2)
        yield b""
        yield source.randbytes(size - size // 2)


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}
