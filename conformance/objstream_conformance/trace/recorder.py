"""A connection of the reference implementation that logs what it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

from objstream.digests import ALGORITHMS, Hasher
from objstream.session import AnySession, Buffers, Connection, Sender

from ..cbor import Map, plain, read
from ..frames import HEADER, KEYS, PREFACE, Type
from .record import Event, Record

Log = Callable[[Record], None]
Fields = dict[str, Any]
"""Of a frame, as :class:`Record` has them."""


class Recorded(Connection):
    """A `Connection` that tells `log` of everything it sends, receives and decides. No data is copied.

    Args:
        log: called with each record.
        connection: the name of the connection in the log.
        hashing: compute the digests of the data received as well.
        arguments: those of `Connection`.
    """

    def __init__(self, log: Log, connection: str = "", *, hashing: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._log = log
        self._name = connection
        self._hashing = hashing
        self._algorithm = ""
        self._time = 0.0
        self._sessions = -1
        self._current: AnySession | None = None
        self._told = True
        self._said = -1
        self._sent = Scanner(arguments["preface"])
        self._came = Scanner(arguments["preface"], self._hasher if hashing else None)

    def start(self, session: AnySession) -> None:
        super().start(session)
        self._look()

    def received(self, count: int) -> None:
        landed = self.want()[:count]
        closing = self.closing
        frames = [] if closing else list(self._came.feed(landed))
        super().received(count)
        if self.session is not self._current:
            self._look()
        for frame in frames:
            self._tell("received", **frame)
        self._look()

    def _hasher(self, frame: Fields) -> Hasher | None:
        """What computes the digest of a frame's data."""
        if frame["type"] not in (Type.ENTRIES, Type.DATA) or self._algorithm not in ALGORITHMS:
            return None
        return ALGORITHMS[self._algorithm]()

    def output(self) -> Buffers | None:
        buffers = super().output()
        self._look(ended=False)
        for buffer in buffers or ():
            for frame in self._sent.feed(buffer):
                if frame.get("seq") == 0:  # of a new session, or a refusal that belongs to none
                    self._said = max(self._said + 1, self._sessions)
                self._tell("sent", max(0, self._said), **frame)
        self._look()
        return buffers

    def tick(self, now: float) -> None:
        self._time = now
        super().tick(now)
        self._look()

    def cancel(self) -> None:
        super().cancel()
        self._look()

    def eof(self, detail: str = "") -> None:
        self._tell("eof")
        super().eof(detail)
        self._look()

    def close(self) -> None:
        self._look()
        self._tell("closed")
        super().close()

    def _look(self, *, ended: bool = True) -> None:
        """Tell of a session that has begun, and of one that has ended."""
        if ended and not self._told and self._current is not None and self._current.finished:
            self._told = True
            error = self._current.error
            outcome = "delivered" if error is None else error.code.name
            self._tell("end", outcome=outcome, from_peer=error is not None and error.from_peer)
        if self.session is not self._current and self.session is not None:
            if not self._told:
                self._look()
            self._current, self._told = self.session, False
            self._sessions += 1
            role = "sender" if isinstance(self.session, Sender) else "receiver"
            self._tell("begin", role=role, deadline=self.session.deadline)
            self._look(ended=ended)

    def _tell(self, event: Event, session: int | None = None, **fields: Any) -> None:
        if fields.get("type") == Type.OPEN and fields["meta"]:
            self._algorithm = fields["meta"].get("digests", "")
        number = max(0, self._sessions) if session is None else session
        self._log(Record(self._time, event, self._name, number, **fields))


def recording(
    log: Log, base: type[Connection] = Connection, *, hashing: bool = False
) -> Callable[..., Recorded]:
    """A factory of recorded connections, in the place of the class `base`; each gets a name of its own."""
    numbers = itertools.count()
    made = _recorded(base)

    def connection(**arguments: Any) -> Recorded:
        return made(log, str(next(numbers)), hashing=hashing, **arguments)

    return connection


_MADE: dict[type[Connection], type[Recorded]] = {Connection: Recorded}


def _recorded(base: type[Connection]) -> type[Recorded]:
    if base not in _MADE:
        _MADE[base] = type(f"Recorded{base.__name__}", (Recorded, base), {})
    return _MADE[base]


class Scanner:
    """Finds the headers and metas of frames in bytes that go past, and passes over data.

    Args:
        preface: the bytes begin with one.
        hasher: asked for what computes the digest of a frame's data, which may be nothing.
    """

    def __init__(self, preface: bool, hasher: Callable[[Fields], Hasher | None] | None = None) -> None:
        self._held = bytearray()
        self._whole = HEADER.size
        self._passing = len(PREFACE) if preface else 0
        self._lost = False
        self._hasher = hasher
        self._hash: Hasher | None = None
        self._digest = b""

    def feed(self, data: memoryview) -> Iterator[Fields]:
        """The frames whose header and meta are complete with these bytes; after damage there are no more.

        A frame whose data does not have its digest is told of once more when it is complete, as damaged.
        """
        held = self._held
        while len(data) and not self._lost:
            if self._passing:
                data = data[self._pass(data) :]
                if not self._passing and self._hash is not None and self._hash.digest() != self._digest:
                    yield {"fault": "data", "meta": None}
                continue
            missing = self._whole - len(held)
            held += data[:missing]
            data = data[missing:]
            if len(held) < self._whole:
                return
            if len(held) == HEADER.size:
                if crc32(held[:20]) != int.from_bytes(held[20:24], "big"):
                    self._lost = True
                    yield {"fault": "header", "meta": None}
                    return
                self._whole += int.from_bytes(held[2:4], "big")
            if len(held) == self._whole:
                yield self._frame()

    def _pass(self, data: memoryview) -> int:
        passed = min(self._passing, len(data))
        self._passing -= passed
        if self._hash is not None:
            self._hash.update(data[:passed])
        return passed

    def _frame(self) -> Fields:
        type_, flags, _, length, seq, meta_crc, _ = HEADER.unpack_from(self._held)
        meta = bytes(self._held[HEADER.size :])
        self._held.clear()
        self._whole = HEADER.size
        self._passing = length
        fields: Fields = {"type": type_, "flags": flags, "seq": seq, "data": length}
        if crc32(meta) != meta_crc:
            self._lost = True
            return {**fields, "meta": None, "fault": "meta"}
        fields["meta"] = named(meta)
        self._hash = None if self._hasher is None else self._hasher(fields)
        if self._hash is not None:
            self._digest = (fields["meta"] or {}).get("digest", b"")
        return fields


_ONE_DIGEST = b"\xa1\x0b\x58\x20"
"""The beginning of the meta that nearly all content frames have: a map with a digest of 32 bytes."""


def named(meta: bytes) -> dict[str, Any] | None:
    """A meta map by the names of its keys, those without a name by their numbers; None when it is no meta map."""
    if not meta:
        return {}
    if meta[:4] == _ONE_DIGEST and len(meta) == 36:
        return {"digest": meta[4:]}
    try:
        item, end = read(meta)
        whole = plain(item)
        if end != len(meta) or not isinstance(whole, Map):
            return None
        pairs = {key: _unmapped(value) for key, value in whole.pairs if type(key) is int and key >= 0}
    except (ValueError, TypeError, RecursionError):
        return None
    if len(pairs) != len(whole.pairs):
        return None
    return {KEYS[key] if key < len(KEYS) else str(key): value for key, value in pairs.items()}


def _unmapped(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: _unmapped(item) for key, item in value.pairs}
    return [_unmapped(item) for item in value] if isinstance(value, list) else value
