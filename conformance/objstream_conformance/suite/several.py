"""Several sessions, several sites, several targets (chapter 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..case import DEADLINE, GRACE, Case, Goods, Load
from ..cases import requirement
from ..contract import Rejected
from ..network import Message
from ..outcomes import Unexercised
from ..sites import PATIENCE, Party, Verdicts, describe

HOLD = 2.0
"""How long a message to a slow target is held up at most, in seconds."""


def offer(
    t: Case, owner: Party, requester: Party, size: int = 200_000
) -> tuple[object, Callable[[], object]]:
    """Offer an object of several pieces at one site; it, and how another site retrieves it."""
    name, goods = t.fresh_name(), t.goods(size, 4)
    goods.offer(owner, name)
    return goods.sent, lambda: goods.retrieve(requester, owner.name, name)


def send(t: Case, sender: Party, targets: list[str], *, timeout: float = PATIENCE) -> tuple[Goods, Verdicts]:
    """Push an object to several targets; it, and the verdicts."""
    goods = t.goods(70_000, 3)
    return goods, goods.send(sender, targets, timeout=timeout)


def holds(site: Party, goods: Goods) -> bool:
    """Whether this very object was pushed to the site, and nothing else."""
    got = site.received()
    return len(got) == 1 and goods.is_held(got[0])


def _vital(t: Case, load: Load) -> Message:
    """The last message of the owner without which a retrieval fails."""
    owner = t.sites()[0].name
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner)
    for message in reversed(trace.messages):
        t.hit("drop", message, times=0)
        try:
            load.move(DEADLINE)
        except (Rejected, TimeoutError):
            return message
        finally:
            t.network.heal()
    raise Unexercised("a retrieval to need what the owner sends", "it succeeds without")


@requirement("OSP-SES-014", needs=["sites"], any_of=["pull"])
def bound_to_the_peer(t: Case) -> None:
    """The owner's last message comes from a third site instead of the owner: the retrieval fails."""
    with t.elsewhere() as there:
        vital = _vital(there, there.load("pull"))
    owner, requester, intruder = t.sites(3)
    load = t.load("pull")
    _, distract = offer(t, intruder, requester)

    def impersonate(message: Message) -> None:
        copy = t.network.remember(message.body)[0]
        t.fault("replay", source=intruder.name, target=requester.name, copy=copy, times=0)

    t.hit("drop", vital, times=0)
    selector = {"source": owner.name, "target": requester.name, "nth": vital.nth}
    t.network.hook(impersonate, **selector)
    t.overlap(distract, **selector, wait=1.0)
    t.rejected(
        lambda: load.move(DEADLINE),
        "a retrieval to fail when its last message comes from another site",
        "look a session up by its id and by the peer that the transport names",
    )


@requirement("OSP-SES-015", any_of=["pull"])
def concurrent_sessions(t: Case) -> None:
    """Six objects are retrieved at the same time, in both directions: each arrives as itself."""
    one, other = t.sites()
    pairs = [(one, other), (other, one)] * 3
    offers = [offer(t, owner, requester) for owner, requester in pairs]
    for (sent, _), got in zip(offers, t.together(*(retrieve for _, retrieve in offers)), strict=True):
        t.expect(not isinstance(got, Exception), "every transfer to succeed", f"{got!r}")
        t.same(sent, got)


