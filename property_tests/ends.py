"""One end of the reference in the hands of a peer that keeps no rule, and what its application has open."""

from __future__ import annotations

from typing import Any, Literal

from objstream import Code, ObjectAssembler, TransferError
from objstream.meta import Key
from objstream.session import Connection, Receiver, Sender
from objstream_conformance.frames import PREFACE, Step, Type, split, step
from objstream_conformance.simulation.application import (
    Account,
    ContainerSource,
    ContainerStore,
    Disk,
    FileSource,
    FileStore,
    Trouble,
)
from objstream_conformance.simulation.objects import Subject
from objstream_conformance.simulation.plan import Plan
from objstream_conformance.trace import Record, recording

CONTAINER = {"a": b"x" * 50, "b": [1, 2.5, None], "c": bytearray(300)}
CONTENT = bytes(range(200))
PLAN = Plan(0, chunk=64, window=200, inline=64, max_bytes=1 << 20)
DIGESTS = ("sha-256", "blake3")

Role = Literal["sender", "owner", "receiver", "requester"]


class Target:
    """One end under attack.

    Args:
        role: "sender" and "requester" begin, "owner" and "receiver" wait.
        kind: what a requester asks for.
        traced: keep a log of everything that it sends, receives and decides.

    Attributes:
        log: that log.
        accounts: of all sources and stores that were made.
        said: all bytes that the end has sent.
        portion: bytes that it reads at a time, 0 for all that are there.
    """

    def __init__(self, role: Role, kind: str = "container", *, traced: bool = True) -> None:
        self.role = role
        self.kind = kind
        self.log: list[Record] = []
        self.accounts: list[Account] = []
        self.disk = Disk()
        self.said = bytearray()
        self.portion = 0
        self.now = 0.0
        self.sends = role in ("sender", "owner")
        begins = role in ("sender", "requester")
        make: Any = recording(self.log.append, hashing=True) if traced else Connection
        self.connection: Connection = make(
            limits=PLAN.sender_limits if self.sends else PLAN.receiver_limits,
            preface=True,
            incoming=None if begins else lambda type_: self.session(),
        )
        if begins:
            self.connection.start(self.session())
        self.connection.tick(self.now)

    def session(self) -> Sender | Receiver:
        options: dict[str, Any] = {"name": "object", "deadline": 10.0}
        if self.sends:
            streamer = self.source(self.kind) if self.role == "sender" else None
            sender = Sender(streamer, limits=PLAN.sender_limits, accepted=DIGESTS, **options)
            if streamer is not None:
                sender.offer()
            return sender
        store = self.store(self.kind) if self.role == "requester" else None
        receiver = Receiver(
            store, limits=PLAN.receiver_limits, offered=DIGESTS, window=PLAN.window, **options
        )
        if store is not None:
            receiver.ask(self.kind)
        return receiver

    def source(self, kind: str) -> ContainerSource | FileSource:
        value, make = (CONTENT, FileSource) if kind == "file" else (CONTAINER, ContainerSource)
        source: ContainerSource | FileSource = make(Subject(kind, value, False), PLAN, Trouble([]))
        self.accounts.append(source.account)
        return source

    def store(self, kind: str) -> ObjectAssembler:
        store = FileStore(self.disk, "it", Trouble([])) if kind == "file" else ContainerStore(Trouble([]))
        self.accounts.append(store.account)
        return store

    # -- what happens to it

    def act(self, action: str) -> None:
        """Something that the application or the clock does."""
        session = self.connection.session
        if action == "work":
            for _ in range(3):
                self.say()
        elif action == "cancel":
            self.connection.cancel()
        elif action == "refuse" and session is not None and session.waiting:
            session.fail(TransferError(Code.REFUSED, "not now"))
        elif action in ("wait", "expire"):
            self.now += 3.0 if action == "wait" else 11.0
            self.connection.tick(self.now)

    def hear(self, data: bytes) -> None:
        view = memoryview(data)
        while len(view) and not self.connection.closing:
            place = self.connection.want()
            count = min(len(place), len(view), self.portion or len(view))
            place[:count] = view[:count]
            self.connection.received(count)
            view = view[count:]

    def say(self) -> bool:
        """Decide what is asked for, and say one thing; False when there is nothing to say."""
        session = self.connection.session
        if session is not None and session.waiting:
            if isinstance(session, Sender):
                session.open(self.source(session.request[Key.KIND]))
            else:
                session.accept(self.store(session.offer[Key.KIND]))
        buffers = self.connection.output()
        for buffer in buffers or ():
            self.said += buffer
        return buffers is not None

    def leave(self) -> None:
        """The peer hangs up; the rest is said."""
        self.connection.eof()
        while self.say():
            pass

    # -- what became of it

    def last_chain(self) -> bytes:
        """The chain of the last END that the end has said, of no content where it has said none."""
        ends = [frame for frame in split(bytes(self.said[len(PREFACE) :]))[0] if frame.type == Type.END]
        chain: object = ends[-1].get("chain") if ends else None
        return chain if isinstance(chain, bytes) else bytes(32)

    def done(self) -> Step:
        """The DONE that the end awaits."""
        return step(Type.DONE, chain=self.last_chain())

    def left(self) -> str:
        """What the end has left behind after it has ended; "" when nothing."""
        if not self.connection.finished:
            return "the session goes on"
        for account in self.accounts:
            if account.late:
                return f"used after its end: {account.late}"
            if self.sends and account.closed != 1:
                return f"a source was closed {account.closed} times"
            if not self.sends and (account.finished == 1) == (account.discarded > 0):
                return f"a store was finished {account.finished}, discarded {account.discarded} times"
        return f"temporary files {sorted(self.disk.temporary)}" if self.disk.temporary else ""
