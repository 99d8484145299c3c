"""Mutants that are wrong about flow control."""

from __future__ import annotations

from typing import Any

from objstream.frames import FrameType
from objstream.meta import Key, Meta
from objstream.session import Receiver, Sender
from objstream.session.announcement import announcement
from objstream.session.tables import State

from .kit import instead, wire_mutant


@wire_mutant("OSP-FLW-001", r"\['OFFER'\] from the sender")
def impatient_senders() -> None:
    """A sender whose offer is not answered for a second opens the object unasked."""

    @instead(Sender, "tick")
    def tick(original: Any, self: Any, now: float) -> None:
        original(self, now)
        if self.state is State.OFFERED and 1 <= now - self._last_moved < 2 and not hasattr(self, "opened"):
            self.opened = True
            choice: Meta = {Key.VERSIONS: 1, Key.DIGESTS: self._digest}
            self._send(FrameType.OPEN, {**choice, **announcement(self._description)})


@wire_mutant("OSP-FLW-002", "at most 3000 bytes")
def credit_is_rounded_up() -> None:
    """Credit of 3000 bytes and more is rounded up to the next 5000."""

    def round_up(original: Any, self: Any, frame: Any) -> None:
        credit = frame.meta[Key.CREDIT]
        frame.meta[Key.CREDIT] = credit if credit < 3000 else -(-credit // 5000) * 5000
        original(self, frame)

    instead(Sender, "_on_request")(round_up)
    instead(Sender, "_on_credit")(round_up)


@wire_mutant("OSP-FLW-003", "at most 5000 bytes")
def lower_credit_is_added() -> None:
    """Credit that is lower than before is taken for a number of bytes more."""

    @instead(Sender, "_on_credit")
    def credit(original: Any, self: Any, frame: Any) -> None:
        if frame.meta[Key.CREDIT] < self._credit:
            frame.meta[Key.CREDIT] += self._credit
        original(self, frame)


@wire_mutant("OSP-FLW-004", "OPEN without credit")
def nothing_without_credit() -> None:
    """A sender without any credit does not even open an object of 2 bytes."""

    @instead(Sender, "output")
    def output(original: Any, self: Any) -> Any:
        waits = self.state is State.STREAMING and not self._credit and self._description.size == 2
        return None if waits else original(self)


@wire_mutant("OSP-FLW-005", "credit for all of 200000 bytes")
def credit_runs_dry() -> None:
    """A receiver grants ten windows and no more."""

    @instead(Receiver, "_grant")
    def grant(original: Any, self: Any) -> None:
        if self._granted < 10 * self._window:
            original(self)


@wire_mutant("OSP-FLW-006", "a byte beyond the credit")
def credit_is_not_enforced() -> None:
    """A receiver does not compare content with the credit that it has granted."""

    @instead(Receiver, "_on_content")
    def content(original: Any, self: Any, frame: Any) -> None:
        granted, self._granted = self._granted, 1 << 62
        try:
            original(self, frame)
        finally:
            self._granted = granted


@wire_mutant("OSP-FLW-007", "where 1?[0-9]+ are taken")
def max_bytes_is_ignored() -> None:
    """A sender does not look at what its receiver takes at most."""

    @instead(Sender, "_open")
    def open_(original: Any, self: Any) -> None:
        self.request = {**self.request, Key.MAX_BYTES: 1 << 62}
        original(self)


@wire_mutant("OSP-FLW-008", "reject/OSP-FLW-008")
def announced_sizes_are_ignored() -> None:
    """A receiver does not look at the size that is announced."""

    @instead(Receiver, "_check_size")
    def check(original: Any, self: Any, size: Any) -> None:
        pass
