"""Mutants that are wrong about messages which are repeated, forged, or which nobody has asked for."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from objstream import Code, ContainerRetriever, FileAssembler, Site, TransferError
from objstream.engines.memory import MemorySite
from objstream.frames import FrameType, peek
from objstream.session import Receiver, Sender
from objstream.values.encode import _Encoder

from ..adapters.reference import ReferenceSite
from ..adapters.wire import ReferenceEnd
from .kit import instead, mutant


@mutant("OSP-SES-024", "of the receiver's refusal is altered; observed it ended well")
def garbled_answers_are_consent() -> None:
    """A sender takes an answer that it cannot read for a confirmation."""

    @instead(Site, "push")
    def push(original: Any, self: Any, *arguments: Any) -> Any:
        outcomes = original(self, *arguments)
        return {
            peer: replace(outcome, error=None)
            if outcome.error and outcome.error.code is Code.CORRUPT and not outcome.error.from_peer
            else outcome
            for peer, outcome in outcomes.items()
        }

    @instead(ReferenceEnd, "feed")
    def feed(original: Any, self: Any, data: bytes) -> Any:
        said, session = original(self, data), self._connection.session
        error = session.error if isinstance(session, Sender) else None
        self.garbled = error is not None and error.code is not Code.CANCELLED and not error.from_peer
        return said

    @instead(ReferenceEnd, "outcome")
    def outcome(original: Any, self: Any) -> Any:
        return ("delivered", None) if getattr(self, "garbled", False) else original(self)


@mutant("OSP-SES-025", "the next transfer between the same sites to succeed")
def repetition_locks_up() -> None:
    """After an OPEN that came twice a site takes nothing any more."""
    stuck: set[Any] = set()

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen, live = peek(frame[0]), self.live.get((source, session_id))
        if live and seen and seen[0] == FrameType.OPEN and seen[1] < live.connection.expected:
            stuck.add(self)
        if self not in stuck:
            original(self, source, session_id, frame)


@mutant("OSP-SES-026", "not to be disturbed by a copy")
def foreign_messages_are_a_breach() -> None:
    """A message of a session from another than its peer ends the session."""

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        for (peer, each), live in list(self.live.items()):
            if each == session_id and peer != source:
                live.connection.fail(TransferError(Code.PROTOCOL, f"{source} is not {peer}"))
        original(self, source, session_id, frame)


@mutant("OSP-INT-007", "at most 4 MiB stored of a file")
def repeated_content_is_put_aside() -> None:
    """Content of a file that comes again is kept beside the file until the transfer ends."""
    aside: dict[Any, Any] = {}

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen, live = peek(frame[0]), self.live.get((source, session_id))
        session = live.connection.session if live else None
        again = seen and live and seen[0] == FrameType.DATA and seen[1] < live.connection.expected
        if again and isinstance(session, Receiver) and isinstance(session._assembler, FileAssembler):
            path = session._assembler.path.with_suffix(".again")
            aside[session._assembler] = path
            with path.open("ab") as stream:
                stream.write(b"".join(frame))
        original(self, source, session_id, frame)

    @instead(ReferenceEnd, "feed")
    def feed(original: Any, self: Any, data: bytes) -> Any:
        seen = peek(memoryview(data))
        if self._directory and seen and seen[0] == FrameType.DATA and seen[1] < self._connection.expected:
            with Path(self._directory, "again").open("ab") as stream:
                stream.write(data)
        return original(self, data)

    for ending in ("finish", "discard"):

        @instead(FileAssembler, ending)
        def end(original: Any, self: Any) -> Any:
            if self in aside:
                aside.pop(self).unlink()
            return original(self)


@mutant("OSP-RTV-016", "nothing stored that was not asked for")
def strays_are_stored() -> None:
    """Content of a file that belongs to no session is stored, in case somebody asks for it."""
    directories: dict[Any, Any] = {}

    @instead(ReferenceSite, "__init__")
    def init(original: Any, self: Any, site: Any, directory: Any, *rest: Any) -> None:
        directories[site] = directory
        original(self, site, directory, *rest)

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        key, seen = (source, session_id), peek(frame[0])
        if seen and seen[0] == FrameType.DATA and key not in self.live and key not in self._finished:
            (directories[self] / f"stray-{session_id.hex()}").write_bytes(b"".join(frame))
        original(self, source, session_id, frame)


@mutant("OSP-SEC-014", "which asked for nothing")
def who_asked_first_gets_it() -> None:
    """An owner answers a request to the site that first used its session id."""
    first: dict[bytes, str] = {}

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen = peek(frame[0])
        if seen and seen[:2] == (FrameType.REQUEST, 0):
            who = first.setdefault(session_id, source)
            if who != source:
                source, session_id = who, session_id[::-1]
        original(self, source, session_id, frame)


@mutant("OSP-SEC-013", "no module imported for a name in the stream")
def modules_are_looked_up() -> None:
    """The module of a class that cannot be carried is imported, to see whether it registers it."""

    @instead(_Encoder, "_foreign")
    def foreign(original: Any, self: Any, cls: type, value: Any) -> Any:
        importlib.import_module(cls.__module__)
        return original(self, cls, value)


@mutant("OSP-RTV-018", "the transfer to succeed; observed rejected: NOT_FOUND|take the place of the first")
def one_retriever_for_a_site() -> None:
    """A second retriever of containers takes the place of the first."""

    @instead(ContainerRetriever, "__init__")
    def init(original: Any, self: Any, site: Any, **options: Any) -> None:
        site._providers[:] = [
            each for each in site._providers if not isinstance(each.__self__, ContainerRetriever)
        ]
        original(self, site, **options)
