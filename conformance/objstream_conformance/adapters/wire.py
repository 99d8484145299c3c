"""One end of a session of the reference implementation, with its bytes in the suite's hands."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import objstream
from objstream import (
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileRetriever,
    FileStreamer,
    Limits,
    Options,
    Registry,
    Request,
)
from objstream.limits import MIB
from objstream.session import AnySession, Connection, Receiver, Sender

from ..contract import ROLES, Description, Role, Unsupported
from ..notation import application
from .ends import EndsAdapter, described

CAPABILITIES = frozenset(
    {"wire", "container", "file", "numpy", "registry", "resume", "cancel", "disk", "unlisted"}
)
_SHARED = {"digests", "deadline", "window"}
_numbers = itertools.count(1)


class _Desk(objstream.Site):
    """A site without an engine: it answers sessions that are moved by hand."""

    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        raise NotImplementedError

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


class ReferenceEnd:
    """See :class:`~..contract.WireEnd`.

    Options: `digests`, `deadline` (30 s), `window`, `chunk`, `types` (names of application types that are registered),
    `directory` (where a file is received; otherwise a temporary one), the fields of `objstream.Limits`, and of a
    requester `kind` ("container" or "file") and `resume` (a directory).
    """

    def __init__(self, role: Role, name: str, value: object = None, **options: Any) -> None:
        self._now = 0.0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._directory = options.pop("directory", None)
        chunk = options.pop("chunk", MIB)
        kind = options.pop("kind", "container")
        resume = options.pop("resume", None)
        self._resume = None if resume is None else Path(resume)
        self._registry = _registry(options.pop("types", ()))
        shared = {key: options.pop(key) for key in _SHARED & options.keys()}
        shared.setdefault("deadline", 30.0)
        try:
            limits = Limits(**options)
        except TypeError as problem:
            raise Unsupported(str(problem)) from problem
        self._site = _Desk("wire", Options(limits=limits, **shared))
        self._connection = Connection(limits=limits, preface=True, incoming=self._site.incoming)
        if role == "owner":
            self._offer(name, value, chunk)
        elif role == "receiver":
            self._site.accept(self._accept)
        elif role == "requester":
            receiver = self._receiver(name, kind)
            receiver.ask(kind)
            self._connection.start(receiver)
        elif role == "sender":
            self._connection.start(self._sender(name, value, chunk))
        else:
            raise Unsupported(f"there is no role {role!r}")
        self._connection.tick(self._now)

    def start(self) -> bytes:
        return self._drain()

    def feed(self, data: bytes) -> bytes:
        view = memoryview(data)
        sent = b""
        while len(view) and not self._connection.closing:
            place = self._connection.want()
            count = min(len(place), len(view))
            place[:count] = view[:count]
            self._connection.received(count)
            view = view[count:]
            sent += self._drain()
        return sent

    def eof(self) -> bytes:
        self._connection.eof()
        return self._drain()

    def cancel(self) -> bytes:
        self._connection.cancel()
        return self._drain()

    def advance(self, seconds: float) -> bytes:
        self._connection.tick(self._now)
        self._now += seconds
        self._connection.tick(self._now)
        return self._drain()

    @property
    def reason(self) -> str:
        session = self._connection.session
        problem = session.error if session is not None and session.error else self._connection.problem
        return str(problem or "")

    def outcome(self) -> tuple[Literal["delivered"], object] | tuple[Literal["failed"], str] | None:
        session = self._connection.session
        if session is not None and session.finished:
            if session.error is not None:
                return "failed", session.error.code.name
            return "delivered", session.result if isinstance(session, Receiver) else None
        if self._connection.problem is not None:
            return "failed", self._connection.problem.code.name
        return None

    def _drain(self) -> bytes:
        """Let the session work until it has nothing to say; without preface it still waits for the peer's."""
        sent = bytearray()
        while True:
            session = self._connection.session
            if session is not None and session.waiting:
                self._site.answer(session, "peer")
            buffers = self._connection.output()
            self._connection.tick(self._now)
            if buffers is None:
                return bytes(sent)
            for buffer in buffers:
                sent += buffer

    def _offer(self, name: str, value: object, chunk: int) -> None:
        if isinstance(value, Path):
            files = FileRetriever(self._site, chunk=chunk)
            if value.exists():
                files.add_file(name, value)
            else:  # it was offered, and is gone
                self._site.provide(lambda request: FileStreamer(value, name=name))
        elif value is not None:
            ContainerRetriever(self._site, chunk=chunk, registry=self._registry).add_container(name, value)

    def _accept(self, offer: Request) -> objstream.ObjectAssembler:
        return self._assembler("file" if offer.kind == "file" else "container")

    def _assembler(self, kind: str) -> objstream.ObjectAssembler:
        if kind == "file":
            if self._resume is not None:
                return FileAssembler(self._resume / "received", resume=True)
            if self._directory is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="wire-end-")
            directory = Path(self._directory or self._temporary.name)  # type: ignore[union-attr]
            return FileAssembler(directory / f"received-{next(_numbers)}")
        return ContainerAssembler(registry=self._registry, resume=self._resume)

    def _receiver(self, name: str, kind: str) -> Receiver:
        return Receiver(
            self._assembler(kind),
            name=name,
            limits=self._site.options.limits,
            offered=self._site.options.digests,
            window=self._site.options.window,
            deadline=self._site.options.deadline,
        )

    def _sender(self, name: str, value: object, chunk: int) -> Sender:
        streamer = (
            FileStreamer(value, name=name, chunk=chunk)
            if isinstance(value, Path)
            else ContainerStreamer(value, name=name, chunk=chunk, registry=self._registry)
        )
        sender = Sender(
            streamer,
            name=name,
            limits=self._site.options.limits,
            accepted=self._site.options.digests,
            deadline=self._site.options.deadline,
        )
        sender.offer()
        return sender


class EndsOfReference(EndsAdapter):
    """The reference's ends, with sites that the suite builds out of them."""

    def describe(self) -> Description:
        return described("reference-ends", objstream.__version__, ROLES, CAPABILITIES)

    def wire(self, role: Role, name: str, value: object = None, **options: Any) -> ReferenceEnd:
        return ReferenceEnd(role, name, value, **options)


def _registry(types: Iterable[str]) -> Registry:
    """Application types whose values are kept as they are."""
    registry = Registry()
    for name in types:
        cls = application(name)
        registry.register(cls, name, lambda instance: instance.value, cls)
    return registry
