"""Loopback connections that lead through the suite's network: each frame is a message to it.

A message names its connection, as the addresses and ports of a segment do. What the network brings for a connection
that is gone, or from a site that is not its end, finds nobody, as on a real network.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from typing import BinaryIO

from objstream.engines import address as addresses
from objstream.frames import HEADER, HEADER_BYTES, PREFACE

from ..contract import Network

ID_BYTES = 8
CONNECT_SECONDS = 10.0


class Exchange:
    """Knows where each site of a network listens, and gives each pair of sites a port that leads through it."""

    def __init__(self, network: Network) -> None:
        self._carry = network.carry
        self._addresses: dict[str, str] = {}
        self._listeners: dict[tuple[str, str], socket.socket] = {}
        self._ends: dict[tuple[str, str, bytes], socket.socket] = {}
        self._ids = itertools.count(1)

    def enter(self, name: str, address: str) -> None:
        """A site called `name` listens at `address`."""
        self._addresses[name] = address

    def leave(self, name: str) -> None:
        """The site is gone, and so are the ways to it and from it."""
        self._addresses.pop(name, None)
        for pair in [pair for pair in self._listeners if name in pair]:
            listener = self._listeners.pop(pair)
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def cut(self, name: str) -> None:
        """End the connections to the site, and those from it."""
        for source, target, number in list(self._ends):
            end = self._ends.get((source, target, number))
            if end is not None and name in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def route(self, source: str, target: str) -> str:
        """The address at which `source` reaches `target`."""
        pair = source, target
        if pair not in self._listeners:
            self._listeners[pair] = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=self._listen, args=pair, daemon=True).start()
        return f"tcp://127.0.0.1:{self._listeners[pair].getsockname()[1]}"

    def _listen(self, source: str, target: str) -> None:
        listener = self._listeners[source, target]
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = addresses.connect(addresses.parse(self._addresses[target]), CONNECT_SECONDS)
            except (OSError, KeyError):
                near.close()
                continue
            number = next(self._ids).to_bytes(ID_BYTES, "big")
            self._ends[source, target, number] = far
            self._ends[target, source, number] = near
            for reading, way in ((near, (source, target)), (far, (target, source))):
                threading.Thread(target=self._pass_on, args=(reading, *way, number), daemon=True).start()

    def _pass_on(self, reading: socket.socket, source: str, target: str, number: bytes) -> None:
        """Carry what one end says to the other, until either is gone or the network cuts them off."""
        writing = self._ends[source, target, number]
        stream = reading.makefile("rb")
        how = socket.SHUT_RDWR
        try:
            writing.sendall(stream.read(len(PREFACE)))
            while message := _frame(stream):
                for arrived in self._carry(source, target, number + message):
                    end = self._ends.get((source, target, arrived[:ID_BYTES]))
                    if end is not None:
                        _send(end, arrived[ID_BYTES:])
            how = socket.SHUT_WR
        except (OSError, ValueError):
            with contextlib.suppress(OSError):
                reading.shutdown(socket.SHUT_RDWR)
        finally:
            del self._ends[source, target, number]
            with contextlib.suppress(OSError):
                writing.shutdown(how)


def _send(end: socket.socket, data: bytes) -> None:
    """Bring bytes to an end that may be gone: what it said last is then still on its way to the other."""
    with contextlib.suppress(OSError):
        end.sendall(data)


def _frame(stream: BinaryIO) -> bytes:
    """The next frame, or what is left of it at the end of the stream."""
    head = stream.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        return head
    _, _, meta, data, *_ = HEADER.unpack(head)
    return head + stream.read(meta + data)
