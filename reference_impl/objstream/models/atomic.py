"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO


class Replacement:
    """Takes the place of the file at `path` when `commit` is called; until then it has a temporary name beside it.

    As a context manager it discards itself at the end, unless committed.

    Args:
        path: the place.
        temporary: the name until then, in place of a random one; a file of that name is of no use to anybody any more.

    Attributes:
        file: what to write to.

    Raises:
        OSError: from every method that touches the disk, `commit` included.
    """

    def __init__(self, path: str | os.PathLike[str], temporary: Path | None = None) -> None:
        self.path = Path(path)
        random = self.path.parent / f".{self.path.name[:200]}.{secrets.token_hex(6)}.part"
        self._temporary = temporary or random
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        self.file: BinaryIO = open(self._temporary, "x+b")  # noqa: SIM115 - closed by commit and discard

    def commit(self, *, sync: bool = False) -> None:
        """Give the file its name; with `sync` it is on the disk by then."""
        self.file.flush()
        if sync:
            os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self._temporary, self.path)
        if sync:
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def discard(self) -> None:
        """Remove what has been written. Harmless after `commit`, and when called again."""
        with contextlib.suppress(OSError):
            self._temporary.unlink()
        if not self.file.closed:
            # What is still buffered must neither be written nor complained about.
            with contextlib.suppress(OSError):
                self.file.close()

    def __enter__(self) -> Replacement:
        return self

    def __exit__(self, *exception: object) -> None:
        self.discard()
