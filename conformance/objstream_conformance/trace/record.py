"""One line of a log, and its form as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TextIO

from ..frames import KEYS, Type

Event = Literal["begin", "sent", "received", "eof", "end", "closed"]


@dataclass(frozen=True)
class Record:
    """What happened on one side of a connection.

    Attributes:
        time: seconds on the clock of the engine.
        event: "begin" of a session, a frame "sent" or "received" (header and meta, data aside), the "eof" of the peer's
            bytes, the "end" of a session, the connection "closed".
        connection: which connection, where a log has several.
        session: number of the session on its connection, from 0.
        role: of this side, "sender" or "receiver"; at "begin".
        deadline: seconds; at "begin", where it is known.
        type, flags, seq, data: of a frame; `data` is the length of its data.
        meta: of a frame, by the names of section 8.4; None when it could not be read.
        fault: what was wrong with the bytes of a frame: "header" or "meta" did not match its checksum, "data" not its
            digest (a line of its own, after that of the frame, where digests are computed).
        outcome: "delivered", or the name of the code; at "end".
        from_peer: the code is the one of a RESET received; at "end".
    """

    time: float
    event: Event
    connection: str = ""
    session: int = 0
    role: str = ""
    deadline: float = 0.0
    type: int = 0
    flags: int = 0
    seq: int = 0
    data: int = 0
    meta: Mapping[str, Any] | None = field(default_factory=dict)
    fault: str = ""
    outcome: str = ""
    from_peer: bool = False

    @property
    def name(self) -> str:
        """The name of the frame's type."""
        return Type(self.type).name if self.type in _TYPES else f"type {self.type}"

    def __str__(self) -> str:
        what = {"begin": self.role, "end": self.outcome}.get(self.event, "")
        if self.event in ("sent", "received"):
            shown = "" if not self.meta else f" {dict(self.meta)}"
            what = f"{self.name} #{self.seq} {self.data} bytes{shown}{f' damaged {self.fault}' if self.fault else ''}"
        return f"{self.time:.3f} [{self.session}] {self.event} {what}"


_TYPES = frozenset(Type)
_DEFAULTS = {one.name: one.default for one in fields(Record)}


def dump(records: Iterable[Record], file: TextIO) -> None:
    """Write records as JSON, one in each line; what has its default is left out, types go by their names."""
    for record in records:
        row = {name: value for name in _DEFAULTS if (value := getattr(record, name)) != _DEFAULTS[name]}
        if "type" in row:
            row["type"] = record.name if record.type in _TYPES else record.type
        if record.event in ("sent", "received"):
            row["meta"] = None if record.meta is None else _plain(record.meta)
        else:
            row.pop("meta", None)
        file.write(json.dumps({"time": record.time, **row}) + "\n")


def load(lines: Iterable[str]) -> Iterator[Record]:
    """The records of such lines; empty lines are passed over.

    Raises:
        ValueError: a line is no record; the message says which.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if isinstance(row.get("type"), str):
                row["type"] = Type[row["type"]].value
            if row.get("meta") is not None:
                row["meta"] = {_key(key): _bytes(value) for key, value in row["meta"].items()}
            yield Record(**row)
        except (ValueError, TypeError, AttributeError, KeyError) as problem:
            raise ValueError(f"line {number} is no record: {problem}") from problem


def _key(name: str) -> str:
    if name not in KEYS and not name.isdecimal():
        raise ValueError(f"there is no meta key {name!r}")
    return name


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _bytes(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"hex"} and isinstance(value["hex"], str):
            return bytes.fromhex(value["hex"])
        return {key: _bytes(item) for key, item in value.items()}
    return [_bytes(item) for item in value] if isinstance(value, list) else value
