"""A server elsewhere, with objects of its own: what can be asked of the owner's role over a connection to it.

Time and the objects are the server's, so each case waits for what has to come, and for a moment where nothing may come.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from ..case import Case
from ..cases import requirement
from ..frames import CODES, IGNORABLE, PREFACE, SIGN_OF_LIFE, Step, Type, chain_of, step
from ..outcomes import NotApplicable
from ..peer import Peer
from ..sites import PATIENCE

SERVED = ("wire", "served")
WHILE = 0.25
"""How long silence is listened to, in seconds."""
PLENTY = 1 << 62


def until(peer: Peer, condition: Callable[[], object], seconds: float = 4 * PATIENCE) -> bool:
    """Whether it comes true while we listen; a server that has ended says nothing more."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end or (peer.outcome is not None and not peer.feed(b"")):
            return bool(condition())
        peer.feed(b"")
    return True


def listen(peer: Peer) -> Peer:
    """The peer, after a while in which the server could speak."""
    until(peer, lambda: False, WHILE)
    return peer


def has(peer: Peer, type_: Type) -> bool:
    return any(frame.type == type_ for frame in peer.heard)


def asks(t: Case, peer: Peer, size: int = 100_000, **request: object) -> Peer:
    """The peer, after a REQUEST for the server's object that is closest to this size."""
    given: Any = t.own(size).given
    fields = {"name": given.name, "kind": given.kind, "max_bytes": PLENTY, "credit": PLENTY, **request}
    peer.say(step(Type.REQUEST, **fields))
    return peer


def held_up(t: Case) -> Peer:
    """A session that has begun and waits for credit."""
    peer = asks(t, Peer(t, "owner"), credit=0)
    t.exercised(until(peer, lambda: has(peer, Type.OPEN)), "OPEN in answer to a good REQUEST")
    if has(listen(peer), Type.END):
        raise NotApplicable("an object with content, near 100 KB", "what the server offers is empty")
    return peer


def whole(t: Case, peer: Peer, size: int = 100_000, **request: object) -> Peer:
    """A session until END."""
    asks(t, peer, size, **request)
    t.expect(
        until(peer, lambda: has(peer, Type.END), 30.0),
        "an object to be sent until END",
        f"{peer.types}, {peer.outcome}",
    )
    return peer


def fails(peer: Peer, code: str, what: str) -> None:
    """The server says RESET with the code, as its last frame, and closes."""
    until(peer, lambda: peer.outcome is not None)
    listen(peer)
    peer.failed(code, what)


# -- frames


@requirement("OSP-FRM-001", needs=SERVED)
def served_preface(t: Case) -> None:
    """Connected to, the server sends the preface before anything has come."""
    peer = Peer(t, "owner", preface=b"")
    until(peer, lambda: len(peer.preface) == len(PREFACE))
    t.expect(peer.preface == PREFACE, "the preface", f"{peer.preface!r}")


@requirement("OSP-FRM-002", needs=SERVED)
def served_wrong_preface(t: Case) -> None:
    """Another protocol, converted line ends, a lost high bit in place of the preface: no session comes of it."""
    for wrong in (b"GET / HT", PREFACE.replace(b"\r\n", b"\n\n"), bytes([PREFACE[0] & 0x7F]) + PREFACE[1:]):
        peer = asks(t, Peer(t, "owner", preface=wrong))
        until(peer, lambda: peer.outcome is not None)  # noqa: B023
        t.expect(peer.outcome is not None, f"an end after the preface {wrong!r}", "the server goes on")
        t.expect(not has(peer, Type.OPEN), f"no session after the preface {wrong!r}", f"{peer.types}")


@requirement("OSP-FRM-003", "OSP-FRM-014", needs=SERVED)
def served_headers(t: Case) -> None:
    """A whole session: types, flags, checksums of each frame are right, and numbers begin with 0, without gaps."""
    peer = whole(t, Peer(t, "owner"))
    for place, frame in enumerate(peer.heard):
        known = frame.type in set(Type) and not frame.flags
        skipped = frame.type == SIGN_OF_LIFE and frame.flags == IGNORABLE
        t.expect(known or skipped, "frames of this version", f"type {frame.type}, flags {frame.flags}")
        t.expect(all(frame.crcs), f"right checksums of {frame.name}", f"header, meta: {frame.crcs}")
        t.expect(frame.seq == place, f"the number {place}", f"{frame.seq}")


