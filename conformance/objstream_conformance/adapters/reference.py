"""The reference implementation as the suite sees it: sites in memory, and sites over sockets."""

from __future__ import annotations

import hashlib
import itertools
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import objstream
from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileRetriever,
    FileStreamer,
    MemoryNetwork,
    ObjectAssembler,
    ObjectRetriever,
    ObjectStreamer,
    Options,
    Outcome,
    Registry,
    Request,
    Sample,
    TransferError,
)
from objstream.limits import KIB, MIB

from .. import extras
from ..contract import ROLES, Description, Network, Rejected, Role
from ..network import Network as SuiteNetwork
from .proxy import Exchange
from .records import RecordsStreamer
from .wire import ReferenceEnd

CAPABILITIES = frozenset(
    {"container", "file", "push", "pull", "multi-target", "owner-verdict", "cancel", "into", "observer"}
    | {"deadline", "chunk-size", "registry", "root", "memory", "numpy", "resume", "retrievers", "own", "wire"}
)
SERVED = 32
"""Verdicts of retrievals that are kept for `served`."""
PATIENT = Options(deadline=30.0)
COUPLED = Options(deadline=30.0, window=560 * KIB)
"""The sender stays close to its receiver, so that what a case does at a message happens while the source is read."""


class ReferenceAdapter:
    """`objstream` with its memory engine, whose clock is virtual: what fails by its deadline does so at once."""

    name = "reference"
    own: type[ObjectStreamer] = RecordsStreamer

    def __init__(self, chunk_size: int = MIB) -> None:
        self._chunk = chunk_size
        self._networks: weakref.WeakKeyDictionary[Network, MemoryNetwork] = weakref.WeakKeyDictionary()

    def describe(self) -> Description:
        return Description(self.name, objstream.__version__, ROLES, CAPABILITIES | _tensors())

    def site(self, name: str, network: Network, directory: Path) -> ReferenceSite:
        if network not in self._networks:
            self._networks[network] = memory = MemoryNetwork(network.carry)
            if isinstance(network, SuiteNetwork):
                network.sleep = memory.advance
        site = self._networks[network].site(name, PATIENT)
        return ReferenceSite(site, directory, self._chunk, self.own, lambda peer: peer)

    def sample(self, size: int) -> extras.Sample:
        sample = self.own.sample(size)
        return extras.Sample(sample, sample.content, sample.read)

    def wire(self, role: Role, name: str, value: object = None, **options: Any) -> ReferenceEnd:
        return ReferenceEnd(role, name, value, **options)


class SocketAdapter(ReferenceAdapter):
    """`objstream` with its socket engine, over loopback connections that lead through the suite's network."""

    name = "reference-socket"

    def __init__(self, chunk_size: int = MIB) -> None:
        super().__init__(chunk_size)
        self._exchanges: weakref.WeakKeyDictionary[Network, Exchange] = weakref.WeakKeyDictionary()

    def site(self, name: str, network: Network, directory: Path) -> ReferenceSite:
        if network not in self._exchanges:
            self._exchanges[network] = Exchange(network)
        exchange = self._exchanges[network]
        site = objstream.SocketSite("tcp://127.0.0.1:0", COUPLED)
        exchange.enter(name, site.address)
        return ReferenceSite(
            site,
            directory,
            self._chunk,
            self.own,
            lambda peer: exchange.route(name, peer),
            lambda: exchange.leave(name),
        )


