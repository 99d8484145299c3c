"""A small honest implementation of the contract, to try the suite on.

Every message is `digest || marshal((operation, session, number, payload))`. A pull is a loop of "next"
requests by the receiver, one entry or chunk each; a push is an offer that the receiver answers by pulling.
It shares no code with the project.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import hashlib
import marshal
import os
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from objstream_conformance.contract import Cut, Description, Network, Rejected

CHUNK = 1 << 20
PLAIN = (type(None), bool, int, float, complex, str, bytes)
DEPTH = 128


def pack(value: Any, path: str = "object", above: tuple[int, ...] = ()) -> Any:
    """A value as nested tuples that marshal carries exactly. What is not in the model is refused."""
    kind = type(value)
    if kind is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Rejected(f"{path}: text without a UTF-8 form", "UNSUPPORTED") from None
    if kind is int and value.bit_length() > 8 * 65536:
        raise Rejected(f"{path}: an integer of more than 65536 bytes", "UNSUPPORTED")
    if kind in PLAIN:
        return value
    if id(value) in above or len(above) >= DEPTH:
        raise Rejected(f"{path}: nested too deeply, or in itself", "UNSUPPORTED")
    below = (*above, id(value))
    if kind is dict:
        return "dict", tuple((pack_key(k, path), pack(v, f"{path}[{k!r}]", below)) for k, v in value.items())
    if kind in (set, frozenset):
        return kind.__name__, tuple(pack_key(item, path, True) for item in value)
    if kind in (list, tuple):
        return kind.__name__, tuple(pack(item, f"{path}[{i}]", below) for i, item in enumerate(value))
    if kind is bytearray:
        return "bytearray", bytes(value)
    if kind is datetime.datetime or kind is datetime.time:
        zone = value.tzinfo
        if zone is not None and type(zone) is not datetime.timezone:
            raise Rejected(f"{path}: time zone {type(zone).__name__} is not in the model", "UNSUPPORTED")
        there = None if zone is None else zone.__getinitargs__()
        packed_zone = there if there is None else (pack(there[0]), *there[1:])
        return kind.__name__, value.replace(tzinfo=None).isoformat(), value.fold, packed_zone
    if kind is datetime.date:
        return "date", value.isoformat()
    if kind is datetime.timedelta:
        return "timedelta", value.days, value.seconds, value.microseconds
    if kind is decimal.Decimal:
        return "decimal", str(value)
    if kind is uuid.UUID:
        return "uuid", value.bytes
    if kind is np.ndarray or (isinstance(value, np.generic) and kind.__module__ == "numpy"):
        if (
            value.dtype.kind not in "biufc"
            or value.dtype.metadata
            or value.dtype.itemsize > 16
            or value.dtype.name in ("float128", "longdouble")
        ):
            raise Rejected(f"{path}: dtype {value.dtype} is not in the model", "UNSUPPORTED")
        little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
        return (
            ("ndarray" if kind is np.ndarray else "scalar"),
            little.dtype.str,
            value.shape,
            little.tobytes(),
        )
    raise Rejected(f"{path}: {kind.__qualname__} is not in the model", "UNSUPPORTED")


KEYS = (type(None), bool, int, float, str, bytes, tuple, frozenset)
ELEMENTS = (
    complex,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)


def pack_key(value: Any, path: str, element: bool = False) -> Any:
    """A key or an element of a set; only some types may stand there."""
    for part in value if type(value) in (tuple, frozenset) else ():
        pack_key(part, path, element)
    allowed = type(value) in KEYS or (element and (type(value) in ELEMENTS or isinstance(value, np.generic)))
    if not allowed:
        raise Rejected(f"{path}: a {type(value).__qualname__} cannot be a key or an element", "UNSUPPORTED")
    return pack(value, path)


def unpack(tree: Any) -> Any:
    if type(tree) is not tuple:
        return tree
    name, *rest = tree
    if name == "dict":
        return {unpack(k): unpack(v) for k, v in rest[0]}
    if name in ("list", "tuple", "set", "frozenset"):
        return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[name](map(unpack, rest[0]))
    if name in ("datetime", "time"):
        text, fold, zone = rest
        tz = None if zone is None else datetime.timezone(unpack(zone[0]), *zone[1:])
        return getattr(datetime, name).fromisoformat(text).replace(fold=fold, tzinfo=tz)
    if name in ("ndarray", "scalar"):
        array = np.frombuffer(bytearray(rest[2]), rest[0]).reshape(rest[1])
        return array if name == "ndarray" else array[()]
    make: dict[str, Callable[..., Any]] = {
        "bytearray": bytearray,
        "date": datetime.date.fromisoformat,
        "timedelta": datetime.timedelta,
        "decimal": decimal.Decimal,
        "uuid": lambda raw: uuid.UUID(bytes=raw),
    }
    return make[name](*rest)


def seal(*parts: Any) -> bytes:
    body = marshal.dumps(parts, 2)
    return hashlib.sha256(body).digest() + body


def unseal(message: bytes) -> Any:
    if hashlib.sha256(message[32:]).digest() != message[:32]:
        return None
    return marshal.loads(message[32:])


def entries(container: Any) -> Iterator[Any]:
    """The entries of a container, packed; a second walk must give the same bytes."""
    if type(container) not in (dict, list, tuple, set, frozenset):
        raise Rejected(f"{type(container).__qualname__} is not a container of the model", "UNSUPPORTED")
    items = container.items() if type(container) is dict else container
    try:
        for index, item in enumerate(items):
            if type(container) is dict:
                yield pack_key(item[0], f"object: key {item[0]!r}"), pack(item[1], f"object[{item[0]!r}]")
            elif type(container) in (set, frozenset):
                yield pack_key(item, f"object: element {item!r}", True)
            else:
                yield pack(item, f"object[{index}]")
    except RuntimeError as error:
        raise Rejected(str(error), "SOURCE_CHANGED") from error


def container_source(container: Any) -> Iterator[Any]:
    """Pieces of a container: its kind, its entries, their number last. Refuses before it sends."""
    before = hashlib.sha256()
    for entry in entries(container):
        before.update(marshal.dumps(entry, 2))
    yield type(container).__name__
    after, count = hashlib.sha256(), 0
    for entry in entries(container):
        after.update(marshal.dumps(entry, 2))
        count += 1
        yield "entry", entry
    if after.digest() != before.digest():
        raise Rejected("the container changed while it was sent", "SOURCE_CHANGED")
    yield "end", count


def file_source(path: Path) -> Iterator[Any]:
    try:
        stream = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: SIM115
    except (OSError, ValueError):
        raise Rejected("the file cannot be opened", "SOURCE_FAILED") from None
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise Rejected("not a regular file", "NOT_FOUND")
        state = _state(path)
        yield "file"
        count = 0
        while chunk := stream.read(CHUNK):
            count += 1
            if _state(path) != state:
                raise Rejected("the file changed while it was sent", "SOURCE_CHANGED")
            yield "entry", chunk
        if _state(path) != state:
            raise Rejected("the file changed while it was sent", "SOURCE_CHANGED")
        yield "end", count


def _state(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ino


class HonestSite:
    """One site; see :class:`objstream_conformance.contract.Site`."""

    def __init__(self, adapter: HonestAdapter, name: str, network: Network, directory: Path) -> None:
        self.adapter, self.name, self.network, self.directory = adapter, name, network, directory
        self.offered: dict[tuple[str, str], Any] = {}
        self.sessions: dict[tuple[str, str], list[Any]] = {}  # peer, session: source, last number, last reply
        self.answered: dict[tuple[str, str], bytes] = {}
        self.arrived: list[object] = []

    # operations

    def add_container(self, name: str, container: object) -> None:
        self.offered["container", name] = container

    def add_file(self, name: str, path: Path) -> None:
        self.offered["file", name] = path

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        return self.pull(peer, "container", name, timeout)

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> str:
        return str(self.pull(peer, "file", name, timeout))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return self.push(targets, "container", container, timeout)

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        return self.push(targets, "file", path, timeout)

    def received(self) -> list[object]:
        return self.arrived

    def close(self) -> None:
        self.adapter.sites.pop((id(self.network), self.name), None)

    # sending half

    def push(self, targets: list[str], kind: str, value: Any, timeout: float) -> dict[str, Exception | None]:
        if not targets:
            raise Rejected("no targets", "REFUSED")
        name = f"push-{uuid.uuid4().hex}"
        self.offered[kind, name] = value
        verdicts: dict[str, Exception | None] = {}

        def offer(target: str) -> None:
            try:
                self.ask(target, "offer", uuid.uuid4().hex, 0, (kind, name, timeout), timeout)
                verdicts[target] = None
            except (Rejected, TimeoutError) as refusal:
                verdicts[target] = refusal

        threads = [threading.Thread(target=offer, args=(target,)) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        del self.offered[kind, name]
        return verdicts

    def handle(self, peer: str, message: bytes) -> bytes | None:
        """Answer one message of a peer; a repeated one gets the answer it got before."""
        parts = unseal(message)
        if parts is None:
            return None
        operation, session, number, payload = parts
        if operation == "drop":
            self.sessions.pop((peer, session), None)
            return None
        known = self.sessions.get((peer, session))
        try:
            if operation == "offer":
                if (peer, session) not in self.answered:
                    self.answered[peer, session] = b""
                    kind, name, timeout = payload
                    self.arrived.append(self.pull(peer, kind, name, timeout))
                    self.answered[peer, session] = seal("ok", session, number, None)
                return self.answered[peer, session] or None
            if operation == "get":
                if known is None:
                    key = (payload[0], payload[1])
                    if key not in self.offered:
                        raise Rejected(f"no {payload[0]} of that name", "NOT_FOUND")
                    source = (container_source if payload[0] == "container" else file_source)(
                        self.offered[key]
                    )
                    reply = seal("ok", session, number, next(source))
                    known = self.sessions[peer, session] = [source, number, reply]
                return bytes(known[2]) if known[1] == number else None
            if known is None or number not in (known[1], known[1] + 1):
                return None
            if operation == "done":
                del self.sessions[peer, session]
                return seal("ok", session, number, None)
            if number == known[1] + 1:
                known[1], known[2] = number, seal("ok", session, number, next(known[0]))
            return bytes(known[2])
        except Rejected as refusal:
            self.sessions.pop((peer, session), None)
            return seal("no", session, number, (refusal.message, refusal.code))

    # receiving half

    def ask(self, peer: str, operation: str, session: str, number: int, payload: Any, timeout: float) -> Any:
        """Send a request and return the reply to it.

        Raises:
            Rejected: the peer refuses, or request or reply were lost or altered.
        """
        start = time.monotonic()
        replies: list[bytes] = []
        try:
            for message in self.network.carry(self.name, peer, seal(operation, session, number, payload)):
                other = self.adapter.sites.get((id(self.network), peer))
                reply = other.handle(self.name, message) if other else None
                if reply is not None:
                    replies += self.network.carry(peer, self.name, reply)
        except Cut as cut:
            raise Rejected(str(cut), "LOST") from cut
        if time.monotonic() - start > timeout:
            raise TimeoutError("no progress")
        if (id(self.network), self.name) not in self.adapter.sites:
            raise Rejected("the site was closed", "CANCELLED")
        for reply in replies:
            parts = unseal(reply)
            if parts is not None and parts[1:3] == (session, number):
                if parts[0] == "no":
                    raise Rejected(*parts[3])
                return parts[3]
        raise Rejected("no answer", "LOST")

    def pull(self, peer: str, kind: str, name: str, timeout: float) -> Any:
        session = uuid.uuid4().hex
        first = self.ask(peer, "get", session, 0, (kind, name), timeout)
        temporary = self.directory / f".{session}.part"
        number, pieces = 0, []
        try:
            stream = open(temporary, "wb") if kind == "file" else None  # noqa: SIM115
            while True:
                number += 1
                tag, piece = self.ask(peer, "next", session, number, None, timeout)
                if tag == "end":
                    if piece != number - 1:
                        raise Rejected(f"{number - 1} pieces of {piece} arrived", "CORRUPT")
                    break
                if stream is not None:
                    stream.write(piece)
                else:
                    pieces.append(tuple(map(unpack, piece)) if first == "dict" else unpack(piece))
            if stream is not None:
                stream.close()
                self.ask(peer, "done", session, number + 1, None, timeout)
                final = self.directory / f"{session}.bin"
                os.replace(temporary, final)
                return final
        except (Rejected, TimeoutError, OSError) as error:
            with contextlib.suppress(Cut):  # tell the peer to let go
                for message in self.network.carry(self.name, peer, seal("drop", session, 0, None)):
                    if other := self.adapter.sites.get((id(self.network), peer)):
                        other.handle(self.name, message)
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                raise Rejected("the file cannot be stored", "STORE_FAILED") from error
            raise
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        container = self.build(first, pieces)
        self.ask(peer, "done", session, number + 1, None, timeout)
        return container

    def build(self, kind: str, pieces: list[Any]) -> object:
        if kind == "dict":
            return dict(pieces)
        make: dict[str, Callable[..., Any]] = {
            "list": list,
            "tuple": tuple,
            "set": set,
            "frozenset": frozenset,
        }
        return make[kind](pieces)


class HonestAdapter:
    site_class = HonestSite
    capabilities = frozenset(
        {"container", "file", "push", "pull", "multi-target", "deadline", "numpy", "memory"}
    )

    def __init__(self) -> None:
        self.sites: dict[tuple[int, str], HonestSite] = {}

    def describe(self) -> Description:
        roles = frozenset({"owner", "requester", "sender", "receiver"})
        return Description("honest toy", "1", roles, self.capabilities)  # type: ignore[arg-type]

    def site(self, name: str, network: Network, directory: Path) -> HonestSite:
        site = self.sites[id(network), name] = self.site_class(self, name, network, directory)
        return site
