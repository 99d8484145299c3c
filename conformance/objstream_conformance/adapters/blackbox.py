"""A server that somebody else has started, as an owner: `blackbox:URL --container NAME=PATH --file NAME=PATH`.

URL is where it listens, `tcp://HOST:PORT` or `unix:///PATH`. The rest says what it offers, in the words of `objstream
serve`: under NAME there has to arrive what PATH holds, a model file (`.safetensors`, `.npz`, `.pt`) or any file. The
requester is the reference; what it asks for leads through the suite's network, which disturbs it. Frames that no good
requester would send go to the server directly.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import shlex
import socket
import time
import weakref
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, cast

import objstream
from objstream import ContainerRetriever, FileRetriever, Options
from objstream.engines import address as addresses
from objstream.models import ModelError, load_model

from ..contract import Description, Network, Role, Site, Unsupported
from ..extras import Sample
from ..frames import CODES, PREFACE, Type, split
from ..outcomes import AdapterError, NotApplicable
from .proxy import Exchange
from .reference import COUPLED, Refusals

CONNECT_SECONDS: Final = 5.0
MOMENT: Final = 0.02
"""How long an end listens for what comes back, in seconds; cases that wait for something listen again."""


@dataclass(frozen=True)
class Served:
    """An object that the server is said to have; `size` is that of the file at `path`, in bytes."""

    name: str
    kind: Literal["container", "file"]
    path: Path
    size: int


class _Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LookupError(f"blackbox: {message}")


def _words() -> _Words:
    words = _Words(prog="blackbox", add_help=False)
    words.add_argument("url", type=_address)
    for kind in ("container", "file"):
        named = partial(_served, kind)
        named.__name__ = "NAME=PATH"  # type: ignore[attr-defined]
        words.add_argument(f"--{kind}", dest="objects", action="append", type=named, default=[])
    words.add_argument("--numpy", action="store_true")
    words.add_argument("--name", default="")
    words.add_argument("--version", default="unversioned")
    return words


def _address(url: str) -> addresses.Address:
    try:
        return addresses.parse(url)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _served(kind: Literal["container", "file"], given: str) -> Served:
    name, equals, path = given.rpartition("=")
    if not equals:
        name, path = Path(given).name, given
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return Served(name, kind, Path(path).resolve(), Path(path).stat().st_size)


class BlackboxAdapter:
    """See the module for what `given` is."""

    def __init__(self, given: str) -> None:
        try:
            words = _words().parse_args(shlex.split(given))
        except ValueError as error:
            raise LookupError(f"blackbox: {error}") from error
        if not words.objects:
            raise LookupError("blackbox: say what the server offers, with --container or --file NAME=PATH")
        self._address: addresses.Address = words.url
        self._name = words.name or f"blackbox {words.url}"
        self._version = words.version
        self._numpy = words.numpy
        self._objects: list[Served] = words.objects
        self._exchanges: weakref.WeakKeyDictionary[Network, Exchange] = weakref.WeakKeyDictionary()
        self._tables: weakref.WeakKeyDictionary[Network, Table] = weakref.WeakKeyDictionary()

    def describe(self) -> Description:
        try:
            addresses.connect(self._address, CONNECT_SECONDS).close()
        except OSError as error:
            raise AdapterError(f"a server at {self._address}", f"nobody answers: {error}") from error
        capabilities = frozenset({"own", "pull", "served", "wire"})
        return Description(self._name, self._version, frozenset({"owner"}), capabilities)

    def sample(self, size: int) -> Sample:
        """The smallest object of at least this size, or else the largest."""
        large = [one for one in self._objects if one.size >= size]
        if large:
            return self._sample(min(large, key=lambda one: one.size))
        return self._sample(max(self._objects, key=lambda one: one.size))

    def samples(self) -> list[Sample]:
        return [self._sample(one) for one in self._objects]

    def _sample(self, served: Served) -> Sample:
        if served.kind == "file":
            return Sample(served, _digest(served.path), _digest)
        try:
            container = load_model(served.path, torch=False if self._numpy else None).container
        except (ModelError, OSError) as error:
            raise AdapterError(f"a model in {served.path}", str(error)) from error
        return Sample(served, container, lambda got: got)

    def site(self, name: str, network: Network, directory: Path) -> Site:
        exchange = self._exchanges.setdefault(network, Exchange(network))
        table = self._tables.setdefault(network, Table())
        exchange.enter(name, str(self._address))
        return cast(Site, BlackboxSite(name, directory, exchange, table))

    def wire(self, role: Role, name: str, value: object = None, **options: object) -> BlackboxEnd:
        if role != "owner" or options:
            raise Unsupported(f"a server is an owner as it was started, not a {role} with {options}")
        return BlackboxEnd(self._address)


def _digest(path: Path) -> tuple[int, str]:
    with Path(path).open("rb") as file:
        return Path(path).stat().st_size, hashlib.sha256(file.read()).hexdigest()


class Table:
    """What the cases of one network call the server's objects, and how many retrievals go on at each site."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], Served] = {}
        self.busy: Counter[str] = Counter()