BAD: dict[str, tuple[str, dict[str, Step]]] = {
    "OSP-FRM-004": ("CORRUPT", {"a damaged header": step(Type.CREDIT, credit=1, header_crc=1, cut="header")}),
    "OSP-FRM-005": ("CORRUPT", {"damaged meta": step(Type.CREDIT, credit=1, meta_crc=1)}),
    "OSP-FRM-006": ("TOO_LARGE", {"too much meta": step(Type.CREDIT, credit=1, meta_len=4097, cut="header")}),
    "OSP-FRM-009": (
        "PROTOCOL",
        {f"the flag {flag}": step(Type.CREDIT, credit=1, flags=flag) for flag in (2, 128)},
    ),
    "OSP-FRM-011": ("PROTOCOL", {f"the type {kind}": step(kind, meta=b"") for kind in (0, 10, 77, 255)}),
    "OSP-FRM-012": ("PROTOCOL", {"CREDIT marked": step(Type.CREDIT, credit=1, flags=IGNORABLE)}),
    "OSP-FRM-015": (
        "PROTOCOL",
        {f"the number {seq}": step(Type.CREDIT, credit=1, seq=seq) for seq in (0, 2, (1 << 32) + 1)},
    ),
    "OSP-FRM-016": ("PROTOCOL", {"CREDIT with data": step(Type.CREDIT, credit=1, data=b"x")}),
    "OSP-FRM-019": ("PROTOCOL", {"CREDIT without credit": step(Type.CREDIT)}),
    "OSP-FRM-020": ("PROTOCOL", {"credit that is text": step(Type.CREDIT, credit="1")}),
    "OSP-SES-031": (
        "PROTOCOL",
        {"REQUEST again": step(Type.REQUEST), "DONE before END": step(Type.DONE, chain=bytes(32))},
    ),
}
"""Frames that no requester may send in the middle of a session, and the code with which they are refused."""


def refused(t: Case, id_: str) -> None:
    code, frames = BAD[id_]
    for what, frame in frames.items():
        peer = held_up(t)
        peer.say(frame)
        fails(peer, code, f"{what} in a session that waits for credit")
        t.expect(not peer.content, "no content after it", f"{peer.sent} bytes")


@requirement("OSP-FRM-004", needs=SERVED)
def served_damaged_header(t: Case) -> None:
    """A header with a wrong checksum comes in the middle of a session: CORRUPT, on the header alone."""
    refused(t, "OSP-FRM-004")


@requirement("OSP-FRM-005", needs=SERVED)
def served_damaged_meta(t: Case) -> None:
    """Meta with a wrong checksum comes in the middle of a session: CORRUPT."""
    refused(t, "OSP-FRM-005")


@requirement("OSP-FRM-006", needs=SERVED)
def served_too_much_meta(t: Case) -> None:
    """A header announces 4097 bytes of meta: TOO_LARGE, on the header alone."""
    refused(t, "OSP-FRM-006")


@requirement("OSP-FRM-009", needs=SERVED)
def served_undefined_flags(t: Case) -> None:
    """CREDIT comes with flags that are not defined: PROTOCOL."""
    refused(t, "OSP-FRM-009")


@requirement("OSP-FRM-011", needs=SERVED)
def served_unknown_frames(t: Case) -> None:
    """Frames of unknown types come in the middle of a session: PROTOCOL."""
    refused(t, "OSP-FRM-011")


@requirement("OSP-FRM-012", needs=SERVED)
def served_known_frames_marked(t: Case) -> None:
    """CREDIT comes marked as ignorable: PROTOCOL."""
    refused(t, "OSP-FRM-012")


@requirement("OSP-FRM-015", needs=SERVED)
def served_numbers_received(t: Case) -> None:
    """A number is repeated, left out, or right in 32 bits alone: PROTOCOL."""
    refused(t, "OSP-FRM-015")


@requirement("OSP-FRM-016", needs=SERVED)
def served_data_elsewhere(t: Case) -> None:
    """CREDIT comes with data: PROTOCOL."""
    refused(t, "OSP-FRM-016")


@requirement("OSP-FRM-019", needs=SERVED)
def served_required_meta(t: Case) -> None:
    """CREDIT comes without its credit: PROTOCOL."""
    refused(t, "OSP-FRM-019")


@requirement("OSP-FRM-020", needs=SERVED)
def served_types_of_meta(t: Case) -> None:
    """CREDIT comes with a text for its credit: PROTOCOL."""
    refused(t, "OSP-FRM-020")


