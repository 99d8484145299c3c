"""Flow control: credit and sizes (chapter 11)."""

from __future__ import annotations

from ..case import Case
from ..cases import requirement
from ..cbor import Raw, Ref, ext
from ..frames import Step, Type, content, step
from ..outcomes import NotApplicable
from ..peer import WIRE, Peer, asks, gives, play, roles

SIZE = 50_000


def _entries(t: Case) -> list[bytes]:
    return [t.random.randbytes(SIZE // 5) for _ in range(5)]


@requirement("OSP-FLW-001", needs=WIRE)
def request_first(t: Case) -> None:
    """An owner says nothing, a sender OFFER alone, before the REQUEST has come: neither OPEN nor content."""
    for role in roles(t, "owner", "sender"):
        gives(t, role, ["x"]).delivered()
        peer = Peer(t, role, ["x"])
        peer.advance(1.0)
        expected = ["OFFER"] if role == "sender" else []
        t.expect(peer.types == expected and not peer.content, f"{expected} from the {role}", f"{peer.types}")


@requirement("OSP-FLW-002", needs=WIRE)
def within_credit(t: Case) -> None:
    """Credit comes in steps of 3000 bytes: the content sent is never more, and in the end all of it."""
    for role in roles(t, "owner", "sender"):
        peer = asks(Peer(t, role, _entries(t)), credit=3000)
        for credit in range(3000, 2 * SIZE, 3000):
            peer.say(step(Type.CREDIT, credit=credit))
            t.expect(peer.sent <= credit, f"at most {credit} bytes from the {role}", f"{peer.sent}")
            t.expect("RESET" not in peer.types, "a sender that waits for credit", f"{peer.outcome}")
        t.expect(
            peer.sent >= SIZE,
            f"all content once there is credit for it, from the {role}",
            f"{peer.sent} bytes",
        )
        peer.first(Type.END)


@requirement("OSP-FLW-003", needs=WIRE)
def absolute_credit(t: Case) -> None:
    """The same credit again and lower ones add nothing; a higher one is the position up to which is sent."""
    for role in roles(t, "owner", "sender"):
        peer = asks(Peer(t, role, _entries(t)), credit=5000)
        peer.say(*(step(Type.CREDIT, credit=credit) for credit in (5000, 4000, 5000, 0, 5000)))
        t.expect(
            peer.sent <= 5000, f"at most 5000 bytes from the {role} whose credit is 5000", f"{peer.sent}"
        )
        peer.running("credit that is not higher to be ignored")
        peer.say(step(Type.CREDIT, credit=20_000), step(Type.CREDIT, credit=10_000))
        t.expect(peer.sent <= 20_000, f"at most 20000 bytes from the {role}", f"{peer.sent}")
        peer.say(step(Type.CREDIT, credit=2 * SIZE))
        t.expect("END" in peer.types, "the rest once there is credit", f"{peer.types}, {peer.sent} bytes")


@requirement("OSP-FLW-004", needs=WIRE)
def control_without_credit(t: Case) -> None:
    """Without any credit an empty object arrives with OPEN and END, and a failure is told with RESET."""
    for role in roles(t, "owner", "sender"):
        empty = gives(t, role, [], credit=0)
        empty.delivered(what="an empty object without credit")
        peer = asks(Peer(t, role, ["x"]), credit=0)
        t.expect(peer.types[-1:] == ["OPEN"], "OPEN without credit", f"{peer.types}")
        peer.say(step(Type.REQUEST))
        peer.failed("PROTOCOL", "a fault without credit")


def _fed(peer: Peer, steps: list[Step]) -> None:
    """Send content as the receiver's credit allows."""
    sent = 0
    for one in steps:
        sent += len(one.fields["data"])
        granted = [frame.get("credit") for frame in peer.heard if frame.type in (Type.REQUEST, Type.CREDIT)]
        if sent > max(granted):
            return
        peer.say(one)


@requirement("OSP-FLW-005", needs=WIRE)
def credit_is_renewed(t: Case) -> None:
    """A window of 10 000 bytes and 20 times as much content: credit keeps coming, and the object arrives."""
    data = t.random.randbytes(200_000)
    skeleton, *_ = content(ext("bytes", Ref(data)))
    parts = [step(Type.DATA, data=data[at : at + 2500]) for at in range(0, len(data), 2500)]
    for role in roles(t, "requester", "receiver"):
        peer = Peer(t, role, window=10_000)
        peer.say(*[step(Type.OFFER, kind="list")][: role == "receiver"], step(Type.OPEN, kind="list"))
        _fed(peer, [skeleton, *parts])
        t.exercised(
            peer.first(Type.REQUEST).get("credit") < len(data), "a first credit below the size of the object"
        )
        got = peer.author.size
        t.expect(
            got > len(data), f"credit for all of {len(data)} bytes from the {role}", f"it ended after {got}"
        )
        peer.say(step(Type.END, count=1))
        peer.delivered([data])
        granted = [frame.get("credit") for frame in peer.heard if frame.type == Type.CREDIT]
        t.expect(granted == sorted(set(granted)), "each CREDIT to be higher than the last", f"{granted}")


@requirement("OSP-FLW-006", needs=WIRE)
def beyond_credit(t: Case) -> None:
    """A content frame that ends at the credit is taken, one that ends a byte beyond is not: PROTOCOL at once."""
    for role in roles(t, "requester", "receiver"):
        for more in (0, 1):
            peer = Peer(t, role, window=1000)
            peer.say(*[step(Type.OFFER, kind="list")][: role == "receiver"], step(Type.OPEN, kind="list"))
            skeleton = content(ext("bytes", Raw(b"\x19\xff\xff")))
            peer.say(*skeleton)
            credit = max(f.get("credit") for f in peer.heard if f.type in (Type.REQUEST, Type.CREDIT))
            peer.say(step(Type.DATA, data=bytes(credit - peer.author.size + more), cut="meta"))
            if more:
                peer.failed("PROTOCOL", f"a byte beyond the credit of {credit}, before its data has come")
            else:
                peer.running("content up to the credit to be taken")


@requirement("OSP-FLW-007", needs=WIRE)
def too_large_to_send(t: Case) -> None:
    """max_bytes is the size of the object, and a byte less: the second REQUEST is answered with TOO_LARGE."""
    known = t.has("file")
    for role in roles(t, "owner", "sender"):
        whole = gives(t, role, [b"12345678"])
        whole.delivered()
        size = whole.sent
        if whole.first(Type.OPEN).get("size") is None:
            continue  # it does not know the size beforehand
        known = True
        gives(t, role, [b"12345678"], max_bytes=size).delivered(what=f"an object of max_bytes {size}")
        peer = asks(Peer(t, role, [b"12345678"]), max_bytes=size - 1)
        peer.failed("TOO_LARGE", f"an object of {size} bytes where {size - 1} are taken")
        t.expect(not peer.content, "no content of it", f"{peer.sent} bytes")
    if not known:
        raise NotApplicable("a sender that knows the size of its object", "OPEN has none")
    if t.has("file"):
        for role in roles(t, "owner", "sender"):
            kind = {"kind": "file"}
            gives(t, role, t.file(bytes(1000)), max_bytes=1000, **kind).delivered()
            peer = asks(Peer(t, role, t.file(bytes(1000))), max_bytes=999, **kind)
            peer.failed("TOO_LARGE", "a file of 1000 bytes where 999 are taken")
            t.expect(not peer.content, "no content of it", f"{peer.sent} bytes")


@requirement("OSP-FLW-008", needs=WIRE)
def too_large_to_receive(t: Case) -> None:
    """OPEN and OFFER with a size of max_bytes are taken, a byte more is not: TOO_LARGE."""
    play(t, "OSP-FLW-008")
