"""The two processes: one gives, over the protocol and over a raw socket, the other takes and keeps the time."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from ..digests import ALGORITHMS
from ..engines.socket import SocketSite
from ..limits import MIB
from ..retrievers import ContainerRetriever
from ..site import Options
from .layouts import SMALL_ENTRIES, Shapes, arrived, build, new

PIECE = MIB
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Setup:
    """What both processes need to know."""

    shapes: Shapes
    torch: bool
    chunk: int
    window: int


class Task(NamedTuple):
    """One measurement.

    Attributes:
        what: RAW, RAW_NEW, INTO, NEW or SMALL.
        digest: with which one; "" over raw sockets.
    """

    what: str
    digest: str = ""


RAW = "raw"
"""A plain socket, into arrays that have been written to."""
RAW_NEW = "raw new"
"""A plain socket, into new arrays."""
INTO = "into"
"""A retrieval into arrays that have been written to."""
NEW = "new"
"""A retrieval into new arrays."""
SMALL = "small"
"""A retrieval of a list of integers."""


def send(pipe: Connection, setup: Setup) -> None:
    """The sending process: tells where it listens, then gives until the pipe closes."""
    with _peer(pipe), SocketSite(f"tcp://{HOST}:0", Options(digests=list(ALGORITHMS))) as site:
        state = build(setup.shapes, torch=setup.torch, sent=True)
        retriever = ContainerRetriever(site, chunk=setup.chunk)
        retriever.add_container("state", state)
        retriever.add_container(SMALL, list(range(SMALL_ENTRIES)))
        with socket.create_server((HOST, 0)) as listener:
            threading.Thread(
                target=_give_raw, args=(listener, list(_views(state.values()))), daemon=True
            ).start()
            pipe.send((site.address, listener.getsockname()[1]))
            pipe.recv()


def receive(pipe: Connection, setup: Setup, address: str, port: int) -> None:
    """The receiving process: for each task that comes through the pipe it answers how many seconds it took."""
    with _peer(pipe), SocketSite() as site:
        retriever = ContainerRetriever(site)
        destination = build(setup.shapes, torch=setup.torch, sent=False)
        views = list(_views(destination.values()))
        pipe.send(sum(map(len, views)))
        while True:
            task = pipe.recv()
            if task.what in (RAW, RAW_NEW):
                pipe.send(_take_raw(port, views if task.what == RAW else _new_views(setup)))
                continue
            options = Options(digests=[task.digest], window=setup.window)
            name = SMALL if task.what == SMALL else "state"
            into = destination if task.what == INTO else None
            began = time.perf_counter()
            taken = retriever.retrieve_container(address, name, into=into, options=options)
            seconds = time.perf_counter() - began
            if len(taken) != SMALL_ENTRIES if name == SMALL else not arrived(taken):
                raise AssertionError(f"{task.what} over {task.digest} did not bring what was sent")
            del taken
            pipe.send(seconds)


@contextlib.contextmanager
def _peer(pipe: Connection) -> Iterator[None]:
    """A process that ends with its parent, and tells it what goes wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    except EOFError:
        pass
    except Exception as problem:
        pipe.send(problem)


def _views(arrays: Iterable[Any]) -> Iterator[memoryview]:
    return (np.asarray(array).data.cast("B") for array in arrays)


def _new_views(setup: Setup) -> Iterator[memoryview]:
    """New arrays, each made when its bytes are about to come."""
    kept = []
    for shape in setup.shapes.values():
        kept.append(new(shape, torch=setup.torch))
        yield from _views(kept[-1:])


def _pieces(views: Iterable[memoryview]) -> Iterator[memoryview]:
    for view in views:
        for start in range(0, len(view), PIECE):
            yield view[start : start + PIECE]


def _give_raw(listener: socket.socket, views: list[memoryview]) -> None:
    while True:
        connected, _ = listener.accept()
        with connected, contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in _pieces(views):
                connected.sendall(piece)


def _take_raw(port: int, views: Iterable[memoryview]) -> float:
    began = time.perf_counter()
    with socket.create_connection((HOST, port)) as connected:
        for piece in _pieces(views):
            while len(piece):
                count = connected.recv_into(piece)
                if not count:
                    raise ConnectionError("the raw connection ended early")
                piece = piece[count:]
    return time.perf_counter() - began
