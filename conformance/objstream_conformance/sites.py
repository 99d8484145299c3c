"""Sites of the implementation under test, with every operation held to the contract."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .contract import Rejected, Site, Unsupported
from .extras import Moving
from .outcomes import AdapterError, Crash, Ending, Violation

Refusal = Rejected | TimeoutError
Verdicts = dict[str, Refusal | None]

PATIENCE = 2.0
"""Deadline in seconds for a small transfer that should succeed; only one that fails waits for it."""


class Party:
    """A site, as the cases see it; methods are those of :class:`~.contract.Site`."""

    def __init__(self, name: str, site: Site, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.raw = site

    def add_container(self, name: str, container: object) -> None:
        guard("add_container", lambda: self.raw.add_container(name, container))

    def add_file(self, name: str, path: Path) -> None:
        guard("add_file", lambda: self.raw.add_file(name, path))

    def retrieve_container(
        self, peer: str, name: str, *, timeout: float = PATIENCE, **extras: object
    ) -> object:
        """`extras` are keyword arguments of :mod:`.extras`."""
        operation: Any = self.raw.retrieve_container
        return guard("retrieve_container", lambda: operation(peer, name, timeout=timeout, **extras))

    def retrieve_file(self, peer: str, name: str, *, timeout: float = PATIENCE, **extras: object) -> Path:
        """As :meth:`retrieve_container`, for a file."""
        operation: Any = self.raw.retrieve_file
        found = guard("retrieve_file", lambda: operation(peer, name, timeout=timeout, **extras))
        if not isinstance(found, (str, Path)):
            raise AdapterError("retrieve_file to return a path", f"it returned a {type(found).__name__}")
        return self.inside(Path(found))

    def send_container(self, targets: list[str], container: object, *, timeout: float = PATIENCE) -> Verdicts:
        operation = self.raw.send_container
        return _verdicts(
            targets, guard("send_container", lambda: operation(targets, container, timeout=timeout))
        )

    def send_file(self, targets: list[str], path: Path, *, timeout: float = PATIENCE) -> Verdicts:
        return _verdicts(
            targets, guard("send_file", lambda: self.raw.send_file(targets, path, timeout=timeout))
        )

    def add_object(self, name: str, given: object) -> None:
        guard("add_object", lambda: self._own().add_object(name, given))

    def retrieve_object(self, peer: str, name: str, *, timeout: float = PATIENCE) -> object:
        return guard("retrieve_object", lambda: self._own().retrieve_object(peer, name, timeout=timeout))

    def send_object(self, targets: list[str], given: object, *, timeout: float = PATIENCE) -> Verdicts:
        operation = self._own().send_object
        return _verdicts(targets, guard("send_object", lambda: operation(targets, given, timeout=timeout)))

    def _own(self) -> Moving:
        if not isinstance(self.raw, Moving):
            raise AdapterError("a site to move objects of its own kind, as declared", "it lacks an operation")
        return self.raw

    def received(self) -> list[object]:
        return list(guard("received", self.raw.received))

    def extra(self, what: str, *arguments: object) -> Any:
        """Call a method of :mod:`.extras`."""
        method = getattr(self.raw, what, None)
        if method is None:
            raise AdapterError(f"a site to have {what}(), as its adapter declares", "it has no such method")
        return guard(what, lambda: method(*arguments))

    @property
    def process(self) -> int:
        """The number of the process in which the site does its work."""
        return getattr(self.raw, "process", os.getpid())

    def close(self) -> None:
        guard("close", self.raw.close)

    def files(self) -> dict[str, int]:
        """Everything in the site's directory: relative path to size in bytes."""
        found: dict[str, int] = {}
        for path in sorted(self.directory.rglob("*")):
            try:
                if not path.is_dir():
                    found[str(path.relative_to(self.directory))] = path.lstat().st_size
            except FileNotFoundError:  # removed while we were looking
                continue
        return found

    def inside(self, path: Path) -> Path:
        """The path itself, once it is known to be a file in the site's directory."""
        if self.directory.resolve() not in path.resolve().parents:
            raise Violation("the file received to be inside the site's directory", "it is outside")
        if not path.is_file():
            raise Violation("the path returned to be a file", "there is no file at that path")
        return path


def guard(what: str, operation: Callable[[], Any]) -> Any:
    """Run an operation of the implementation; whatever the contract does not allow it to raise is a crash.

    An adapter that watches over a process of its own may say itself how the case has ended.
    """
    try:
        return operation()
    except (Rejected, TimeoutError, Ending):
        raise
    except Unsupported as refusal:
        raise AdapterError(f"{what} to be offered, as declared", f"Unsupported: {refusal}") from refusal
    except Exception as error:
        trace = "".join(traceback.format_exception(error)[-4:])
        raise Crash(
            f"{what} to return, or to raise Rejected or TimeoutError",
            f"{type(error).__name__}: {error}",
            f"a crash is never a rejection; it came from:\n{trace}",
        ) from error


def _verdicts(targets: list[str], verdicts: object) -> Verdicts:
    if not isinstance(verdicts, dict) or set(verdicts) != set(targets):
        raise AdapterError(f"a verdict for each of {targets}", f"{verdicts!r}")
    for target, verdict in verdicts.items():
        if verdict is not None and not isinstance(verdict, (Rejected, TimeoutError)):
            observed = f"{type(verdict).__name__}: {verdict}"
            raise Crash(f"the verdict for {target} to be None, Rejected or TimeoutError", observed)
    return verdicts


def describe(refusal: BaseException) -> str:
    """One line about how an operation was refused."""
    if isinstance(refusal, Rejected):
        return f"rejected: {refusal.code + ': ' if refusal.code else ''}{refusal.message}"
    return f"timed out: {refusal}" if isinstance(refusal, TimeoutError) else repr(refusal)
