"""Sessions between ends whose bytes are in the suite's hands, over the suite's network.

A message is the id of its session and one frame, the first one of each end with the preface before it; an end that
does not speak frames gives a message with each answer. Whatever arrives for a session is given to its end as it is: it
is the end that tells good from bad. Only what the transport of a message engine does is done here: a message of no
session, or from another site than the session's peer, reaches nobody.

Time is virtual. Nothing passes while messages come, except what the network itself has held up; when none does, it
jumps until the ends have had their deadline. An end that is late by this clock is late for the suite as well, which
then waits.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ..case import GRACE
from ..contract import Cut, Network, WireEnd
from ..frames import HEADER, PREFACE
from ..outcomes import Hang, Violation

ID_BYTES: Final = 16
STEPS: Final = 4
"""Into so many steps a deadline is divided."""
MOST: Final = 64
"""Steps of waiting in a session, with signs of life between them."""
NOTICED: Final = 0.01
"""Seconds by which the network has to hold messages up before time passes for the ends."""
KEPT: Final = 8
"""Sessions that have ended lately: late messages still go to ends that have failed."""


@dataclass(eq=False)
class Half:
    """One end of a session, at a site.

    Attributes:
        outcome: how the session has ended for it, as :meth:`~..contract.WireEnd.outcome` says.
        ended: called once with this half when there is an outcome.
        late: called with what it delivers although it has failed.
    """

    site: str
    peer: str
    end: WireEnd
    ended: Callable[[Half], None]
    late: Callable[[object], None]
    outcome: Any = None
    outbox: deque[bytes] = field(default_factory=deque)
    unsent: bytes = b""

    def does(self, operation: Callable[[], bytes], *, framed: bool) -> None:
        """Let the end do something, and take what it says."""
        if self.outcome is not None:
            return
        self.unsent += operation()
        if framed:
            messages, self.unsent = _cut(self.unsent)
            self.outbox += messages
        else:
            self.flush()
        outcome = self.end.outcome()
        if outcome is not None:
            self.outcome = outcome
            self.flush()
            self.ended(self)

    def flush(self) -> None:
        """Send what is no whole frame as well, unless it is the preface, which goes with the first frame."""
        if self.unsent and self.unsent != PREFACE:
            self.outbox.append(self.unsent)
            self.unsent = b""


@dataclass(eq=False)
class Session:
    """A session from its beginning until both ends have ended.

    Attributes:
        invite: opens the other end, when the first message has arrived there.
        deadline: seconds without progress after which its ends have to give up.
        behind: seconds that have passed, and of which its ends do not know yet.
        silent: steps that have passed since a message has arrived, and `steps` all of them.
    """

    id: bytes
    deadline: float
    invite: Callable[[], Half]
    halves: list[Half]
    behind: float = 0.0
    silent: int = 0
    steps: int = 0

    @property
    def over(self) -> bool:
        return all(half.outcome is not None and not half.outbox for half in self.halves)


class Turns:
    """A lock that goes to those who wait for it in their order, so that sessions really run side by side."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next = self._now = 0

    def __enter__(self) -> None:
        with self._changed:
            mine = self._next
            self._next += 1
            while mine != self._now:
                self._changed.wait()

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._now += 1
            self._changed.notify_all()


