"""Sites that the suite builds out of ends of sessions, so that whoever has ends is asked about all that they do.

What is asked for at a site is done by the ends: they find the object, or not, take it apart, carry it, verify it, give
up in time and say how it ended. What a site does beside them (keeping names and sessions apart, one target beside the
other, telling a late message from a new one) is done here, and shows nothing about the implementation: such cases need
the capability `sites`, which these do not have.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import os
import shutil
import unicodedata
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from ..contract import CAPABILITIES, Description, Network, Rejected, Role, Unsupported, WireAdapter, WireEnd
from ..notation import Application, application
from ..outcomes import AdapterError
from .switchboard import Half, Switchboard

BY_ROLES: Final = {
    "pull": frozenset({"owner", "requester"}),
    "push": frozenset({"sender", "receiver"}),
}
OF_ENDS: Final = frozenset(
    {"wire", "container", "file", "numpy", "tensors", "registry", "resume", "cancel", "disk", "unlisted"}
)
"""Capabilities that ends can have; of the others, the suite's sites have what `described` adds."""
WINDOW: Final = {"container": 512 << 10, "file": 2 << 20}
"""Bytes that a sender may be ahead: little, so that what happens at a message happens while content is still to be
sent; for files more than the largest chunk that is allowed by default, so that the window does not see to that."""
SERVED: Final = 32

Registration = tuple[type, Callable[[Any], object], Callable[[Any], object]]


def described(name: str, version: str, roles: Iterable[Role], capabilities: Iterable[str]) -> Description:
    """What an implementation offers whose sites are built out of its ends.

    Raises:
        AdapterError: it declares what only sites can have.
    """
    roles, told = frozenset(roles), frozenset(capabilities)
    strange = sorted(told & CAPABILITIES.keys() - OF_ENDS - BY_ROLES.keys())
    if strange:
        raise AdapterError("capabilities that ends of sessions can have", ", ".join(strange))
    given = {way for way, ends in BY_ROLES.items() if ends <= roles}
    if given:
        given |= {"deadline", "chunk-size"}
    if "pull" in given:
        given.add("owner-verdict")
    return Description(name, version, roles, told - BY_ROLES.keys() | given, built=True)


class EndsAdapter:
    """The sites of an adapter that has ends; left to it are `wire`, and `describe` by way of :func:`described`."""

    def __init__(self, chunk_size: int | None = None) -> None:
        self._chunk = chunk_size
        self._nets: weakref.WeakKeyDictionary[Network, _Net] = weakref.WeakKeyDictionary()

    def site(self, name: str, network: Network, directory: Path) -> EndsSite:
        assert isinstance(self, WireAdapter)
        if network not in self._nets:
            self._nets[network] = _Net(network, self, self.describe(), self._chunk)  # type: ignore[attr-defined]
        return EndsSite(name, self._nets[network], directory)


class _Net:
    """The sites on one network, and what they have in common."""

    def __init__(
        self, network: Network, adapter: WireAdapter, description: Description, chunk: int | None
    ) -> None:
        self.sites: dict[str, EndsSite] = {}
        self.capabilities = description.capabilities
        self.board = Switchboard(network, framed="wire" in self.capabilities)
        self.chunk = {} if chunk is None else {"chunk": chunk}
        self.wire = adapter.wire
        self.process: Callable[[], int] = getattr(adapter, "process", os.getpid)


