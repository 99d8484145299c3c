"""A site of a FLARE job: moves sessions as messages between the cells of the job's processes.

Every session has one thread of its own in each process: the caller's where it was started, one of the site's where it
is served. FLARE's threads only put down what arrives.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .. import digests
from ..engines.messages import BEGINNINGS, SESSION_ID_BYTES, Key, Recent
from ..errors import Code, TransferError
from ..frames import peek
from ..limits import MIB
from ..session import AnySession, Buffers, Connection, Event
from ..site import Acceptor, Options, Site, Watcher
from .cells import Dispatcher, Envelope, NobodyServes, Unreachable
from .line import Line

WINDOW = 16 * MIB
SLICE = 0.1
"""Seconds after which deadlines, cancellation and the job's abort signal are looked at again."""
SILENCE = 1.0, 5.0
"""Seconds without a message after which the peer is asked whether it still knows of the session; the first time, and at
most, for with each answer that it does the question waits twice as long."""
ANSWER = 2.0
"""Seconds to wait for the answer. That none comes proves nothing: deadlines go on."""
LINGER = 2.0


DIGESTS = tuple(sorted(digests.DEFAULT, key=lambda name: name != "xxh3-128"))
"""The fastest first: who speaks between cells is for FLARE's TLS to say, so that digests are against accidents."""


@dataclass(frozen=True)
class FlareOptions(Options):
    """Options of transfers over FLARE.

    Attributes:
        window: bytes of content that a sender may be ahead of its receiver. They lie in FLARE's and our buffers on the
            way, so that the memory of a transfer follows it.
        secure: let FLARE encrypt every message for the peer's cell.
    """

    digests: Sequence[str] = DIGESTS
    window: int = WINDOW
    secure: bool = False


class Directory(Protocol):
    """Who is who in the job."""

    def cell_of(self, name: str) -> str | None:
        """The cell of the site of that name, None when the job has none."""

    def name_of(self, cell: str) -> str:
        """The name of the site to which a cell belongs."""

    def admits(self, cell: str) -> bool:
        """Whether a cell may speak here."""

    def everybody(self) -> list[str]:
        """The targets of a push that names none."""


