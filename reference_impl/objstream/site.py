"""A site: what it has to give, what it takes, and the two verbs `pull` and `push`; the engines say how bytes move."""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from . import digests
from .errors import Code, TransferError
from .frames import FrameType
from .limits import Limits
from .meta import Key
from .session import DEADLINE, LOGGER, WINDOW, AnySession, Observer, Receiver, Sender
from .streamers import ObjectAssembler, ObjectStreamer


@dataclass(frozen=True)
class Options:
    """How transfers are made.

    Attributes:
        digests: what is offered and accepted, the best first; "none" only where the transport protects the bytes.
        deadline: seconds without progress after which a transfer fails; it says nothing about the total time.
        window: bytes of content that a sender may be ahead of its receiver.
        limits: what is accepted from a peer.
        progress: called with the `Progress` of a transfer as it goes on; when it raises, the transfer is cancelled.
        cancel: set this event, from any thread, to cancel the transfer.
    """

    digests: Sequence[str] = digests.DEFAULT
    deadline: float = DEADLINE
    window: int = WINDOW
    limits: Limits = field(default_factory=Limits)
    progress: Observer | None = None
    cancel: threading.Event | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.digests if name not in digests.ALGORITHMS]
        if unknown or not self.digests:
            available = ", ".join(digests.ALGORITHMS)
            raise ValueError(f"digests {list(self.digests)}: choose from {available}, at least one")
        if self.deadline <= 0 or self.window < 1:
            raise ValueError(f"deadline {self.deadline} and window {self.window} must be above 0")


