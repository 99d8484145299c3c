"""Wrong implementations: each breaks one rule of the reference, and the simulation has to find out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from objstream import Code, Limits, TransferError
from objstream.digests import Chain
from objstream.frames import HEADER, Frame, FrameReader, FrameType
from objstream.meta import Key
from objstream.session import Buffers, Connection, Event, Receiver, Sender, State
from objstream_conformance.simulation import Bench, Retriever


@dataclass(frozen=True)
class Planted:
    """A wrong implementation.

    Attributes:
        bench: it, in the place of the reference.
        found: what the problem that shows it must say.
        federations: it takes several sites to see it.
    """

    bench: Bench
    found: str
    federations: bool = False


def _with(frame: Frame, **changes: Any) -> Frame:
    return replace(
        frame, meta={**frame.meta, **{Key[name.upper()]: value for name, value in changes.items()}}
    )


class NoDigests(Receiver):
    """Does not compare the digest of a frame with its data."""

    def on_data(self, frame: Frame) -> None:
        super().on_data(_with(frame, digest=self._hasher.digest()) if Key.DIGEST in frame.meta else frame)


class NoChain(Receiver):
    """Does not compare the chain in END with its own."""

    def _on_end(self, frame: Frame) -> None:
        super()._on_end(_with(frame, chain=self._chain.value))


class Neither(NoDigests, NoChain):
    """Compares nothing."""


class NoCount(Receiver):
    """Does not compare the number of entries."""

    def _on_end(self, frame: Frame) -> None:
        assert self._assembler is not None
        super()._on_end(_with(frame, count=self._assembler.count))


class NoSize(Receiver):
    """Does not compare the number of bytes in END."""

    def _on_end(self, frame: Frame) -> None:
        super()._on_end(_with(frame, size=self._bytes))


class Hasty(Receiver):
    """Confirms before it stores."""

    def _on_end(self, frame: Frame) -> None:
        self._send(FrameType.DONE, {Key.CHAIN: self._chain.value})
        super()._on_end(frame)
        self._control.pop()

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        confirmed = [one for one in self._control if one[0] is FrameType.DONE]
        super().fail(error, event)
        if confirmed:
            self._control.clear()
            self._control.extend(confirmed)


class Leaky(Receiver):
    """Forgets what it holds when it is cancelled."""

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        if event is Event.CANCEL:
            self._assembler = None
        super().fail(error, event)


class Deaf(Receiver):
    """Takes the end of the bytes for the end of the object."""

    def eof(self, detail: str = "") -> None:
        if self.state is State.RECEIVING and self._assembler is not None and not self._assembler.room():
            self._step(Event.RECV_END)
            self.result, self._assembler = self._assembler.finish(), None
            self._step(Event.STORED)
        super().eof(detail)


class Stingy(Receiver):
    """Never renews the credit."""

    def _grant(self) -> None:
        pass


class Patient(Receiver):
    """Has no deadline."""

    def tick(self, now: float) -> None:
        pass


class Talkative(Receiver):
    """Tells the peer what only this side may know."""

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        super().fail(
            TransferError(error.code, f"{error.message} {error.local}", from_peer=error.from_peer), event
        )


class Mute(Receiver):
    """Fails without a word."""

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        super().fail(error, event)
        self._control.clear()


class Confident(Sender):
    """Reports success when everything is sent."""

    def _end(self) -> Buffers:
        buffers = super()._end()
        self._step(Event.RECV_DONE)
        self._release()
        return buffers


class Blind(Sender):
    """Does not notice that the object changes."""

    def _open(self) -> None:
        self._description = replace(self._description, size=None)
        super()._open()
        self._survey = None


class Credulous(Sender):
    """Takes any DONE for a confirmation."""

    def _on_done(self, frame: Frame) -> None:
        super()._on_done(_with(frame, chain=self._chain.value))


class Certain(Sender):
    """Calls it LOST when the confirmation is lost."""

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        super().fail(error, event)
        if self.error is not None and self.error.code is Code.UNCONFIRMED:
            self.error = TransferError(Code.LOST, self.error.message)


class Greedy(Sender):
    """Sends beyond the credit."""

    def _content(self) -> Buffers | None:
        self._credit = max(self._credit, self._bytes + 1)
        return super()._content()


class Miscounting(Sender):
    """Leaves the last content frame out of its chain."""

    def _end(self) -> Buffers:
        self._chain = Chain(self._description.kind)
        return super()._end()


class Impatient(Sender):
    """Gives up after half of its deadline."""

    def tick(self, now: float) -> None:
        deadline, self.deadline = self.deadline, self.deadline / 2
        super().tick(now)
        self.deadline = deadline


class Negligent(Sender):
    """Leaves its source open when the peer resets."""

    def fail(self, error: TransferError, event: Event = Event.FAULT) -> None:
        if event is Event.RECV_RESET:
            self._streamer = None
        super().fail(error, event)


class Crashing(Sender):
    """Lets the errors of its source out."""

    def _next_piece(self) -> bool:
        self._piece = next(self._pieces, None)
        self._cut = 0
        return self._piece is not None


class LaxReader(FrameReader):
    """Takes any number for the right one."""

    def _header(self, head: bytes) -> tuple[int, int, int, int]:
        self._seq = HEADER.unpack(head)[4]
        return super()._header(head)


class NoNumbers(Connection):
    """Does not look at the numbers of frames."""

    def __init__(self, *, limits: Limits, preface: bool, incoming: Callable[..., Any] | None = None) -> None:
        super().__init__(limits=limits, preface=preface, incoming=incoming)
        self._reader = LaxReader(self, limits, preface=preface)


class Sharing(Receiver):
    """Has one buffer for all sessions."""

    _one = bytearray(1 << 16)

    def landing(self, frame: Frame, left: int) -> memoryview:
        view = super().landing(frame, left)
        return view if frame.type is FrameType.DATA else memoryview(self._one)[: frame.length]

    def on_data(self, frame: Frame) -> None:
        if frame.type is FrameType.ENTRIES:
            self._scratch[: frame.length] = self._one[: frame.length]
        super().on_data(frame)


class Entangled(Sender):
    """Spends the credit of whoever was asked last."""

    _common: ClassVar[list[int]] = [0]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._common[0] = 0

    def _on_credit(self, frame: Frame) -> None:
        super()._on_credit(frame)
        self._common[0] = self._credit

    def _content(self) -> Buffers | None:
        self._credit = max(self._credit, self._common[0])
        return super()._content()


class Remembering(Retriever):
    """Gives what had the name first."""

    def __init__(self, site: Any, kind: str) -> None:
        self._first: dict[str, Any] = {}
        super().__init__(site, kind)

    def find(self, name: str) -> Any:
        return self._first.setdefault(name, super().find(name))


def _receiver(cls: type[Receiver], found: str) -> Planted:
    return Planted(Bench(receiver=cls), found)


def _sender(cls: type[Sender], found: str) -> Planted:
    return Planted(Bench(sender=cls), found)


PLANTED: dict[str, Planted] = {
    "a receiver that skips digests": _receiver(NoDigests, "OSP-INT-021"),
    "a receiver that skips the chain": _receiver(NoChain, "wrong object"),
    "a receiver that skips both": _receiver(Neither, "wrong object"),
    "a receiver that skips the count": _receiver(NoCount, "OSP-INT-027"),
    "a receiver that skips the size": _receiver(NoSize, "OSP-INT-026"),
    "a receiver that confirms before it stores": _receiver(Hasty, "false success"),
    "a receiver that leaks when it is cancelled": _receiver(Leaky, "left behind"),
    "a receiver that takes the end of bytes for success": _receiver(Deaf, "wrong object"),
    "a receiver that never renews credit": _receiver(Stingy, "not delivered"),
    "a receiver without a deadline": _receiver(Patient, "hang"),
    "a receiver that tells local details": _receiver(Talkative, "leak"),
    "a receiver that fails without a word": _receiver(Mute, "OSP-SES-035"),
    "a sender that reports success at END": _sender(Confident, "false success"),
    "a sender that does not notice changes": _sender(Blind, "wrong object"),
    "a sender that takes any DONE": _sender(Credulous, "OSP-INT-025"),
    "a sender that calls it LOST": _sender(Certain, "disagreement"),
    "a sender that exceeds the credit": _sender(Greedy, "OSP-FLW-002"),
    "a sender with another chain": _sender(Miscounting, "OSP-INT-022"),
    "a sender that is impatient": _sender(Impatient, "OSP-TIM-006"),
    "a sender that leaves its source open": _sender(Negligent, "left behind"),
    "a sender that lets errors out": _sender(Crashing, "crash"),
    "a reader that skips numbers": Planted(Bench(connection=NoNumbers), "OSP-FRM-015"),
    "receivers that share a buffer": Planted(Bench(receiver=Sharing), "CORRUPT", federations=True),
    "senders that share their credit": Planted(Bench(sender=Entangled), "OSP-FLW-002", federations=True),
    "a retriever that gives what was replaced": Planted(
        Bench(retriever=Remembering), "wrong object", federations=True
    ),
}
