"""Files, chunk by chunk (spec chapter "Files")."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import Code, TransferError
from ..limits import KIB, MIB, Limits
from ..values import Label, Piece
from .base import Description, ObjectAssembler, ObjectStreamer

_SETTLED_NS = 20_000_000
_SYNC_EVERY = 64 * MIB
_LANDING = 512 * KIB
"""Stays in the cache from its arrival, over its digest, to the disk; a mebibyte takes a third more processor time."""


class FileStreamer(ObjectStreamer):
    """Streams a regular file.

    Args:
        path: the file; a symbolic link is followed.
        name: how error messages, and the peer, call it.
        chunk: bytes read, digested and sent at a time.
    """

    kind = "file"

    def __init__(self, path: str | os.PathLike[str], *, name: str = "file", chunk: int = MIB) -> None:
        super().__init__(name=name, chunk=chunk)
        self.path = os.fspath(path)
        self._fd = -1
        self._before: tuple[int, ...] = ()

    def entries(self) -> Iterator[tuple[Label, object]]:
        return iter(())

    def describe(self) -> Description:
        self.close()
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            state = os.fstat(self._fd)
        except FileNotFoundError as problem:
            raise TransferError(
                Code.NOT_FOUND, f"{self.name}: there is no such file", local=str(problem)
            ) from problem
        except OSError as problem:
            raise TransferError(
                Code.SOURCE_FAILED, f"{self.name}: the file cannot be opened", local=str(problem)
            ) from problem
        if not stat.S_ISREG(state.st_mode):
            raise TransferError(Code.UNSUPPORTED, f"{self.name}: not a regular file", local=self.path)
        self._before = _identity(state)
        _let_settle(state)
        return Description(self.kind, state.st_size, 0)

    def pieces(self, chunk: int) -> Iterator[Piece]:
        size = self._before[0]
        scratch = memoryview(bytearray(min(chunk, max(size, 1))))
        done = 0
        while done < size:
            count = os.preadv(self._fd, [scratch[: size - done]], done)
            if count == 0:
                break
            done += count
            yield Piece(Piece.DATA, scratch[:count])
        if done != size:
            raise TransferError(
                Code.SOURCE_CHANGED,
                f"{self.name}: the file shrank from {size} to {done} bytes while it was sent",
            )

    def validator(self) -> bytes:
        return hashlib.sha256(repr(self._before).encode()).digest()

    def confirm(self) -> None:
        after = _identity(os.fstat(self._fd))
        if after != self._before:
            raise TransferError(
                Code.SOURCE_CHANGED,
                f"{self.name}: the file changed while it was sent "
                f"({self._before[0]} bytes before, {after[0]} after)",
            )

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class FileAssembler(ObjectAssembler):
    """Receives a file.

    The content is written to a temporary file beside the final place, and appears there under its own name only
    when it is complete and verified.

    Args:
        path: where the file shall be; an existing file is replaced then.
        sync: let success wait until the file is on the disk (fsync), so that it survives a power cut.
        chunk: bytes received at a time.
        resume: keep what has arrived when the transfer fails, in a directory beside the final place, and go on with
            what is there.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, sync: bool = False, chunk: int = _LANDING, resume: bool = False
    ) -> None:
        self.path = Path(path)
        super().__init__(resume=kept_beside(self.path) if resume else None)
        self._sync = sync
        self._chunk = chunk
        self._fd = -1
        self._temporary: Path | None = None
        self._adopted: Path | None = None
        self._size: int | None = None
        self._limit = 0
        self._written = 0
        self._unsynced = 0
        self._scratch = memoryview(b"")

    def accepts(self, kind: str) -> bool:
        return kind == "file"

    def entry(self, value: object) -> None:
        raise TransferError(Code.PROTOCOL, "a file has no entries")

    def begin(self, description: Description, limits: Limits) -> None:
        self._size = description.size
        directory = self.path.parent
        free = _free_space(directory)
        if description.size is not None and description.size - self._written > free:
            raise TransferError(
                Code.STORE_FAILED,
                f"{description.size - self._written} bytes announced, the disk has {free} left",
                local=str(directory),
            )
        self._limit = limits.max_bytes if description.size is None else description.size
        temporary = self._adopted or directory / f".{secrets.token_hex(8)}.part"
        there = os.O_NOFOLLOW if self._adopted else os.O_EXCL
        self._fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | there | os.O_CLOEXEC, 0o666)
        self._temporary = temporary
        os.lseek(self._fd, self._written, os.SEEK_SET)
        self._scratch = memoryview(bytearray(max(1, min(self._chunk, self._limit))))

    def adopt(self, content: Path, size: int) -> bool:
        self._adopted, self._written = content, size
        return True

    def between(self) -> bool:
        return True

    def room(self) -> int:
        return self._limit - self._written

    def feed(self, skeleton: memoryview) -> None:
        raise TransferError(Code.PROTOCOL, "a file has no entries")

    def buffer(self) -> memoryview:
        return self._scratch

    def filled(self, count: int) -> None:
        view = self._scratch[:count]
        while len(view):
            view = view[os.write(self._fd, view) :]
        self._written += count
        self._unsynced += count
        if self._sync and self._unsynced >= _SYNC_EVERY:
            os.fsync(self._fd)
            self._unsynced = 0

    def check_complete(self) -> None:
        pass

    def finish(self) -> object:
        if self._sync:
            os.fsync(self._fd)
        fd, self._fd = self._fd, -1
        os.close(fd)
        return self.result()

    def result(self) -> object:
        assert self._temporary is not None
        os.replace(self._temporary, self.path)
        self._temporary = None
        if self._sync:
            _sync_directory(self.path.parent)
        return self.path

    def discard(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)
        temporary, self._temporary = self._temporary, None
        if temporary is not None and temporary != self._adopted:
            with contextlib.suppress(OSError):
                temporary.unlink()


def kept_beside(path: Path) -> Path:
    """The directory in which is kept what has arrived of a file that shall be at `path`."""
    return path.parent / f".{path.name[:200]}.resume"


def _identity(state: os.stat_result) -> tuple[int, ...]:
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev


def _let_settle(state: os.stat_result) -> None:
    """Wait until a later change must show in the time stamps, which are coarser than the clock."""
    age = time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns)
    if 0 <= age < _SETTLED_NS:
        time.sleep((_SETTLED_NS - age) / 1e9)


def _free_space(directory: Path) -> int:
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
