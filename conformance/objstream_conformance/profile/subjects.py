"""Implementations whose memory can be measured: sites that other processes reach by an address."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import objstream
from objstream import (
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileRetriever,
    FileStreamer,
    ObjectAssembler,
    Options,
    Outcome,
    Request,
    SocketSite,
)

from ..contract import ROLES, Description, Site
from ..locate import load_adapter
from .foreign import Foreign
from .scenarios import BOTH, SIDES, Role, Scenario
from .together import Pair, Together

CAPABILITIES = frozenset(
    {"container", "file", "push", "pull", "multi-target", "cancel", "into", "chunk-size", "tensors"}
)


BUILT_IN = ("reference", "reference-memory", "objstream-flare", "nvflare")


class Endpoint(Site, Protocol):
    """A site whose peers are named by their addresses. `into` and `cancel` where those capabilities are declared."""

    address: str
    """Where it listens, as its peers write it."""


@runtime_checkable
class Subject(Protocol):
    """An implementation that can be measured; an adapter becomes one by the method `listen`.

    Where receivers must connect before anything is sent, there is a method `join` as well, with the arguments of
    `listen`, and the sender's address in place of `url`. An attribute `scales` maps names of scenarios that take it
    very long to a number by which their default sizes are divided.
    """

    def describe(self) -> Description: ...

    def listen(self, url: str, directory: Path, chunk: int) -> Endpoint:
        """Open a site that listens at `url`, sends pieces of `chunk` bytes and puts files into `directory`."""
        ...


@functools.cache
def load(selector: str) -> Subject | Together | Foreign:
    """What a selector stands for: one of `BUILT_IN`, a testee, or an adapter that :func:`..locate.load_adapter` knows.

    Raises:
        LookupError: there is none, or it has neither a method `listen` nor sites.
    """
    if selector == "reference":
        return ReferenceSubject()
    if selector in ("nvflare", "objstream-flare"):
        try:
            from .cells import CellSubject, OwnCellSubject
        except ImportError as error:
            raise LookupError(f"{selector} cannot be measured here: {error}") from error
        return CellSubject() if selector == "nvflare" else OwnCellSubject()
    if selector == "reference-memory":
        return Together(load_adapter("reference"), selector)
    way, _, command = selector.partition(":")
    if way == "testee":
        return Foreign(command)
    found = load_adapter(selector)
    if isinstance(found, Subject):
        return found
    if not callable(getattr(found, "site", None)):
        raise LookupError(
            f"{selector} cannot be measured: its class has neither a method listen(url, directory, chunk) nor site"
        )
    return Together(found)


def sides(subject: Subject | Together | Foreign) -> Sequence[Role]:
    """In which processes it is measured."""
    return BOTH if isinstance(subject, Together) else SIDES


def scale(subject: Subject | Together | Foreign, scenario: Scenario) -> int:
    """The number by which default sizes are divided."""
    if isinstance(subject, Foreign):
        return max(scenario.scale, subject.scale)
    slow: Mapping[str, int] = getattr(subject, "scales", {})
    return scenario.scale * slow.get(scenario.name, 1)


def opened(
    subject: Subject | Together | Foreign,
    side: Role,
    url: str,
    sender: str,
    directory: Path,
    scenario: Scenario,
) -> Endpoint | Pair:
    """The site that is that side of a scenario, or for both sides what stands for their sites."""
    if isinstance(subject, Together):
        return subject.pair(directory, scenario.chunk, scenario.targets)
    assert not isinstance(subject, Foreign), "it is measured from outside"
    join: Callable[[str, Path, int], Endpoint] | None = getattr(subject, "join", None)
    if side == "receiver" and join is not None:
        return join(sender, directory, scenario.chunk)
    return subject.listen(url, directory, scenario.chunk)


class ReferenceEndpoint:
    """A site of `objstream` that keeps nothing but what it was given and what was pushed to it.

    A subclass may bring other retrievers and assemblers.
    """

    containers: type[ContainerRetriever] = ContainerRetriever
    files: type[FileRetriever] = FileRetriever

    def __init__(self, site: SocketSite, directory: Path, chunk: int) -> None:
        self.address = site.address
        self._site = site
        self._directory = directory
        self._chunk = chunk
        self._received: list[object] = []
        self._numbers = itertools.count(1)
        self._containers = self.containers(site, chunk=chunk)
        self._files = self.files(site, chunk=chunk)
        site.accept(self._accept)
        site.watch(self._watch)

    def add_container(self, name: str, container: object) -> None:
        self._containers.add_container(name, container)

    def add_file(self, name: str, path: Path) -> None:
        self._files.add_file(name, path)

    def retrieve_container(self, peer: str, name: str, *, timeout: float, into: Any = None) -> object:
        return self._containers.retrieve(
            peer, name, self.container_assembler(into), Options(deadline=timeout)
        )

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> str:
        return str(self._files.retrieve(peer, name, self.file_assembler(), Options(deadline=timeout)))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return self._push(targets, ContainerStreamer(container, chunk=self._chunk), timeout)

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        return self._push(targets, FileStreamer(path, chunk=self._chunk), timeout)

    def received(self) -> list[object]:
        return self._received

    def cancel(self) -> None:
        self._site.cancel()

    def close(self) -> None:
        self._site.close()

    def container_assembler(self, into: Any = None) -> ContainerAssembler:
        return ContainerAssembler(into=into)

    def file_assembler(self) -> FileAssembler:
        return FileAssembler(self._directory / f"received-{next(self._numbers)}", chunk=self._chunk)

    def _push(
        self, targets: list[str], streamer: objstream.ObjectStreamer, timeout: float
    ) -> dict[str, Exception | None]:
        outcomes = self._site.push(targets, streamer, Options(deadline=timeout))
        return {target: outcome.error for target, outcome in outcomes.items()}

    def _accept(self, offer: Request) -> ObjectAssembler:
        return self.file_assembler() if offer.kind == "file" else self.container_assembler()

    def _watch(self, request: Request, outcome: Outcome) -> None:
        if request.offered and outcome.delivered:
            self._received.append(outcome.result)


class ReferenceSubject:
    """`objstream` over sockets."""

    name = "reference"
    endpoint = ReferenceEndpoint

    def describe(self) -> Description:
        return Description(self.name, objstream.__version__, ROLES, CAPABILITIES)

    def listen(self, url: str, directory: Path, chunk: int) -> ReferenceEndpoint:
        return self.endpoint(SocketSite(url), directory, chunk)