@requirement("OSP-SES-031", needs=SERVED)
def served_out_of_place(t: Case) -> None:
    """REQUEST and DONE come in the middle of a session: PROTOCOL."""
    refused(t, "OSP-SES-031")


@requirement("OSP-FRM-010", needs=SERVED)
def served_ignorable_frames(t: Case) -> None:
    """Unknown ignorable frames, with meta that is no CBOR and data, are skipped: the object comes."""
    peer = held_up(t)
    peer.say(*[step(77, flags=IGNORABLE, meta=b"\xff", data=b"x")] * 3, step(Type.CREDIT, credit=PLENTY))
    t.expect(until(peer, lambda: has(peer, Type.END), 30.0), "END after them", f"{peer.types} {peer.outcome}")


@requirement("OSP-FRM-021", needs=SERVED)
def served_max_frame(t: Case) -> None:
    """Frames of 4096 bytes are asked for: none is larger."""
    peer = whole(t, Peer(t, "owner"), max_frame=4096)
    largest = max((len(frame.data) for frame in peer.content), default=0)
    t.expect(largest <= 4096, "at most 4096 bytes in a frame", f"{largest}")


# -- sessions


@requirement("OSP-SES-030", needs=SERVED)
def served_beginnings(t: Case) -> None:
    """Each type of frame that may not be the first of a session is: PROTOCOL, and no object."""
    for first in (step(Type.CREDIT, credit=5), step(Type.DONE, chain=bytes(32)), step(Type.END, count=0)):
        peer = Peer(t, "owner")
        peer.say(first)
        fails(peer, "PROTOCOL", f"a session that begins with frame type {first.fields['type']}")


@requirement("OSP-SES-035", "OSP-SES-043", needs=SERVED)
def served_one_reset(t: Case) -> None:
    """A session has failed, and whatever comes then brings nothing: one RESET, no new session on the connection."""
    peer = held_up(t)
    peer.say(step(77, meta=b""))
    fails(peer, "PROTOCOL", "an unknown frame")
    asks(t, peer, seq=0)
    listen(peer)
    t.expect(peer.types.count("RESET") == 1, "one RESET", f"{peer.types}")
    t.expect(peer.types[-1] == "RESET", "nothing after RESET", f"{peer.types}")


@requirement("OSP-SES-036", "OSP-SES-037", needs=SERVED)
def served_reset_received(t: Case) -> None:
    """RESET with each code in the middle of a session is not answered, nor is anything that comes after it."""
    for code in range(1, len(CODES) + 1):
        peer = held_up(t)
        peer.heard.clear()
        peer.say(step(Type.RESET, code=code, message="enough"), step(Type.CREDIT, credit=PLENTY))
        until(peer, lambda: peer.outcome is not None, WHILE)  # noqa: B023
        t.expect(not peer.heard, f"nothing after RESET with {CODES[code - 1]}", f"{peer.types}")


@requirement("OSP-SES-042", needs=SERVED)
def served_next_session(t: Case) -> None:
    """Three sessions on one connection: numbers begin with 0 each time, and all of them bring the object."""
    peer = Peer(t, "owner")
    for count in range(3):
        whole(t, peer)
        peer.say(step(Type.DONE, chain=peer.first(Type.END).get("chain")))
        numbers = [frame.seq for frame in peer.heard]
        t.expect(
            numbers == list(range(len(numbers))), f"numbers from 0 in session {count + 1}", f"{numbers[:5]}"
        )
        peer.next_session()


# -- versions, digests, names


@requirement("OSP-VER-001", needs=SERVED)
def served_highest_common(t: Case) -> None:
    """Version 1 is offered alone, first, last and among versions of the future: OPEN has 1."""
    for versions in ([1], [1, 2**40], [2**40, 1], [0, 1]):
        peer = whole(t, Peer(t, "owner"), versions=versions)
        chosen = peer.first(Type.OPEN).get("versions")
        t.expect(chosen == 1, f"version 1 of {versions}", f"{chosen!r}")


@requirement("OSP-VER-002", needs=SERVED)
def served_none_in_common(t: Case) -> None:
    """Only versions of the future are offered: VERSION."""
    fails(asks(t, Peer(t, "owner"), versions=[2**40]), "VERSION", "a REQUEST of the future")


