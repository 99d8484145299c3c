"""Integrity of content on the way (chapter 3.3)."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

from ..case import DEADLINE, Case
from ..cases import requirement
from ..network import Kind
from ..sites import PATIENCE


def strike(t: Case, kind: Kind, *variants: dict[str, Any]) -> None:
    """Strike messages of an owner, each in a transfer between new sites: the exact object arrives, or none."""
    load = t.load("pull")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=t.sites()[0].name)
    targets = {message.nth: message for message in (*trace.some(3), *trace.content().some(3))}
    for message, details in product(targets.values(), variants or ({},)):
        with t.elsewhere() as there:
            other = there.load("pull")
            there.hit(kind, message, **details)
            there.never_wrong(partial(other.move, DEADLINE), other.sent)


@requirement("OSP-INT-001", any_of=["pull"])
def lost(t: Case) -> None:
    """The first, a middle and the last message of the owner are lost, each in a transfer of its own."""
    strike(t, "drop")


@requirement("OSP-INT-002", any_of=["pull"])
def duplicated(t: Case) -> None:
    """The first, a middle and the last message of the owner arrive twice, each in a transfer of its own."""
    strike(t, "duplicate")


@requirement("OSP-INT-003", any_of=["pull"])
def reordered(t: Case) -> None:
    """Messages of the owner arrive after the one that follows them, each in a transfer of its own."""
    strike(t, "reorder")


@requirement("OSP-INT-004", any_of=["pull"])
def corrupted(t: Case) -> None:
    """One bit is flipped at the beginning, in the middle and at the end of messages of the owner."""
    strike(t, "corrupt", {"at": 0.03}, {"at": 0.5, "mask": 0x80}, {"at": 1.0})


@requirement("OSP-INT-005", any_of=["pull"])
def truncated(t: Case) -> None:
    """Messages of the owner arrive without their last byte, and without their last 1000 bytes."""
    strike(t, "truncate", {"amount": 1}, {"amount": 1000})


@requirement("OSP-INT-006", any_of=["pull"])
def extended(t: Case) -> None:
    """Messages of the owner arrive with 1 and with 1000 random bytes added at their end."""
    strike(t, "extend", {"amount": 1}, {"amount": 1000})
