"""Time on the wire, which the suite lets pass (chapter 12)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..case import Case
from ..cases import requirement
from ..cbor import Ref, ext
from ..contract import Role
from ..frames import IGNORABLE, SIGN_OF_LIFE, Type, content, step
from ..peer import WIRE, Peer, asks, roles

DEADLINE = 8.0
EPSILON = 0.125
HINT = step(77, flags=IGNORABLE, meta=b"")


def _receiving(t: Case) -> Iterator[tuple[str, Peer]]:
    """Receivers that wait: for OPEN, for content, for the rest of a buffer, for END."""
    buffered = content(ext("bytes", Ref(bytes(10))))
    for role in roles(t, "requester", "receiver"):
        for what, steps in {
            "OPEN": [],
            "content": [step(Type.OPEN, kind="list")],
            "a buffer": [step(Type.OPEN, kind="list"), buffered[0]],
            "END": [step(Type.OPEN, kind="list"), *content(1)],
        }.items():
            peer = Peer(t, role, deadline=DEADLINE)
            peer.say(*[step(Type.OFFER, kind="list")][: role == "receiver"], *steps)
            peer.running()
            yield f"the {role} that waits for {what}", peer


def _sending(t: Case) -> Iterator[tuple[str, Peer]]:
    """Senders that wait: for a REQUEST, for the first credit, for more of it."""
    for role in roles(t, "owner", "sender"):
        if role == "sender":
            yield "a sender that waits for a REQUEST", Peer(t, role, ["x"], deadline=DEADLINE)
        for credit in (0, 1000):
            peer = asks(Peer(t, role, [bytes(5000)], deadline=DEADLINE), credit=credit)
            t.exercised("END" not in peer.types, "a sender without enough credit")
            peer.running()
            yield f"the {role} that waits for credit beyond {credit}", peer


def _expires(t: Case, what: str, peer: Peer, code: str) -> None:
    """Nothing happens shortly before the deadline; after it the session has failed."""
    peer.advance(DEADLINE - EPSILON)
    peer.running(f"{what} to wait for {DEADLINE} s")
    peer.advance(2 * EPSILON)
    peer.failed(code, f"{what}, after {DEADLINE} s")


@requirement("OSP-TIM-002", needs=WIRE)
def receiver_stalls(t: Case) -> None:
    """Receivers wait in vain for OPEN, content, a buffer and END: STALLED after the deadline, and not before."""
    for what, peer in _receiving(t):
        _expires(t, what, peer, "STALLED")


@requirement("OSP-TIM-003", needs=WIRE)
def sender_stalls(t: Case) -> None:
    """Senders wait in vain for a REQUEST and for credit: STALLED after the deadline, and not before."""
    for what, peer in _sending(t):
        _expires(t, what, peer, "STALLED")


@requirement("OSP-TIM-004", needs=WIRE)
def never_confirmed(t: Case) -> None:
    """After END nothing comes: the sender reports UNCONFIRMED after the deadline, and not before."""
    for role in roles(t, "owner", "sender"):
        peer = asks(Peer(t, role, ["x"], deadline=DEADLINE))
        peer.first(Type.END)
        _expires(t, f"the {role} that waits for DONE", peer, "UNCONFIRMED")


def _trickle(peer: Peer, data: bytes, seconds: float) -> None:
    """Feed bytes one by one, with a pause after each, until they are used up or the session has ended."""
    for byte in data:
        peer.feed(bytes([byte]))
        peer.advance(seconds)
        if peer.outcome is not None:
            return


@requirement("OSP-TIM-005", needs=WIRE)
def trickle(t: Case) -> None:
    """Headers and data come byte by byte, credit is repeated: STALLED all the same."""
    for role in roles(t, "requester", "receiver"):
        opening = [*[step(Type.OFFER, kind="list")][: role == "receiver"], step(Type.OPEN, kind="list")]
        peer = Peer(t, role, deadline=DEADLINE)
        peer.say(*opening)
        _trickle(peer, peer.author.write(content(1)[0]), DEADLINE / 8)
        peer.failed("STALLED", f"the {role} that gets a byte of a header 8 times per deadline")
        peer = Peer(t, role, deadline=DEADLINE)
        skeleton, buffer = content(ext("bytes", Ref(bytes(20_000))))
        peer.say(*opening, skeleton, buffer.but(cut="meta"))
        for _ in range(16):
            peer.advance(DEADLINE / 16)
            if peer.outcome is None:
                peer.feed(bytes(4095 // 16))
        peer.failed("STALLED", f"the {role} that gets less than 4096 bytes of data per deadline")
    for what, peer in _sending(t):
        if peer.types[-1] == "OFFER":
            late = peer.author.write(step(Type.REQUEST, kind="list"))
        else:
            late = peer.author.write(step(Type.CREDIT, credit=10_000))
        _trickle(peer, late[:-1], DEADLINE / 8)
        peer.failed("STALLED", f"{what} and gets it byte by byte")
    for role in roles(t, "owner", "sender"):
        peer = asks(Peer(t, role, [bytes(5000)], deadline=DEADLINE), credit=1000)
        for _ in range(5):
            if peer.outcome is None:
                peer.say(step(Type.CREDIT, credit=1000))
                peer.advance(DEADLINE / 4)
        peer.failed("STALLED", f"the {role} that gets the same credit again and again")


def _slowly(peer: Peer, *portions: bytes) -> None:
    """Each portion shortly before the deadline that the one before has put off."""
    for portion in portions:
        peer.advance(DEADLINE - EPSILON)
        peer.running("a session that moves within each deadline to go on")
        peer.feed(portion)


def _slow_object(peer: Peer, role: Role) -> Iterator[bytes]:
    """An object in portions each of which is progress: frames, frames to be skipped, 4096 bytes of data."""
    write = peer.author.write
    if role == "receiver":
        yield write(step(Type.OFFER, kind="list"))
    yield write(step(Type.OPEN, kind="list"))
    yield write(step(SIGN_OF_LIFE, flags=IGNORABLE, meta=b""))
    skeleton, buffer = content(ext("bytes", Ref(bytes(20_000))))
    yield write(skeleton)
    yield write(HINT)
    frame = write(buffer)
    yield frame[: len(frame) - 20_000 + 4096]
    for start in range(len(frame) - 20_000 + 4096, len(frame), 4096):
        yield frame[start : start + 4096]
    yield write(step(Type.END, count=1))


@requirement("OSP-TIM-006", needs=WIRE)
def not_early(t: Case) -> None:
    """Something moves shortly before each deadline, many deadlines long: every role succeeds."""
    for role in roles(t, "requester", "receiver"):
        peer = Peer(t, role, deadline=DEADLINE)
        _slowly(peer, *_slow_object(peer, role))
        peer.delivered([bytes(20_000)], f"a slow session of the {role}")
    for role in roles(t, "owner", "sender"):
        peer = Peer(t, role, [bytes(5000)], deadline=DEADLINE)
        if role == "sender":
            peer.advance(DEADLINE - EPSILON)
        asks(peer, credit=0)
        for credit in (500, 1000, 3000, 10_000):
            _slowly(peer, peer.author.write(HINT), peer.author.write(step(Type.CREDIT, credit=credit)))
        chain = peer.first(Type.END).get("chain")
        _slowly(peer, peer.author.write(HINT), peer.author.write(step(Type.DONE, chain=chain)))
        peer.delivered(what=f"a slow session of the {role}")


@requirement("OSP-TIM-007", needs=WIRE)
def time_from_outside(t: Case) -> None:
    """Real time passes, ten deadlines of it, and none is let pass: the session goes on, and fails when told."""
    deadline = 0.02
    waiting: dict[Role, Peer] = {}
    for role in roles(t, "owner", "requester", "sender"):
        peer = Peer(t, role, ["x"], deadline=deadline)
        waiting[role] = asks(peer, credit=0) if role == "owner" else peer
    time.sleep(10 * deadline)
    for role, peer in waiting.items():
        peer.say(HINT)
        peer.running(f"the {role} whose clock stands still to go on")
        peer.advance(2 * deadline)
        peer.failed("STALLED", f"the {role} whose clock has moved on")
