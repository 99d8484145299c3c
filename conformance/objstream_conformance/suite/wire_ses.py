"""Sessions on the wire: frames in their places, RESET, and what comes after the end (chapter 7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .. import vectors
from ..case import Case
from ..cases import requirement
from ..contract import Role
from ..frames import CODES, Step, Type, content, step
from ..peer import WIRE, Peer, asks, gives, opened, play, playable, roles, takes

LONG = 1e6
"""Seconds that are longer than every deadline."""


@requirement("OSP-SES-030", needs=WIRE)
def beginnings(t: Case) -> None:
    """Each other type of frame as the first of a session, of the first one and of the next: PROTOCOL."""
    play(t, "OSP-SES-030")
    for role in roles(t, "owner", "receiver"):
        if not _goes_on(t, role):
            t.notes.append(f"the {role} has one session; what begins the next one was not tried")
            continue
        peer = _delivered(t, role)
        peer.say(step(Type.CREDIT, credit=5))
        codes = [frame.get("code") for frame in peer.heard]
        t.expect(codes == [1], "CREDIT after a delivered session to be refused with PROTOCOL", f"{codes}")


def _delivered(t: Case, role: Role) -> Peer:
    """An owner or a receiver that has delivered an object and is about to hear of the next session."""
    peer = gives(t, role, [1]) if role == "owner" else takes(t, role, 1)
    peer.delivered()
    peer.next_session()
    return peer


def _goes_on(t: Case, role: Role) -> bool:
    """Whether an end goes on with a further session on its connection, or is an end of one session alone."""
    return bool(
        _delivered(t, role).say(step(Type.REQUEST) if role == "owner" else step(Type.OFFER, kind="list"))
    )


@requirement("OSP-SES-031", needs=WIRE)
def sender_out_of_place(t: Case) -> None:
    """Each type of frame in each state of a sender that has no row for it: PROTOCOL, after END UNCONFIRMED."""
    play(t, "OSP-SES-031")


@requirement("OSP-SES-032", needs=WIRE)
def receiver_out_of_place(t: Case) -> None:
    """Each type of frame in each state of a receiver that has no row for it: PROTOCOL."""
    play(t, "OSP-SES-032")


@requirement("OSP-SES-033", needs=WIRE)
def done_last(t: Case) -> None:
    """All but the last byte of END has come: no DONE; with that byte DONE comes, and the object is there.

    Nor does DONE come when END shows that something is missing.
    """
    for role in roles(t, "requester", "receiver"):
        takes(t, role, 1).delivered([1])
        peer = Peer(t, role)
        peer.say(
            *[step(Type.OFFER, kind="list")][: role == "receiver"], step(Type.OPEN, kind="list"), *content(1)
        )
        peer.say(step(Type.END, count=2))
        peer.failed("CORRUPT", "an object that lacks an entry, which is not confirmed")
        _done_with_the_last_byte(t, Peer(t, role), "list", content("stored"), ["stored"])
    if t.has("file") and "requester" in t.description.roles:
        data = t.random.randbytes(100_000)
        parts = [step(Type.DATA, data=data[:50_000]), step(Type.DATA, data=data[50_000:])]
        peer = Peer(t, "requester", kind="file")
        _done_with_the_last_byte(t, peer, "file", parts, data)
        t.expect(Path(peer.outcome[1]).read_bytes() == data, "the file to be there with DONE", "it is not")


def _done_with_the_last_byte(t: Case, peer: Peer, kind: str, parts: list[Step], value: object) -> None:
    if "REQUEST" not in peer.types:
        peer.say(step(Type.OFFER, kind=kind))
    peer.say(step(Type.OPEN, kind=kind), *parts)
    end = peer.author.write(step(Type.END, count=0 if kind == "file" else 1))
    peer.feed(end[:-1])
    peer.running("the receiver to wait for the rest of END")
    t.expect("DONE" not in peer.types, "no DONE before END is there", f"{peer.types}")
    peer.feed(end[-1:])
    peer.delivered()
    t.expect(peer.types[-1] == "DONE", "DONE after END", f"{peer.types}")


@requirement("OSP-SES-034", needs=WIRE)
def lost_before_done(t: Case) -> None:
    """The connection ends between END and DONE: the sender reports UNCONFIRMED."""
    for role in roles(t, "owner", "sender"):
        gives(t, role, [1]).delivered()
        peer = asks(Peer(t, role, [1]))
        peer.first(Type.END)
        peer.eof()
        peer.failed("UNCONFIRMED", "a sender whose receiver is gone before DONE", told=False)


def _failures(t: Case) -> Iterator[tuple[str, Peer]]:
    """Sessions of every role that have just failed, at an unknown frame or because nothing comes."""
    unknown = step(77, meta=b"")
    for role in roles(t, "owner", "sender", "requester", "receiver"):
        for how in ("an unknown frame", "silence"):
            peer = Peer(t, role, ["x"])
            if role in ("owner", "sender"):
                asks(peer, credit=0)
            elif role == "receiver":
                peer.say(step(Type.OFFER, kind="list"), step(Type.OPEN, kind="list"))
            peer.running()
            if how == "silence":
                peer.advance(LONG)
            else:
                peer.say(unknown)
            yield f"the {role} after {how}", peer


@requirement("OSP-SES-035", needs=WIRE)
def one_reset(t: Case) -> None:
    """Every role fails by an unknown frame and by silence: one RESET, and no more of them whatever comes."""
    for what, peer in _failures(t):
        peer.failed("PROTOCOL" if "frame" in what else "STALLED", what)
        peer.say(step(77, meta=b""))
        peer.advance(LONG)
        peer.eof()
        count = peer.types.count("RESET")
        t.expect(count == 1, f"one RESET from {what}", f"{count}")


def _told(t: Case, code: int) -> Iterator[tuple[str, Peer]]:
    """Sessions of every role, in each of its states, that have just received a RESET with that code."""
    reset = step(Type.RESET, code=code, message="enough")
    for role in roles(t, "owner", "sender"):
        states = {"STREAMING": 0, "ENDED": 100} | ({"OFFERED": -1} if role == "sender" else {})
        for state, credit in states.items():
            peer = Peer(t, role, ["x"])
            if credit >= 0:
                asks(peer, credit=credit)
            t.exercised(("END" in peer.types) == (state == "ENDED"), f"the state {state}")
            yield f"the {role} in {state}", _after(peer, reset)
    for role in roles(t, "requester", "receiver"):
        for state, steps in {
            "REQUESTED": [],
            "RECEIVING": [step(Type.OPEN, kind="list"), *content(1)],
        }.items():
            peer = Peer(t, role)
            peer.say(*[step(Type.OFFER, kind="list")][: role == "receiver"], *steps)
            peer.running()
            yield f"the {role} in {state}", _after(peer, reset)


def _after(peer: Peer, reset: Step) -> Peer:
    """The peer of an end that is told the reset; what it has said before is forgotten."""
    peer.heard.clear()
    peer.say(reset)
    return peer


@requirement("OSP-SES-036", needs=WIRE)
def reset_received(t: Case) -> None:
    """RESET with each code in each state of every role: the session has failed with that code, and says nothing."""
    play(t, "OSP-SES-036")
    for number, code in enumerate(CODES, 1):
        for what, peer in _told(t, number):
            peer.failed(code, f"{what} that receives RESET with {code}", told=False)


@requirement("OSP-SES-037", needs=WIRE)
def nothing_after_reset(t: Case) -> None:
    """After a RESET, sent or received, by every role in each state: the rest of a good session brings nothing.

    Nor is a RESET answered where no session is running: as the first frame, or after a delivered one.
    """
    idle: list[tuple[str, Peer]] = []
    for role in roles(t, "owner", "receiver"):
        for when, peer in (("before", Peer(t, role)), ("after", _delivered(t, role))):
            idle.append((f"the {role} {when} its first session", _after(peer, step(Type.RESET, code=17))))
    for what, peer in idle:
        peer.say(step(Type.REQUEST))
        t.expect(not peer.heard, f"nothing from {what}, after RESET", f"{peer.types}")
    for what, peer in (*_failures(t), *_told(t, 1)):
        peer.say(
            step(Type.REQUEST),
            step(Type.OPEN, kind="list"),
            *content(1),
            step(Type.END, count=1),
            step(Type.CREDIT, credit=1 << 30),
        )
        peer.advance(LONG)
        names = [frame.name for frame in peer.heard]
        later = names[names.index("RESET") + 1 :] if "RESET" in names else names
        t.expect(not later and not peer.rest, f"nothing from {what}, after RESET", f"{later} {peer.rest!r}")
        t.expect(peer.outcome[0] == "failed", f"{what} to stay failed", f"{peer.outcome}")


@requirement("OSP-SES-038", needs=WIRE)
def codes_sent(t: Case) -> None:
    """Every bad vector is played: each RESET that is sent has a code of the table, and not LOST."""
    seen: set[object] = set()
    for vector in vectors.load().values():
        if not vector.good and playable(t, vector):
            peer = opened(t, vector)
            for line in vector.lines:
                peer.feed(line)
            seen |= {frame.get("code") for frame in peer.heard if frame.type == Type.RESET}
    t.exercised(seen, "a RESET")
    strange = [
        code for code in seen if code not in range(1, len(CODES) + 1) or code == CODES.index("LOST") + 1
    ]
    t.expect(not strange, "codes of the table in RESET, LOST aside", f"{strange}")


@requirement("OSP-SES-039", needs=WIRE)
def unknown_codes(t: Case) -> None:
    """RESET with the codes 0, 18 and 2^63 - 1 in each state of every role: the session has failed, as PROTOCOL."""
    play(t, "OSP-SES-039")
    for number in (0, len(CODES) + 1, 2**63 - 1):
        for what, peer in _told(t, number):
            peer.failed("PROTOCOL", f"{what} that receives RESET with the code {number}", told=False)


@requirement("OSP-SES-040", needs=WIRE)
def kind_requested(t: Case) -> None:
    """OPEN of another kind than was asked for, or than was offered: PROTOCOL."""
    play(t, "OSP-SES-040")


@requirement("OSP-SES-041", needs=WIRE)
def request_of_the_offer(t: Case) -> None:
    """A REQUEST for another name or kind in answer to an OFFER: PROTOCOL."""
    play(t, "OSP-SES-041")


@requirement("OSP-SES-042", needs=WIRE)
def next_session(t: Case) -> None:
    """Three sessions on one connection: numbers begin with 0 in both directions each time, and all succeed."""
    for role in roles(t, "owner", "receiver"):
        t.exercised(_goes_on(t, role), f"the {role} that goes on with a further session on its connection")
        peer = Peer(t, role, ["x", 1])
        for count in range(3):
            what = f"session {count + 1} on one connection to be delivered"
            if role == "owner":
                end = [frame.get("chain") for frame in asks(peer).heard if frame.type == Type.END]
                t.expect(end, what, f"it sent {peer.types}")
                peer.say(step(Type.DONE, chain=end[0]))
                peer.delivered(what=what)
            else:
                opening = (step(Type.OFFER, kind="list"), step(Type.OPEN, kind="list"))
                peer.say(*opening, *content(count), step(Type.END, count=1))
                peer.delivered([count], what)
            numbers = [frame.seq for frame in peer.heard]
            t.expect(
                numbers == list(range(len(numbers))), f"numbers from 0 in session {count + 1}", f"{numbers}"
            )
            peer.next_session()


@requirement("OSP-SES-043", needs=WIRE)
def no_session_after_failure(t: Case) -> None:
    """After a failed session the first frames of a new one bring nothing, and the outcome stays."""
    for what, peer in (*_failures(t), *_told(t, 1)):
        failed = peer.outcome
        peer.next_session()
        for first in (step(Type.REQUEST), step(Type.OFFER, kind="list")):
            peer.author.seq = 0
            peer.say(first)
        t.expect(not peer.heard, f"no answer from {what}", f"{peer.types}")
        t.expect(peer.outcome == failed, f"{what} to stay as it is", f"{peer.outcome}")