@requirement("OSP-SES-016", any_of=["pull"])
def failing_neighbour(t: Case) -> None:
    """In the middle of a retrieval another one between the same sites fails: the first one succeeds."""
    owner, requester = t.sites()
    load = t.load("pull")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name).content()
    goods = t.goods(1000)
    if t.has("container") and t.has("unlisted"):
        owner.add_container("bad", [t.random.randbytes(1000), lambda: None])
    outcomes: list[str] = []

    def fail() -> None:
        for name in ("bad", "missing"):
            try:
                goods.retrieve(requester, owner.name, name, timeout=DEADLINE)
            except (Rejected, TimeoutError) as refusal:
                outcomes.append(describe(refusal))

    t.overlap(fail, source=owner.name, nth=trace.messages[len(trace) // 2].nth, wait=3.0)
    got = t.succeeds(lambda: load.move(4 * PATIENCE), "the transfer to succeed beside one that fails")
    t.same(load.sent, got)
    t.exercised(len(outcomes) == 2, "two transfers to fail in the middle of another one")


@requirement("OSP-SES-018", needs=["multi-target"])
def verdict_for_each(t: Case) -> None:
    """One of several targets cannot be reached, or its link dies at the end: success is reported for who has it."""
    sender, *targets = t.sites(4)
    t.fault("drop", target=targets[1].name, times=0)
    value, verdicts = send(t, sender, [site.name for site in targets], timeout=DEADLINE)
    _reported(targets, value, verdicts, t)
    t.network.heal()
    _dying_at_the_end(t)


def _reported(targets: list[Party], goods: Goods, verdicts: Verdicts, t: Case) -> None:
    """Success is reported for exactly those targets that have the object."""
    for site in targets:
        success, has = verdicts[site.name] is None, holds(site, goods)
        t.expect(
            success == has,
            "success for the targets that have the object and a failure for the others",
            f"{site.name} {'has' if has else 'has not'} got it, reported is {verdicts[site.name] or 'success'}",
        )


def _dying_at_the_end(t: Case) -> None:
    """The link to one of two targets dies at the last messages: what is reported of the other one is so."""
    sender = t.sites()[0]
    names = [site.name for site in t.sites(3)[1:]]
    trace = t.rehearse(lambda: send(t, sender, names)).way(source=sender.name, target=names[0])
    failed = False
    for message in trace.messages[-3:]:
        with t.elsewhere() as there:
            there.hit("drop", message, times=0)
            there.sites(3)
            value, verdicts = send(there, there.sites()[0], names, timeout=DEADLINE)
            _reported(there.sites(3)[2:], value, verdicts, there)
            failed |= verdicts[names[0]] is not None
    t.exercised(failed, "the target whose link dies to fail")


@requirement("OSP-SES-019", needs=["multi-target"])
def failing_target(t: Case) -> None:
    """The first of three targets cannot be reached, then the link to it is cut: the others get the object."""
    for kind in ("drop", "cut"):
        with t.elsewhere() as there:
            sender, *targets = there.sites(4)
            there.fault("drop" if kind == "drop" else "cut", target=targets[0].name, times=0)
            value, _ = send(there, sender, [site.name for site in targets], timeout=DEADLINE)
            for site in targets[1:]:
                got = there.soon(partial(holds, site, value), 0.5)
                t.expect(
                    got, f"{site.name} to get the object although {targets[0].name} does not", "it has not"
                )


@requirement("OSP-SES-020", needs=["multi-target"])
def slow_target(t: Case) -> None:
    """Messages to the first target are held up until the second one has the object: it gets it all the same."""
    sender, slow, fast = t.sites(3)
    late: list[Message] = []

    def hold_up(message: Message) -> None:
        if not late and not t.soon(lambda: bool(fast.received()), HOLD):
            late.append(message)

    t.network.hook(hold_up, target=slow.name, times=0)
    goods, _ = send(t, sender, [slow.name, fast.name], timeout=4 * HOLD)
    t.expect(
        not late,
        f"the fast target to have the object while message {late[0].nth if late else 0} to the slow one is held up",
        f"it had not got it after {HOLD} s",
        "let each target go at its own pace",
    )
    t.expect(holds(fast, goods), "the fast target to get the object", f"{len(fast.received())} objects")


@requirement("OSP-SES-021", needs=["sites"], any_of=["push"])
def no_targets(t: Case) -> None:
    """A push to an empty list of targets is refused, and nothing of it is sent to anybody."""
    sender = t.sites()[0]
    t.refused(lambda: send(t, sender, [], timeout=DEADLINE), "a push without targets to be refused")
    sent = {message.target for message in t.network.since(0).messages}
    t.expect(not sent, "nothing sent by a push without targets", f"messages to {', '.join(sorted(sent))}")


@requirement("OSP-SES-022", needs=["sites"], any_of=["push"])
def unknown_target(t: Case) -> None:
    """A push to a site that does not exist ends with a failure for it, within the deadline."""
    sender = t.sites()[0]

    def push() -> object:
        _, verdicts = send(t, sender, ["nowhere"], timeout=DEADLINE)
        if verdicts["nowhere"] is not None:
            raise verdicts["nowhere"]
        return "success"

    what = "a failure for a target that does not exist"
    t.within(DEADLINE + GRACE, lambda: t.rejected(push, what), what)
