"""Integrity on the wire: digests, chain, size and count (chapter 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..case import Case
from ..cases import requirement
from ..cbor import Ref, ext
from ..frames import Type, chain_of, step
from ..peer import WIRE, Peer, gives, play, roles, takes


def _sent(t: Case) -> Iterator[tuple[str, Peer]]:
    """Sessions in which objects of several shapes are sent."""
    values: dict[str, object] = {
        "a list of large entries": [t.random.randbytes(70_000) for _ in range(3)],
        "a dict": {"a": 1, "b": ["x"] * 100},
        "an empty tuple": (),
    }
    if t.has("file"):
        values["a file"] = t.file(t.random.randbytes(100_000))
    for role in roles(t, "owner", "sender"):
        for what, value in values.items():
            is_pulled_file = isinstance(value, Path) and role == "owner"
            yield (
                f"{what} from the {role}",
                gives(t, role, value, **({"kind": "file"} if is_pulled_file else {})),
            )


@requirement("OSP-INT-020", needs=WIRE)
def digests_sent(t: Case) -> None:
    """Containers and a file are sent: each content frame has the SHA-256 of its data."""
    for what, peer in _sent(t):
        for frame in peer.content:
            right = frame.get("digest") == hashlib.sha256(frame.data).digest()
            t.expect(right, f"the digest of each frame of {what}", f"{frame.name}: {frame.get('digest')!r}")


@requirement("OSP-INT-021", needs=WIRE)
def digests_checked(t: Case) -> None:
    """ENTRIES, DATA of a container and of a file with another digest, a short one, none: CORRUPT."""
    play(t, "OSP-INT-021")


@requirement("OSP-INT-022", needs=WIRE)
def chain_sent(t: Case) -> None:
    """Containers and a file are sent: END has the chain over all of their content frames, and their sum."""
    for what, peer in _sent(t):
        end = peer.first(Type.END)
        chain = chain_of(peer.first(Type.OPEN).get("kind"), peer.heard)
        t.expect(end.get("chain") == chain, f"the chain of {what} in END", f"{end.get('chain')!r}")
        t.expect(
            end.get("size") == peer.sent, f"the size of {what} in END, {peer.sent}", f"{end.get('size')}"
        )


@requirement("OSP-INT-023", needs=WIRE)
def chain_checked(t: Case) -> None:
    """END with another chain, the one of another kind among them: CORRUPT."""
    play(t, "OSP-INT-023")


@requirement("OSP-INT-024", needs=WIRE)
def chain_confirmed(t: Case) -> None:
    """Containers of every kind are received: DONE has the chain over what was sent."""
    for role in roles(t, "requester", "receiver"):
        for kind in ("list", "tuple", "dict", "set", "frozenset"):
            for items in ((), ("a", "b"), ("k", ext("bytes", Ref(bytes(5000))))):
                peer = takes(t, role, *items, kind=kind)
                peer.delivered()
                chain = peer.first(Type.DONE).get("chain")
                t.expect(chain == peer.author.chain, f"the chain of a {kind} in DONE", f"{chain!r}")


@requirement("OSP-INT-025", needs=WIRE)
def confirmation_checked(t: Case) -> None:
    """DONE with another chain: the sender reports UNCONFIRMED."""
    play(t, "OSP-INT-025")


@requirement("OSP-INT-026", needs=WIRE)
def size_checked(t: Case) -> None:
    """END with a size too high or too low, OPEN with more than comes: CORRUPT."""
    play(t, "OSP-INT-026")


@requirement("OSP-INT-027", needs=WIRE)
def count_checked(t: Case) -> None:
    """END with a count too high or too low, OPEN with another one, a count of a file: CORRUPT."""
    play(t, "OSP-INT-027")


@requirement("OSP-INT-028", needs=WIRE)
def sha_256_alone(t: Case) -> None:
    """Only sha-256 is offered, by us and by the implementation: the session succeeds with it."""
    for role in roles(t, "owner", "sender", "requester", "receiver"):
        if role in ("owner", "sender"):
            peer = gives(t, role, [1], digests=["sha-256"])
            chosen = peer.first(Type.OPEN).get("digests")
            t.expect(chosen == "sha-256", "sha-256, which alone was offered, in OPEN", f"{chosen!r}")
        else:
            peer = takes(t, role, 1, digests=["sha-256"])
            offered = peer.first(Type.REQUEST).get("digests")
            t.expect(offered == ["sha-256"], "a REQUEST that offers sha-256 alone", f"{offered}")
        peer.delivered()


@requirement("OSP-INT-029", needs=WIRE)
def digest_offered(t: Case) -> None:
    """Unknown digests alone: DIGEST; in front of sha-256 they are passed over."""
    play(t, "OSP-INT-029")
    for role in roles(t, "owner", "sender"):
        peer = gives(t, role, [1], digests=["md5", "crc-32", "sha-256"])
        peer.delivered()
        chosen = peer.first(Type.OPEN).get("digests")
        t.expect(chosen == "sha-256", "the first digest that is known", f"{chosen!r}")


@requirement("OSP-INT-030", needs=WIRE)
def digest_not_offered(t: Case) -> None:
    """OPEN with none, xxh3-128 or an unknown digest where sha-256 was offered: PROTOCOL."""
    play(t, "OSP-INT-030")


@requirement("OSP-INT-031", needs=WIRE)
def none_on_request_only(t: Case) -> None:
    """REQUESTs of ends without options do not offer none; one whose application asked for it works without."""
    play(t, "OSP-INT-031")
    for role in roles(t, "requester", "receiver"):
        offered = takes(t, role, 1).first(Type.REQUEST).get("digests")
        t.expect("none" not in offered, "no `none` among the digests offered", f"{offered}")


@requirement("OSP-INT-032", needs=WIRE)
def no_more_than_announced(t: Case) -> None:
    """A content frame beyond the size of OPEN: PROTOCOL on its header and meta, of containers and files."""
    play(t, "OSP-INT-032")
    if t.has("file") and "requester" in t.description.roles:
        for more in (0, 1):
            peer = Peer(t, "requester", kind="file")
            peer.say(step(Type.OPEN, kind="file", size=9), step(Type.DATA, data=b"12345"))
            if more:
                peer.say(step(Type.DATA, data=b"67890", cut="meta"))
                peer.failed("PROTOCOL", "a byte beyond the size of a file, before its data has come")
            else:
                peer.say(step(Type.DATA, data=b"6789"), step(Type.END, count=0))
                peer.delivered()
