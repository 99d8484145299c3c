"""The network that the suite owns: it carries opaque messages, misbehaves as planned, and remembers.

Everything is decided by the plan and the seed; there is no chance in it. A fault counts the messages it
selects from the moment it is planned, so one that was aimed by means of a rehearsal (see
:meth:`Network.since`) strikes where it was aimed.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from .contract import Cut

Kind = Literal["drop", "duplicate", "reorder", "corrupt", "truncate", "extend", "delay", "cut", "replay"]

KEPT_BYTES = 64 << 20
"""Message bodies that a network keeps for replay, in bytes; later ones are logged without their body."""

SETTLE = 0.25
"""How long a network waits for planned faults to strike before it forgets them, in seconds."""


@dataclass(frozen=True)
class Fault:
    """One planned misbehaviour, as data.

    Attributes:
        kind: what happens to the messages selected.
        source: name of the sending site; empty selects any.
        target: name of the receiving site; empty selects any.
        min_size: only messages of at least so many bytes are selected and counted.
        nth: how many selected messages pass unharmed before the fault strikes.
        times: how many messages in a row it strikes; 0 means every one from then on.
        at: place of the flipped byte: an offset (negative from the end) or a fraction of the message.
        mask: what the byte is xor-ed with.
        amount: bytes taken off or added at the end of the message.
        seconds: how long a delayed message is held up.
        copy: which remembered message is delivered as well (replay); see :meth:`Network.remember`.
    """

    kind: Kind
    source: str = ""
    target: str = ""
    min_size: int = 0
    nth: int = 0
    times: int = 1
    at: int | float = 0.5
    mask: int = 0x01
    amount: int = 1
    seconds: float = 0.0
    copy: int = 0

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def __str__(self) -> str:
        where = f"{self.source or '*'}->{self.target or '*'}"
        size = f" of {self.min_size}+ bytes" if self.min_size else ""
        span = {0: " and all after", 1: ""}.get(self.times, f" and {self.times - 1} more")
        detail = {
            "corrupt": f" at {self.at}",
            "truncate": f" by {self.amount}",
            "extend": f" by {self.amount}",
            "delay": f" by {self.seconds} s",
            "replay": f" of remembered message {self.copy}",
        }.get(self.kind, "")
        return f"{self.kind}{detail}: message {self.nth} {where}{size}{span}"


@dataclass(frozen=True)
class Message:
    """What the log says of a message. `nth` is its place in its direction, `number` that among all."""

    number: int
    source: str
    target: str
    nth: int
    size: int
    digest: str
    fate: str
    body: bytes | None

    def __str__(self) -> str:
        return f"#{self.number} {self.source}->{self.target} {self.size} bytes {self.digest} {self.fate}"


Hook = Callable[[Message], None]


class _Armed:
    """A planned fault or hook, and how many messages it has seen and struck."""

    def __init__(self, fault: Fault, action: Hook | None = None, required: bool = True) -> None:
        self.fault = fault
        self.action = action
        self.required = required
        self.seen = 0
        self.struck = 0

    def strikes(self, source: str, target: str, size: int) -> bool:
        fault = self.fault
        if fault.source not in ("", source) or fault.target not in ("", target) or size < fault.min_size:
            return False
        place = self.seen - fault.nth
        self.seen += 1
        hit = place >= 0 and (fault.times == 0 or place < fault.times)
        self.struck += hit
        return hit


class Network:
    """Carries messages between the sites it knows; see :class:`objstream_conformance.contract.Network`.

    Attributes:
        sleep: lets so many seconds pass for a message that is held up. An adapter whose implementation has a clock of
            its own puts that in the place of the world's.
    """

    def __init__(self, seed: int = 0) -> None:
        self.sites: set[str] = set()
        self.log: list[Message] = []
        self.sleep: Callable[[float], object] = time.sleep
        self.quiet = False
        """Log nothing, so that the network itself takes no memory while that of others is measured."""
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._fired: list[str] = []
        self._unfired: list[str] = []
        self._cuts: set[frozenset[str]] = set()
        self._held: dict[tuple[str, str], list[bytes]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._kept = 0
        self._remembered: list[bytes] = []

    # -- planning

    def plan(self, fault: Fault, action: Hook | None = None, *, required: bool = True) -> None:
        """Add a fault or, with an action, a hook. What is not required may strike nothing without being reported."""
        with self._lock:
            self._armed.append(_Armed(fault, action, required))

    def hook(self, action: Hook, **selector: Any) -> None:
        """Run `action` in the caller's thread just before a message that is selected, as by a fault."""
        self.plan(Fault("delay", **selector), action)

    def remember(self, *bodies: bytes | None) -> range:
        """Keep messages for replay, also those of another network; what is returned are their numbers."""
        with self._lock:
            start = len(self._remembered)
            self._remembered += [body for body in bodies if body is not None]
            return range(start, len(self._remembered))

    def settle(self, seconds: float = SETTLE) -> None:
        """Wait for what was planned to strike: a last message may be on its way when its operation has ended."""
        end = time.monotonic() + seconds
        while self.unfired() and time.monotonic() < end:
            time.sleep(0.01)

    def heal(self, seconds: float = SETTLE) -> None:
        """Forget the plan once it has settled, mend cut links, and lose what is held back."""
        self.release(seconds)
        with self._lock:
            self._cuts.clear()
            self._held.clear()

    def release(self, seconds: float = SETTLE) -> None:
        """Forget the plan once it has settled; what is held back arrives after the next message on its way."""
        self.settle(seconds)
        with self._lock:
            fired, unfired = self._struck()
            if not self.quiet:
                self._fired += fired
                self._unfired += unfired
            self._armed = []

    def fired(self) -> list[str]:
        """The faults that have struck so far."""
        with self._lock:
            return self._fired + self._struck()[0]

    def unfired(self) -> list[str]:
        """The faults and hooks that have struck nothing so far and were to."""
        with self._lock:
            return self._unfired + self._struck()[1]

    def _struck(self) -> tuple[list[str], list[str]]:
        fired = [str(armed.fault) for armed in self._armed if armed.struck and not armed.action]
        unfired = [
            "a hook" if armed.action else str(armed.fault)
            for armed in self._armed
            if armed.required and not armed.struck
        ]
        return fired, unfired

    # -- carrying

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        """Put a message on the link and return what arrives.

        Raises:
            Cut: the link is cut, or the target is not on this network.
        """
        size = len(message)
        with self._lock:
            if frozenset((source, target)) in self._cuts or target not in self.sites:
                self._record(source, target, message, "cut" if target in self.sites else "unknown target")
                raise Cut(f"no link from {source} to {target}")
            hits = [armed for armed in self._armed if armed.strikes(source, target, size)]
            faults = [armed.fault for armed in hits if armed.action is None]
            fate = ", ".join(fault.kind for fault in faults) or "carried"
            record = self._record(source, target, message, fate)
            arriving = [message]
            for fault in faults:
                arriving = self._apply(fault, source, target, arriving)
            if not any(fault.kind == "reorder" for fault in faults) and arriving:
                arriving += self._held.pop((source, target), [])
        for armed in hits:
            if armed.action is not None:
                armed.action(record)
        pause = sum(fault.seconds for fault in faults if fault.kind == "delay")
        if pause:
            self.sleep(pause)
        if any(fault.kind == "cut" for fault in faults):
            raise Cut(f"the link from {source} to {target} was cut")
        return arriving

    def _apply(self, fault: Fault, source: str, target: str, messages: list[bytes]) -> list[bytes]:
        kind = fault.kind
        if kind == "drop":
            return []
        if kind == "cut":
            self._cuts.add(frozenset((source, target)))
            return []
        if kind == "duplicate":
            return [message for message in messages for _ in (0, 1)]
        if kind == "reorder":
            self._held.setdefault((source, target), []).extend(messages)
            return []
        if kind == "replay":
            return [*messages, self._remembered[fault.copy]]
        return [self._alter(fault, bytes(message)) for message in messages]

    def _alter(self, fault: Fault, message: bytes) -> bytes:
        if fault.kind == "truncate":
            return message[: max(0, len(message) - fault.amount)]
        if fault.kind == "extend":
            return message + self._random.randbytes(fault.amount)
        if fault.kind == "corrupt" and message:
            at = fault.at if isinstance(fault.at, int) else int(fault.at * (len(message) - 1))
            altered = bytearray(message)
            altered[max(-len(message), min(at, len(message) - 1))] ^= fault.mask
            return bytes(altered)
        return message

    # -- remembering

    def _record(self, source: str, target: str, message: bytes, fate: str) -> Message:
        way = (source, target)
        nth = self._counts.get(way, 0)
        self._counts[way] = nth + 1
        if self.quiet:
            return Message(-1, source, target, nth, len(message), "", fate, None)
        body = bytes(message) if self._kept + len(message) <= KEPT_BYTES else None
        self._kept += len(body or b"")
        digest = hashlib.blake2b(message, digest_size=6).hexdigest()
        record = Message(len(self.log), source, target, nth, len(message), digest, fate, body)
        self.log.append(record)
        return record

    def since(self, start: int) -> Trace:
        """The messages logged from number `start` on, counted per direction from there."""
        with self._lock:
            part = self.log[start:]
        counts: dict[tuple[str, str], int] = {}
        messages = []
        for message in part:
            way = (message.source, message.target)
            messages.append(replace(message, nth=counts.get(way, 0)))
            counts[way] = counts.get(way, 0) + 1
        return Trace(messages)

    def evidence(self, tail: int = 12) -> dict[str, object]:
        """What the wire has seen, for a report."""
        with self._lock:
            log = list(self.log)
        return {
            "messages": len(log),
            "bytes": sum(message.size for message in log),
            "largest": max((message.size for message in log), default=0),
            "faults": self.fired(),
            "tail": [str(message) for message in log[-tail:]],
        }


