"""Retrievers: one site asks another for a named object (spec chapter "Retrieval")."""

from __future__ import annotations

import os
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .limits import MIB
from .site import Options, Request, Site
from .streamers import (
    ContainerAssembler,
    ContainerStreamer,
    FileAssembler,
    FileStreamer,
    ObjectAssembler,
    ObjectStreamer,
)
from .values import Registry


class ObjectRetriever(ABC):
    """Gives objects of one kind under names, and asks other sites for theirs.

    A site may have several; a request goes to the first that knows its kind and name.

    Args:
        site: the site on whose behalf it works.

    Attributes:
        kind: what requests are for: "container", "file", or an application kind "x-NAME".
    """

    kind: str

    def __init__(self, site: Site) -> None:
        self.site = site
        site.provide(self._provide)

    @abstractmethod
    def streamer(self, request: Request) -> ObjectStreamer | None:
        """The streamer for a requested object of this retriever's kind; None when the name is not known here.

        Raises:
            TransferError: to refuse; code and message go to the peer.
        """

    def retrieve(
        self, peer: str, name: str, assembler: ObjectAssembler, options: Options | None = None
    ) -> object:
        """Ask `peer` for an object and wait for it.

        Raises:
            TransferError: the object was not delivered; the code says why.
        """
        return self.site.pull(peer, self.kind, name, assembler, options)

    def _provide(self, request: Request) -> ObjectStreamer | None:
        return self.streamer(request) if request.kind == self.kind else None


class ContainerRetriever(ObjectRetriever):
    """Retrieves containers by name.

    Args:
        site: the site on whose behalf it works.
        chunk: the largest piece in which containers are sent, in bytes.
        registry: application types that may be in containers, either way.
    """

    kind = "container"

    def __init__(self, site: Site, *, chunk: int = MIB, registry: Registry | None = None) -> None:
        self._chunk = chunk
        self._registry = registry
        self._containers: dict[str, object] = {}
        self._lock = threading.Lock()
        super().__init__(site)

    def add_container(self, name: str, container: object) -> None:
        """Let peers retrieve `container` under `name`, in place of what had the name before.

        Raises:
            TransferError: UNSUPPORTED, when it is no dict, list, tuple, set or frozenset.
        """
        self._streamer(name, container)
        with self._lock:
            self._containers[name] = container

    def remove_container(self, name: str) -> None:
        """Take the container back; transfers that have begun go on. Raises KeyError for an unknown name."""
        with self._lock:
            del self._containers[name]

    def retrieve_container(
        self,
        peer: str,
        name: str,
        *,
        into: dict[Any, Any] | list[Any] | None = None,
        observe: Callable[[object], None] | None = None,
        resume: str | os.PathLike[str] | None = None,
        options: Options | None = None,
    ) -> Any:
        """Retrieve the container called `name` from `peer`.

        Args:
            into: fill the arrays and tensors of this dict or list in place instead of making new ones.
            observe: called with each entry (a value, or a pair of key and value) as it arrives.
            resume: a directory, made when it is missing, in which the entries that have arrived are kept as long as the
                retrieval does not succeed; the next one with the same directory goes on from there, also after this
                process or the peer was killed. SOURCE_CHANGED says that the peer has another container by now: what was
                kept is removed then. One directory serves any number of names, but not two peers that use the same.

        Returns:
            the container, or `into`.

        Raises:
            TransferError: the container was not delivered; the code says why.
        """
        assembler = ContainerAssembler(into=into, observe=observe, registry=self._registry, resume=resume)
        return self.retrieve(peer, name, assembler, options)

    def streamer(self, request: Request) -> ObjectStreamer | None:
        with self._lock:
            if request.name not in self._containers:
                return None
            container = self._containers[request.name]
        return self._streamer(request.name, container)

    def _streamer(self, name: str, container: object) -> ContainerStreamer:
        return ContainerStreamer(
            container, name=name, chunk=self._chunk, registry=self._registry, limits=self.site.options.limits
        )


class FileRetriever(ObjectRetriever):
    """Retrieves files by name.

    Args:
        site: the site on whose behalf it works.
        root: files below this directory can be retrieved by their relative path; None: only those that are added.
        directory: where retrieved files are put.
        chunk: bytes sent at a time.
        sync: let a retrieval wait until its file is on the disk.
    """

    kind = "file"

    def __init__(
        self,
        site: Site,
        *,
        root: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] = ".",
        chunk: int = MIB,
        sync: bool = False,
    ) -> None:
        self._root = None if root is None else Path(root).resolve(strict=True)
        self._directory = Path(directory)
        self._chunk = chunk
        self._sync = sync
        self._files: dict[str, str] = {}
        self._lock = threading.Lock()
        super().__init__(site)

    def add_file(self, name: str, path: str | os.PathLike[str]) -> None:
        """Let peers retrieve the file at `path` under `name`; it is opened when it is asked for.

        Raises:
            FileNotFoundError: there is no such file now.
        """
        os.stat(path)
        with self._lock:
            self._files[name] = os.path.abspath(path)

    def remove_file(self, name: str) -> None:
        """Take the file back; transfers that have begun go on. Raises KeyError for an unknown name."""
        with self._lock:
            del self._files[name]

    def retrieve_file(
        self,
        peer: str,
        name: str,
        *,
        to: str | os.PathLike[str] | None = None,
        resume: bool = False,
        options: Options | None = None,
    ) -> Path:
        """Retrieve the file called `name` from `peer`.

        Args:
            to: where to put it; by default into the retriever's directory, under the last part of `name`.
            resume: keep what has arrived when the retrieval fails, in a hidden directory beside the final place, and go
                on from what is there, also after this process or the peer was killed. SOURCE_CHANGED says that the file
                is another one by now: what was kept is removed then.

        Returns:
            where it is; it is there only when complete and verified.

        Raises:
            TransferError: the file was not delivered, and nothing is left of it but what is kept to be resumed.
            ValueError: `to` is not given and `name` does not end in a file name.
        """
        path = self._directory / _last_part(name) if to is None else Path(to)
        assembler = FileAssembler(path, sync=self._sync, resume=resume)
        self.retrieve(peer, name, assembler, options)
        return path

    def streamer(self, request: Request) -> ObjectStreamer | None:
        with self._lock:
            path = self._files.get(request.name)
        if path is None:
            path = None if self._root is None else below(self._root, request.name)
        if path is None:
            return None
        return FileStreamer(path, name=request.name, chunk=self._chunk)


def _last_part(name: str) -> str:
    part = name.rsplit("/", 1)[-1]
    if part in ("", ".", "..") or "\0" in part or os.sep in part:
        raise ValueError(f"{name!r} does not end in a file name: say where to put the file (to=...)")
    return part


def below(root: Path, name: str) -> str | None:
    """The path of a regular file below root, no link followed on the way out of it; None for everything else."""
    if not name or "\0" in name or name.startswith("/") or ".." in name.split("/"):
        return None
    try:
        path = (root / name).resolve(strict=True)
        mode = path.stat().st_mode
    except (OSError, RuntimeError, ValueError):
        return None
    return str(path) if path.is_relative_to(root) and stat.S_ISREG(mode) else None
