"""One session on its way over a cell: what has arrived waits here, in order, until the session's thread takes it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ..engines.messages import Key
from ..errors import Code, TransferError
from ..frames import peek
from ..limits import KIB, MIB
from ..session import AnySession, Buffers, Connection

LARGE = 64 * KIB
MOST_FRAMES = 1 << 14
"""Frames that may wait. What an honest sender has under way is limited by its credit long before."""


class Line:
    """A session and its peer.

    FLARE hands messages to a pool of threads, so that they arrive in any order; `put` puts them right.

    Args:
        key: the peer's cell and the session id.
        peer: the peer's name.
        served: the peer started the session.
        held: bytes that may wait: the credit that was granted.
        stops: any of them being true cancels the session.

    Attributes:
        heard_at: when the peer was last heard of; patience: how long after that it is asked whether it is there;
        doubted: it has answered that it does not know of the session.
    """

    def __init__(
        self,
        key: Key,
        peer: str,
        connection: Connection,
        *,
        served: bool,
        secure: bool,
        held: int,
        stops: tuple[Callable[[], bool], ...],
    ) -> None:
        self.key = key
        self.peer = peer
        self.connection = connection
        self.served = served
        self.secure = secure
        self.cancelled = False
        self.heard_at = 0.0
        self.patience = 0.0
        self.doubted = False
        self._stops = stops
        self._most = held + 2 * MIB
        self._waiting: dict[int, Buffers] = {}
        self._bytes = 0
        self._fault: TransferError | None = None
        self._arrived = threading.Condition(threading.Lock())

    @property
    def session(self) -> AnySession | None:
        return self.connection.session

    @property
    def over(self) -> bool:
        """Nothing will come of what still arrives."""
        return self.connection.closing or (self.session is not None and self.session.finished)

    def put(self, frame: Buffers) -> None:
        """A message has arrived. A repetition is dropped; what is no frame, or too much, ends the session."""
        size = sum(map(len, frame))
        seen = peek(frame[0]) if frame else None
        with self._arrived:
            if seen is None or seen[2] != size:
                self._fault = TransferError(Code.CORRUPT, "a message does not hold one whole frame")
            elif seen[1] >= self.connection.expected and seen[1] not in self._waiting:
                self._waiting[seen[1]] = frame
                self._bytes += size
                if self._bytes > self._most + len(self._waiting) * 8192 or len(self._waiting) > MOST_FRAMES:
                    self._fault = TransferError(
                        Code.PROTOCOL, f"{self._bytes} bytes arrived before their turn, more than was granted"
                    )
                    self._waiting.clear()
            self._arrived.notify()

    def take(self, timeout: float) -> bool:
        """Let the connection have the next frame, if it comes in time; False when it does not."""
        connection = self.connection
        with self._arrived:
            if connection.expected not in self._waiting and self._fault is None and timeout > 0:
                self._arrived.wait(timeout)
            frame = self._waiting.pop(connection.expected, None)
            fault = self._fault
            if frame is not None:
                self._bytes -= sum(map(len, frame))
        if fault is not None:
            connection.fail(fault)
            return False
        if frame is None:
            return False
        for view in frame:
            _feed(connection, view)
        return True

    def wake(self) -> None:
        with self._arrived:
            self._arrived.notify()

    def heed(self) -> None:
        """Give up what is going on if somebody wishes so."""
        if self.cancelled or any(stop() for stop in self._stops):
            self.connection.cancel()
            self.connection.stop()


def _feed(connection: Connection, view: memoryview) -> None:
    """As `Connection.feed`, but other threads run while much is copied: FLARE goes on receiving meanwhile."""
    while len(view) >= LARGE and not connection.closing:
        place = connection.want()
        count = min(len(place), len(view))
        np.copyto(np.frombuffer(place, np.uint8, count), np.frombuffer(view, np.uint8, count))
        connection.received(count)
        view = view[count:]
    connection.feed([view])
