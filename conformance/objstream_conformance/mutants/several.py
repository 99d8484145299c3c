"""Mutants that are wrong about several sessions, sites and targets."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any

from objstream import Code, ContainerAssembler, Site
from objstream.engines.memory import MemoryNetwork, MemorySite
from objstream.session import Session

from ..adapters.reference import ReferenceAdapter, ReferenceSite
from ..adapters.wire import ReferenceEnd
from .kit import instead, mutant


@mutant("OSP-SES-014", "a retrieval to fail when its last message comes from another site")
def anybody_may_speak() -> None:
    """A session is looked up by its id, whoever sends."""

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        peers = [peer for peer, id_ in self.live if id_ == session_id]
        original(self, peers[0] if peers else source, session_id, frame)


@mutant("OSP-SES-015", "element|bytes|(was|were) sent|to succeed")
def last_list_gets_all() -> None:
    """Entries of 50 000 bytes go to the list whose transfer has begun last."""
    last: list[Any] = []

    @instead(ContainerAssembler, "begin")
    def begin(original: Any, self: Any, description: Any, limits: Any) -> None:
        original(self, description, limits)
        if description.kind == "list":
            last[:] = [self]

    @instead(ContainerAssembler, "entry")
    def entry(original: Any, self: Any, value: object) -> None:
        other = last and type(value) is bytes and len(value) == 50_000
        original(last[0] if other else self, value)

    @instead(MemoryNetwork, "_carried")
    def carried(original: Any, self: Any, carry: Any, *rest: Any) -> Any:
        def slowly(*message: Any) -> Any:
            time.sleep(0.002)  # so that sessions really overlap
            return carry(*message)

        return original(self, slowly, *rest)


@mutant("OSP-SES-016", "to succeed beside one that fails")
def neighbours_fail_together() -> None:
    """A name that is missing ends all sessions of the site that asked for it."""
    ends: weakref.WeakSet[Any] = weakref.WeakSet()

    @instead(MemorySite, "next_frame")
    def next_frame(original: Any, self: Any, key: Any, live: Any) -> Any:
        error = live.connection.session and live.connection.session.error
        if error and error.code is Code.NOT_FOUND and error.from_peer:
            for other in self.live.values():
                other.connection.cancel()
        return original(self, key, live)

    @instead(ReferenceEnd, "_receiver")
    def receiver(original: Any, self: Any, name: str, kind: str) -> Any:
        ends.add(self)
        return original(self, name, kind)

    @instead(ReferenceEnd, "outcome")
    def outcome(original: Any, self: Any) -> Any:
        found = original(self)
        for other in ends if found == ("failed", "NOT_FOUND") else ():
            if other._directory == self._directory:
                other._connection.cancel()
        return found


@mutant("OSP-SES-018", "success for the targets that have the object")
def all_or_nothing() -> None:
    """When one target fails, all are reported as failed."""

    @instead(ReferenceSite, "_push")
    def push(original: Any, self: Any, *arguments: Any) -> Any:
        verdicts = original(self, *arguments)
        failed = [verdict for verdict in verdicts.values() if verdict is not None]
        return dict.fromkeys(verdicts, failed[0]) if failed else verdicts


@mutant("OSP-SES-019", "to get the object although beta does not")
def one_cut_ends_all() -> None:
    """A push ends for all targets when the link to one of them is cut."""

    here = threading.local()
    cut = threading.Event()

    @instead(Site, "_complete")
    def complete(original: Any, self: Any, sessions: Any, options: Any) -> None:
        here.calls = True
        cut.clear()
        for session in sessions.values():
            session.group = list(sessions.values())
        original(self, sessions, options)

    @instead(MemoryNetwork, "run")
    def run(original: Any, self: Any, session_ids: set[bytes]) -> None:
        if not hasattr(here, "calls"):
            cut.wait(0.5)  # the engine's helpers let their caller begin, with the first target
        original(self, session_ids)

    @instead(Session, "eof")
    def eof(original: Any, self: Any, detail: str = "") -> None:
        original(self, detail)
        for other in getattr(self, "group", ()):
            other.cancel()
            cut.set()


@mutant("OSP-SES-020", "the fast target to have the object while")
def one_after_the_other() -> None:
    """Targets are served one after the other."""

    @instead(Site, "push")
    def push(original: Any, self: Any, peers: Any, streamer: Any, options: Any = None) -> Any:
        peers = list(peers)
        if not peers:
            return original(self, peers, streamer, options)
        return {peer: original(self, [peer], streamer, options)[peer] for peer in peers}


@mutant("OSP-SES-021", "a push without targets to be refused; observed it ended well")
def no_targets_no_trouble() -> None:
    """A push to nobody succeeds."""

    @instead(Site, "push")
    def push(original: Any, self: Any, peers: Any, *rest: Any) -> Any:
        peers = list(peers)
        return original(self, peers, *rest) if peers else {}


@mutant("OSP-SES-022", "a failure for a target that does not exist; observed it ended well")
def strangers_are_skipped() -> None:
    """Targets that were never heard of are left out."""
    known: set[str] = set()

    @instead(ReferenceAdapter, "site")
    def site(original: Any, self: Any, name: str, *rest: Any) -> Any:
        known.add(name)
        return original(self, name, *rest)

    @instead(ReferenceSite, "_push")
    def push(original: Any, self: Any, targets: list[str], *rest: Any) -> Any:
        there = [target for target in targets if target in known]
        verdicts = original(self, there, *rest) if there or not targets else {}
        return {target: verdicts.get(target) for target in targets}
