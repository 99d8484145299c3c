"""One end of a conversation: bytes in, bytes out, sessions one after another; the glue of frames and sessions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..errors import Code, TransferError
from ..frames import PREFACE, Frame, FrameReader, FrameType, FrameWriter
from ..limits import Limits
from ..meta import MAX_MESSAGE, Key, Meta
from .base import Buffers, reported, shorten
from .receiver import Receiver
from .sender import Sender

AnySession = Sender | Receiver


class Connection:
    """Bytes of a peer to session, and back.

    Args:
        limits: what is accepted from the peer.
        preface: the conversation is a byte stream and begins with the preface, on both sides.
        incoming: makes the session for a REQUEST (a `Sender`) or an OFFER (a `Receiver`) that the peer starts with;
            None where the peer may not start sessions.

    Attributes:
        session: the current session, or the last one.
        problem: what was wrong with bytes that belonged to no session.
    """

    def __init__(
        self, *, limits: Limits, preface: bool, incoming: Callable[[FrameType], AnySession] | None = None
    ) -> None:
        self.session: AnySession | None = None
        self._closing = False
        self.problem: TransferError | None = None
        self._limits = limits
        self._incoming = incoming
        self._reader = FrameReader(self, limits, preface=preface)
        self._outbox: deque[Buffers] = deque([[memoryview(PREFACE)]] if preface else [])

    @property
    def closing(self) -> bool:
        """Nothing more will be understood: send what `output` still gives, then close."""
        return self._closing or (self.session is not None and self.session.error is not None)

    def start(self, session: AnySession) -> None:
        """Make this the current session: it offers or asks."""
        assert self.session is None or self.session.finished
        self._flush()
        self.session = session
        self._reader.new_session()

    def want(self) -> memoryview:
        """Where the peer's next bytes must land; never empty."""
        return self._reader.want()

    def received(self, count: int) -> None:
        """`count` bytes have landed in `want()`. Never raises: a peer's mistake ends the session."""
        if self.closing:
            return
        try:
            if self._reader.inside_data and self.session is not None:
                self.session.data_moved(count)
            self._reader.received(count)
            if self._reader.greeted and self._reader.inside_frame and self.session is not None:
                self.session.heard = True
        except TransferError as problem:
            self.fail(problem)
        except BaseException:  # an interrupt, or an error of the program: nothing can be understood after it
            self._closing = True
            self.cancel()
            raise

    def feed(self, frame: Buffers) -> None:
        """Take bytes that have arrived elsewhere: they are copied to where they must land."""
        for view in frame:
            while len(view) and not self.closing:
                place = self.want()
                count = min(len(place), len(view))
                place[:count] = view[:count]
                self.received(count)
                view = view[count:]

    def output(self) -> Buffers | None:
        """The next buffers to send, [] to be asked again, None when there is nothing until something else happens."""
        if self._outbox:
            return self._outbox.popleft()
        return self.session.output() if self.session is not None else None

    def eof(self, detail: str = "") -> None:
        """The peer's bytes have ended; `detail` says why, where the engine knows."""
        self._closing = True
        if self.session is not None and not self.session.finished:
            self.session.eof(detail)
        elif self._reader.inside_frame and self.problem is None:
            self.problem = TransferError(Code.LOST, "the connection ended inside a frame")

    def close(self) -> None:
        """Let go of everything, reference cycles included; nothing works afterwards."""
        self._closing = True
        self._reader.close()
        self.session = None

    def tick(self, now: float) -> None:
        if self.session is not None:
            self.session.tick(now)

    def stop(self) -> None:
        """Take nothing more from the peer."""
        self._closing = True

    def cancel(self) -> None:
        """Give the current session up, if there is one."""
        if self.session is not None:
            self.session.cancel()

    def fail(self, problem: TransferError) -> None:
        """Nothing that the peer still sends can be understood: end the session, tell the peer."""
        if self.closing:
            return
        self._closing = True
        self.problem = problem
        if self.session is not None and not self.session.finished:
            self.session.heard = True
            self.session.fail(problem)
        else:
            self._flush()
            meta: Meta = {Key.CODE: int(problem.code), Key.MESSAGE: shorten(problem.message, MAX_MESSAGE)}
            self._outbox.append([memoryview(FrameWriter().encode(FrameType.RESET, meta))])

    @property
    def finished(self) -> bool:
        """No session is going on: the last has ended, or none has begun."""
        return self.session is None or self.session.finished

    @property
    def expires(self) -> float | None:
        """When the current session fails unless something moves."""
        return None if self.session is None else self.session.expires

    @property
    def expected(self) -> int:
        """The sequence number of the next frame."""
        return self._reader.expected

    def on_frame(self, frame: Frame) -> None:
        if self.session is None or self.session.finished:
            if frame.type is FrameType.RESET:  # the peer ends the conversation; there is nothing to answer
                self._closing = True
                self.problem = reported(frame)
                return
            self.session = self._begin(frame)
        self.session.on_frame(frame)
        self._settle()

    def landing(self, frame: Frame, left: int) -> memoryview:
        assert isinstance(self.session, Receiver)
        return self.session.landing(frame, left)

    def landed(self, frame: Frame, view: memoryview) -> None:
        assert isinstance(self.session, Receiver)
        self.session.landed(frame, view)

    def on_data(self, frame: Frame) -> None:
        assert isinstance(self.session, Receiver)
        self.session.on_data(frame)

    def on_skipped(self) -> None:
        if self.session is not None:
            self.session.heard = True
            self.session.moved()

    def _begin(self, frame: Frame) -> AnySession:
        if self._incoming is None or frame.type not in (FrameType.REQUEST, FrameType.OFFER):
            raise TransferError(
                Code.PROTOCOL, f"no session is open, and {frame.type.name} does not start one"
            )
        self._flush()
        return self._incoming(frame.type)

    def _settle(self) -> None:
        assert self.session is not None
        if self.session.finished:
            self._reader.new_session()

    def _flush(self) -> None:
        """Keep what the last session still has to say in front of the next session's frames."""
        while self.session is not None and (rest := self.session.output()):
            self._outbox.append(rest)