class EndsSite:
    """See :class:`~..contract.Site` and :mod:`~..extras`."""

    def __init__(self, name: str, net: _Net, directory: Path) -> None:
        self._name = name
        self._net = net
        self._directory = directory
        self._offers: dict[tuple[str, str], object] = {}
        self._types: dict[str, Registration] = {}
        self._received: list[object] = []
        self._served: deque[tuple[str, str, Exception | None]] = deque(maxlen=SERVED)
        self._numbers = itertools.count(1)
        net.sites[name] = self

    def add_container(self, name: str, container: object) -> None:
        self._need("pull", "container")
        self._offers["container", name] = container

    def add_file(self, name: str, path: Path) -> None:
        self._need("pull", "file")
        self._offers["file", name] = Path(path)

    def register(
        self, cls: type, name: str, encode: Callable[[Any], object], decode: Callable[[Any], object]
    ) -> None:
        self._need("registry")
        self._types[name] = cls, encode, decode

    def retrieve_container(self, peer: str, name: str, *, timeout: float, resume: bool = False) -> object:
        return self._retrieve(peer, "container", name, timeout, resume)

    def retrieve_file(self, peer: str, name: str, *, timeout: float, resume: bool = False) -> str:
        return str(self._retrieve(peer, "file", name, timeout, resume))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return {target: self._send(target, "container", container, timeout) for target in targets}

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        return {target: self._send(target, "file", Path(path), timeout) for target in targets}

    def received(self) -> list[object]:
        return list(self._received)

    def served(self) -> list[tuple[str, str, Exception | None]]:
        ended = list(self._served)
        self._served.clear()
        return ended

    def cancel(self) -> None:
        self._need("cancel")
        self._net.board.cancel(self._name)

    @property
    def process(self) -> int:
        return self._net.process()

    def close(self) -> None:
        if self._net.sites.get(self._name) is self:
            del self._net.sites[self._name]
        self._net.board.leave(self._name)

    # -- sessions that begin here

    def _retrieve(self, peer: str, kind: str, name: str, timeout: float, resume: bool) -> object:
        self._need("pull", kind, *(["resume"] if resume else []))
        options = self._taking(kind, timeout) | ({"resume": self._kept(peer, name)} if resume else {})
        asking = self._half(peer, self._net.wire("requester", name, kind=kind, **options))

        def invite() -> Half:
            return self._peer(peer)._answer(self._name, kind, name, timeout)

        self._net.board.run(asking, invite, timeout)
        refusal = _refusal(asking)
        if refusal is not None:
            raise refusal
        return self._taken(asking.outcome[1])

    def _send(self, target: str, kind: str, value: object, timeout: float) -> Exception | None:
        self._need("push", kind)
        end = self._net.wire("sender", "object", self._given(value), **self._giving(timeout))
        offering = self._half(target, end)
        self._net.board.run(offering, lambda: self._peer(target)._accept(self._name, kind, timeout), timeout)
        return _refusal(offering)

    def _kept(self, peer: str, name: str) -> str:
        """The directory for what is kept of an object until it is complete."""
        place = self._directory / hashlib.sha256(f"{peer}/{name}".encode()).hexdigest()[:16]
        place.mkdir(exist_ok=True)
        return str(place)

    # -- sessions that a peer begins

    def _answer(self, peer: str, kind: str, name: str, timeout: float) -> Half:
        """An end with the object asked for or, if there is none, the one most like it: the end has to say no."""
        nearest = max(self._offers, key=lambda offer: _likeness(offer, (kind, name)), default=("", ""))
        value = self._given(self._offers.get(nearest))
        end = self._net.wire("owner", nearest[1] or "nothing", value, **self._giving(timeout))
        return self._half(peer, end, lambda half: self._served.append((peer, name, _refusal(half))))

    def _accept(self, peer: str, kind: str, timeout: float) -> Half:
        def deliver(half: Half) -> None:
            if half.outcome[0] == "delivered":
                self._received.append(self._taken(half.outcome[1]))

        return self._half(peer, self._net.wire("receiver", "", **self._taking(kind, timeout)), deliver)

    def _half(self, peer: str, end: WireEnd, ended: Callable[[Half], None] = lambda half: None) -> Half:
        return Half(self._name, peer, end, ended, self._received.append)

    def _peer(self, name: str) -> EndsSite:
        return self._net.sites[name]

    # -- options and values

    def _need(self, *capabilities: str) -> None:
        missing = [one for one in capabilities if one not in self._net.capabilities]
        if missing:
            raise Unsupported(f"{', '.join(missing)}: the ends do not have it")

    def _giving(self, timeout: float) -> dict[str, Any]:
        return {"deadline": timeout, **self._net.chunk, **self._typed()}

    def _taking(self, kind: str, timeout: float) -> dict[str, Any]:
        disk = {"directory": str(self._directory)} if "disk" in self._net.capabilities else {}
        return {"deadline": timeout, "window": WINDOW[kind], **disk, **self._typed()}

    def _typed(self) -> dict[str, Any]:
        return {"types": sorted(self._types)} if self._types else {}

    def _given(self, value: object) -> object:
        """A value as it is given to an end: with instances of registered classes encoded."""
        names = {cls: (name, encode) for name, (cls, encode, _) in self._types.items()}

        def encoded(one: Any) -> Any:
            if type(one) not in names:
                return one
            name, encode = names[type(one)]
            return application(name)(encode(one))

        return mapped(value, encoded) if names else value

    def _taken(self, value: object) -> object:
        """A value that an end has delivered: decoded and, if it is a file, in the site's directory."""
        if isinstance(value, Path) and "disk" not in self._net.capabilities:
            place = self._directory / f"received-{next(self._numbers)}"
            return Path(shutil.copyfile(value, place))

        def decoded(one: Any) -> Any:
            name = type(one).__name__
            return self._types[name][2](one.value) if isinstance(one, Application) else one

        return mapped(value, decoded) if self._types else value


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value with `change` done to all that is in its lists, tuples and dicts."""
    if type(value) in (list, tuple):
        return type(value)(mapped(one, change) for one in value)
    if type(value) is dict:
        return {key: mapped(one, change) for key, one in value.items()}
    return change(value)


def _likeness(offer: tuple[str, str], wanted: tuple[str, str]) -> tuple[object, ...]:
    """How much an offer is like what is wanted: the very same comes first, then a name that one might confuse."""
    plain = [unicodedata.normalize("NFKC", name).casefold().strip() for _, name in (offer, wanted)]
    alike = difflib.SequenceMatcher(None, offer[1], wanted[1]).ratio()
    return offer[0] == wanted[0], offer[1] == wanted[1], plain[0] == plain[1], alike


def _refusal(half: Half) -> Exception | None:
    """The contract's exception for the outcome of a session; None when it is a success."""
    how, code = half.outcome if half.outcome[0] == "failed" else ("delivered", "")
    if how == "delivered":
        return None
    reason = getattr(half.end, "reason", "") or code
    return TimeoutError(reason) if code == "STALLED" else Rejected(reason, code)
