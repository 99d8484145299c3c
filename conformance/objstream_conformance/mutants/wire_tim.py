"""Mutants that are wrong about time on the wire."""

from __future__ import annotations

import time
from typing import Any

from objstream import Code, TransferError
from objstream.session import Connection, Receiver, Sender, Session
from objstream.session.tables import Event, State

from .kit import instead, wire_mutant


def _doubled(cls: type, when: Any) -> None:
    """The deadline is twice as long in some state."""

    @instead(cls, "tick")
    def tick(original: Any, self: Any, now: float) -> None:
        deadline = self.deadline
        self.deadline = 2 * deadline if when(self) else deadline
        try:
            original(self, now)
        finally:
            self.deadline = deadline


@wire_mutant("OSP-TIM-002", "that waits for END, after 8.0 s: the outcome STALLED")
def patience_near_the_end() -> None:
    """A receiver that has an entry waits twice as long as it should."""
    _doubled(Receiver, lambda receiver: receiver.state is State.RECEIVING and receiver._assembler.count)


@wire_mutant("OSP-TIM-003", "that waits for a REQUEST, after 8.0 s: the outcome STALLED")
def patience_with_requests() -> None:
    """A sender waits for the REQUEST twice as long as it should."""
    _doubled(Sender, lambda sender: sender.state is State.OFFERED)


@wire_mutant(
    "OSP-TIM-004", "that waits for DONE, after 8.0 s: the outcome UNCONFIRMED; observed .'failed', 'STALLED'"
)
def silence_is_silence() -> None:
    """A confirmation that never comes is reported as STALLED."""

    @instead(Sender, "fail")
    def fail(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
        if self.state is State.ENDED and event is Event.TIMEOUT:
            self.state = State.STREAMING
        original(self, error, event)


@wire_mutant("OSP-TIM-005", "less than 4096 bytes of data per deadline: the outcome STALLED")
def every_byte_is_progress() -> None:
    """Every byte of data puts the deadline off."""

    @instead(Receiver, "data_moved")
    def moved(original: Any, self: Any, count: int) -> None:
        self.moved()


@wire_mutant("OSP-TIM-006", "a session that moves within each deadline to go on")
def skipped_frames_are_no_progress() -> None:
    """A frame that is skipped does not put the deadline off."""

    @instead(Connection, "on_skipped")
    def skipped(original: Any, self: Any) -> None:
        pass


@wire_mutant("OSP-TIM-007", "whose clock stands still to go on")
def the_clock_on_the_wall() -> None:
    """A session also fails when five deadlines have passed on the machine's own clock."""

    @instead(Session, "tick")
    def tick(original: Any, self: Any, now: float) -> None:
        begun = self.__dict__.setdefault("begun", time.monotonic())
        original(self, now)
        if not self.finished and time.monotonic() > begun + 5 * self.deadline:
            self.fail(TransferError(Code.STALLED, "it takes too long"), Event.TIMEOUT)
