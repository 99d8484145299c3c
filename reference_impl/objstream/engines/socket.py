"""Sites in different processes or machines, over TCP or unix sockets; a thread for each connection.

Payload is never copied in Python: it is sent from the object's own memory (`sendmsg`) and received into its final
place (`recv_into`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterable, Mapping

from ..errors import Code, TransferError
from ..session import AnySession, Buffers, Connection
from ..site import Options, Site
from . import address as addresses

CONNECT_TIMEOUT = 10.0
SLICE = 0.2
"""Seconds that a system call may block before deadlines and cancellation are looked at again."""
LINGER = 2.0
"""Seconds that a side which gave up still reads, so that the closing does not overtake its RESET."""

_TIMEVAL = struct.pack("@ll", 0, int(SLICE * 1_000_000))


class SocketSite(Site):
    """A site reached over sockets.

    Args:
        url: where to listen, `tcp://HOST:PORT` (port 0: any) or `unix:///PATH`; None for a site that only asks and
            offers.
        options: the defaults of its transfers.

    Attributes:
        address: where it listens, as a URL that peers can use; "" when it does not.

    Raises:
        ValueError: `url` is no address.
        OSError: the address cannot be listened at.
    """

    def __init__(self, url: str | None = None, options: Options | None = None) -> None:
        listener = None
        self.address = ""
        if url is not None:
            listener, where = addresses.listen(addresses.parse(url))
            self.address = str(where)
        super().__init__(self.address or "client", options)
        self._listener = listener
        self._closed = threading.Event()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._lines: set[_Line] = set()
        self._threads: set[threading.Thread] = set()
        if listener is not None:
            self._start(self._accept, listener)

    def cancel(self) -> None:
        with self._lock:
            cancelled, self._cancelled = self._cancelled, threading.Event()
            cancelled.set()
            for line in self._lines:
                line.wake()

    def close(self) -> None:
        self._closed.set()
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            if self.address.startswith("unix://"):
                with contextlib.suppress(OSError):
                    os.unlink(self.address.removeprefix("unix://"))
        waited = {threading.current_thread()}
        while threads := self._others(waited):
            for thread in threads:
                thread.join(LINGER + 1)
            waited |= threads

    def _others(self, known: set[threading.Thread]) -> set[threading.Thread]:
        with self._lock:
            return self._threads - known

    def _run(self, sessions: Mapping[str, AnySession], options: Options) -> None:
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._dial, args=(peer, session, options, stop), daemon=True)
            for peer, session in list(sessions.items())[1:]
        ]
        for thread in threads:
            thread.start()
        try:
            peer, session = next(iter(sessions.items()))
            self._dial(peer, session, options, stop)
            for thread in threads:
                thread.join()
        except BaseException:
            stop.set()
            for thread in threads:
                thread.join(LINGER + 1)
            raise

    def _dial(self, peer: str, session: AnySession, options: Options, stop: threading.Event) -> None:
        """Connect to the peer and run one session to its end."""
        try:
            where = addresses.parse(peer)
            connected = addresses.connect(where, min(CONNECT_TIMEOUT, options.deadline))
        except ValueError as problem:
            session.fail(TransferError(Code.NOT_FOUND, str(problem)))
            return
        except OSError as problem:
            session.fail(TransferError(Code.LOST, f"nobody answers at {peer}", local=str(problem)))
            return
        connection = Connection(limits=options.limits, preface=True)
        connection.start(session)
        self._converse(connected, connection, filter(None, [stop, options.cancel]))

    def _accept(self, listener: socket.socket) -> None:
        while not self._closed.is_set():
            try:
                connected, _ = listener.accept()
            except OSError:
                if self._closed.is_set():
                    return
                time.sleep(SLICE)
                continue
            try:
                self._start(self._serve, connected)
            except RuntimeError:  # no more threads: a peer that is too many
                connected.close()

    def _serve(self, connected: socket.socket) -> None:
        """Answer the sessions of one peer, one after another."""
        try:
            addresses.prepare(connected)
            peer = addresses.peer_name(connected)
        except OSError:
            connected.close()
            return
        connection = Connection(limits=self.options.limits, preface=True, incoming=self.incoming)
        with self._lock:
            busy = len(self._lines) >= self.options.limits.max_sessions
        if busy:
            connection.fail(TransferError(Code.BUSY))
        self._converse(connected, connection, [], served=peer)

    def _converse(
        self,
        connected: socket.socket,
        connection: Connection,
        stops: Iterable[threading.Event],
        served: str = "",
    ) -> None:
        with self._lock:
            line = _Line(connected, connection, [self._closed, self._cancelled, *stops])
            self._lines.add(line)
        try:
            _drive(line, self if served else None, served)
        finally:
            with self._lock:
                self._lines.discard(line)
            connected.close()
            connection.close()

    def _start(self, target: object, argument: socket.socket) -> None:
        def run() -> None:
            try:
                target(argument)  # type: ignore[operator]
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=f"objstream {self.name}", daemon=True)
        with self._lock:
            thread.start()
            self._threads.add(thread)


class _Line:
    """A connected socket, the connection that speaks over it, and the events that stop it."""

    def __init__(
        self, connected: socket.socket, connection: Connection, stops: list[threading.Event]
    ) -> None:
        self.socket = connected
        self.connection = connection
        self._stops = stops
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL)

    def heed(self) -> None:
        """Cancel what is going on if one of the events says so."""
        if any(stop.is_set() for stop in self._stops):
            self.connection.cancel()
            self.connection.stop()

    def wake(self) -> None:
        """Make a blocked `receive` return, from another thread."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)

    def send(self, buffers: Buffers) -> Buffers:
        """Send what the socket takes within a slice; returns the rest."""
        try:
            sent = self.socket.sendmsg(buffers)
        except BlockingIOError:
            return buffers
        except OSError as problem:
            self._drain_input()
            self.connection.eof(str(problem))
            return []
        while buffers and sent >= len(buffers[0]):
            sent -= len(buffers[0])
            buffers = buffers[1:]
        if sent:
            buffers = [buffers[0][sent:], *buffers[1:]]
        return buffers

    def receive(self, flags: int) -> bool:
        """Receive once; False when nothing came."""
        if self.connection.closing:
            return False
        try:
            count = self.socket.recv_into(self.connection.want(), 0, flags)
        except BlockingIOError:
            return False
        except OSError as problem:
            self.connection.eof(str(problem))
            return False
        self.heed()
        if count:
            self.connection.received(count)
        elif not self.connection.closing:
            self.connection.eof()
        return count > 0

    def _drain_input(self) -> None:
        """The peer closed: what it said before comes first."""
        while not self.connection.closing and self.receive(socket.MSG_DONTWAIT):
            pass


