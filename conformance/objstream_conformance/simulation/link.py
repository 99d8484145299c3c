"""What is between two ends: one direction of it, with its latency and its faults."""

from __future__ import annotations

import heapq

from objstream.frames import FrameType

from .damage import damaged, forged
from .plan import LAST_WORD, NETWORK, Fault, Plan, Side

_LAST_WORDS = (FrameType.END, FrameType.DONE)


class Link:
    """One direction: what is written arrives later, in part, twice, or not at all."""

    def __init__(self, plan: Plan, side: Side) -> None:
        self._messages = plan.messages
        self._latency = plan.latency
        self._digest = plan.digest
        self._faults: dict[int, list[Fault]] = {}
        self._last_words: list[Fault] = []
        for fault in plan.faults:
            if fault.side != side or fault.kind not in NETWORK:
                continue
            if fault.kind == "forge" and fault.at >= LAST_WORD:
                self._last_words.append(fault)
            else:
                self._faults.setdefault(fault.at, []).append(fault)
        self._arriving: list[tuple[float, int, int, bytes | None]] = []
        self._last = 0.0
        self._written = 0
        self._sent = 0
        self._held: list[tuple[int, bytes]] = []
        self._first: tuple[int, bytes] | None = None
        self._silent = False
        self.cut = False

    def __len__(self) -> int:
        return len(self._arriving)

    @property
    def next_arrival(self) -> float | None:
        return self._arriving[0][0] if self._arriving else None

    def take(self, now: float) -> tuple[int, bytes | None] | None:
        """What has arrived by now: the session's number and the bytes, None for the end; None when nothing has."""
        if not self._arriving or self._arriving[0][0] > now:
            return None
        _, _, number, data = heapq.heappop(self._arriving)
        return number, data

    def end(self, now: float) -> None:
        """Nothing more will come."""
        self._put(now, -1, None)

    def write(self, now: float, number: int, data: bytes) -> None:
        """Raises ConnectionError when the link is cut, or is cut by this."""
        if self.cut:
            raise ConnectionError("the link is cut")
        nth, self._written = self._written, self._written + 1
        if self._first is None:
            self._first = number, data
        faults = self._faults.get(nth)
        if self._last_words and data[0] in _LAST_WORDS:
            faults, self._last_words = [*(faults or []), *self._last_words], []
        if faults is None and not self._held:
            if not self._silent:
                self._put(now, number, data)
            return
        self._misbehave(now, number, data, faults or [])

    def _misbehave(self, now: float, number: int, data: bytes, faults: list[Fault]) -> None:
        arriving = [(number, data)]
        late = 0.0
        for fault in faults:
            amount = int(fault.amount)
            if fault.kind == "drop":
                arriving = []
            elif fault.kind == "duplicate":
                arriving = arriving * 2
            elif fault.kind == "reorder":
                self._held, arriving = self._held + arriving, []
            elif fault.kind == "replay" and self._first is not None:
                arriving = [*arriving, self._first]
            elif fault.kind == "delay":
                late += fault.amount
            elif fault.kind == "silence":
                self._silent, arriving = True, []
            elif fault.kind == "cut":
                self.cut = True
                arriving = [] if self._messages else [(number, data[: amount % (len(data) + 1)])]
            elif fault.kind == "forge":
                arriving = [(one, forged(part, amount, self._digest)) for one, part in arriving]
            else:
                arriving = [(one, damaged(fault.kind, amount, part)) for one, part in arriving]
        if arriving and not any(fault.kind == "reorder" for fault in faults):
            arriving, self._held = arriving + self._held, []
        for one, part in [] if self._silent else arriving:
            self._put(now + late, one, part)
        if self.cut:
            raise ConnectionError("the link was cut")

    def _put(self, now: float, number: int, data: bytes | None) -> None:
        arrival = now + self._latency
        if not self._messages or data is None:
            arrival = self._last = max(self._last, arrival)
        self._sent += 1
        heapq.heappush(self._arriving, (arrival, self._sent, number, data))