class FlareSite(Site):
    """One service of a site: what it gives and takes under one topic.

    Args:
        dispatcher: of the process's cell.
        topic: sessions reach each other only under one topic.
        directory: names of the job's sites.
        options: the defaults of its transfers, also of those that peers ask for.
        aborted: says that the job is being aborted; every session is cancelled then.

    Raises:
        ValueError: the cell has a site for the topic already.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        topic: str,
        directory: Directory,
        options: Options | None = None,
        aborted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(dispatcher.name, options or FlareOptions())
        self.topic = topic
        self.directory = directory
        self._dispatcher = dispatcher
        self._aborted = aborted
        self._lock = threading.Lock()
        self._lines: dict[Key, Line] = {}
        self._threads: set[threading.Thread] = set()
        self._finished = Recent()
        self._closed = False
        dispatcher.add(topic, self)

    def receive(self, envelope: Envelope) -> bool:
        """A message from another cell; one that belongs to no session and starts none is dropped."""
        key = envelope.origin, envelope.session_id
        with self._lock:
            line = self._lines.get(key)
            if line is None and envelope.frame and not self._closed and key not in self._finished:
                seen = peek(envelope.frame[0])
                if seen is not None and seen[:2] in BEGINNINGS and self.directory.admits(key[0]):
                    line = self._begin_served(key, envelope)
        if line is None:
            return False
        if envelope.frame:
            line.put(envelope.frame)
        return True

    def register(self, acceptor: Acceptor, watcher: Watcher) -> None:
        """Let these two deal with offers, in place of those that were there: as in FLARE the last one counts."""
        self._acceptors[:] = [acceptor]
        self._watchers[:] = [watcher]

    def cancel(self) -> None:
        with self._lock:
            lines = list(self._lines.values())
        for line in lines:
            line.cancelled = True
            line.wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._dispatcher.remove(self.topic, self)
        self.cancel()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(LINGER)

    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        stopped = threading.Event()
        lines = [
            line
            for name, session in sessions.items()
            if (line := self._line(name, session, options, stopped))
        ]
        threads = [threading.Thread(target=self._drive, args=(line,), daemon=True) for line in lines[1:]]
        for thread in threads:
            thread.start()
        try:
            if lines:
                self._drive(lines[0])
            for thread in threads:
                thread.join()
        except BaseException:
            stopped.set()
            for thread in threads:
                thread.join(LINGER)
            raise

    def _line(
        self, name: str, session: AnySession, options: Options, stopped: threading.Event
    ) -> Line | None:
        """The line for a session that starts here; None when there is nobody to start it with."""
        cell = self.directory.cell_of(name)
        if cell is None or cell == self.name or self._closed:
            code, what = Code.REFUSED, "the site is closed" if self._closed else "a site does not ask itself"
            if cell is None:
                code, what = Code.NOT_FOUND, f"the job has no site {name!r}"
            session.fail(TransferError(code, f"{session.name}: {what}"))
            return None
        connection = Connection(limits=options.limits, preface=False)
        connection.start(session)
        line = Line(
            (cell, secrets.token_bytes(SESSION_ID_BYTES)),
            name,
            connection,
            served=False,
            secure=isinstance(options, FlareOptions) and options.secure,
            held=options.window,
            stops=_stops(options, self._aborted, stopped.is_set),
        )
        with self._lock:
            self._lines[line.key] = line
        return line

    def _begin_served(self, key: Key, envelope: Envelope) -> Line:
        options = self.options
        connection = Connection(limits=options.limits, preface=False, incoming=self.incoming)
        line = self._lines[key] = Line(
            key,
            self.directory.name_of(key[0]),
            connection,
            served=True,
            secure=envelope.secure,
            held=options.window,
            stops=_stops(options, self._aborted),
        )
        if len(self._lines) > options.limits.max_sessions:
            connection.fail(TransferError(Code.BUSY))
        thread = threading.Thread(
            target=self._serve, args=(line,), name=f"objstream {self.topic}", daemon=True
        )
        self._threads.add(thread)
        thread.start()
        return line

    def _serve(self, line: Line) -> None:
        try:
            self._drive(line)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _drive(self, line: Line) -> None:
        """Move a session until it has ended here and has said so."""
        try:
            self._converse(line)
        except BaseException:
            line.connection.cancel()
            self._say_rest(line)
            raise
        finally:
            with self._lock:
                self._lines.pop(line.key, None)
                self._finished.add(line.key)
            if line.served and line.session is not None:
                self.report(line.session, line.peer)
            line.connection.close()

    def _converse(self, line: Line) -> None:
        connection = line.connection
        line.heard_at = time.monotonic()
        line.patience = SILENCE[0]
        while True:
            now = time.monotonic()
            line.heed()
            connection.tick(now)
            session = connection.session
            if session is not None and session.waiting:
                self.answer(session, line.peer)
            frame = connection.output()
            if frame:
                self._post(line, frame)
            elif frame is None and line.over:
                return
            if line.take(SLICE if frame is None else 0):
                line.heard_at = time.monotonic()
                line.patience = SILENCE[0]
                line.doubted = False
            elif frame is None and now - line.heard_at > line.patience:
                self._inquire(line)

    def _say_rest(self, line: Line) -> None:
        while frame := line.connection.output():
            self._post(line, frame)

    def _post(self, line: Line, frame: Buffers) -> None:
        cell, session_id = line.key
        try:
            self._dispatcher.post(cell, self.topic, session_id, frame, line.secure)
        except Unreachable as problem:
            line.connection.eof(str(problem))

    def _inquire(self, line: Line) -> None:
        """Nothing has come for a while: does the peer still know of the session?

        One that does not may have said its last word just now, so that it takes two such answers.
        """
        cell, session_id = line.key
        session = line.session
        if session is None or session.finished:
            return
        line.patience = min(2 * line.patience, SILENCE[1])
        try:
            timeout = min(ANSWER, session.deadline / 2)
            known = self._dispatcher.ask(cell, self.topic, session_id, [], line.secure, timeout)
        except NobodyServes:
            what = f"{session.name}: {line.peer} serves nothing under {self.topic!r}"
            session.fail(TransferError(Code.NOT_FOUND, what), Event.EOF)
        except Unreachable as problem:
            line.connection.eof(str(problem))
        else:
            if known is False and line.doubted:
                line.connection.eof("the peer does not know of the session any more")
            line.doubted = known is False
            line.heard_at = time.monotonic()
            if line.doubted:
                line.patience = SILENCE[0]


def _stops(options: Options, *stops: Callable[[], bool]) -> tuple[Callable[[], bool], ...]:
    return stops if options.cancel is None else (*stops, options.cancel.is_set)