def _drive(line: _Line, site: Site | None, peer: str) -> None:
    """Move bytes until the session is over; with a site, until the peer closes or is idle for the deadline."""
    connection = line.connection
    unsent: Buffers = []
    reported: AnySession | None = None
    idle_since = time.monotonic()
    try:
        while True:
            now = time.monotonic()
            line.heed()
            connection.tick(now)
            session = connection.session
            if site is not None and session is not None:
                if session.waiting:
                    site.answer(session, peer)
                if session.finished and session is not reported:
                    reported = session
                    site.report(session, peer)
                    idle_since = now
            frame = unsent or connection.output()
            if frame is None:
                idle = site is not None and now - idle_since > site.options.deadline
                if connection.closing or (connection.finished and (site is None or idle)):
                    break
                line.receive(socket.MSG_WAITALL)
                continue
            unsent = line.send(frame) if frame else []
            line.receive(socket.MSG_DONTWAIT)
            if unsent is frame and connection.finished:
                break
    except BaseException:
        connection.cancel()
        raise
    finally:
        _part(line, unsent)


def _part(line: _Line, unsent: Buffers) -> None:
    """Say the last word, unless half a frame stands before it, and give the peer a moment to hear it."""
    connection = line.connection
    while not unsent and (frame := connection.output()):
        unsent = line.send(frame)
    if connection.problem is None and (connection.session is None or connection.session.error is None):
        return
    waste = bytearray(1 << 16)
    until = time.monotonic() + LINGER
    with contextlib.suppress(OSError):
        line.socket.shutdown(socket.SHUT_WR)
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                if not line.socket.recv_into(waste):
                    break
