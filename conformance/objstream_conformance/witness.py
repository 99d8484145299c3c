"""What went over the wire of a session whose bytes are in our hands, for the report of a failure."""

from __future__ import annotations

from typing import Any, Literal

from .contract import WireEnd
from .frames import CODES, KEYS, PREFACE, Frame, split

Side = Literal["end", "peer"]

MOST = 1 << 20
"""Bytes that are kept of a session."""
_SHOWN = 24


class Witness:
    """An end of a session, which it stands for, and all that went in and out.

    `end` is the implementation, `peer` the suite.
    """

    def __init__(self, end: WireEnd, title: str) -> None:
        self._end = end
        self._title = title
        self._said: list[tuple[Side | None, bytearray | str]] = []
        self._kept = 0

    def start(self) -> bytes:
        return self._hear(self._end.start())

    def feed(self, data: bytes) -> bytes:
        self._keep("peer", data)
        return self._hear(self._end.feed(data))

    def eof(self) -> bytes:
        self._said.append((None, "peer: end of input"))
        return self._hear(self._end.eof())

    def advance(self, seconds: float) -> bytes:
        self._said.append((None, f"{seconds:g} s pass"))
        return self._hear(self._end.advance(seconds))

    def outcome(self) -> Any:
        return self._end.outcome()

    def _hear(self, data: bytes) -> bytes:
        if isinstance(data, (bytes, bytearray)):
            self._keep("end", data)
        return data

    def _keep(self, side: Side, data: bytes) -> None:
        self._kept += len(data)
        if not data or self._kept > MOST:
            return
        last = self._said[-1] if self._said else (None, "")
        if last[0] == side and isinstance(last[1], bytearray):
            last[1].extend(data)
        else:
            self._said.append((side, bytearray(data)))

    def lines(self) -> list[str]:
        """The frames in their order, a line each; bytes that are none as they are."""
        shown = [self._title]
        rest: dict[Side, bytes] = {"end": b"", "peer": b""}
        begun: set[Side] = set()
        for side, said in self._said:
            if side is None:
                shown.append(str(said))
                continue
            assert isinstance(said, bytearray)
            stream = rest[side] + bytes(said)
            if side not in begun and len(stream) >= len(PREFACE):
                begun.add(side)
                preface, stream = stream[: len(PREFACE)], stream[len(PREFACE) :]
                shown.append(f"{side}: " + ("preface" if preface == PREFACE else f"preface {preface.hex()}"))
            frames, rest[side] = split(stream) if side in begun else ([], stream)
            shown += [f"{side}: {_told(frame)}" for frame in frames]
        shown += [
            f"{side}: {len(left)} bytes that are no whole frame: {_shown(left)}"
            for side, left in rest.items()
            if left
        ]
        if self._kept > MOST:
            shown.append(f"and more: {self._kept} bytes in all")
        return shown


def _told(frame: Frame) -> str:
    """A frame in a line."""
    fields = {KEYS[key] if _is_key(key) else key: value for key, value in frame.keys.items()}
    code = fields.get("code")
    if frame.name == "RESET" and isinstance(code, int) and 0 < code <= len(CODES):
        fields["code"] = CODES[code - 1]
    meta = ", ".join(f"{key}: {_shown(value)}" for key, value in fields.items())
    flags = f" flags {frame.flags:#x}" if frame.flags else ""
    wrong = "".join(
        f", {what} checksum wrong"
        for what, right in zip(("header", "meta"), frame.crcs, strict=True)
        if not right
    )
    data = f", {len(frame.data)} bytes: {_shown(frame.data)}" if frame.data else ""
    return f"{frame.name} #{frame.seq}{flags} {{{meta}}}{data}{wrong}"


def _is_key(key: object) -> bool:
    return type(key) is int and 0 <= key < len(KEYS)


def _shown(value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value[:_SHOWN].hex() + ("…" if len(value) > _SHOWN else "")
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
