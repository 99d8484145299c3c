"""Sites in one process: the embedded default, and the deterministic ground for tests.

Frames travel as messages, each with the id of its session and the name of the site that really sent it. Whoever waits
for a transfer does the work of both its ends; there are no threads of the engine's own. Each session has a clock
of its own that jumps to the deadline when nothing else can happen to it, so that a lost message costs no time.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import Code, TransferError
from ..frames import peek
from ..session import AnySession, Buffers, Connection
from ..site import Options, Site
from .messages import BEGINNINGS, SESSION_ID_BYTES, Key, Recent

Carry = Callable[[str, str, bytes], "list[bytes]"]


@dataclass
class _Live:
    """A session in progress.

    Attributes:
        ours: this site started it.
        carrier: the thread that is carrying a message of it; nobody else may send for it meanwhile.
        now: the time on its clock, in seconds.
    """

    connection: Connection
    ours: bool
    cancel: threading.Event | None = None
    carrier: int = 0
    now: float = 0.0


class MemoryNetwork:
    """Connects sites of one process.

    Args:
        carry: what the network does to a message: given source, target and bytes, it returns what arrives, which may be
            nothing or several messages; ConnectionError says that the two are cut off from each other. By default
            every message arrives, and its payload goes from the source's memory to the target's without another copy.
    """

    def __init__(self, carry: Carry | None = None) -> None:
        self.turn = threading.Condition(threading.RLock())
        self._carry = carry
        self._sites: dict[str, MemorySite] = {}

    def site(self, name: str, options: Options | None = None) -> MemorySite:
        """A new site of that name.

        Raises:
            ValueError: the name is taken.
        """
        with self.turn:
            if name in self._sites:
                raise ValueError(f"there is a site {name!r} already")
            self._sites[name] = MemorySite(self, name, options)
            return self._sites[name]

    def run(self, session_ids: set[bytes]) -> None:
        """Move these sessions forward, and those that nobody else does, until they have ended on every site."""
        me = threading.get_ident()
        with self.turn:
            while True:
                ids = (session_ids | self._orphans()) - self._carried_by(me)
                ends = self._ends(ids)
                if not ends:
                    return
                if self._step(ids):
                    continue
                if any(live.carrier for live in ends):
                    self.turn.wait()
                else:
                    self._pass_time(ends)

    def advance(self, seconds: float) -> None:
        """Let time pass for every session in progress, as it does while a message is on its way."""
        with self.turn:
            for site in self._sites.values():
                for live in site.live.values():
                    live.now += seconds

    def leave(self, site: MemorySite) -> None:
        """The site is gone: nothing reaches it any more, and its name is free."""
        with self.turn:
            if self._sites.get(site.name) is site:
                del self._sites[site.name]

    def _step(self, session_ids: set[bytes]) -> bool:
        """Let each of these sessions send at most one frame from either end; False when none has anything to do."""
        busy = False
        for site in list(self._sites.values()):
            for key, live in list(site.live.items()):
                if key[1] not in session_ids or live.carrier or key not in site.live:
                    continue
                frame = site.next_frame(key, live)
                busy |= frame is not None
                if frame:
                    self._send(site, key, live, frame)
            if site.closed and not site.live:
                self.leave(site)
        return busy

    def _send(self, site: MemorySite, key: Key, live: _Live, frame: Buffers) -> None:
        target, session_id = key
        try:
            if self._carry is None:
                self._deliver(site.name, target, session_id, frame)
                return
            for message in self._carried(self._carry, live, site.name, target, session_id + b"".join(frame)):
                view = memoryview(message)
                arrived = bytes(view[:SESSION_ID_BYTES])
                self._deliver(site.name, target, arrived, [view[SESSION_ID_BYTES:]])
        except ConnectionError as problem:
            live.connection.eof(str(problem))

    def _carried(self, carry: Carry, live: _Live, source: str, target: str, message: bytes) -> list[bytes]:
        """What arrives of a message; other threads may work while it is on its way."""
        live.carrier = threading.get_ident()
        self.turn.release()
        try:
            return carry(source, target, message)
        finally:
            self.turn.acquire()
            live.carrier = 0
            self.turn.notify_all()

    def _deliver(self, source: str, target: str, session_id: bytes, frame: Buffers) -> None:
        site = self._sites.get(target)
        if site is None:
            raise ConnectionError(f"there is no site {target!r}")
        site.deliver(source, session_id, frame)

    def _ends(self, session_ids: set[bytes]) -> list[_Live]:
        sites = self._sites.values()
        return [live for site in sites for (_, each), live in site.live.items() if each in session_ids]

    def _orphans(self) -> set[bytes]:
        """Sessions whose beginner is gone, or never was: a stray message made them."""
        sites = self._sites.values()
        begun = {each for site in sites for (_, each), live in site.live.items() if live.ours}
        return {each for site in sites for _, each in site.live} - begun

    def _carried_by(self, thread: int) -> set[bytes]:
        """Sessions of which this thread is carrying a message: it will go on with them afterwards."""
        sites = self._sites.values()
        return {each for site in sites for (_, each), live in site.live.items() if live.carrier == thread}

    def _pass_time(self, ends: list[_Live]) -> None:
        """Nothing can happen to these sessions but that their deadlines pass."""
        moment = min((live.connection.expires or 0.0 for live in ends), default=0.0)
        for live in ends:
            live.now = max(live.now, moment)


class MemorySite(Site):
    """A site of a `MemoryNetwork`.

    Attributes:
        live: the sessions in progress, by peer and id. The network's.
        closed: it takes no new sessions, and is gone when the last has ended.
    """

    def __init__(self, network: MemoryNetwork, name: str, options: Options | None = None) -> None:
        super().__init__(name, options)
        self.live: dict[Key, _Live] = {}
        self.closed = False
        self._network = network
        self._finished = Recent()

    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        started: dict[bytes, _Live] = {}
        with self._network.turn:
            for peer, session in sessions.items():
                if self.closed or peer == self.name:
                    what = "the site is closed" if self.closed else "a site does not ask itself"
                    session.fail(TransferError(Code.REFUSED, f"{session.name}: {what}"))
                    continue
                connection = Connection(limits=options.limits, preface=False)
                connection.start(session)
                session_id = secrets.token_bytes(SESSION_ID_BYTES)
                started[session_id] = self.live[peer, session_id] = _Live(connection, True, options.cancel)
        helpers = [
            threading.Thread(target=self._network.run, args=({session_id},), daemon=True)
            for session_id in list(started)[1:]
        ]
        for helper in helpers:
            helper.start()
        try:
            self._network.run(set(started))
        except BaseException:
            with self._network.turn:
                for live in started.values():
                    live.connection.cancel()
            self._network.run(set(started))
            raise
        finally:
            for helper in helpers:
                helper.join()

    def cancel(self) -> None:
        with self._network.turn:
            for live in self.live.values():
                live.connection.cancel()

    def close(self) -> None:
        with self._network.turn:
            self.closed = True
            self.cancel()
            ids = {session_id for _, session_id in self.live}
        self._network.run(ids)
        if not self.live:
            self._network.leave(self)

    def next_frame(self, key: Key, live: _Live) -> Buffers | None:
        """What a session sends next, as `Session.output`; one that has ended and said so is removed."""
        connection = live.connection
        if live.cancel is not None and live.cancel.is_set():
            connection.cancel()
        connection.tick(live.now)
        frame = connection.output()
        if frame is None and connection.finished:
            del self.live[key]
            self._finished.add(key)
            if not live.ours and connection.session is not None:
                self.report(connection.session, key[0])
            connection.close()
        return frame

    def deliver(self, source: str, session_id: bytes, frame: Buffers) -> None:
        """A message from another site; one that belongs to no session and starts none is ignored."""
        key = source, session_id
        seen = peek(frame[0])
        live = self.live.get(key)
        if live is None:
            if self.closed or seen is None or seen[:2] not in BEGINNINGS or key in self._finished:
                return
            live = self._begin(key)
        elif live.connection.finished or (seen is not None and seen[1] < live.connection.expected):
            return
        connection = live.connection
        connection.tick(live.now)
        if seen is not None and seen[2] != sum(map(len, frame)):
            connection.fail(TransferError(Code.CORRUPT, "a message does not hold one whole frame"))
        connection.feed(frame)
        session = connection.session
        if session is not None and session.waiting:
            self.answer(session, source)

    def _begin(self, key: Key) -> _Live:
        connection = Connection(limits=self.options.limits, preface=False, incoming=self.incoming)
        live = self.live[key] = _Live(connection, ours=False)
        if len(self.live) > self.options.limits.max_sessions:
            connection.fail(TransferError(Code.BUSY))
        return live
