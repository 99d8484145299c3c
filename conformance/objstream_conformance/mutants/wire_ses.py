"""Mutants that are wrong about sessions on the wire."""

from __future__ import annotations

from typing import Any

from objstream import Code
from objstream.frames import FrameType, FrameWriter, peek
from objstream.meta import Key
from objstream.session import Connection, Receiver, Sender, Session
from objstream.session.tables import SENDER, Event, State
from objstream.streamers.container import KINDS

from ..adapters.wire import ReferenceEnd
from .kit import assign, instead, wire_mutant


@wire_mutant("OSP-SES-030", "credit-as-the-first-frame|CREDIT after a delivered session")
def credit_out_of_session_is_ignored() -> None:
    """CREDIT where no session is running is ignored."""

    @instead(Connection, "on_frame")
    def on_frame(original: Any, self: Any, frame: Any) -> None:
        running = self.session is not None and not self.session.finished
        if running or frame.type is not FrameType.CREDIT:
            original(self, frame)


@wire_mutant("OSP-SES-031", "reject/OSP-SES-031-credit-while-offered")
def credit_before_the_request() -> None:
    """A sender takes credit before it has been asked for the object."""
    assign(SENDER[State.OFFERED], Event.RECV_CREDIT, State.OFFERED)


@wire_mutant("OSP-SES-032", "reject/OSP-SES-032-credit-while")
def receivers_ignore_credit() -> None:
    """A receiver ignores CREDIT."""

    @instead(Receiver, "on_frame")
    def on_frame(original: Any, self: Any, frame: Any) -> None:
        if frame.type is not FrameType.CREDIT:
            original(self, frame)


@wire_mutant("OSP-SES-033", "and no DONE")
def confirmed_before_it_is_verified() -> None:
    """A receiver of a push says DONE when END is there, and looks at it then."""

    @instead(Receiver, "fail")
    def fail(original: Any, self: Any, *arguments: Any) -> None:
        verifying = self.state is State.VERIFYING and self.offer
        original(self, *arguments)
        if verifying:
            self._control.appendleft((FrameType.DONE, {Key.CHAIN: self._chain.value}))


@wire_mutant(
    "OSP-SES-034",
    "whose receiver is gone before DONE: the outcome UNCONFIRMED; observed .'delivered'",
    {"OSP-FRM-013": "UNCONFIRMED"},
)
def the_end_confirms() -> None:
    """A sender whose receiver is gone when all is sent takes that for a success."""

    @instead(Sender, "eof")
    def eof(original: Any, self: Any, detail: str = "") -> None:
        if self.state is State.ENDED:
            self.state = State.DELIVERED
        else:
            original(self, detail)


@wire_mutant("OSP-SES-035", "one RESET from")
def resets_are_repeated() -> None:
    """When the input of a failed session ends, RESET is said again."""

    @instead(Connection, "eof")
    def eof(original: Any, self: Any, detail: str = "") -> None:
        if self.session is not None and self.session.error is not None:
            self._outbox.append([memoryview(FrameWriter().encode(FrameType.RESET, {13: 14, 14: ""}))])
        original(self, detail)


@wire_mutant("OSP-SES-036", "that receives RESET with BUSY: the outcome BUSY")
def busy_is_a_refusal() -> None:
    """A RESET with BUSY is reported as REFUSED."""

    @instead(Session, "_on_reset")
    def reset(original: Any, self: Any, frame: Any) -> None:
        if frame.meta[Key.CODE] == Code.BUSY:
            frame.meta[Key.CODE] = int(Code.REFUSED)
        original(self, frame)


@wire_mutant("OSP-SES-037", "after RESET; observed .'CREDIT'")
def failed_sessions_go_on() -> None:
    """Some time after a session has failed, credit is granted."""

    @instead(Session, "tick")
    def tick(original: Any, self: Any, now: float) -> None:
        if self.state is State.FAILED and now > self._now + 1:
            self._now = now
            self._send(FrameType.CREDIT, {Key.CREDIT: 0})
        original(self, now)


@wire_mutant("OSP-SES-038", "codes of the table", {"OSP-VER-002": "exactly one RESET with VERSION"})
def a_code_of_its_own() -> None:
    """That no version is common is told with a code that the table does not have."""

    @instead(Session, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        if type_ is FrameType.RESET and fields[Key.CODE] == Code.VERSION:
            fields[Key.CODE] = 99
        original(self, type_, fields)


@wire_mutant("OSP-SES-039", "RESET with the code 0|a-code-of-a-later-version")
def unknown_codes_are_ignored() -> None:
    """A RESET with an unknown code is ignored."""

    @instead(Session, "_on_reset")
    def reset(original: Any, self: Any, frame: Any) -> None:
        if frame.meta[Key.CODE] in set(Code):
            original(self, frame)


@wire_mutant("OSP-SES-040", "another-container-than-was-offered")
def any_container_will_do() -> None:
    """A receiver of a push takes any container where one was offered."""

    @instead(Receiver, "_on_open")
    def open_(original: Any, self: Any, frame: Any) -> None:
        kinds = set(KINDS.values())
        if self.offer and {self._asked[Key.KIND], frame.meta[Key.KIND]} <= kinds:
            self._asked[Key.KIND] = frame.meta[Key.KIND]
        original(self, frame)


@wire_mutant("OSP-SES-041", "reject/OSP-SES-041")
def any_request_will_do() -> None:
    """A sender whose offer is answered does not look at the kind that is asked for."""

    @instead(Sender, "_on_request")
    def request(original: Any, self: Any, frame: Any) -> None:
        if self._streamer is not None:
            frame.meta[Key.KIND] = self._description.kind
        original(self, frame)


@wire_mutant("OSP-SES-042", "numbers from 0 in session 2")
def numbers_go_on() -> None:
    """In the next session on a connection the numbers go on."""

    @instead(Connection, "_begin")
    def begin(original: Any, self: Any, frame: Any) -> Any:
        last = self.session
        session = original(self, frame)
        session._writer.seq = last._writer.seq if last is not None else 0
        return session


@wire_mutant("OSP-SES-043", "no answer from")
def offers_revive() -> None:
    """After a failed session, an offer begins another one on the same connection."""

    @instead(ReferenceEnd, "feed")
    def feed(original: Any, self: Any, data: bytes) -> bytes:
        failed = self._connection.session is not None and self._connection.session.error is not None
        if failed and (peek(memoryview(data)) or (0, 0))[:2] == (FrameType.OFFER, 0):
            self._connection = Connection(
                limits=self._site.options.limits, preface=False, incoming=self._site.incoming
            )
        return original(self, data)  # type: ignore[no-any-return]
