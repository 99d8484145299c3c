"""Operations beyond :class:`~.contract.Site`, each asked for only where its capability is declared.

A site has the methods and keyword arguments of the protocols below for the capabilities it declares. The
capability `chunk-size` means that the adapter's class takes a keyword argument `chunk_size`, in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


class Observing(Protocol):
    """Capability `observer`: `observer(key or index, value)` is called for each entry that has arrived."""

    def retrieve_container(
        self, peer: str, name: str, *, timeout: float, observer: Callable[[object, object], object]
    ) -> object: ...


class Filling(Protocol):
    """Capability `into`: the arrays of `into` receive the content, and `into` is returned."""

    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: object) -> object: ...


class Cancelling(Protocol):
    """Capability `cancel`: whatever the site is sending or receiving at the moment ends. Never raises."""

    def cancel(self) -> None: ...


class CancellingEnd(Protocol):
    """Capability `cancel` of an end of sessions: as :meth:`~.contract.WireEnd.eof`, when the application gives up."""

    def cancel(self) -> bytes: ...


class Explaining(Protocol):
    """An end of sessions may say for people why the last session has failed."""

    @property
    def reason(self) -> str: ...


class Elsewhere(Protocol):
    """A site that does its work in another process than the suite's says in which."""

    @property
    def process(self) -> int: ...


class Accounting(Protocol):
    """Capability `owner-verdict`: peer, name and verdict of each retrieval that has ended since the last call.

    The verdict is None when the retrieval was delivered.
    """

    def served(self) -> list[tuple[str, str, Exception | None]]: ...


class Registering(Protocol):
    """Capability `registry`: values of `cls` travel as `encode(value)` under a name such as `point@1`."""

    def register(
        self, cls: type, name: str, encode: Callable[[object], object], decode: Callable[[object], object]
    ) -> None: ...


class Rooted(Protocol):
    """Capability `root`: the files below a directory can be retrieved by their path relative to it."""

    def add_directory(self, path: Path) -> None: ...


class Multiple(Protocol):
    """Capability `retrievers`: another retriever on this site, with `add_container` and `retrieve_container`."""

    def another_retriever(self) -> object: ...


class Resuming(Protocol):
    """Capability `resume`: a retrieval with `resume` that fails keeps what it has verified, in its site's directory.

    The next one with `resume`, of the same name from the same peer, goes on from there, also at a site that was opened
    on that directory later. It starts from the beginning where nothing was kept, and for a container it may always.
    Without `resume` nothing is kept and nothing is looked for.

    With the capability `wire` as well, an owner and a sender answer a resume point, and a requester of a file takes the
    option `resume`: a directory in which it keeps, and finds, what ends before it have left.
    """

    def retrieve_container(self, peer: str, name: str, *, timeout: float, resume: bool) -> object: ...

    def retrieve_file(self, peer: str, name: str, *, timeout: float, resume: bool) -> str: ...


@dataclass(frozen=True)
class Sample:
    """An object of the implementation's own kind.

    Attributes:
        given: what a site takes, to offer it or to send it.
        content: what the object holds, as a value of the model.
        read: the content of what a site has received, the result of a retrieval or an element of `received()`.
    """

    given: object
    content: object
    read: Callable[[Any], object]


@runtime_checkable
class Sampling(Protocol):
    """Capability `own`: the adapter, not a site, makes objects, and sites move them as :class:`Moving` says.

    `size` is about how many bytes of content an object has; of size 0 it is the smallest that there is. The same size
    gives an equal object.
    """

    def sample(self, size: int) -> Sample: ...


@runtime_checkable
class Serving(Protocol):
    """Capability `served`: the adapter knows all objects that the server has to have."""

    def samples(self) -> list[Sample]: ...


@runtime_checkable
class Moving(Protocol):
    """Capability `own`: as the operations of :class:`~.contract.Site` for containers.

    What belongs to a pull or a push that is not declared raises :class:`~.contract.Unsupported`.
    """

    def add_object(self, name: str, given: object) -> None: ...

    def retrieve_object(self, peer: str, name: str, *, timeout: float) -> object: ...

    def send_object(
        self, targets: list[str], given: object, *, timeout: float
    ) -> dict[str, Exception | None]: ...
