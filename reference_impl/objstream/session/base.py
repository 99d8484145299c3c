"""What sender and receiver share: the state, the clock, the control frames waiting to be sent, and the end."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import MEANING, Code, TransferError
from ..frames import Frame, FrameType, FrameWriter
from ..limits import Limits
from ..meta import MAX_MESSAGE, Key, Meta
from .tables import FINAL, Event, State, Table

LOGGER = logging.getLogger("objstream")

VERSION = 1
VERSIONS = (VERSION,)
DEADLINE = 60.0
SLOWEST = 4096
"""Bytes of data that must arrive within one deadline for the transfer to count as moving."""

Buffers = list[memoryview]


@dataclass(frozen=True)
class Progress:
    """How far a transfer is: bytes and entries so far, and in all where the sender announced it."""

    bytes: int
    size: int | None
    entries: int
    count: int | None


Observer = Callable[[Progress], None]


class Session:
    """One object's way to or from a peer: frames in, frames out; no socket, no thread, no clock of its own.

    Attributes:
        name: what the object is called, for messages.
        state: where the session stands in its table.
        error: why it failed, once `state` is FAILED.
        waiting: the application must decide something before the session can go on.
        heard: bytes of the peer have arrived in it, so that the peer is told of its end.
    """

    table: Table

    def __init__(self, name: str, *, limits: Limits, deadline: float, progress: Observer | None) -> None:
        if deadline <= 0:
            raise ValueError(f"the deadline must be above 0 seconds, not {deadline}")
        self.name = name
        self.limits = limits
        self.deadline = deadline
        self.state = State.IDLE
        self.error: TransferError | None = None
        self.waiting = False
        self._progress = progress
        self._writer = FrameWriter()
        self._control: deque[tuple[FrameType, Meta]] = deque()
        self._idle_credits = 0
        self.heard = False
        self._now = 0.0
        self._last_moved: float | None = None
        self._last_sent = 0.0
        self._moved = True

    @property
    def finished(self) -> bool:
        return self.state in FINAL

    @property
    def expires(self) -> float | None:
        """When the session fails unless something moves; None before the first `tick` and after the end."""
        if self.finished or self._last_moved is None:
            return None
        return self._last_moved + self.deadline

    def tick(self, now: float) -> None:
        """Time has passed: it is `now` on the engine's clock, in seconds."""
        if self.finished:
            return
        self._now = now
        if self._last_moved is None:
            self._last_sent = now
        if self._moved or self._last_moved is None:
            self._last_moved = now
            self._moved = False
        elif now >= self._last_moved + self.deadline:
            self.fail(
                TransferError(
                    Code.STALLED, f"{self.name}: nothing moved for {self.deadline:g} s; {self.where()}"
                ),
                Event.TIMEOUT,
            )

    def moved(self) -> None:
        """Something of the transfer has come or gone: the deadline starts anew."""
        self._moved = True

    def data_moved(self, count: int) -> None:
        """`count` bytes of a frame's data have arrived."""

    def where(self) -> str:
        """How far the transfer came, in words."""
        raise NotImplementedError

    def output(self) -> Buffers | None:
        """The next frame to be sent, as buffers to be sent one after another.

        None when there is none until something else happens; an empty list when the session is at work and wants to
        be asked again.
        """
        if not self._control:
            return None
        return self._frame_of(*self._control.popleft())

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        """End the session with an error, tell the peer unless the peer is the one who said so, release everything."""
        if self.finished:
            return
        self._control.clear()
        if self.state is State.ENDED and event is not Event.RECV_RESET:
            error = TransferError(
                Code.UNCONFIRMED,
                f"{error.message}; the receiver may have the object all the same",
                local=error.local,
            )
        if event not in (Event.RECV_RESET, Event.EOF) and (self.heard or self._writer.seq):
            self._send(
                FrameType.RESET, {Key.CODE: int(error.code), Key.MESSAGE: shorten(error.message, MAX_MESSAGE)}
            )
        self.error = error.with_traceback(None)
        self._step(event)
        self.waiting = False
        self._release()

    def cancel(self) -> None:
        """Give the transfer up. Harmless when it has ended already."""
        self.fail(TransferError(Code.CANCELLED, f"{self.name}: cancelled; {self.where()}"), Event.CANCEL)

    def eof(self, detail: str = "") -> None:
        """The peer's bytes have ended."""
        message = f"{self.name}: {MEANING[Code.LOST]}; {self.where()}"
        self.fail(TransferError(Code.LOST, message, local=detail), Event.EOF)

    def _release(self) -> None:
        raise NotImplementedError

    def _sign_of_life(self) -> Buffers:
        """A frame to be ignored, when the peer has heard nothing for a quarter of the deadline."""
        if self.state is State.IDLE or self._now - self._last_sent < self.deadline / 4:
            return []
        self._last_sent = self._now
        return [memoryview(self._writer.keep_alive())]

    def check_name(self, name: str) -> None:
        """Refuse a name that is no text, or longer than any honest one."""
        try:
            length = len(name.encode())
        except UnicodeEncodeError as problem:
            raise TransferError(Code.UNSUPPORTED, "the name holds a lone surrogate") from problem
        if length > self.limits.max_name:
            raise TransferError(Code.TOO_LARGE, f"the name is longer than {self.limits.max_name} bytes")

    def _send(self, type_: FrameType, meta: Meta) -> None:
        self._control.append((type_, meta))

    def _frame_of(self, type_: FrameType, meta: Meta, data: memoryview | None = None) -> Buffers:
        """A frame as it leaves."""
        self._last_sent = self._now
        if type_ not in (FrameType.CREDIT, FrameType.RESET):
            self.moved()
        head = memoryview(self._writer.encode(type_, meta, 0 if data is None else len(data)))
        return [head] if data is None else [head, data]

    def _step(self, event: Event) -> None:
        following = self.table[self.state].get(event)
        if following is None:
            raise AssertionError(f"{event.value} in state {self.state.value}")
        self.state = following

    def _receive(self, event: Event, frame: Frame) -> None:
        """Follow the table for a frame from the peer."""
        following = self.table[self.state].get(event)
        if following is None:
            raise TransferError(
                Code.PROTOCOL, f"{self.name}: {frame.type.name} must not come in state {self.state.value}"
            )
        self.state = following
        self.heard = True
        self.moved()

    def _on_reset(self, frame: Frame) -> None:
        self.fail(reported(frame), Event.RECV_RESET)

    @contextmanager
    def _last_call(self) -> Iterator[None]:
        """Run the application's code when the outcome is settled: what it raises can only be logged."""
        try:
            yield
        except Exception:
            LOGGER.exception("%s: an error after the end of the transfer", self.name)

    @contextmanager
    def _application(self, code: Code) -> Iterator[None]:
        """Run the application's code: whatever it raises becomes an error of this session."""
        try:
            yield
        except TransferError:
            raise
        except Exception as problem:
            detail = f"{type(problem).__name__}: {problem}"
            raise TransferError(
                code, f"{self.name}: {MEANING[code]}; {self.where()}", local=detail
            ) from problem
        if self.error is not None:  # the application has cancelled from within
            raise self.error


def reported(frame: Frame) -> TransferError:
    """The error that a RESET of the peer reports."""
    number, message = frame.meta[Key.CODE], frame.meta[Key.MESSAGE]
    try:
        code = Code(number)
    except ValueError:
        code, message = Code.PROTOCOL, f"RESET with the unknown code {number}: {message}"
    return TransferError(code, printable(shorten(message, MAX_MESSAGE)), from_peer=True)


def shorten(text: str, limit: int) -> str:
    """The text cut to at most `limit` bytes of UTF-8, what UTF-8 cannot say replaced."""
    encoded = text.encode("utf-8", "replace")
    return (
        encoded.decode() if len(encoded) <= limit else encoded[: limit - 3].decode("utf-8", "ignore") + "..."
    )


def printable(text: str) -> str:
    """The text with everything escaped that a terminal might obey."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
