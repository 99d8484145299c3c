"""Sites in one process: the embedded default, and the deterministic ground for tests.

Frames travel as messages, each with the id of its session and the name of the site that really sent it. Nothing here
waits: the clock jumps to the next deadline when nothing else can happen, so that a lost message costs no time.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import Code, TransferError
from ..frames import FrameType, peek
from ..session import AnySession, Buffers, Connection
from ..site import Options, Site

SESSION_ID_BYTES = 16
REMEMBERED = 1024

_BEGINNINGS = {(FrameType.OFFER, 0), (FrameType.REQUEST, 0)}

Carry = Callable[[str, str, bytes], "list[bytes]"]


@dataclass
class _Live:
    """A session in progress: `ours` when this site started it."""

    connection: Connection
    ours: bool
    cancel: threading.Event | None = None


class MemoryNetwork:
    """Connects sites of one process.

    Args:
        carry: what the network does to a message: given source, target and bytes, it returns what arrives, which may be
            nothing or several messages; ConnectionError says that the two are cut off from each other. By default
            every message arrives, and its payload goes from the source's memory to the target's without another copy.
    """

    def __init__(self, carry: Carry | None = None) -> None:
        self.now = 0.0
        self._carry = carry
        self._sites: dict[str, MemorySite] = {}
        self._lock = threading.RLock()

    def site(self, name: str, options: Options | None = None) -> MemorySite:
        """A new site of that name.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._sites:
            raise ValueError(f"there is a site {name!r} already")
        self._sites[name] = MemorySite(self, name, options)
        return self._sites[name]

    def run(self) -> None:
        """Let all sites work until every session has ended."""
        with self._lock:
            while True:
                sites = list(self._sites.values())
                busy = [site.step() for site in sites]
                if any(busy):
                    continue
                expiring = [moment for site in sites for moment in site.deadlines()]
                if not expiring:
                    return
                self.now = max(self.now, min(expiring))

    def send(self, source: str, target: str, session_id: bytes, frame: Buffers) -> None:
        """One message. Raises ConnectionError when the target cannot be reached."""
        if self._carry is None:
            self._deliver(source, target, session_id, frame)
            return
        for message in self._carry(source, target, session_id + b"".join(frame)):
            view = memoryview(message)
            self._deliver(source, target, bytes(view[:SESSION_ID_BYTES]), [view[SESSION_ID_BYTES:]])

    def leave(self, name: str) -> None:
        with self._lock:
            self._sites.pop(name, None)

    def lock(self) -> threading.RLock:
        return self._lock

    def _deliver(self, source: str, target: str, session_id: bytes, frame: Buffers) -> None:
        site = self._sites.get(target)
        if site is None:
            raise ConnectionError(f"there is no site {target!r}")
        site.deliver(source, session_id, frame)


class MemorySite(Site):
    """A site of a `MemoryNetwork`."""

    def __init__(self, network: MemoryNetwork, name: str, options: Options | None = None) -> None:
        super().__init__(name, options)
        self._network = network
        self._live: dict[tuple[str, bytes], _Live] = {}
        self._finished: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        with self._network.lock():
            before = set(self._live)
            for peer, session in sessions.items():
                connection = Connection(limits=options.limits, preface=False)
                connection.start(session)
                self._live[peer, secrets.token_bytes(SESSION_ID_BYTES)] = _Live(
                    connection, True, options.cancel
                )
            keys = self._live.keys() - before
            try:
                self._network.run()
            except BaseException:
                for key in keys & self._live.keys():
                    self._live[key].connection.cancel()
                while self.step():
                    pass
                raise

    def cancel(self) -> None:
        with self._network.lock():
            for live in self._live.values():
                live.connection.cancel()

    def close(self) -> None:
        with self._network.lock():
            self.cancel()
            while self.step():
                pass
            self._network.leave(self.name)

    def step(self) -> bool:
        """Let each session send at most one frame; False when none has anything to do."""
        busy = False
        for (peer, session_id), live in list(self._live.items()):
            connection = live.connection
            if live.cancel is not None and live.cancel.is_set():
                connection.cancel()
            connection.tick(self._network.now)
            frame = connection.output()
            if frame is None:
                if connection.finished:
                    self._end(peer, session_id, live)
                continue
            busy = True
            if frame:
                try:
                    self._network.send(self.name, peer, session_id, frame)
                except ConnectionError as problem:
                    connection.eof(str(problem))
        return busy

    def deliver(self, source: str, session_id: bytes, frame: Buffers) -> None:
        """A message from another site; one that belongs to no session and starts none is ignored."""
        key = source, session_id
        live = self._live.get(key)
        seen = peek(frame[0])
        if live is None:
            if key in self._finished or seen not in _BEGINNINGS:
                return
            live = self._live[key] = _Live(
                Connection(limits=self.options.limits, preface=False, incoming=self.incoming), ours=False
            )
            if len(self._live) > self.options.limits.max_sessions:
                live.connection.fail(TransferError(Code.BUSY))
        connection = live.connection
        if connection.finished or (seen is not None and seen[1] < connection.expected):
            return
        _feed(connection, frame)
        session = connection.session
        if session is not None and session.waiting:
            self.answer(session, source)

    def deadlines(self) -> list[float]:
        """When this site's sessions expire."""
        return [moment for live in self._live.values() if (moment := live.connection.expires) is not None]

    def _end(self, peer: str, session_id: bytes, live: _Live) -> None:
        del self._live[peer, session_id]
        self._finished[peer, session_id] = None
        if len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        if not live.ours and live.connection.session is not None:
            self.report(live.connection.session, peer)


def _feed(connection: Connection, frame: Buffers) -> None:
    for view in frame:
        while len(view) and not connection.closing:
            place = connection.want()
            count = min(len(place), len(view))
            place[:count] = view[:count]
            connection.received(count)
            view = view[count:]
    if not connection.closing and not connection.at_frame_end:
        connection.fail(TransferError(Code.CORRUPT, "a message does not hold one whole frame"))