@dataclass(frozen=True)
class Request:
    """A peer asks for an object, or offers one.

    Attributes:
        peer: who; on sockets its address.
        kind: in a request "container", "file" or an application kind; in an offer the very kind of the object.
        name: how the peer calls the object. It is the peer's word: never make a path of it.
        offered: it is an offer.
        size: bytes of content offered, count: entries offered, attributes: plain values; as far as announced.
    """

    peer: str
    kind: str
    name: str
    offered: bool = False
    size: int | None = None
    count: int | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a transfer ended, seen from this side: delivered when `error` is None."""

    peer: str
    name: str
    result: object = None
    error: TransferError | None = None

    @property
    def delivered(self) -> bool:
        return self.error is None


T = TypeVar("T")

Provider = Callable[[Request], "ObjectStreamer | None"]
Acceptor = Callable[[Request], "ObjectAssembler | None"]
Watcher = Callable[[Request, Outcome], None]


class Site(ABC):
    """One party that gives and takes objects. Engines subclass it; retrievers and applications use it.

    Args:
        name: what peers call it.
        options: the defaults of its transfers, also of those that peers ask for.
    """

    def __init__(self, name: str, options: Options | None = None) -> None:
        self.name = name
        self.options = options or Options()
        self._providers: list[Provider] = []
        self._acceptors: list[Acceptor] = []
        self._watchers: list[Watcher] = []

    def provide(self, provider: Provider) -> None:
        """Let `provider` answer requests, after those that were there before.

        It returns the object's streamer, or None when the object is not its own; a TransferError that it raises
        (NOT_FOUND, REFUSED, ...) goes to the peer.
        """
        self._providers.append(provider)

    def accept(self, acceptor: Acceptor) -> None:
        """Let `acceptor` decide about offers, after those that were there before.

        It returns an assembler to take the object, or None to leave it to others.
        """
        self._acceptors.append(acceptor)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` at the end of each transfer that a peer started, with its request or offer and the outcome."""
        self._watchers.append(watcher)

    def pull(
        self, peer: str, kind: str, name: str, assembler: ObjectAssembler, options: Options | None = None
    ) -> object:
        """Ask a peer for an object and wait for it.

        Returns:
            what the assembler made of it: complete, and verified to be what the peer sent.

        Raises:
            TransferError: otherwise; nothing is left behind then but what the assembler keeps to be resumed.
        """
        options = options or self.options
        session = Receiver(
            assembler,
            name=name,
            limits=options.limits,
            offered=options.digests,
            window=options.window,
            deadline=options.deadline,
            progress=options.progress,
        )
        session.ask(kind)
        self._complete({peer: session}, options)
        try:
            if session.error is not None:
                raise session.error
            return session.result
        finally:
            del session

    def push(
        self, targets: Iterable[str], streamer: ObjectStreamer, options: Options | None = None
    ) -> dict[str, Outcome]:
        """Offer an object to one or more peers and stream it to those that take it.

        Returns:
            for each target its own outcome: `delivered` means that the target has verified and stored the object.

        Raises:
            TransferError: when there is no target at all.
        """
        options = options or self.options
        peers = list(dict.fromkeys(targets))
        if not peers:
            raise TransferError(Code.NOT_FOUND, f"{streamer.name}: no targets were given")
        sessions: dict[str, AnySession] = {}
        for peer in peers:
            session = Sender(
                copy.copy(streamer),
                name=streamer.name,
                limits=options.limits,
                accepted=options.digests,
                deadline=options.deadline,
                progress=options.progress,
            )
            session.offer()
            sessions[peer] = session
        self._complete(sessions, options)
        return {peer: Outcome(peer, streamer.name, error=session.error) for peer, session in sessions.items()}

    def _complete(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        """Run the sessions that have something to do; afterwards none is unfinished, whatever the engine did."""
        running = {peer: session for peer, session in sessions.items() if not session.finished}
        if running:
            self._run(running, options)
        for session in running.values():
            session.fail(TransferError(Code.LOST, f"{session.name}: the site is closed"))

    @abstractmethod
    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        """Run these sessions, each with its peer, until all are finished. Sets their errors; raises none of its own."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel every transfer that is running now, whoever started it. May be called from any thread."""

    @abstractmethod
    def close(self) -> None:
        """End all sessions and release everything. Harmless when called again."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def incoming(self, type_: FrameType) -> AnySession:
        """The session for a peer's first frame."""
        options = self.options
        if type_ is FrameType.REQUEST:
            return Sender(
                limits=options.limits,
                accepted=options.digests,
                deadline=options.deadline,
                progress=options.progress,
            )
        return Receiver(
            limits=options.limits,
            offered=options.digests,
            window=options.window,
            deadline=options.deadline,
            progress=options.progress,
        )

    def answer(self, session: AnySession, peer: str) -> None:
        """Decide what a session that waits for the application shall do."""
        request = described(session, peer)
        try:
            if isinstance(session, Sender):
                session.open(self._find(request))
            else:
                session.accept(self._take(request))
        except TransferError as problem:
            session.fail(problem)

    def report(self, session: AnySession, peer: str) -> None:
        """Tell the watchers of the end of a session that the peer started."""
        result = session.result if isinstance(session, Receiver) else None
        request = described(session, peer)
        outcome = Outcome(peer, session.name, result, session.error)
        if isinstance(session, Receiver):
            session.result = None
        for watcher in self._watchers:
            try:
                watcher(request, outcome)
            except Exception:
                LOGGER.exception("%s: a watcher failed", session.name)

    def _find(self, request: Request) -> ObjectStreamer:
        for provider in self._providers:
            streamer = _ask(provider, request, Code.SOURCE_FAILED)
            if streamer is not None:
                return streamer
        raise TransferError(Code.NOT_FOUND, f"no {request.kind} is called {request.name!r} here")

    def _take(self, request: Request) -> ObjectAssembler:
        for acceptor in self._acceptors:
            assembler = _ask(acceptor, request, Code.REFUSED)
            if assembler is not None:
                return assembler
        raise TransferError(Code.REFUSED, f"no offer of kind {request.kind!r} is taken here")


def _ask(callback: Callable[[Request], T], request: Request, code: Code) -> T:
    try:
        return callback(request)
    except TransferError:
        raise
    except Exception as problem:
        raise TransferError(code, local=f"{type(problem).__name__}: {problem}") from problem


def described(session: AnySession, peer: str) -> Request:
    """What the peer asked for or offered with its first frame."""
    meta = session.request if isinstance(session, Sender) else session.offer
    request = Request(peer, meta.get(Key.KIND, ""), meta.get(Key.NAME, ""))
    if isinstance(session, Receiver):
        return replace(
            request,
            offered=True,
            size=meta.get(Key.SIZE),
            count=meta.get(Key.COUNT),
            attributes=meta.get(Key.ATTRIBUTES, {}),
        )
    return request
