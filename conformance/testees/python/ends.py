"""Ends of sessions over objstream: bytes in, bytes out."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import objstream
from objstream.frames import FrameType
from objstream.meta import Key
from objstream.session import AnySession, Connection, Receiver, Sender

MIB = 1 << 20
ROLES = ["owner", "requester", "sender", "receiver"]
ENTRIES, DATA = 4, 5


class Unsupported(Exception):
    """The operation, the role or an option is not on offer."""


class End:
    """One end of the sessions on one connection, which takes bytes and gives bytes."""

    def __init__(self, role: str, name: str, value: Any, options: dict[str, Any]) -> None:
        kind, chunk = options.pop("kind", "container"), options.pop("chunk", MIB)
        window = options.pop("window", 16 * MIB)
        deadline, digests = options.pop("deadline", 30.0), options.pop("digests", ["sha-256"])
        try:
            limits = objstream.Limits(**options)
        except TypeError as problem:
            raise Unsupported from problem
        self.now, self.name, self.chunk = 0.0, name, chunk
        self.directory = tempfile.TemporaryDirectory(prefix="testee-")
        self.value = None if value is None else self.built(**value)
        self.giving = {"limits": limits, "deadline": deadline, "accepted": digests}
        self.taking = {"limits": limits, "deadline": deadline, "offered": digests, "window": window}
        self.connection = Connection(limits=limits, preface=True, incoming=self.incoming)
        if role == "requester":
            receiver = Receiver(self.assembler(kind), name=name, **self.taking)
            receiver.ask(kind)
            self.connection.start(receiver)
        elif role == "sender":
            sender = Sender(self.streamer(self.value), name=name, **self.giving)
            sender.offer()
            self.connection.start(sender)
        elif role not in ROLES:
            raise Unsupported
        self.connection.tick(self.now)

    def start(self) -> bytes:
        """All that there is to say now."""
        said = b""
        while True:
            session = self.connection.session
            if session is not None and session.waiting:
                self.decide(session)
            buffers = self.connection.output()
            self.connection.tick(self.now)
            if buffers is None:
                return said
            said += b"".join(buffers)

    def feed(self, data: bytes) -> bytes:
        said = b""
        while data and not self.connection.closing:
            place = self.connection.want()[: len(data)]
            place[:], data = data[: len(place)], data[len(place) :]
            self.connection.received(len(place))
            said += self.start()
        return said

    def eof(self) -> bytes:
        self.connection.eof()
        return self.start()

    def advance(self, seconds: float) -> bytes:
        self.now += seconds
        self.connection.tick(self.now)
        return self.start()

    def outcome(self) -> Any:
        session, problem = self.connection.session, self.connection.problem
        if session is not None and session.finished:
            if session.error is None:
                return "delivered", self.told(session.result) if isinstance(session, Receiver) else None
            problem = session.error
        return problem and ("failed", problem.code.name)

    def incoming(self, type_: FrameType) -> AnySession:
        """The session that the peer begins."""
        return Sender(**self.giving) if type_ is FrameType.REQUEST else Receiver(**self.taking)

    def decide(self, session: AnySession) -> None:
        kind = "file" if isinstance(self.value, Path) else "container"
        if isinstance(session, Receiver):
            session.accept(self.assembler(session.offer[Key.KIND]))
        elif self.value is not None and (session.name, session.request[Key.KIND]) == (self.name, kind):
            session.open(self.streamer(self.value))
        else:
            session.fail(objstream.TransferError(objstream.Code.NOT_FOUND, "it is not here"))

    def streamer(self, value: Any) -> objstream.ObjectStreamer:
        kind = objstream.FileStreamer if isinstance(value, Path) else objstream.ContainerStreamer
        return kind(value, name=self.name, chunk=self.chunk)

    def assembler(self, kind: str) -> objstream.ObjectAssembler:
        path = Path(self.directory.name) / str(self.now)
        return objstream.FileAssembler(path) if kind == "file" else objstream.ContainerAssembler()

    def built(self, kind: str, content: list[tuple[int, str]]) -> object:
        """The object with this content: a container, or the path of a file."""
        assembler = self.assembler(kind)
        assembler.begin(objstream.Description(kind), objstream.Limits())
        for type_, text in content:
            data = base64.b64decode(text)
            if type_ == ENTRIES:
                assembler.feed(memoryview(data))
            while type_ == DATA and data:
                place = assembler.buffer()[: len(data)]
                place[:], data = data[: len(place)], data[len(place) :]
                assembler.filled(len(place))
        assembler.check_complete()
        return assembler.finish()

    def told(self, value: object) -> object:
        streamer = self.streamer(value)
        kind = streamer.describe().kind
        content = [(piece.kind, base64.b64encode(piece.view).decode()) for piece in streamer.pieces(MIB)]
        streamer.close()
        return {"kind": kind, "content": content}