class Switchboard:
    """The sessions on one network.

    Args:
        network: carries the messages.
        framed: the ends speak the frames of the specification.
    """

    def __init__(self, network: Network, *, framed: bool) -> None:
        self._network = network
        self._framed = framed
        self._turn = Turns()
        self._running: dict[bytes, Session] = {}
        self._past: deque[Session] = deque(maxlen=KEPT)

    def run(self, first: Half, invite: Callable[[], Half], deadline: float) -> None:
        """Let an end begin a session with the end that `invite` opens, and move both until they have ended.

        Raises:
            Hang: an end goes on and on when its deadline has passed.
        """
        with self._turn:
            session = Session(secrets.token_bytes(ID_BYTES), deadline, invite, [first])
            self._running[session.id] = session
            try:
                self._does(first, first.end.start)
                while not session.over:
                    half = next((half for half in session.halves if half.outbox), None)
                    if half is not None:
                        self._drain(session, half)
                    else:
                        self._pass_time(session)
            finally:
                del self._running[session.id]
                if any(half.outcome is not None for half in session.halves):
                    self._past.append(session)

    def leave(self, site: str) -> None:
        """A site is gone: its sessions have lost their connection, on both sides."""
        with self._turn:
            for session in self._of(site):
                for half in session.halves:
                    self._does(half, half.end.eof)

    def cancel(self, site: str) -> None:
        """Cancel what the ends of a site are sending or receiving; where that is nothing, those hear of it that were.

        Raises:
            Violation: one of these changes its mind.
        """
        with self._turn:
            for session in self._of(site) or [*self._past]:
                for half in session.halves:
                    end: Any = half.end
                    if half.site == site and half.outcome is None:
                        self._does(half, end.cancel)
                    elif half.site == site:
                        end.cancel()
                        _unchanged(half)

    def _of(self, site: str) -> list[Session]:
        sessions = self._running.values()
        return [session for session in sessions if any(half.site == site for half in session.halves)]

    def _does(self, half: Half, operation: Callable[[], bytes]) -> None:
        half.does(operation, framed=self._framed)

    def _drain(self, session: Session, half: Half) -> None:
        """Carry all that an end has said, before anything else of its session goes on."""
        while half.outbox:
            message = session.id + half.outbox.popleft()
            start = time.monotonic()
            try:
                arriving = self._carried(half, message)
            except Cut:
                self._does(half, half.end.eof)
                half.outbox.clear()
                return
            held = min(
                time.monotonic() - start, session.deadline / 2
            )  # another transfer may have gone on meanwhile
            session.behind += held if held > NOTICED else 0.0
            if session.behind:
                seconds, session.behind = session.behind, 0.0
                self._advance(session, seconds)
            for arrived in arriving:
                self._deliver(half.site, half.peer, arrived)

    def _carried(self, half: Half, message: bytes) -> list[bytes]:
        """What arrives of a message; other threads may work while it is on its way."""
        self._turn.__exit__()
        try:
            return self._network.carry(half.site, half.peer, message)
        finally:
            self._turn.__enter__()

    def _deliver(self, source: str, target: str, message: bytes) -> None:
        """Give a message to the end it is for, if there is one."""
        id_, data = message[:ID_BYTES], message[ID_BYTES:]
        session = self._running.get(id_)
        if session is None:
            for past in self._past:
                ended = _half(past, source, target) if past.id == id_ else None
                if ended is not None:
                    _deliver_late(ended, data)
            return
        session.silent = 0
        half = _half(session, source, target)
        if half is None and len(session.halves) == 1 and _half(session, target, source):
            half = session.invite()
            session.halves.append(half)
            self._does(half, half.end.start)
        if half is not None and half.outcome is None:
            end = half.end
            self._does(half, lambda: end.feed(data))
        elif half is not None:
            _deliver_late(half, data)

    def _pass_time(self, session: Session) -> None:
        """Nothing can happen in a session but that its deadline passes."""
        for half in session.halves:
            half.flush()
        if any(half.outbox for half in session.halves):
            return
        session.silent += 1
        session.steps += 1
        step = session.deadline / STEPS
        late = (session.silent - STEPS) * step
        if late > GRACE + 1.0 or session.steps > MOST:
            waiting = " and ".join(f"{half.site}'s" for half in session.halves if half.outcome is None)
            raise Hang(
                f"the ends of a session to give up {session.deadline:g} s after the last progress",
                f"{waiting} still waits after {session.steps * step:g} s",
            )
        if late > 0:
            time.sleep(step)
        self._advance(session, step)

    def _advance(self, session: Session, seconds: float) -> None:
        for half in session.halves:
            end = half.end
            self._does(half, lambda e=end: e.advance(seconds))  # type: ignore[misc]


def _deliver_late(half: Half, data: bytes) -> None:
    """Give a message to an end that has failed, and that may not deliver anything now."""
    if half.outcome is not None and half.outcome[0] == "failed":
        half.end.feed(data)
        outcome = half.end.outcome()
        if outcome and outcome[0] == "delivered":
            half.late(outcome[1])


def _unchanged(half: Half) -> None:
    before, now = half.outcome, half.end.outcome()
    if now is None or now[0] != before[0] or (now[0] == "failed" and now != before):
        raise Violation("a cancel to change nothing when the session has ended", f"{now} after {before}")


def _half(session: Session, source: str, target: str) -> Half | None:
    """The end of a session that messages from `source` to `target` are for."""
    return next((half for half in session.halves if (half.site, half.peer) == (target, source)), None)


def _cut(stream: bytes) -> tuple[list[bytes], bytes]:
    """The whole frames in what an end has said, the preface with the first, and the rest."""
    messages, start = [], 0
    at = len(PREFACE) if stream.startswith(PREFACE) else 0
    while len(stream) - at >= HEADER.size:
        _, _, meta, data, *_ = HEADER.unpack_from(stream, at)
        at += HEADER.size + meta + data
        if at > len(stream):
            break
        messages.append(stream[start:at])
        start = at
    return messages, stream[start:]
