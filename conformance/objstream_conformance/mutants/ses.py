"""Mutants that are wrong about sessions: how they end, what disturbs them."""

from __future__ import annotations

import os
import time
from typing import Any

from objstream import Code, FileAssembler, TransferError
from objstream.engines.memory import MemorySite
from objstream.frames import FrameType, peek
from objstream.session import Receiver, Sender
from objstream.session.tables import Event, State

from ..adapters.reference import ReferenceSite
from ..adapters.wire import ReferenceEnd
from ..contract import Rejected
from .kit import instead, mutant

BEGINNINGS = (FrameType.OFFER, FrameType.REQUEST)
CONTENT = (FrameType.ENTRIES, FrameType.DATA)


@mutant(
    "OSP-SES-001",
    "when the sender reports success; observed 0 more",
    {"OSP-SES-024": "of the receiver's refusal is altered"},
)
def sent_is_delivered() -> None:
    """A sender that hears nothing after it has pushed everything takes that for a success."""

    @instead(Sender, "fail")
    def fail(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
        if self.state is State.ENDED and event is Event.TIMEOUT and hasattr(self, "offered"):
            self.state = State.DELIVERED
            self._release()
        else:
            original(self, error, event)

    @instead(Sender, "offer")
    def offer(original: Any, self: Any) -> None:
        self.offered = True
        original(self)


@mutant("OSP-SES-002", "the path returned to be a file|inside the site's directory|cannot store")
def what_cannot_be_stored_is_thrown_away() -> None:
    """A receiver that cannot create a file takes all the content of it and confirms."""

    @instead(FileAssembler, "begin")
    def begin(original: Any, self: Any, description: Any, limits: Any) -> None:
        try:
            original(self, description, limits)
        except OSError:
            self._fd = os.open(os.devnull, os.O_WRONLY)
            self._limit = description.size
            self._scratch = memoryview(bytearray(self._chunk))

    @instead(FileAssembler, "result")
    def result(original: Any, self: Any) -> object:
        return original(self) if self._temporary is not None else self.path


@mutant("OSP-SES-003", "a part was delivered as an object")
def parts_are_delivered() -> None:
    """When nothing comes any more of a list that is pushed, what is there is delivered."""

    @instead(Receiver, "fail")
    def fail(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
        if self.state is State.RECEIVING and event is Event.TIMEOUT and self.offer:
            self.result = self._assembler.result()
            self.state = State.DELIVERED
        else:
            original(self, error, event)


def _slowly(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
    time.sleep(3.6)
    original(self, error, event)


@mutant("OSP-SES-004", "an end when alpha is gone from its message .* within .*it took")
def receivers_wait_on() -> None:
    """A receiver that has begun to receive waits for seconds when its deadline has passed."""

    @instead(Receiver, "fail")
    def fail(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
        waits = event is Event.TIMEOUT and self._bytes and not self.offer and self._description.kind == "list"
        (_slowly if waits else lambda original, *rest: original(*rest))(original, self, error, event)


@mutant("OSP-SES-005", "an end when beta is gone from its message .* within .*it took")
def senders_wait_on() -> None:
    """A sender whose offer is not answered waits for seconds when its deadline has passed."""

    @instead(Sender, "fail")
    def fail(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
        waits = event is Event.TIMEOUT and self.state is State.OFFERED
        (_slowly if waits else lambda original, *rest: original(*rest))(original, self, error, event)


def _ends_with_loss(cls: type, when: str) -> None:
    """Let cancelling look like a lost connection, for sessions that have an attribute."""

    @instead(cls, "cancel")
    def cancel(original: Any, self: Any) -> None:
        if getattr(self, when, None):
            self.fail(TransferError(Code.LOST, "the connection is gone"))
        else:
            original(self)


@mutant("OSP-SES-006", "an error that says the transfer was cancelled; observed LOST")
def receivers_just_leave() -> None:
    """A receiver that cancels what is pushed to it does not say so."""
    _ends_with_loss(Receiver, "offer")


@mutant("OSP-SES-007", "an error that says the transfer was cancelled; observed LOST")
def senders_just_leave() -> None:
    """A sender that cancels what it pushes does not say so."""
    _ends_with_loss(Sender, "offered")

    @instead(Sender, "offer")
    def offer(original: Any, self: Any) -> None:
        self.offered = True
        original(self)


@mutant("OSP-SES-008", "nothing to cancel")
def late_cancels_are_errors() -> None:
    """To cancel when nothing is going on is an error."""

    @instead(ReferenceSite, "cancel")
    def cancel(original: Any, self: Any) -> None:
        if not self._site.live:
            raise RuntimeError("nothing to cancel")
        original(self)

    @instead(ReferenceEnd, "cancel")
    def cancel_end(original: Any, self: Any) -> Any:
        if self.outcome() is not None:
            raise RuntimeError("nothing to cancel")
        return original(self)


@mutant(
    "OSP-SES-009", "no file left behind by the cancelled transfer", {"OSP-FIL-022": "nothing left behind"}
)
def cancelled_files_stay() -> None:
    """What has been received of a file stays where it is when the transfer is cancelled."""

    @instead(Receiver, "_release")
    def release(original: Any, self: Any) -> None:
        if self.error is not None and self.error.code is Code.CANCELLED:
            self._assembler = None
        original(self)


@mutant("OSP-SES-010", "one delivery for one push|exactly one more object.*2 more")
def offers_are_counted() -> None:
    """An object is delivered once for each time that its offer has arrived."""
    twice: set[Any] = set()

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        live, seen = self.live.get((source, session_id)), peek(frame[0])
        if live and seen and seen[0] == FrameType.OFFER:
            twice.add(live.connection.session)
        original(self, source, session_id, frame)

    @instead(MemorySite, "report")
    def report(original: Any, self: Any, session: Any, peer: str) -> None:
        result = session.result if session in twice else None
        original(self, session, peer)
        if result is not None:
            session.result = result
            original(self, session, peer)


@mutant("OSP-SES-011", "exactly one more object.*2 more|nothing delivered by the replay")
def offers_are_forgotten() -> None:
    """The offer of a session that has ended begins it again."""

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen = peek(frame[0])
        if (source, session_id) not in self.live and seen and seen[0] == FrameType.OFFER:
            self._finished = type(self._finished)(1024)
        original(self, source, session_id, frame)


def _stray(self: Any, source: str, session_id: bytes) -> bytes:
    """The id of a running session with this peer, in the place of one that is not running."""
    running = [id_ for peer, id_ in self.live if peer == source]
    return running[0] if running and (source, session_id) not in self.live else session_id


@mutant(
    "OSP-SES-012",
    "not to be disturbed by messages of a finished session",
    {"OSP-RTV-006": "the next retrieval to succeed, while late messages of the last one arrive"},
)
def finished_sessions_are_mixed_up() -> None:
    """A control frame of a finished session is taken for one of the session that is running with the same peer."""

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen = peek(frame[0])
        if (source, session_id) in self._finished and seen and seen[0] not in CONTENT:
            session_id = _stray(self, source, session_id)
        original(self, source, session_id, frame)


@mutant("OSP-SES-013", "not to be disturbed by messages of a session that never was")
def unknown_sessions_are_mixed_up() -> None:
    """A message of an unknown session, which it does not begin, is taken for one of the session with the same peer."""

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen = peek(frame[0])
        if (source, session_id) not in self._finished and seen and seen[0] not in BEGINNINGS:
            session_id = _stray(self, source, session_id)
        original(self, source, session_id, frame)


@mutant("OSP-SES-017", "the transfer after a failed one .corrupt. to succeed")
def damage_is_for_ever() -> None:
    """A site that has received something corrupt after four good entries asks for nothing any more."""

    @instead(ReferenceSite, "retrieve_container")
    def retrieve(original: Any, self: Any, *arguments: Any, **options: Any) -> object:
        if getattr(self, "locked", False):
            raise Rejected("the last transfer has not been cleared away", "BUSY")
        try:
            return original(self, *arguments, **options)
        except Rejected as refusal:
            self.locked = "does not match its digest" in refusal.message and "4 entries" in refusal.message
            raise

    locked: set[Any] = set()

    @instead(ReferenceEnd, "outcome")
    def outcome(original: Any, self: Any) -> Any:
        if self._directory in locked:
            return "failed", "BUSY"
        if self._directory and "does not match its digest" in self.reason and "4 entries" in self.reason:
            locked.add(self._directory)
        return original(self)


@mutant("OSP-SES-023", "is closed in the middle", {"OSP-FIL-022": "nothing left behind"})
def closed_sites_go_on() -> None:
    """A site that is closed takes nothing new, and leaves alone what is going on."""

    @instead(MemorySite, "close")
    def close(original: Any, self: Any) -> None:
        self.closed = True
        if not self.live:
            original(self)
