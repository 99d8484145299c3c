"""A relay between two sites that breaks a transfer at a given point."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from objstream.engines import address as addresses

from .scenarios import Fault

_BLOCK = 1 << 16


class Relay:
    """Carries bytes to and from `target`, until it is told to break the connection.

    Attributes:
        address: where the relay is, for the peer of the target.
        reached: set when the fault has happened.
    """

    def __init__(self, target: str, fault: Fault) -> None:
        self._target = addresses.parse(target)
        self._fault = fault
        self._after: int | None = None
        self._listener, where = addresses.listen(addresses.parse("tcp://127.0.0.1:0"))
        self.address = str(where)
        self.reached = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, after: int) -> None:
        """Let the fault happen when the target has sent that many bytes more."""
        self._after = after

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = addresses.connect(self._target, 10.0)
            except OSError:
                return
            over = threading.Event()
            for source, sink, through in ((near, far, _unchanged), (far, near, self._break)):
                threading.Thread(target=_pump, args=(source, sink, through, over), daemon=True).start()

    def _break(self, data: bytes, over: threading.Event) -> bytes:
        """What becomes of bytes of the target: nothing, when the connection is to end."""
        if self._after is None:
            return data
        self._after -= len(data)
        if self._after > 0 or self.reached.is_set():
            return data
        self.reached.set()
        if self._fault == "corrupt":
            return bytes([data[0] ^ 1]) + data[1:]
        if self._fault == "cancel":
            over.wait()
        return b""


Through = Callable[[bytes, threading.Event], bytes]


def _unchanged(data: bytes, over: threading.Event) -> bytes:
    return data


def _pump(source: socket.socket, sink: socket.socket, through: Through, over: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := through(source.recv(_BLOCK), over):
            sink.sendall(data)
    over.set()
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
