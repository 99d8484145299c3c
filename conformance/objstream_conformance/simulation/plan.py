"""What a session is going to be, decided by its seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Literal

from objstream.limits import Limits

Side = Literal["sender", "receiver"]

_ANYWHERE = (
    "drop",
    "duplicate",
    "reorder",
    "corrupt",
    "truncate",
    "extend",
    "forge",
    "delay",
    "cut",
    "silence",
)
NETWORK = (*_ANYWHERE, "replay")
"""Faults of the network, at the n-th thing that a side writes. A forgery is an alteration that checksums and digests
do not show; a replay repeats what the side wrote first, on a carrier of messages."""

LAST_WORD = 10
"""Forgeries from this number on wait for END or DONE."""

LOCAL = ("cancel", "crash", "vanish", "pause", "source", "changed", "store", "refuse", "observer")
"""Faults of a side, at the n-th step of the session, or at the n-th use of the source, the store, the observer."""

HARMLESS = frozenset({"delay", "pause"})
"""Faults under which every session still has to be delivered, unless they last too long."""

SENDERS = ("source", "changed")
RECEIVERS = ("store",)

PATIENCE = 1.0
"""Seconds that something may take without any effect on the outcome."""


@dataclass(frozen=True)
class Fault:
    """One misfortune.

    Attributes:
        kind: one of `NETWORK` and `LOCAL`.
        side: whose writing, or who.
        at: when: see `NETWORK` and `LOCAL`.
        amount: how much: the bit that flips, bytes taken off or added, seconds; else what it depends on.
    """

    kind: str
    side: Side
    at: int
    amount: float = 0

    def __str__(self) -> str:
        return f"{self.kind} ({self.side}, at {self.at}, {self.amount:g})"


@dataclass(frozen=True)
class Plan:
    """A session, or a few on one connection, before they begin.

    Attributes:
        seed: what everything follows from; the order of turns and the objects too.
        push: the sender begins; else the receiver asks.
        messages: the carrier carries messages; else a byte stream.
        kinds: the objects, one for each session: "container", "file", "x-sim".
        size: how large the objects are, roughly.
        chunk, window: bytes.
        inline: bytes that the sender puts into the skeleton at most, the rest into buffers.
        offered, accepted: digests of receiver and sender.
        max_bytes, max_frame: limits of the receiver.
        deadlines: of sender and receiver, in seconds.
        latency: seconds that bytes are on their way.
        portion: bytes that are read at a time, 0 for all that is there.
        capacity: writes that may be on their way before the writer has to wait, 0 for any number.
        ponder: seconds that the application takes to decide.
        faults: all that goes wrong.
    """

    seed: int
    push: bool = False
    messages: bool = False
    kinds: tuple[str, ...] = ("container",)
    size: int = 3
    chunk: int = 1 << 20
    window: int = 1 << 20
    inline: int = 1 << 14
    offered: tuple[str, ...] = ("sha-256",)
    accepted: tuple[str, ...] = ("sha-256",)
    max_bytes: int = 1 << 30
    max_frame: int = 1 << 24
    deadlines: tuple[float, float] = (10.0, 10.0)
    latency: float = 0.0
    portion: int = 0
    capacity: int = 0
    ponder: float = 0.0
    faults: tuple[Fault, ...] = field(default=())

    def having(self, faults: tuple[Fault, ...]) -> Plan:
        """The same plan with other faults."""
        return replace(self, faults=faults)

    def without(self, index: int) -> Plan:
        return self.having(self.faults[:index] + self.faults[index + 1 :])

    def of(self, *kinds: str) -> list[Fault]:
        return [fault for fault in self.faults if fault.kind in kinds]

    @property
    def calm(self) -> bool:
        """Nothing is in the way: everything has to be delivered."""
        patient = all(fault.kind in HARMLESS and fault.amount <= PATIENCE for fault in self.faults)
        if self.messages and self.of("delay"):
            patient = False  # on this carrier the late message is out of order
        return patient and bool(self.digest) and self.max_bytes >= 1 << 20 and not self.slow

    @property
    def slow(self) -> bool:
        """The application, or the link, may need longer than a side has patience."""
        return self.ponder + 4 * self.latency + PATIENCE >= min(self.deadlines)

    @property
    def digest(self) -> str:
        """The digest of the sessions, "" where there is none in common."""
        return next((name for name in self.offered if name in self.accepted), "")

    @property
    def sender_limits(self) -> Limits:
        return _limits(self.inline, 1 << 30, 1 << 24)

    @property
    def receiver_limits(self) -> Limits:
        return _limits(1 << 16, self.max_bytes, self.max_frame)


_KNOWN: dict[tuple[int, int, int], Limits] = {}


def _limits(inline: int, max_bytes: int, max_frame: int) -> Limits:
    key = inline, max_bytes, max_frame
    if key not in _KNOWN:
        _KNOWN[key] = Limits(max_inline=inline, max_bytes=max_bytes, max_frame=max_frame, max_meta=4096)
    return _KNOWN[key]


_DIGESTS = (("sha-256",), ("xxh3-128", "sha-256"), ("blake3", "sha-256"), ("sha-256", "blake3"), ("none",))
_SHIFTING = ("drop", "duplicate", "reorder", "forge")
"""What no byte stream does to whole frames; nothing but their order tells the sessions on it apart."""
_DAMAGING = frozenset({"drop", "duplicate", "reorder", "corrupt", "truncate", "extend", "forge", "replay"})


def make_plan(seed: int) -> Plan:
    """The plan of this seed."""
    rng = random.Random(seed)
    roll = rng.random
    messages = roll() < 0.4
    faults = _faults(rng, messages)
    harmed = any(fault.kind in _DAMAGING or fault.kind == "changed" for fault in faults)
    offered = rng.choice(_DIGESTS[:-1] if harmed else _DIGESTS)
    accepted = offered if roll() < 0.8 else rng.choice(_DIGESTS[:-1] if harmed else _DIGESTS)
    small = roll() < 0.25
    several = roll() < 0.15 and (messages or not any(fault.kind in _SHIFTING for fault in faults))
    kinds = [_kind(rng) for _ in range(rng.randint(2, 3) if several else 1)]
    return Plan(
        seed,
        push=roll() < 0.5,
        messages=messages,
        kinds=tuple(kinds),
        size=rng.choice((0, 1, 2, 3, 4, 8)),
        chunk=rng.randint(1, 40) if small else rng.choice((64, 200, 1000, 1 << 20)),
        window=rng.randint(1, 100) if roll() < 0.2 else rng.choice((64, 300, 1 << 20)),
        inline=rng.choice((64, 64, 100, 1 << 14)),
        offered=offered,
        accepted=accepted,
        max_bytes=rng.randint(0, 400) if roll() < 0.04 else 1 << 30,
        max_frame=rng.randint(1, 300) if roll() < 0.1 else 1 << 24,
        deadlines=(rng.choice((5.0, 10.0, 60.0)), rng.choice((5.0, 10.0, 60.0))),
        latency=0.0 if roll() < 0.6 else rng.choice((0.001, 0.05, 0.3)),
        portion=0 if roll() < 0.85 else rng.choice((1, 2, 3, 7, 23, 24, 100)),
        capacity=0 if roll() < 0.8 else rng.randint(1, 3),
        ponder=0.0 if roll() < 0.85 else rng.choice((0.01, 0.7, 4.0, 30.0)),
        faults=faults,
    )


def _kind(rng: random.Random) -> str:
    roll = rng.random()
    return "container" if roll < 0.7 else "file" if roll < 0.9 else "x-sim"


def _faults(rng: random.Random, messages: bool) -> tuple[Fault, ...]:
    number = (0, 0, 1, 1, 1, 1, 2, 2, 3, 4)[rng.randrange(10)]
    return tuple(_fault(rng, messages) for _ in range(number))


def _fault(rng: random.Random, messages: bool) -> Fault:
    if rng.random() < 0.55:
        kind = rng.choice(NETWORK if messages else _ANYWHERE)
        side: Side = "sender" if rng.random() < 0.6 else "receiver"
        at = rng.randrange(3) if rng.random() < 0.4 else rng.randrange(20)
    else:
        kind = rng.choice(LOCAL)
        side = (
            "sender"
            if kind in SENDERS
            else "receiver"
            if kind in RECEIVERS
            else rng.choice(("sender", "receiver"))
        )
        at = rng.randrange(6) if kind in ("source", "store", "observer") else rng.randrange(50)
    if kind in HARMLESS:
        return Fault(kind, side, at, rng.choice((0.01, 0.3, PATIENCE, 3.0, 7.0, 100.0)))
    return Fault(kind, side, at, rng.randrange(1 << 16))
