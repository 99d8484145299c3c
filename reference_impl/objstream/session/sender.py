"""The sender's session: answers a request, or offers an object, and streams it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .. import digests
from ..digests import NONE, Chain, Hasher, NoDigest, choose, hash_of
from ..errors import Code, TransferError
from ..frames import Frame, FrameType
from ..limits import Limits
from ..meta import Key, Meta
from ..streamers.base import Description, ObjectStreamer
from ..values import Piece
from .announcement import announcement, check_attributes
from .base import DEADLINE, VERSION, VERSIONS, Buffers, Observer, Progress, Session
from .survey import Survey
from .tables import SENDER, Event, State


class Sender(Session):
    """Streams one object to one peer.

    For a push, construct it with the streamer and call `offer`. For a pull, construct it without and hand it the
    REQUEST; `waiting` is then set until the application calls `open` with the object's streamer, or `fail`.

    An object that can be read twice is surveyed before it is announced: refusals come before any content, size and
    count are known, and what is sent later must be what the survey saw.

    Args:
        streamer: the object; the session closes it at its end, whatever the outcome.
        accepted: names of the digests that may be used; the receiver's order decides.
        deadline: seconds without progress after which the session fails.

    Attributes:
        request: the REQUEST's meta, once there is one.
    """

    table = SENDER

    def __init__(
        self,
        streamer: ObjectStreamer | None = None,
        *,
        name: str = "object",
        limits: Limits | None = None,
        accepted: Sequence[str] = digests.DEFAULT,
        deadline: float = DEADLINE,
        progress: Observer | None = None,
    ) -> None:
        super().__init__(name, limits=limits or Limits(), deadline=deadline, progress=progress)
        self.request: Meta = {}
        self._streamer = streamer
        self._description = Description("")
        self._accepted = tuple(accepted)
        self._digest = self._accepted[0]
        self._credit = 0
        self._bytes = 0
        self._survey: Survey | None = None
        self._surveying: Iterator[None] | None = None
        self._chain = Chain("")
        self._pieces: Iterator[Piece] = iter(())
        self._piece: Piece | None = None
        self._known = b""
        self._cut = 0
        self._hasher: Hasher = NoDigest()
        self._chunk = 0
        self._frames = 0
        self._validator: bytes | None = None
        self._returning: Iterator[None] | None = None

    def offer(self) -> None:
        """Ask the peer to take the object (push)."""
        assert self._streamer is not None
        try:
            self.check_name(self.name)
        except TransferError as problem:
            self.fail(problem)
            return
        self._prepare()

    def open(self, streamer: ObjectStreamer) -> None:
        """Answer the REQUEST with this object (pull)."""
        self.waiting = False
        self._streamer = streamer
        self._prepare()

    def where(self) -> str:
        total = self._description.size
        return f"{self._bytes} of {total if total is not None else 'unknown'} bytes sent"

    def on_frame(self, frame: Frame) -> None:
        """A frame of the peer; raises TransferError when the peer broke the protocol."""
        if frame.type is FrameType.REQUEST:
            self._on_request(frame)
        elif frame.type is FrameType.CREDIT:
            self._on_credit(frame)
        elif frame.type is FrameType.DONE:
            self._on_done(frame)
        elif frame.type is FrameType.RESET:
            self._on_reset(frame)
        else:
            raise TransferError(Code.PROTOCOL, f"{self.name}: a sender does not take {frame.type.name}")

    def output(self) -> Buffers | None:
        try:
            if self._surveying is not None:
                return self._go_on_surveying(self._surveying)
            if self._returning is not None:
                return self._go_on_returning(self._returning)
            if self.state is State.STREAMING and not self._control:
                return self._content()
        except TransferError as problem:
            self.fail(problem)
        return super().output()

    def _on_request(self, frame: Frame) -> None:
        if self.state is State.IDLE and self._streamer is not None:
            raise TransferError(Code.PROTOCOL, f"{self.name}: a REQUEST before anything was offered")
        self._receive(Event.RECV_REQUEST, frame)
        meta = frame.meta
        self.check_name(meta[Key.NAME])
        if VERSION not in meta[Key.VERSIONS]:
            raise TransferError(
                Code.VERSION, f"no version in common: asked for {meta[Key.VERSIONS]}, spoken {list(VERSIONS)}"
            )
        self._digest = choose(meta[Key.DIGESTS], self._accepted)
        if Key.RESUME in meta:
            if self._digest == NONE:
                raise TransferError(Code.UNSUPPORTED, "without digests no transfer can be resumed")
            if Key.VALIDATOR not in meta:
                raise TransferError(Code.PROTOCOL, "a REQUEST to resume lacks the validator")
        self._credit = meta[Key.CREDIT]
        offered = self._streamer
        if offered is None:
            self.request, self.name, self.waiting = meta, meta[Key.NAME], True
            return
        if (meta[Key.NAME], meta[Key.KIND]) != (self.name, self._description.kind):
            raise TransferError(
                Code.PROTOCOL, f"{self.name}: the REQUEST is for something else than was offered"
            )
        self.request = meta
        self._open()

    def _prepare(self) -> None:
        """Describe and survey the object; what comes then depends on whether it has been asked for."""
        streamer = self._streamer
        assert streamer is not None
        try:
            with self._application(Code.SOURCE_FAILED):
                self._description = streamer.describe()
                check_attributes(self._description)
                self._chunk = self._piece_limit(streamer)
                if streamer.repeatable:
                    self._survey = Survey(self._digest)
                    self._surveying = self._survey.read(streamer.pieces(self._chunk))
            if self._surveying is None:
                self._announce()
        except TransferError as problem:
            self.fail(problem)

    def _go_on_surveying(self, surveying: Iterator[None]) -> Buffers:
        with self._application(Code.SOURCE_FAILED):
            unfinished = next(surveying, self) is not self
        self.moved()
        if unfinished:
            return self._sign_of_life()
        assert self._streamer is not None
        assert self._survey is not None
        self._surveying = None
        self._description = replace(self._description, size=self._survey.size, count=self._streamer.count)
        self._announce()
        return []

    def _announce(self) -> None:
        if self.request:
            self._open()
            return
        self._step(Event.SEND_OFFER)
        self._send(FrameType.OFFER, {Key.NAME: self.name, **announcement(self._description)})

    def _open(self) -> None:
        assert self._streamer is not None
        size, most = self._description.size, self.request[Key.MAX_BYTES]
        if size is not None and size > most:
            raise TransferError(
                Code.TOO_LARGE, f"{self.name}: {size} bytes, the receiver takes at most {most}"
            )
        self._chain = Chain(self._description.kind)
        if self._survey is None:
            self._chunk = self._piece_limit(self._streamer)
        with self._application(Code.SOURCE_FAILED):
            self._validator = self._validate(self._streamer)
            self._pieces = self._streamer.pieces(self._chunk)
        if Key.RESUME in self.request:
            self._returning = self._return(*self.request[Key.RESUME])
        else:
            self._send_open({})

    def _send_open(self, resumed: Meta) -> None:
        if self._validator is not None:
            resumed = {**resumed, Key.VALIDATOR: self._validator}
        self._step(Event.SEND_OPEN)
        self._send(
            FrameType.OPEN,
            {Key.VERSIONS: VERSION, Key.DIGESTS: self._digest, **announcement(self._description), **resumed},
        )

    def _piece_limit(self, streamer: ObjectStreamer) -> int:
        """The largest piece: what is sent to be resumed is never cut, so that it comes in the same frames again."""
        if Key.VALIDATOR not in self.request:
            return streamer.chunk
        return min(streamer.chunk, int(self.request[Key.MAX_FRAME]))

    def _validate(self, streamer: ObjectStreamer) -> bytes | None:
        """The validator, where the receiver wants to be able to resume and this object can be."""
        if Key.VALIDATOR not in self.request or self._digest == NONE:
            return None
        if self._survey is None:
            return streamer.validator()
        return self._survey.validator() if self._survey.largest <= self.request[Key.MAX_FRAME] else None

    def _return(self, frames: int, size: int, chain: bytes) -> Iterator[None]:
        """Go to the point from which the receiver wants to go on, pausing after each piece before it."""
        if self._validator is None:
            raise TransferError(Code.UNSUPPORTED, f"{self.name}: it cannot be resumed")
        if self._validator != self.request[Key.VALIDATOR]:
            raise self._changed_since()
        while self._frames < frames and self._next_piece():
            assert self._piece is not None
            self._count(self._piece, self._piece.view)
            self._piece = None
            yield
        if (self._frames, self._bytes, self._chain.value) != (frames, size, chain):
            raise self._changed_since()

    def _go_on_returning(self, returning: Iterator[None]) -> Buffers:
        unfinished = next(returning, self) is not self
        self.moved()
        if unfinished:
            return self._sign_of_life()
        self._returning = None
        self._send_open({Key.RESUME: self.request[Key.RESUME]})
        return []

    def _on_credit(self, frame: Frame) -> None:
        moved = self._moved
        self._receive(Event.RECV_CREDIT, frame)
        if frame.meta[Key.CREDIT] > self._credit:
            self._credit = frame.meta[Key.CREDIT]
            return
        self._moved = moved
        self._idle_credits += 1
        if self._idle_credits > self.limits.max_controls:
            raise TransferError(
                Code.TOO_LARGE,
                f"{self.name}: more than {self.limits.max_controls} CREDIT frames that grant nothing",
            )

    def _on_done(self, frame: Frame) -> None:
        if self.state is State.ENDED and frame.meta[Key.CHAIN] != self._chain.value:
            raise TransferError(
                Code.CORRUPT, f"{self.name}: the receiver confirmed other content than was sent"
            )
        self._receive(Event.RECV_DONE, frame)
        self._release()

    def _content(self) -> Buffers | None:
        """The next content frame; after the last, END."""
        if self._piece is None and not self._next_piece():
            return self._end()
        free = min(self._credit - self._bytes, self.request[Key.MAX_FRAME])
        assert self._piece is not None
        least = 1 if self._validator is None else len(self._piece.view)
        return self._frame(free) if free >= least else None

    def _next_piece(self) -> bool:
        with self._application(Code.SOURCE_FAILED):
            self._piece = next(self._pieces, None)
        self._cut = 0
        if self._piece is None:
            return False
        size = self._description.size
        if size is not None and self._bytes + len(self._piece.view) > size:
            raise self._changed()
        if self._survey is not None:
            known = self._survey.next(self._piece)
            if known is None:
                raise self._changed()
            self._known = known
        return True

    def _frame(self, free: int) -> Buffers:
        """What may be sent now of the current piece."""
        piece = self._piece
        assert piece is not None
        part = piece.view[self._cut : self._cut + free]
        digest = self._count(piece, part)
        if self._cut == len(piece.view):
            self._piece = None
        self._step(Event.SEND_CONTENT)
        self._report()
        meta: Meta = {Key.DIGEST: digest} if digest else {}
        return self._frame_of(FrameType(piece.kind), meta, part)

    def _count(self, piece: Piece, part: memoryview) -> bytes:
        """Add the next part of a piece to what chain and position are about; returns its digest."""
        digest = self._digest_of(piece, part)
        self._cut += len(part)
        self._chain.add(piece.kind, len(part), digest)
        self._frames += 1
        self._bytes += len(part)
        return digest

    def _digest_of(self, piece: Piece, part: memoryview) -> bytes:
        """The digest for the wire. Whatever goes out under it is what the survey saw, or somebody notices.

        A whole buffer goes under the digest of the survey: if it has changed, the receiver finds it corrupt. Anything
        else is hashed as it is now and compared here.
        """
        survey = self._survey
        whole = len(part) == len(piece.view)
        if whole and survey is not None and piece.kind == Piece.DATA and survey.algorithm == self._digest:
            return self._known
        digest = hash_of(self._digest, part)
        if survey is not None:
            if self._cut == 0:
                self._hasher = survey.hasher(piece)
            self._hasher.update(part)
            if self._cut + len(part) == len(piece.view) and self._hasher.digest() != self._known:
                raise self._changed()
        return digest

    def _end(self) -> Buffers:
        streamer = self._streamer
        assert streamer is not None
        with self._application(Code.SOURCE_FAILED):
            streamer.confirm()
        if self._survey is not None and not self._survey.complete:
            raise self._changed()
        end: Meta = {Key.CHAIN: self._chain.value, Key.SIZE: self._bytes, Key.COUNT: streamer.count}
        self._step(Event.SEND_END)
        return self._frame_of(FrameType.END, end)

    def _changed(self) -> TransferError:
        return TransferError(
            Code.SOURCE_CHANGED, f"{self.name}: the object changed while it was sent; {self.where()}"
        )

    def _changed_since(self) -> TransferError:
        return TransferError(
            Code.SOURCE_CHANGED,
            f"{self.name}: the object has changed since the transfer that was to be resumed",
        )

    def _on_reset(self, frame: Frame) -> None:
        survey, streamer = self._survey, self._streamer
        detail = ""
        if frame.meta[Key.CODE] == Code.CORRUPT and survey is not None and streamer is not None:
            with self._last_call():
                if survey.differs(streamer.pieces(self._chunk)):
                    detail = "the object itself changed while it was sent"
        super()._on_reset(frame)
        if self.error is not None and detail:
            self.error.local = detail

    def _report(self) -> None:
        if self._progress is not None:
            assert self._streamer is not None
            announced = self._description
            with self._application(Code.CANCELLED):
                self._progress(Progress(self._bytes, announced.size, self._streamer.count, announced.count))

    def _release(self) -> None:
        streamer, self._streamer = self._streamer, None
        self._survey = self._surveying = self._returning = None
        self._pieces = iter(())
        self._piece = None
        if streamer is not None:
            with self._last_call():
                streamer.close()