class ReferenceSite:
    """One site with its retrievers; `own` is its own kind, `route` gives the address of a peer by its name."""

    def __init__(
        self,
        site: objstream.Site,
        directory: Path,
        chunk: int,
        own: type[ObjectStreamer],
        route: Callable[[str], str],
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._site = site
        self._directory = directory
        self._chunk = chunk
        self._own = own
        self._route = route
        self._leave = leave
        self._registry = Registry()
        self._received: list[object] = []
        self._served: deque[tuple[str, str, Exception | None]] = deque(maxlen=SERVED)
        self._numbers = itertools.count(1)
        self._containers = ContainerRetriever(site, chunk=chunk, registry=self._registry)
        self._files = FileRetriever(site, directory=directory, chunk=chunk)
        self._objects = _Objects(site, own)
        site.accept(self._accept)
        site.watch(self._watch)

    def add_container(self, name: str, container: object) -> None:
        with Refusals():
            self._containers.add_container(name, container)

    def add_file(self, name: str, path: Path) -> None:
        self._files.add_file(name, path)

    def add_directory(self, path: Path) -> None:
        FileRetriever(self._site, root=path, directory=self._directory, chunk=self._chunk)

    def another_retriever(self) -> ReferenceSite:
        return ReferenceSite(self._site, self._directory, self._chunk, self._own, self._route)

    def register(
        self, cls: type, name: str, encode: Callable[[object], object], decode: Callable[[object], object]
    ) -> None:
        self._registry.register(cls, name, encode, decode)

    def retrieve_container(
        self,
        peer: str,
        name: str,
        *,
        timeout: float,
        into: Any = None,
        observer: Callable[[object, object], object] | None = None,
        resume: bool = False,
    ) -> object:
        observe = None if observer is None else entry_observer(observer)
        with Refusals():
            return self._containers.retrieve_container(
                self._route(peer),
                name,
                into=into,
                observe=observe,
                resume=self._directory / f"kept-{_label(peer)}" if resume else None,
                options=self._options(timeout),
            )

    def retrieve_file(self, peer: str, name: str, *, timeout: float, resume: bool = False) -> str:
        label = _label(peer, name) if resume else next(self._numbers)
        to = self._directory / f"retrieved-{label}"
        with Refusals():
            return str(
                self._files.retrieve_file(
                    self._route(peer), name, to=to, resume=resume, options=self._options(timeout)
                )
            )

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        with Refusals():
            streamer = ContainerStreamer(container, chunk=self._chunk, registry=self._registry)
            return self._push(targets, streamer, timeout)

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        with Refusals():
            return self._push(targets, FileStreamer(path, chunk=self._chunk), timeout)

    def add_object(self, name: str, given: Any) -> None:
        self._objects.offered[name] = given

    def retrieve_object(self, peer: str, name: str, *, timeout: float) -> object:
        with Refusals():
            assembler = self._objects.assembler(self._directory)
            return self._objects.retrieve(self._route(peer), name, assembler, self._options(timeout))

    def send_object(self, targets: list[str], given: Any, *, timeout: float) -> dict[str, Exception | None]:
        with Refusals():
            return self._push(targets, given.streamer(), timeout)

    def received(self) -> list[object]:
        return list(self._received)

    def served(self) -> list[tuple[str, str, Exception | None]]:
        ended = list(self._served)
        self._served.clear()
        return ended

    def cancel(self) -> None:
        self._site.cancel()

    def close(self) -> None:
        self._site.close()
        self._leave()

    def _options(self, timeout: float) -> Options:
        return replace(self._site.options, deadline=timeout)

    def _push(
        self, targets: list[str], streamer: objstream.ObjectStreamer, timeout: float
    ) -> dict[str, Exception | None]:
        routes = {target: self._route(target) for target in targets}
        outcomes = self._site.push(routes.values(), streamer, self._options(timeout))
        return {target: translated(outcomes[route].error) for target, route in routes.items()}

    def _accept(self, offer: Request) -> ObjectAssembler:
        if offer.kind == "file":
            return FileAssembler(self._directory / f"received-{next(self._numbers)}", chunk=self._chunk)
        if offer.kind == self._objects.kind:
            return self._objects.assembler(self._directory)
        return ContainerAssembler(registry=self._registry)

    def _watch(self, request: Request, outcome: Outcome) -> None:
        if not request.offered:
            self._served.append((request.peer, request.name, translated(outcome.error)))
        elif outcome.delivered:
            self._received.append(outcome.result)


class _Objects(ObjectRetriever):
    """Samples of one kind by their names."""

    def __init__(self, site: objstream.Site, own: type[ObjectStreamer]) -> None:
        self.kind = own.kind
        self.offered: dict[str, Sample] = {}
        self._own = own
        super().__init__(site)

    def streamer(self, request: Request) -> ObjectStreamer | None:
        sample = self.offered.get(request.name)
        return None if sample is None else sample.streamer()

    def assembler(self, directory: Path) -> ObjectAssembler:
        return self._own.sample(0).assembler(directory)


class Refusals:
    """Within, the implementation's one documented error becomes the contract's."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, TransferError):
            translation = translated(problem)
            assert translation is not None
            raise translation from problem


def translated(error: TransferError | None) -> Exception | None:
    """The contract's exception for an error of the implementation."""
    if error is None:
        return None
    if error.code is Code.STALLED:
        return TimeoutError(str(error))
    return Rejected(str(error), error.code.name)


def _label(*names: str) -> str:
    """A name for a file, the same every time."""
    return hashlib.sha256(repr(names).encode()).hexdigest()[:16]


def entry_observer(observer: Callable[[object, object], object]) -> Callable[[object], None]:
    numbers = itertools.count()

    def observe(entry: object) -> None:
        if isinstance(entry, tuple) and len(entry) == 2:
            observer(*entry)
        else:
            observer(next(numbers), entry)

    return observe


def _tensors() -> frozenset[str]:
    try:
        import torch  # noqa: F401
    except ImportError:
        return frozenset()
    return frozenset({"tensors"})
