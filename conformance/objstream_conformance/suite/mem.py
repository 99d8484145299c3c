"""Memory (chapter 13), as slopes: the same transfer in two sizes, and by how much the extra peak grows.

Both sites live in this process, so memory is attributed by time. What is allocated until the first message
with content is on the wire is the sender's; what the whole transfer allocates beyond that and beyond the
object delivered is the receiver's. A sender that holds more and more as it goes on is found, and blamed on
the receiver.
"""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from ..case import DEADLINE, Case
from ..cases import requirement
from ..contract import Rejected
from ..network import Fault, Message
from ..outcomes import NotApplicable, Violation
from ..sites import PATIENCE

MIB = 1 << 20
LONG = 30.0
"""Deadline in seconds of a transfer whose memory is measured: how long it takes is not the question here."""
SLACK = 384 << 10
"""Growth in bytes that is taken for noise: caches, tables, a thread's odds and ends."""
SMALL_SLACK = 64 << 10
CHECK = "encode and decode piece by piece, and let go of each piece before the next"
CYCLES = "if it holds with the collector on, break the reference cycles that pieces are held in: exceptions, callbacks"


@dataclass(frozen=True)
class Peaks:
    """Extra memory of one transfer in bytes, at the sender and at the receiver, and its largest message."""

    sender: int
    receiver: int
    message: int


@dataclass(frozen=True)
class Move:
    """A transfer, and the memory in bytes that its object needs at the receiver."""

    run: Callable[[float], object]
    size: int


def settle() -> int:
    """Bytes held now, after threads that were ending have ended and garbage was collected."""
    end = time.monotonic() + 0.1
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@contextmanager
def traced(t: Case) -> Iterator[int]:
    """Trace memory, except that of the network's log; given is what is held at the beginning.

    The cyclic collector is kept busy meanwhile, so that what it has not got round to is not counted.
    """
    thresholds = gc.get_threshold()
    t.network.quiet = True
    gc.collect()
    gc.freeze()
    gc.set_threshold(400, 1, 1)
    tracemalloc.start()
    try:
        base = settle()
        tracemalloc.reset_peak()
        yield base
    finally:
        tracemalloc.stop()
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        t.network.quiet = False


def measured(t: Case, move: Move) -> tuple[Peaks, Message]:
    """Run a transfer once to warm up and once measured; also the first message with content."""
    sender = t.sites()[0].name
    trace = t.rehearse(lambda: move.run(LONG)).way(source=sender)
    first = trace.content().messages[0]
    early: list[int] = []
    with traced(t) as base:
        t.network.hook(
            lambda _: early.append(tracemalloc.get_traced_memory()[1] - base),
            source=sender,
            min_size=first.size,
        )
        got = t.succeeds(lambda: move.run(LONG))
        peak = tracemalloc.get_traced_memory()[1]
        held = settle()
        del got
        size = max(held - settle(), move.size)
    t.exercised(early, "content of the second transfer like that of the first")
    return Peaks(early[0], peak - base - size, trace.largest().size), first


def alone(t: Case, move: Move, start: int, size: int) -> int | None:
    """Peak of a sender whose messages are lost from number `start` on; None when no content is among them."""
    sender, content = t.sites()[0].name, threading.Event()
    t.network.plan(Fault("drop", source=sender, nth=start, times=0), required=False)
    seen = Fault("delay", source=sender, min_size=size)
    t.network.plan(seen, lambda _: content.set(), required=False)
    with traced(t) as base:
        with suppress(Rejected, TimeoutError):
            move.run(DEADLINE)
        peak = tracemalloc.get_traced_memory()[1] - base
    return peak if content.is_set() else None


def _slope(t: Case, make: Callable[[Case, int], Move], few: int, many: int) -> tuple[Peaks, Peaks]:
    """The peaks of a small and of a large transfer, each between sites of its own.

    Until its first content is sent, the memory is the sender's, except what a receiver sets aside on an
    announcement. So the sender is measured once more, with its messages lost from as early on as it will
    send content all the same.
    """
    found = []
    for size in (few, many):
        with t.elsewhere() as there:
            peaks, first = measured(there, make(there, size))
        sender = peaks.sender
        for start in sorted({0, 1, max(0, first.nth - 1)}):
            with t.elsewhere() as there:
                peak = alone(there, make(there, size), start, first.size)
            if peak is not None:
                sender = min(sender, peak)
                break
        found.append(Peaks(sender, max(0, peaks.receiver - sender), peaks.message))
    t.notes.append(f"extra bytes in the small and in the large transfer: {found[0]}, {found[1]}")
    return found[0], found[1]


