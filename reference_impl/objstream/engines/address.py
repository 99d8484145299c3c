"""Addresses of the socket engine: `tcp://HOST:PORT` and `unix:///PATH`."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Address:
    """Where a site listens. For tcp `host` and `port`, for unix `path`."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


def parse(url: str) -> Address:
    """Raises ValueError, saying what an address looks like, when `url` is none."""
    scheme, _, rest = url.partition("://")
    if scheme == "unix" and rest.startswith("/"):
        return Address("unix", path=rest)
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        port = parts.port
        if (
            scheme == "tcp"
            and parts.hostname
            and port is not None
            and parts.netloc == rest
            and "@" not in rest
        ):
            return Address("tcp", host=parts.hostname, port=port)
    raise ValueError(f"{url!r} is no address: write tcp://HOST:PORT or unix:///PATH")


def connect(address: Address, timeout: float) -> socket.socket:
    """A connected blocking socket. Raises OSError."""
    if address.scheme == "tcp":
        connected = socket.create_connection((address.host, address.port), timeout)
    else:
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(timeout)
            connected.connect(address.path)
        except BaseException:
            connected.close()
            raise
    prepare(connected)
    return connected


def listen(address: Address) -> tuple[socket.socket, Address]:
    """A listening socket and where it really listens (port 0 asks for any). Raises OSError."""
    if address.scheme == "unix":
        _remove_stale(address.path)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(address.path)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
        return listener, address
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.create_server((address.host, address.port), family=family, backlog=128)
    host, port = listener.getsockname()[:2]
    return listener, Address("tcp", host=host, port=port)


def prepare(connected: socket.socket) -> None:
    """Blocking, and without the delay that waits for small frames to become large ones."""
    connected.settimeout(None)
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def peer_name(connected: socket.socket) -> str:
    """What the other end is called: its address, which for a unix socket is that it is local."""
    if connected.family == socket.AF_UNIX:
        return "unix:"
    host, port = connected.getpeername()[:2]
    return str(Address("tcp", host=host, port=port))


def _remove_stale(path: str) -> None:
    """Remove the socket that a process left behind when it died; one that answers is not touched."""
    with contextlib.suppress(OSError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        finally:
            probe.close()