@dataclass(frozen=True)
class Trace:
    """The messages of one transfer, to measure them or to aim faults at them."""

    messages: Sequence[Message]

    def __len__(self) -> int:
        return len(self.messages)

    def way(self, source: str = "", target: str = "") -> Trace:
        """Only the messages of one direction."""
        return Trace([m for m in self.messages if source in ("", m.source) and target in ("", m.target)])

    def largest(self) -> Message:
        return max(self.messages, key=lambda message: message.size)

    def last(self) -> Message:
        return self.messages[-1]

    def content(self) -> Trace:
        """The messages that are large beside the largest: those that carry the object."""
        most = max((m.size for m in self.messages), default=0)
        return Trace([m for m in self.messages if m.size >= most / 4])

    def some(self, count: int = 3) -> list[Message]:
        """At most so many of the messages, spread evenly, the first and the last among them."""
        last = len(self.messages) - 1
        places = {round(place * last / max(1, count - 1)) for place in range(count)}
        return [self.messages[place] for place in sorted(places) if 0 <= place <= last]

    def bytes(self) -> int:
        return sum(message.size for message in self.messages)


def aimed(kind: Kind, message: Message, **details: Any) -> Fault:
    """A fault at the message that stands where `message` of a rehearsal stood in its direction."""
    return Fault(kind, source=message.source, target=message.target, nth=message.nth, **details)
