"""Objects of an application's own kinds (chapter 3.4)."""

from __future__ import annotations

from functools import partial
from itertools import product

from ..case import DEADLINE, Case
from ..cases import requirement
from ..compare import show
from ..network import Kind
from ..sites import PATIENCE
from .mem import MIB, Move, bounded

SIZES = (0, 1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB + 1)
FAILURES: tuple[Kind, ...] = ("drop", "corrupt", "cut")


@requirement("OSP-OBJ-001", needs=["own"])
def own_kind(t: Case) -> None:
    """Objects of about 0, 1, 1000 bytes and some MiB arrive, by each way that is on offer; of a server, all."""
    objects = t.served() if t.has("served") else list(map(t.own, SIZES))
    for way, goods in product(filter(t.has, ("pull", "push")), objects):
        load = t.loaded(goods, way)
        got = t.succeeds(
            partial(load.move, 4 * PATIENCE), f"an object to arrive ({way}): {show(goods.given)}"
        )
        t.same(load.sent, got, "look at the last entry, and at the object that has none")


@requirement("OSP-OBJ-002", needs=["own"])
def own_kind_leaves_nothing(t: Case) -> None:
    """Content is lost, damaged and cut off at the beginning, in the middle and at the end: nothing is left."""
    goods = t.own(600_000)
    sender = t.sites()[0]
    trace = t.rehearse(lambda: t.move(goods, PATIENCE)).way(source=sender.name)
    for message, kind in product(trace.some(3), FAILURES):
        with t.elsewhere() as there:
            other = there.loaded(there.own(600_000))
            receiver = there.sites()[1]
            before = receiver.files()
            there.hit(kind, message, times=1 if kind == "corrupt" else 0)
            if not there.never_wrong(partial(other.move, DEADLINE), other.sent):
                there.no_leftovers(receiver, before)


def _move(t: Case, mebibytes: int) -> Move:
    goods = t.own(mebibytes * MIB)
    return Move(lambda timeout: t.move(goods, timeout), 0)


@requirement("OSP-OBJ-003", needs=["own", "memory"])
def own_kind_sender_is_bounded(t: Case) -> None:
    """Objects of 2 and of 6 MiB: the sender's extra peak grows by one entry at most, which is taken to be 1 MiB."""
    bounded(t, "sender", _move, (2, 6), MIB)


@requirement("OSP-OBJ-004", needs=["own", "memory"])
def own_kind_receiver_is_bounded(t: Case) -> None:
    """Objects of 2 and of 6 MiB: the receiver's extra peak, over the object, grows by 1 MiB at most."""
    bounded(t, "receiver", _move, (2, 6), MIB)


@requirement("OSP-OBJ-005", needs=["own", "multi-target"], any_of=["push"])
def own_kind_to_several(t: Case) -> None:
    """An object is pushed to three targets at once: each has all of it."""
    goods = t.own(600_000)
    sender, *targets = t.sites(4)
    verdicts = goods.send(sender, [site.name for site in targets])
    for site in targets:
        verdict = verdicts[site.name]
        t.expect(verdict is None, f"{site.name} to get the object", f"{verdict}")
        got = site.received()
        t.expect(len(got) == 1, f"one object at {site.name}", f"{len(got)}")
        t.same(goods.sent, goods.read(got[0]), "let each stream have an iterator and a position of its own")