Make = Callable[[Case, int], Move]


def bounded(
    t: Case,
    who: str,
    make: Make,
    sizes: tuple[int, int],
    allowed: int,
    slack: int = SLACK,
    tries: int = 2,
    check: str = CHECK,
) -> None:
    """The extra peak of the sender or the receiver grows by so many bytes at most.

    The interpreter has tables that grow by a megabyte once in a while; what happens twice is not that.
    """
    for _ in range(tries):
        small, large = (getattr(peaks, who) for peaks in _slope(t, make, *sizes))
        if large - small <= allowed + slack:
            return
    raise Violation(
        f"the extra peak memory of the {who} to grow by {(allowed + slack) / MIB:.2f} MiB at most",
        f"it grew from {small / MIB:.2f} to {large / MIB:.2f} MiB",
        check,
    )


def entries(t: Case, count: int) -> Move:
    """A container of so many arrays of 1 MiB."""
    value = {f"layer-{index}": np.full(MIB // 8, index, np.float64) for index in range(count)}
    return Move(lambda timeout: t.transfer(value, timeout=timeout), count * MIB)


def one_entry(t: Case, mebibytes: int) -> Move:
    """A container of one array."""
    value = {"small": 1, "large": np.arange(mebibytes * MIB // 8, dtype=np.float64)}
    return Move(lambda timeout: t.transfer(value, timeout=timeout), mebibytes * MIB)


def small_entries(t: Case, count: int) -> Move:
    """A container of so many integers, 28 bytes and a reference of 8 bytes each."""
    value = list(range(1000, 1000 + count))
    return Move(lambda timeout: t.transfer(value, timeout=timeout), 36 * count)


def file(t: Case, mebibytes: int) -> Move:
    """A file."""
    path = t.file(t.random.randbytes(MIB) * mebibytes)
    return Move(lambda timeout: t.transfer_file(path, timeout=timeout), 0)


@requirement("OSP-MEM-001", needs=["container", "memory", "numpy"])
def sender_is_bounded_by_the_entry(t: Case) -> None:
    """Containers of 4 and of 16 arrays of 1 MiB: the sender's extra peak grows by one entry at most."""
    bounded(t, "sender", entries, (4, 16), MIB)


@requirement("OSP-MEM-002", needs=["container", "memory", "numpy"])
def receiver_is_bounded_by_the_entry(t: Case) -> None:
    """Containers of 4 and of 16 arrays of 1 MiB: the receiver's extra peak grows by one entry at most."""
    bounded(t, "receiver", entries, (4, 16), MIB)


@requirement("OSP-MEM-003", needs=["container", "memory", "numpy", "wire"])
def sender_is_bounded_by_the_chunk(t: Case) -> None:
    """Arrays of 4 and of 16 MiB: the sender's extra peak does not grow."""
    bounded(t, "sender", one_entry, (4, 16), 0)


@requirement("OSP-MEM-004", needs=["container", "memory", "numpy", "wire"])
def receiver_is_bounded_by_the_chunk(t: Case) -> None:
    """Arrays of 4 and of 16 MiB: the receiver's extra peak over the object does not grow."""
    bounded(t, "receiver", one_entry, (4, 16), 0)


@requirement("OSP-MEM-005", needs=["file", "memory"])
def file_sender_is_bounded(t: Case) -> None:
    """Files of 4 and of 16 MiB: the sender's extra peak does not grow."""
    bounded(t, "sender", file, (4, 16), 0)


@requirement("OSP-MEM-006", needs=["file", "memory"])
def file_receiver_is_bounded(t: Case) -> None:
    """Files of 4 and of 16 MiB: the receiver's extra peak does not grow."""
    bounded(t, "receiver", file, (4, 16), 0)


@requirement("OSP-MEM-007", needs=["container", "memory"])
def entries_cost_the_sender_nothing(t: Case) -> None:
    """Containers of 400 and of 1200 integers: the sender's extra peak grows by 64 bytes for each at most."""
    bounded(t, "sender", small_entries, (400, 1200), 64 * 800, SMALL_SLACK)


@requirement("OSP-MEM-008", needs=["container", "memory"])
def entries_cost_the_receiver_nothing(t: Case) -> None:
    """Containers of 400 and of 1200 integers: the receiver's extra peak grows by 64 bytes for each at most."""
    bounded(t, "receiver", small_entries, (400, 1200), 64 * 800, SMALL_SLACK)


@requirement("OSP-MEM-009", needs=["memory"])
def past_sessions(t: Case) -> None:
    """After 24 transfers of 256 KiB a site holds no more memory than after the first few."""
    load = t.load(pieces=1, size=256 << 10)
    for _ in range(6):
        t.succeeds(lambda: load.move(PATIENCE))
    pushed = 0 if t.has("pull") else 24 * (256 << 10)  # what was pushed is the application's, and kept
    with traced(t) as base:
        for _ in range(24):
            t.succeeds(lambda: load.move(PATIENCE))
        grown = settle() - base - pushed
    t.expect(
        grown < 24 * 8192, "no memory to be kept for a finished session", f"{grown // 24} bytes for each"
    )


@contextmanager
def without_collector() -> Iterator[None]:
    """Nobody collects cycles."""
    gc.collect()
    gc.disable()
    collect, gc.collect = gc.collect, lambda generation=2: 0
    try:
        yield
    finally:
        gc.collect = collect
        gc.enable()


@requirement("OSP-MEM-010", needs=["memory"])
def bound_without_collector(t: Case) -> None:
    """As for 4 and 16 entries, and for files of 4 and 16 MiB, with the cyclic garbage collector switched off."""
    objects: dict[str, tuple[Make, int]] = {}
    if t.has("container") and t.has("numpy"):
        objects["containers"] = entries, MIB
    if t.has("file"):
        objects["files"] = file, 0
    if not objects:
        raise NotApplicable("containers of arrays, or files", "neither is declared")
    with without_collector():
        for what, (make, allowed) in objects.items():
            for who in ("sender", "receiver"):
                bounded(t, who, make, (4, 16), allowed, check=f"{what} of 4 and of 16 MiB; {CYCLES}")


@requirement("OSP-MEM-011", needs=["container", "memory", "multi-target", "numpy"])
def fan_out(t: Case) -> None:
    """A container of 8 MiB is pushed to one and to four targets: no copy of it for each of them."""
    extra = []
    value = {f"layer-{index}": np.full(MIB // 8, index, np.float64) for index in range(8)}
    for count in (1, 4):
        with t.elsewhere() as there:
            sender, *targets = there.sites(1 + count)
            names = [site.name for site in targets]
            with traced(there) as base:
                verdicts = sender.send_container(names, value, timeout=LONG)
                extra.append(tracemalloc.get_traced_memory()[1] - base - count * 8 * MIB)
            failed = [name for name, verdict in verdicts.items() if verdict is not None]
            t.expect(not failed, "every target to get the object", f"not {failed}")
    t.expect(
        extra[1] - extra[0] < 3 * 4 * MIB,
        "three more targets to cost less than half an object each",
        f"the extra peak grew from {extra[0] / MIB:.1f} to {extra[1] / MIB:.1f} MiB",
    )


@requirement("OSP-MEM-012", needs=["memory"])
def failed_transfers(t: Case) -> None:
    """A transfer of 8 MiB fails at its last message: no part of the object is held afterwards."""
    load = t.load(pieces=8, size=MIB)
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=t.sites()[0].name).content()
    with traced(t) as base:
        t.hit("drop", trace.last(), times=0)
        with suppress(Rejected, TimeoutError):
            load.move(DEADLINE)
        t.network.heal()
        t.soon(lambda: settle() - base < MIB, 1.0)
        held = settle() - base
    t.expect(
        held < MIB,
        "less than an eighth of the object to be held after a failure",
        f"{held / MIB:.1f} MiB are",
    )
