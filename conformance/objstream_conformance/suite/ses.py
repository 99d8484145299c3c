"""Sessions: how transfers end, and what disturbs them (chapter 3.2). Many at once: see `several`."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from itertools import product

from ..case import DEADLINE, GRACE, Case, Load
from ..cases import requirement
from ..contract import Rejected
from ..network import Fault, Kind, Message, Trace
from ..sites import PATIENCE, describe

LIMIT = DEADLINE + GRACE
DAMAGE: tuple[Kind, ...] = ("corrupt", "drop")
SILENCE: tuple[Kind, ...] = ("drop", "cut")


def ended(t: Case, load: Load) -> bool:
    """Whether a transfer over a disturbed network succeeded; if it did, the object is the right one."""
    return t.never_wrong(lambda: load.move(DEADLINE), load.sent)


@requirement("OSP-SES-001", any_of=["push"])
def success_is_confirmed(t: Case) -> None:
    """The last content, or what follows, is damaged or lost, and no answer comes any more: no false success."""
    sender, receiver = (site.name for site in t.sites())
    load = t.load("push")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=sender)
    needed = trace.content().last()
    for message, kind in product((needed, trace.last()), DAMAGE):
        with t.elsewhere() as there:
            other = there.load("push")
            there.sites()
            there.hit(kind, message, times=0 if kind == "drop" else 1)
            there.network.hook(partial(_silence, there, receiver), source=sender, nth=message.nth)
            if message.nth > needed.nth:  # it may follow on a confirmation: then the object is there
                ended(there, other)
                continue
            there.rejected(
                partial(other.move, DEADLINE),
                f"no success when the sender's message {message.nth} of {len(trace)} is damaged ({kind}) "
                "and the receiver silent from then on",
                "wait for a confirmation that the receiver sends after it has verified and stored",
            )


def _silence(t: Case, site: str, _: Message) -> None:
    t.network.plan(Fault("drop", source=site, times=0), required=False)


@requirement("OSP-SES-002", any_of=["push"])
def failure_of_the_receiver(t: Case) -> None:
    """The receiver cannot store, or is closed: the sender reports a failure."""
    sender, receiver = t.sites()
    if t.has("file") and t.has("disk"):
        path = t.file(t.random.randbytes(1 << 20))
        shutil.rmtree(receiver.directory)
        receiver.directory.write_bytes(b"no directory")
        t.rejected(lambda: t.push_file(path, timeout=DEADLINE), "a failure when the receiver cannot store")
    goods = t.goods(5000, 5)
    receiver.close()
    t.network.sites.discard(receiver.name)
    verdict = goods.send(sender, [receiver.name], timeout=DEADLINE)[receiver.name]
    t.expect(verdict is not None, "a failure when the receiver is closed", "the sender reports success")


@requirement("OSP-SES-003", any_of=["push"])
def failure_of_the_sender(t: Case) -> None:
    """The sender fails at the last entry, or the link is cut in the middle: nothing is delivered."""
    sender, receiver = t.sites()
    if t.has("container") and t.has("unlisted"):
        bad = [t.random.randbytes(300_000) for _ in range(4)]
        failing: list[object] = [*bad, lambda: None]
        t.expect(not _delivers(t, failing), "a failure when the last entry cannot be carried", "success")
        t.expect(not receiver.received(), "nothing delivered", "the entries before the bad one were")
    load = t.load("push")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=sender.name).content()
    before = len(receiver.received())
    t.hit("cut", trace.messages[len(trace) // 2])
    t.rejected(lambda: load.move(DEADLINE), "a failure when the link is cut in the middle")
    t.expect(len(receiver.received()) == before, "nothing delivered", "a part was delivered as an object")


def _delivers(t: Case, container: object) -> bool:
    sender, receiver = t.sites()
    try:
        return sender.send_container([receiver.name], container, timeout=DEADLINE)[receiver.name] is None
    except (Rejected, TimeoutError):
        return False


def _vanishes(t: Case, way: str, mute: int) -> None:
    """One side falls silent at the first, a middle and the last of its messages: the other ends in time."""
    load = t.load(way)
    name = t.sites()[mute].name
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=name)
    for message, kind in product(trace.some(3), SILENCE):
        with t.elsewhere() as there:
            other = there.load(way)
            there.hit(kind, message, times=0)
            what = f"an end when {name} is gone from its message {message.nth} of {len(trace)} on ({kind})"
            delivered = t.within(LIMIT, partial(ended, there, other), what)
            t.expect(message.nth or not delivered, "an error when no message arrives at all", "success")


@requirement("OSP-SES-004", any_of=["pull"])
def vanished_sender(t: Case) -> None:
    """The owner falls silent, or its link is cut, at different points: the requester ends in time."""
    _vanishes(t, "pull", 0)


@requirement("OSP-SES-005", any_of=["push"])
def vanished_receiver(t: Case) -> None:
    """The receiver falls silent, or its link is cut, at different points: the sender ends in time."""
    _vanishes(t, "push", 1)


# -- cancel


def _cancelled(t: Case, load: Load, who: int, times: int = 1) -> Rejected:
    """Cancel at one site in the middle of a transfer; how it ended for the one who asked for it."""
    sender = t.sites()[0]
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=sender.name).content()
    site = t.sites()[who]

    def cancel() -> None:
        for _ in range(times):
            site.extra("cancel")

    cancelling = t.overlap(cancel, source=sender.name, nth=trace.messages[len(trace) // 2].nth, wait=0.5)
    refusal = t.refused(lambda: load.move(PATIENCE), "the cancelled transfer to end with an error")
    if cancelling.ident is not None:
        cancelling.join(GRACE)  # the last of several cancels is not to hit the next transfer
    return refusal


def _says_cancelled(t: Case, refusal: Rejected) -> None:
    said = f"{refusal.code} {refusal.message}"
    t.expect("cancel" in said.lower(), "an error that says the transfer was cancelled", said)


@requirement("OSP-SES-006", needs=["cancel"])
def receiver_cancels(t: Case) -> None:
    """The receiving side cancels in the middle: the error on either side says so."""
    for way in filter(t.has, ("pull", "push")):
        _says_cancelled(t, _cancelled(t, t.load(way), 1))


@requirement("OSP-SES-007", needs=["cancel"])
def sender_cancels(t: Case) -> None:
    """The sending side cancels in the middle: the error on either side says so."""
    for way in filter(t.has, ("pull", "push")):
        _says_cancelled(t, _cancelled(t, t.load(way), 0))


@requirement("OSP-SES-008", needs=["cancel"])
def cancelled_twice(t: Case) -> None:
    """Cancel is called three times in a transfer and once more after it: one outcome, no further error."""
    for who in (0, 1):
        _says_cancelled(t, _cancelled(t, t.load(), who, times=3))
        t.sites()[who].extra("cancel")
        t.works()


@requirement("OSP-SES-009", needs=["cancel"])
def cancel_releases(t: Case) -> None:
    """After a cancel no file is left behind, no thread, no open file, and the next transfer works."""
    receiver = t.sites()[1]
    load = t.file_load(6 << 20) if t.has("file") else t.load()  # windows enough, so that much is not sent yet
    t.succeeds(lambda: load.move(PATIENCE))
    stored = len(receiver.files())
    for who in (0, 1):
        before, open_before = receiver.files(), resources(receiver.process)
        refusal = _cancelled(t, load, who)
        del refusal
        complete = len(before) + stored  # the rehearsal of the cancelled transfer delivered one
        t.soon(lambda n=complete: len(receiver.files()) <= n, 1.0)  # type: ignore[misc]
        left = len(receiver.files()) - complete
        t.expect(left <= 0, "no file left behind by the cancelled transfer", f"{left} files left")
        t.soon(lambda b=open_before: resources(receiver.process) <= b, 1.0)  # type: ignore[misc]
        now = resources(receiver.process)
        t.expect(now <= open_before, "threads and open files as before", f"{now}, {open_before}")
        t.works()


def resources(process: int) -> tuple[int, int]:
    """Threads and open files of a process."""
    threads = threading.active_count() if process == os.getpid() else len(os.listdir(f"/proc/{process}/task"))
    return threads, len(os.listdir(f"/proc/{process}/fd"))


# -- repeated, late and foreign messages


@requirement("OSP-SES-010", needs=["sites"], any_of=["push"])
def repeated_first_message(t: Case) -> None:
    """The first message of a push arrives twice, at once and later: the object is delivered once at most."""
    sender, receiver = t.sites()
    load = t.load("push", size=20_000)
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=sender.name)
    late = min(1, len(trace) - 1)
    first = t.network.remember(trace.messages[0].body)[0]
    for plan in (
        partial(t.hit, "duplicate", trace.messages[0]),
        partial(t.hit, "replay", trace.messages[late], copy=first),
    ):
        before = len(receiver.received())
        plan()
        ended(t, load)
        _at_most(t, receiver.received, before + 1)
        t.network.heal()


def _at_most(t: Case, received: Callable[[], list[object]], count: int) -> None:
    """No more than so many objects are delivered, now or in a moment."""
    t.soon(lambda: len(received()) > count, 0.1)
    more = len(received()) - count
    t.expect(more <= 0, "one delivery for one push", f"{more} more", "remember sessions that have begun")


@requirement("OSP-SES-011", needs=["sites"], any_of=["push"])
def replayed_session(t: Case) -> None:
    """All messages of a finished push are carried once more during another one: delivered is only the other."""
    sender, receiver = t.sites()
    goods = t.goods(100_000, 5)
    load, other = t.loaded(goods, "push"), t.load("push", size=30_000)
    old = t.rehearse(lambda: load.move(PATIENCE)).way(source=sender.name)
    new = t.rehearse(lambda: other.move(PATIENCE)).way(source=sender.name)
    before = len(receiver.received())
    for place, copy in enumerate(t.network.remember(*(message.body for message in old.messages))):
        t.hit("replay", new.messages[min(place, len(new) - 1)], copy=copy)
    ended(t, other)
    _at_most(t, receiver.received, before + 1)
    again = [got for got in receiver.received()[before:] if goods.is_held(got)]
    t.expect(
        not again, "nothing delivered by the replay", "the object of the finished push was delivered again"
    )


def _undisturbed(t: Case, load: Load, old: Trace, what: str) -> None:
    """Old messages arrive during a transfer, in both directions: it succeeds nevertheless."""
    new = t.rehearse(lambda: load.move(PATIENCE))
    owner, requester = t.sites()
    for source in (owner, requester):
        there = new.way(source=source.name)
        stale = old.way(source=source.name)
        for place, message in enumerate(stale.some(4)):
            copy = t.network.remember(message.body)[0]
            t.hit("replay", there.messages[min(place, len(there) - 1)], copy=copy)
        got = t.succeeds(
            lambda: load.move(PATIENCE), f"a transfer not to be disturbed by {what} to {source.name}"
        )
        t.same(load.sent, got)
        t.network.heal()


@requirement("OSP-SES-012", needs=["sites"], any_of=["pull"])
def late_messages(t: Case) -> None:
    """Messages of a finished retrieval arrive during the next one, which succeeds."""
    load, other = t.load("pull", size=20_000), t.load("pull", size=30_000)
    old = t.rehearse(lambda: load.move(PATIENCE))
    _undisturbed(t, other, old, "messages of a finished session")


@requirement("OSP-SES-013", needs=["sites"], any_of=["pull"])
def unknown_sessions(t: Case) -> None:
    """Messages recorded between other sites of the same names arrive during a retrieval, which succeeds."""
    with t.elsewhere() as there:
        stranger = there.load("pull", size=20_000)
        foreign = there.rehearse(lambda: stranger.move(PATIENCE))
    _undisturbed(t, t.load("pull", size=30_000), foreign, "messages of a session that never was")


@requirement("OSP-SES-017", any_of=["pull"])
def usable_after_failure(t: Case) -> None:
    """After lost content, a cut link, damage and a missing name, the next transfer succeeds each time."""
    load = t.load("pull")
    owner, requester = t.sites()
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name).content()
    for kind in (*SILENCE, DAMAGE[0]):
        t.hit(kind, trace.last(), times=0)
        try:
            load.move(DEADLINE)
        except (Rejected, TimeoutError) as refusal:
            t.notes.append(f"{kind}: {describe(refusal)}")
        t.network.heal()
        got = t.succeeds(lambda: load.move(PATIENCE), f"the transfer after a failed one ({kind}) to succeed")
        t.same(load.sent, got)
    goods = t.goods(1000)
    t.rejected(
        lambda: goods.retrieve(requester, owner.name, "no such name", timeout=DEADLINE),
        "a missing name to be refused",
    )
    t.same(load.sent, t.succeeds(lambda: load.move(PATIENCE), "the transfer after a refusal to succeed"))


@requirement("OSP-SES-023", needs=["sites"], any_of=["pull"])
def closing_a_site(t: Case) -> None:
    """The owner, then the requester, is closed in the middle of a retrieval: it ends with an error."""
    for who in (0, 1):
        with t.elsewhere() as there:
            load = there.load("pull")
            sites = there.sites()
            trace = there.rehearse(lambda: load.move(PATIENCE)).way(source=sites[0].name).content()  # noqa: B023
            middle = trace.messages[len(trace) // 2]
            there.overlap(sites[who].close, source=sites[0].name, nth=middle.nth, wait=0.3)
            side = ("owner", "requester")[who]
            what = f"an error when the {side} is closed in the middle"
            there.within(LIMIT, lambda: there.rejected(lambda: load.move(DEADLINE), what), what)  # noqa: B023
