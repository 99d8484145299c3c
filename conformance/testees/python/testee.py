"""A testee over objstream, an example for authors: the messages of ../README.md on standard input and output."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import objstream
from objstream.meta import Key
from objstream.session import Connection, Receiver, Sender

ROLES = ["owner", "requester", "sender", "receiver"]
CAPABILITIES = ["wire", "container", "file", "numpy", "disk", "cancel", "resume"]
with contextlib.suppress(ImportError):
    import torch  # noqa: F401 - now, for the first message may take its time

    CAPABILITIES.append("tensors")
ABOUT = {"name": "objstream", "version": objstream.__version__, "roles": ROLES, "capabilities": CAPABILITIES}


class End:
    """One end of the sessions on one connection: bytes in, bytes out."""

    def __init__(self, role: str, name: str, value: Any, options: dict[str, Any]) -> None:
        kind, self.chunk = options.pop("kind", "container"), options.pop("chunk", 1 << 20)
        deadline, digests = options.pop("deadline", 30.0), options.pop("digests", ["sha-256"])
        window, self.resume = options.pop("window", 16 << 20), options.pop("resume", None)
        self.temporary = tempfile.TemporaryDirectory(prefix="testee-")
        self.directory = options.pop("directory", self.temporary.name)
        try:
            limits = objstream.Limits(**options)
        except TypeError as problem:
            raise NotImplementedError from problem  # is answered as unsupported
        self.now, self.name, self.value = 0.0, name, value and built(**value)
        self.offered = value and ("file" if value["kind"] == "file" else "container", name)
        giving = {"limits": limits, "deadline": deadline, "accepted": digests}
        taking = {"limits": limits, "deadline": deadline, "offered": digests, "window": window}
        incoming = lambda first: Sender(**giving) if first.name == "REQUEST" else Receiver(**taking)  # noqa: E731
        self.connection = Connection(limits=limits, preface=True, incoming=incoming)
        if role == "requester":
            receiver = Receiver(self.assembler(kind), name=name, **taking)
            receiver.ask(kind)
            self.connection.start(receiver)
        elif role == "sender":
            sender = Sender(self.streamer(), name=name, **giving)
            sender.offer()
            self.connection.start(sender)
        elif role not in ROLES:
            raise NotImplementedError

    def start(self) -> bytes:
        """All that there is to say now."""
        said = b""
        while True:
            session = self.connection.session
            if session is not None and session.waiting:
                self.decide(session)
            self.connection.tick(self.now)
            buffers = self.connection.output()
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
        return self.connection.eof() or self.start()

    def cancel(self) -> bytes:
        return self.connection.cancel() or self.start()

    def advance(self, seconds: float) -> bytes:
        self.now += seconds
        return self.start()

    def outcome(self) -> Any:
        session, problem = self.connection.session, self.connection.problem
        if session is not None and session.finished:
            if session.error is None:
                return "delivered", told(session.result) if isinstance(session, Receiver) else None
            problem = session.error
        return problem and ("failed", problem.code.name, str(problem))

    def decide(self, session: Any) -> None:
        if isinstance(session, Receiver):
            session.accept(self.assembler(session.offer[Key.KIND]))
        elif (session.request[Key.KIND], session.name) == self.offered:
            session.open(self.streamer())
        else:
            session.fail(objstream.TransferError(objstream.Code.NOT_FOUND, "it is not here"))

    def streamer(self) -> objstream.ObjectStreamer:
        kind = objstream.FileStreamer if isinstance(self.value, Path) else objstream.ContainerStreamer
        return kind(self.value, name=self.name, chunk=self.chunk)

    def assembler(self, kind: str) -> objstream.ObjectAssembler:
        if kind != "file":
            return objstream.ContainerAssembler(resume=self.resume)
        place = Path(self.resume or self.directory, "kept" if self.resume else secrets.token_hex(8))
        return objstream.FileAssembler(place, resume=bool(self.resume))


def built(kind: str, content: Any = (), path: str = "") -> object:
    """The object of a message: a container, or the path of a file."""
    if kind == "file":
        return Path(path)
    assembler = objstream.ContainerAssembler()
    assembler.begin(objstream.Description(kind), objstream.Limits())
    for type_, text in content:
        data = base64.b64decode(text)
        if type_ == 4:  # ENTRIES
            assembler.feed(memoryview(data))
        while type_ == 5 and data:  # DATA
            place = assembler.buffer()[: len(data)]
            place[:], data = data[: len(place)], data[len(place) :]
            assembler.filled(len(place))
    return assembler.finish()


def told(value: object) -> object:
    if isinstance(value, Path):
        return {"kind": "file", "path": str(value)}
    streamer = objstream.ContainerStreamer(value)
    pieces = [(piece.kind, base64.b64encode(piece.view).decode()) for piece in streamer.pieces(1 << 20)]
    return {"kind": streamer.kind, "content": pieces}


def answer(ends: dict[int, End], op: str, id: int = 0, **details: Any) -> object:
    if op == "describe":
        return ABOUT
    if op == "open":
        ends[number := max(ends, default=0) + 1] = End(**details)
        return {"id": number}
    if op == "close":
        return ends.pop(id) and {}
    if op == "outcome":
        return ends[id].outcome()
    if op == "feed":
        details = {"data": base64.b64decode(details["data"])}
    if op in ("start", "feed", "eof", "cancel", "advance"):
        return {"data": base64.b64encode(getattr(ends[id], op)(**details)).decode()}
    raise NotImplementedError


def main() -> None:
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed by anyone is no answer
    ends: dict[int, End] = {}
    while head := source.read(4):
        try:
            reply = answer(ends, **json.loads(source.read(int.from_bytes(head, "big"))))
        except NotImplementedError:
            reply = {"unsupported": True}
        except Exception:
            reply = {"crash": traceback.format_exc()}
        body = json.dumps(reply).encode()
        target.write(len(body).to_bytes(4, "big") + body)
        target.flush()


if __name__ == "__main__":
    main()
