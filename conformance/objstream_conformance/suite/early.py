"""Transfers that end before their object does, and sources that do not (chapters 3.1, 5 and 6)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ..case import DEADLINE, Case, Load
from ..cases import requirement
from ..compare import difference, show
from ..contract import Rejected
from ..network import Message
from ..sites import PATIENCE

MIB = 1 << 20
LARGE = 40
"""MiB of an object that is larger than any window, so that a sender that is told to stop can have stopped."""


@requirement("OSP-CTR-017", needs=["container", "push", "sites"])
def vanishing_entries(t: Case) -> None:
    """The last entries of a list and of a dict are removed while it is pushed: success only with all of them."""
    sender, receiver = t.sites()
    makes: tuple[Callable[[], Any], ...] = (
        lambda: [t.random.randbytes(300_000) for _ in range(8)],
        lambda: {key: t.random.randbytes(300_000) for key in range(8)},
    )
    for make in makes:
        trace = t.rehearse(lambda: t.push(make())).way(source=sender.name).content()  # noqa: B023
        for message in trace.messages[:2]:
            container = make()
            before, sent = len(receiver.received()), copy.copy(container)
            t.network.hook(partial(_shorten, container), source=sender.name, nth=message.nth)
            if _succeeds(t, container):
                new = receiver.received()[before:]
                whole = len(new) == 1 and not difference(sent, new[0])
                t.expect(
                    whole,
                    "no success for a container whose last entries vanish, unless it arrives as it was",
                    f"success; delivered was {show(new[0]) if new else 'nothing'}",
                    "compare the number of entries sent with the number in the beginning",
                )
            t.network.heal()


def _shorten(container: Any, _: Message) -> None:
    """Remove the last four entries."""
    for key in list(range(len(container)))[-4:]:
        container.pop(key if isinstance(container, dict) else -1)


def _succeeds(t: Case, container: object) -> bool:
    sender, receiver = t.sites()
    try:
        return sender.send_container([receiver.name], container, timeout=DEADLINE)[receiver.name] is None
    except (Rejected, TimeoutError):
        return False


@requirement("OSP-FIL-021", needs=["file", "disk"])
def endless_file(t: Case) -> None:
    """A file of 4 MiB grows with each message by more than was sent: 4 MiB of it are sent, and a chunk."""
    sender = t.sites()[0].name
    clean = t.file(t.random.randbytes(4 * MIB))
    content = t.rehearse(lambda: t.transfer_file(clean)).way(source=sender).content()
    path = t.file(t.random.randbytes(4 * MIB))
    grown = 0

    def grow(message: Message) -> None:
        nonlocal grown
        if grown < 16 * MIB:
            grown += MIB
            with path.open("ab") as stream:
                stream.write(bytes(MIB))

    t.network.hook(grow, source=sender, min_size=content.largest().size // 2, times=0)
    start = len(t.network.log)
    with suppress(Rejected, TimeoutError):
        t.transfer_file(path, timeout=PATIENCE)
    sent = t.network.since(start).way(source=sender).bytes()
    t.expect(
        sent < 6 * MIB,
        "at most the 4 MiB sent that the file had in the beginning, and a chunk",
        f"{sent} bytes were sent",
        "read as far as the size that was announced",
    )


@requirement("OSP-FIL-022", needs=["file", "sites"], any_of=["pull"])
def closed_in_the_middle(t: Case) -> None:
    """The requester of a file is closed in the middle: nothing of it is left in its directory."""
    owner, requester = t.sites()
    load = t.file_load(4 * MIB, "pull")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name).content()
    before = requester.files()
    t.overlap(requester.close, source=owner.name, nth=trace.messages[len(trace) // 2].nth, wait=0.3)
    with suppress(Rejected, TimeoutError):
        load.move(DEADLINE)
    t.no_leftovers(requester, before)


@requirement("OSP-RTV-017", needs=["sites"], any_of=["pull"])
def requester_gives_up(t: Case) -> None:
    """A retrieval of 40 MiB fails early, by damage or for its time: the owner does not send the rest."""
    owner = t.sites()[0].name
    load = t.load("pull", pieces=LARGE, size=MIB)
    content = t.rehearse(lambda: load.move(6 * PATIENCE)).way(source=owner).content()
    for fault, deadline in (("corrupt", 4 * PATIENCE), ("delay", DEADLINE)):
        if fault == "corrupt":
            t.hit("corrupt", content.messages[1])
        else:
            t.fault("delay", source=owner, min_size=content.largest().size // 2, times=0, seconds=0.06)
        failed, sent = _fails(load, deadline), _quiet(t, len(t.network.log))
        t.expect(
            not failed or sent < LARGE * MIB // 2,
            f"an owner that is told of the failure ({fault}) and sends no more than is under way",
            f"{sent} more bytes after the retrieval had failed",
            "say that you give up, and listen to it",
        )
        if failed:
            return
        t.network.heal()
    t.exercised(False, "a retrieval of a large object to fail early")


def _fails(load: Load, deadline: float) -> bool:
    try:
        load.move(deadline)
    except (Rejected, TimeoutError):
        return True
    return False


def _quiet(t: Case, start: int) -> int:
    """Bytes on the wire from message `start` on, until nothing has been sent for a while."""
    seen = [start]
    while t.soon(lambda: len(t.network.log) > seen[-1], 0.4):
        seen.append(len(t.network.log))
    return t.network.since(start).bytes()
