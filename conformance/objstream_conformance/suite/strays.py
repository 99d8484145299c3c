"""Messages that are repeated, forged, or that nobody has asked for (chapters 3, 6 and 15)."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial

from ..case import DEADLINE, Case
from ..cases import requirement
from ..contract import Rejected
from ..network import Message
from ..sites import PATIENCE
from .several import offer

MIB = 1 << 20
DOUBLINGS = 5
STEP = 3
"""Every so many bytes of an answer are altered, each in a transfer of its own."""


@requirement("OSP-SES-024", needs=["file", "push", "disk"])
def damaged_answer(t: Case) -> None:
    """The receiver cannot store; its refusal is altered at one place after the other: never is it a success."""
    sender, receiver = t.sites()
    path = t.file(t.random.randbytes(2000))
    shutil.rmtree(receiver.directory)
    receiver.directory.write_bytes(b"no directory")

    def push() -> object:
        verdict = sender.send_file([receiver.name], path, timeout=DEADLINE)[receiver.name]
        if verdict is not None:
            raise verdict
        return "success"

    try:
        push()
    except (Rejected, TimeoutError):
        pass
    else:
        t.exercised(False, "the receiver to refuse what it cannot store")
    answers = t.network.since(0).way(source=receiver.name).messages
    t.exercised(answers, "the receiver to say that it cannot store")
    for place in range(0, answers[-1].size, STEP):
        t.hit("corrupt", answers[-1], at=place)
        t.rejected(
            push,
            f"no success when byte {place} of the receiver's refusal is altered",
            "take nothing for a confirmation but what says so: an answer without a code is none",
        )
        t.network.heal()


@requirement("OSP-SES-025", needs=["sites"], any_of=["pull"])
def repeated_messages(t: Case) -> None:
    """The first messages of a retrieval, one in the middle and the last arrive twice: the next transfer succeeds."""
    load = t.load("pull", size=20_000)
    trace = t.rehearse(lambda: load.move(PATIENCE))
    for site in t.sites():
        way = trace.way(source=site.name)
        for message in {m.nth: m for m in (*way.messages[:3], *way.some(3))}.values():
            with t.elsewhere() as there:
                other = there.load("pull", size=20_000)
                there.hit("duplicate", message)
                with suppress(Rejected, TimeoutError):
                    other.move(DEADLINE)
                there.works()


@requirement("OSP-SES-026", needs=["sites"], any_of=["pull"])
def copies_from_another_site(t: Case) -> None:
    """Copies of an owner's messages come from a third site too, each before the original: the retrieval succeeds."""
    load = t.load("pull", size=20_000)
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=t.sites()[0].name)
    for message in {m.nth: m for m in (*trace.messages[:3], *trace.some(3))}.values():
        with t.elsewhere() as there:
            owner, requester, intruder = there.sites(3)
            other = there.load("pull", size=20_000)
            _, distract = offer(there, intruder, requester)
            selector = {"source": owner.name, "target": requester.name, "nth": message.nth}
            there.network.hook(partial(_imitate, there), **selector)
            there.overlap(distract, **selector, wait=1.0)
            got = there.succeeds(
                partial(other.move, 2 * PATIENCE),
                f"a retrieval not to be disturbed by a copy of message {message.nth} of {len(trace)} "
                "that another site sends",
            )
            there.same(
                other.sent, got, "look a session up by its id and by the peer that the transport names"
            )


def _imitate(t: Case, message: Message) -> None:
    """Let the third site send a copy of this message to its receiver from now on."""
    copy = t.network.remember(message.body)[0]
    intruder = t.sites(3)[2].name
    t.fault("replay", source=intruder, target=message.target, copy=copy)


@requirement("OSP-INT-007", needs=["file", "disk"], any_of=["pull"])
def flood_of_content(t: Case) -> None:
    """A message in the middle of a file of 4 MiB arrives 32 times: no more is stored than the file has."""
    owner, requester = t.sites()
    load = t.file_load(4 * MIB, "pull")
    content = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name).content()
    before, most = sum(requester.files().values()), 0

    def measure(_: Message) -> None:
        nonlocal most
        most = max(most, sum(requester.files().values()) - before)

    for _ in range(DOUBLINGS):
        t.hit("duplicate", content.messages[len(content) // 2])
    t.network.hook(measure, times=0)
    with suppress(Rejected, TimeoutError):
        load.move(PATIENCE)
    t.expect(
        most <= 5 * MIB,
        "at most 4 MiB stored of a file of 4 MiB, and a chunk",
        f"{most} bytes at a time",
        "compare with the size announced before each write",
    )


@requirement("OSP-RTV-016", needs=["file", "sites"], any_of=["pull"])
def unasked_answers(t: Case) -> None:
    """What an owner sent in another retrieval arrives at a site that asked for something else: nothing is stored."""
    with t.elsewhere() as there:
        stranger = there.file_load(300_000, "pull")
        answer = there.rehearse(lambda: stranger.move(PATIENCE)).way(source=there.sites()[0].name)
    owner, requester = t.sites()
    load = t.load("pull", size=20_000)
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name)
    before = requester.files()
    for place, copy in enumerate(t.network.remember(*(message.body for message in answer.messages))):
        t.hit("replay", trace.messages[min(place, len(trace) - 1)], copy=copy)
    with suppress(Rejected, TimeoutError):
        load.move(PATIENCE)
    asked = 0 if t.has("container") else 1
    t.soon(lambda: len(requester.files()) > len(before) + asked, 0.2)
    new = len(requester.files()) - len(before) - asked
    t.expect(new <= 0, "nothing stored that was not asked for", f"{new} files appeared")
    t.expect(not requester.received(), "nothing delivered that was not asked for", "something was")


@requirement("OSP-SEC-014", needs=["sites"], any_of=["pull"])
def request_in_anothers_name(t: Case) -> None:
    """A site sends what another one sent when it asked: the owner sends nothing to the one that did not ask."""
    owner, named, asking = t.sites(3)
    load = t.load("pull", size=20_000)
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=named.name)
    _, other = offer(t, owner, asking)
    for copy in t.network.remember(trace.messages[0].body):
        t.fault("replay", source=asking.name, target=owner.name, copy=copy)
    start = len(t.network.log)
    with suppress(Rejected, TimeoutError):
        other()
    t.soon(lambda: len(t.network.since(start).way(owner.name, named.name)) > 0, 0.3)
    sent = t.network.since(start).way(owner.name, named.name).bytes()
    t.expect(
        not sent,
        f"nothing sent to {named.name}, which asked for nothing",
        f"{sent} bytes",
        "answer to the peer that the transport names, not to a name in the request",
    )