@requirement("OSP-VER-003", needs=SERVED)
def served_unknown_keys(t: Case) -> None:
    """REQUEST and CREDIT have keys that are in no table: the object comes."""
    peer = asks(t, Peer(t, "owner"), credit=0, extra={200: "x", 2**40: [1]})
    peer.say(step(Type.CREDIT, credit=PLENTY, extra={201: None}))
    t.expect(until(peer, lambda: has(peer, Type.END), 30.0), "END", f"{peer.types} {peer.outcome}")


@requirement("OSP-INT-028", "OSP-INT-029", needs=SERVED)
def served_digests(t: Case) -> None:
    """Unknown digests stand before sha-256, which is chosen; without it: DIGEST."""
    peer = whole(t, Peer(t, "owner"), digests=["md5", "crc-32", "sha-256"])
    chosen = peer.first(Type.OPEN).get("digests")
    t.expect(chosen == "sha-256", "the first digest that is known", f"{chosen!r}")
    fails(asks(t, Peer(t, "owner"), digests=["md5"]), "DIGEST", "a REQUEST with an unknown digest alone")


@requirement("OSP-SEC-009", needs=SERVED)
def served_long_names(t: Case) -> None:
    """A name of 1024 bytes is looked for in vain: NOT_FOUND; one of 1025 bytes is TOO_LARGE."""
    for length, code in ((1024, "NOT_FOUND"), (1025, "TOO_LARGE")):
        fails(asks(t, Peer(t, "owner"), name="x" * length), code, f"a name of {length} bytes")


# -- content


@requirement("OSP-INT-020", "OSP-INT-022", needs=SERVED)
def served_integrity(t: Case) -> None:
    """Each object is sent: the digest of each of its frames is right, and so are size and chain in END."""
    for goods in t.served():
        served = goods.given
        peer = whole(t, Peer(t, "owner"), served.size)
        for frame in peer.content:
            right = frame.get("digest") == hashlib.sha256(frame.data).digest()
            t.expect(right, f"the digest of each frame of {served.name}", f"{frame.get('digest')!r}")
        end = peer.first(Type.END)
        chain = chain_of(peer.first(Type.OPEN).get("kind"), peer.heard)
        t.expect(end.get("chain") == chain, f"the chain of {served.name} in END", f"{end.get('chain')!r}")
        t.expect(end.get("size") == peer.sent, f"the size {peer.sent} in END", f"{end.get('size')}")


# -- flow


@requirement("OSP-FLW-001", needs=SERVED)
def served_request_first(t: Case) -> None:
    """Nothing but the preface comes before the REQUEST."""
    peer = listen(Peer(t, "owner"))
    t.expect(
        not peer.heard and not peer.rest, "silence before the REQUEST", f"{peer.types} {peer.rest[:20]!r}"
    )
    whole(t, peer)


@requirement("OSP-FLW-002", "OSP-FLW-003", needs=SERVED)
def served_within_credit(t: Case) -> None:
    """Credit of 3000 bytes is given, again, and a lower one: no more than that comes. With enough, the rest."""
    peer = asks(t, Peer(t, "owner"), credit=3000)
    if has(listen(peer), Type.END):
        raise NotApplicable(
            "an object of more than 3000 bytes, near 100 KB", "what the server offers is smaller"
        )
    for credit in (3000, 1000, 3000, 6000):
        peer.say(step(Type.CREDIT, credit=credit))
        listen(peer)
        most = max(3000, credit)
        t.expect(peer.sent <= most, f"at most {most} bytes", f"{peer.sent}")
        t.expect(peer.outcome is None, "a sender that waits for credit", f"{peer.outcome}")
    peer.say(step(Type.CREDIT, credit=PLENTY))
    t.expect(until(peer, lambda: has(peer, Type.END), 30.0), "the rest once there is credit", f"{peer.types}")


@requirement("OSP-FLW-007", needs=SERVED)
def served_too_large(t: Case) -> None:
    """max_bytes is the size of the object, and a byte less: TOO_LARGE, and no content."""
    opened = whole(t, Peer(t, "owner"))
    size = opened.first(Type.OPEN).get("size")
    if not size:
        raise NotApplicable("a sender that knows the size of its object", "OPEN has none")
    whole(t, Peer(t, "owner"), max_bytes=size)
    peer = asks(t, Peer(t, "owner"), max_bytes=size - 1)
    fails(peer, "TOO_LARGE", f"an object of {size} bytes where {size - 1} are taken")
    t.expect(not peer.content, "no content of it", f"{peer.sent} bytes")