class BlackboxSite:
    """The server, as an owner; and a requester of the reference, which reaches it through the network."""

    def __init__(self, name: str, directory: Path, exchange: Exchange, table: Table) -> None:
        self._name = name
        self._directory = directory
        self._exchange = exchange
        self._table = table
        self._site = objstream.SocketSite(None, COUPLED)
        self._containers = ContainerRetriever(self._site)
        self._files = FileRetriever(self._site, directory=directory)
        self._numbers = itertools.count()

    def add_object(self, name: str, given: Served) -> None:
        if (self._name, name) in self._table.names:
            raise NotApplicable("objects that can be replaced", "they are the server's")
        self._table.names[self._name, name] = given

    def retrieve_object(self, peer: str, name: str, *, timeout: float) -> Any:
        served = self._table.names.get((peer, name))
        options = Options(deadline=timeout, window=COUPLED.window)
        route = self._exchange.route(self._name, peer)
        self._table.busy[peer] += 1
        try:
            with Refusals():
                if served is not None and served.kind == "file":
                    to = self._directory / f"retrieved-{next(self._numbers)}"
                    return self._files.retrieve_file(route, served.name, to=to, options=options)
                asked = name if served is None else served.name
                return self._containers.retrieve_container(route, asked, options=options)
        finally:
            self._table.busy[peer] -= 1

    def send_object(self, targets: list[str], given: object, *, timeout: float) -> Any:
        raise Unsupported("a server is asked, and sends nothing without that")

    def received(self) -> list[object]:
        return []

    def close(self) -> None:
        busy = self._table.busy[self._name]
        self._exchange.leave(self._name)
        self._site.close()
        if busy:
            self._exchange.cut(self._name)
            raise NotApplicable("a server that the suite may close", "it is somebody else's")

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object, **__: object) -> object:
            raise Unsupported(f"{name}: a server is asked for what it has, and no more")

        if name.startswith("_"):
            raise AttributeError(name)
        return refuse


class BlackboxEnd:
    """A connection to the server; see :class:`~..contract.WireEnd`. Its clock is the server's own.

    What it returns is what has come back so far. The outcome is what the RESET says that was sent, or LOST when the
    server has closed without one; a delivery cannot be seen from here.
    """

    def __init__(self, address: addresses.Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._heard = b""
        self._begun = False
        self._ended: tuple[Literal["failed"], str] | None = None

    def start(self) -> bytes:
        try:
            self._socket = addresses.connect(self._address, CONNECT_SECONDS)
        except OSError as error:
            raise AdapterError(f"a server at {self._address}", f"nobody answers: {error}") from error
        weakref.finalize(self, self._socket.close)
        return self._listen()

    def feed(self, data: bytes) -> bytes:
        assert self._socket is not None
        try:
            self._socket.sendall(data)
        except OSError:
            pass  # what it said before it closed comes first
        return self._listen()

    def eof(self) -> bytes:
        assert self._socket is not None
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self._listen()

    def advance(self, seconds: float) -> bytes:
        raise NotApplicable("a clock in the suite's hands", "it is the server's")

    def outcome(self) -> Any:
        return self._ended

    def _listen(self) -> bytes:
        assert self._socket is not None
        heard = bytearray()
        end = time.monotonic() + MOMENT
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                break
            except OSError:
                data = b""
            if not data:
                self._ended = self._ended or ("failed", "LOST")
                break
            heard += data
        self._socket.settimeout(None)
        self._note(bytes(heard))
        return bytes(heard)

    def _note(self, data: bytes) -> None:
        self._heard += data
        if not self._begun and len(self._heard) >= len(PREFACE):
            self._begun, self._heard = True, self._heard[len(PREFACE) :]
        frames, self._heard = split(self._heard) if self._begun else ([], self._heard)
        for frame in frames:
            code = frame.get("code") if frame.type == Type.RESET else None
            if isinstance(code, int) and 0 < code <= len(CODES):
                self._ended = "failed", CODES[code - 1]
