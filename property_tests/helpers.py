"""What the properties share: the codec on its own, and one session with all of its bytes in the test's hands."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from objstream import ContainerAssembler, ContainerStreamer, Description, Limits, Registry, TransferError
from objstream.session import Connection, Receiver, Sender, State
from objstream.values import Piece

LIMITS = Limits()
NAME = "object"

Parts = list[tuple[int, bytes]]


def portions(data: memoryview, lengths: Iterable[int]) -> Iterator[memoryview]:
    """The bytes in portions of these lengths, used over and over."""
    for length in itertools.cycle(lengths):
        if not len(data):
            return
        yield data[:length]
        data = data[length:]


def attempt(action: Callable[[], Any]) -> tuple[Any, TransferError | None]:
    """What came of it: a result, or the one documented error; any other exception goes on its way."""
    try:
        return action(), None
    except TransferError as problem:
        return None, problem


def encoded(
    container: Any, chunk: int = 1 << 20, limits: Limits = LIMITS, registry: Registry | None = None
) -> Parts:
    """The pieces of a container, copied."""
    streamer = ContainerStreamer(container, name=NAME, chunk=chunk, limits=limits, registry=registry)
    return [(piece.kind, bytes(piece.view)) for piece in streamer.pieces(chunk)]


def decoded(
    kind: str, parts: Parts, lengths: Sequence[int], limits: Limits = LIMITS, registry: Registry | None = None
) -> Any:
    """The container of these pieces, which arrive in other portions than they were sent."""
    assembler = ContainerAssembler(registry=registry)
    assembler.begin(Description(kind), limits)
    for piece, data in parts:
        for portion in portions(memoryview(data), lengths):
            if piece == Piece.ENTRIES:
                assembler.feed(portion)
            else:
                place(portion, assembler)
    assembler.check_complete()
    return assembler.finish()


def place(data: memoryview, assembler: ContainerAssembler) -> None:
    while len(data):
        room = assembler.buffer()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        assembler.filled(count)
        data = data[count:]


@dataclass
class Session:
    """One session, played to its end without faults.

    Attributes:
        forth: what the sender said, back: what the receiver said, each turn by turn; with the preface.
    """

    sender: Connection
    receiver: Connection
    forth: list[bytes] = field(default_factory=list)
    back: list[bytes] = field(default_factory=list)

    @property
    def sent(self) -> bytes:
        return b"".join(self.forth)

    @property
    def received(self) -> bytes:
        return b"".join(self.back)

    @property
    def result(self) -> Any:
        assert self.receiver.session is not None
        assert isinstance(self.receiver.session, Receiver)
        return self.receiver.session.result

    def states(self) -> tuple[State | None, State | None]:
        return tuple(  # type: ignore[return-value]
            None if end.session is None else end.session.state for end in (self.sender, self.receiver)
        )


Way = Literal["pull", "push"]


@dataclass(frozen=True)
class Setting:
    """How a session is made; each call makes fresh ends of the same session."""

    container: Any
    way: Way = "pull"
    chunk: int = 1 << 20
    window: int = 1 << 24
    sender_limits: Limits = LIMITS
    receiver_limits: Limits = LIMITS
    digests: tuple[str, ...] = ("sha-256",)

    def streamer(self) -> ContainerStreamer:
        return ContainerStreamer(self.container, name=NAME, chunk=self.chunk, limits=self.sender_limits)

    def sender(self) -> Connection:
        options: dict[str, Any] = {"limits": self.sender_limits, "accepted": self.digests, "deadline": 10.0}
        if self.way == "pull":
            connection = Connection(
                limits=self.sender_limits, preface=True, incoming=lambda type_: Sender(**options)
            )
        else:
            session = Sender(self.streamer(), name=NAME, **options)
            session.offer()
            connection = Connection(limits=self.sender_limits, preface=True)
            connection.start(session)
        connection.tick(0.0)
        return connection

    def receiver(self) -> Connection:
        options: dict[str, Any] = {
            "limits": self.receiver_limits,
            "offered": self.digests,
            "window": self.window,
            "deadline": 10.0,
        }
        if self.way == "push":
            connection = Connection(
                limits=self.receiver_limits, preface=True, incoming=lambda type_: Receiver(**options)
            )
        else:
            session = Receiver(ContainerAssembler(), name=NAME, **options)
            session.ask("container")
            connection = Connection(limits=self.receiver_limits, preface=True)
            connection.start(session)
        connection.tick(0.0)
        return connection

    def decide(self, connection: Connection) -> None:
        """Be the application: give or take what is asked for."""
        session = connection.session
        if session is None or not session.waiting:
            return
        if isinstance(session, Sender):
            session.open(self.streamer())
        else:
            session.accept(ContainerAssembler())

    def drain(self, connection: Connection) -> bytes:
        """All that this end has to say now."""
        said = bytearray()
        while True:
            self.decide(connection)
            buffers = connection.output()
            if buffers is None:
                return bytes(said)
            for buffer in buffers:
                said += buffer

    def feed(self, connection: Connection, data: bytes, lengths: Iterable[int] = (1 << 30,)) -> bytes:
        """Let the bytes arrive in portions of these lengths; what the end says meanwhile."""
        said = bytearray()
        for portion in portions(memoryview(data), lengths):
            while len(portion) and not connection.closing:
                room = connection.want()
                count = min(len(room), len(portion))
                room[:count] = portion[:count]
                connection.received(count)
                self.decide(connection)
                portion = portion[count:]
            said += self.drain(connection)
        return bytes(said)

    def play(
        self, forth_lengths: Sequence[int] = (1 << 30,), back_lengths: Sequence[int] = (1 << 30,)
    ) -> Session:
        """The whole session, its bytes arriving in portions of these lengths."""
        session = Session(self.sender(), self.receiver())
        forth, back = self.drain(session.sender), self.drain(session.receiver)
        while forth or back:
            session.forth.append(forth)
            session.back.append(back)
            forth, back = (
                self.feed(session.sender, back, back_lengths),
                self.feed(session.receiver, forth, forth_lengths),
            )
        return session


def outcome(connection: Connection) -> str:
    """ "delivered", the code's name, or "open"."""
    session = connection.session
    if session is not None and session.finished:
        return "delivered" if session.error is None else session.error.code.name
    return connection.problem.code.name if connection.problem is not None else "open"
