"""Honesty probes: before a verdict counts, an implementation shows that it can say yes, no and "not offered".

A suite that is told yes to everything, or no to everything, would otherwise hand out passes for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from . import notation
from .case import DEADLINE, Case
from .cases import Body, CaseInfo
from .cbor import Ref, ext
from .compare import show
from .contract import Unsupported, WireAdapter
from .frames import Type, content, items, step
from .outcomes import AdapterError, NotApplicable, Violation
from .peer import Peer, gives, takes
from .sites import PATIENCE

GOOD_STREAM = "probe.good_stream"
PROBES: dict[str, CaseInfo] = {}

_PAYLOAD = 64 << 10


def _probe(body: Body) -> Body:
    name = f"probe.{body.__name__}"
    scenario = " ".join((body.__doc__ or "").split())
    PROBES[name] = CaseInfo(name, (), frozenset(), frozenset(), scenario, body)
    return body


@_probe
def good_stream(t: Case) -> None:
    """An object of 64 KiB of random bytes is accepted, equal, and travels over the suite's network."""
    if _has_ends_alone(t):
        _good_sessions(t)
        return
    load = t.load(pieces=2, size=_PAYLOAD // 2)
    start = len(t.network.log)
    got = t.succeeds(lambda: load.move(PATIENCE), "a good stream to be accepted")
    t.same(load.sent, got)
    carried = t.network.since(start).bytes()
    if carried < _PAYLOAD:
        raise AdapterError(
            "the implementation to put its content on the network it was given",
            f"{carried} bytes were carried for an object of {_PAYLOAD}",
            "pass everything that leaves a site through network.carry",
        )


@_probe
def unknown_name(t: Case) -> None:
    """An object of a random name, which nobody has offered, is asked for and refused."""
    if not t.has("pull"):
        raise NotApplicable("the capability pull", "it is not declared")
    owner, requester = t.sites()
    name = f"nothing-{t.random.getrandbits(64):x}"
    goods = t.goods(1000)
    t.rejected(
        lambda: goods.retrieve(requester, owner.name, name, timeout=DEADLINE),
        "a name nobody offered to be refused",
    )


@_probe
def corrupted_stream(t: Case) -> None:
    """One bit of the largest message is flipped: the object arrives as it was sent, or not at all."""
    if _has_ends_alone(t):
        _corrupted_sessions(t)
        return
    load = t.load(pieces=2, size=_PAYLOAD // 2)
    trace = t.rehearse(lambda: load.move(PATIENCE))
    t.hit("corrupt", trace.largest(), at=0.5)
    t.never_wrong(lambda: load.move(DEADLINE), load.sent)


def _has_ends_alone(t: Case) -> bool:
    """There are ends of sessions, and no sites to carry an object from one to the other."""
    return t.has("wire") and t.has("container") and not (t.has("pull") or t.has("push"))


def _good_sessions(t: Case) -> None:
    payload = t.random.randbytes(_PAYLOAD)
    for role in t.description.roles & {"owner", "sender"}:
        peer = gives(t, role, [payload])
        peer.delivered()
        t.same([payload], notation.build([notation.render(item) for item in items(peer.content)]))
    for role in t.description.roles & {"requester", "receiver"}:
        takes(t, role, ext("bytes", Ref(payload))).delivered([payload])


def _corrupted_sessions(t: Case) -> None:
    payload = bytearray(t.random.randbytes(_PAYLOAD))
    head, buffer = content(ext("bytes", Ref(bytes(payload))))
    payload[_PAYLOAD // 2] ^= 1
    for role in t.description.roles & {"requester", "receiver"}:
        peer = Peer(t, role)
        offer = [step(Type.OFFER, kind="list")] if role == "receiver" else []
        digest = hashlib.sha256(buffer.fields["data"]).digest()
        spoilt = buffer.but(data=bytes(payload), digest=digest)
        peer.say(*offer, step(Type.OPEN, kind="list"), head, spoilt, step(Type.END, count=1))
        outcome = peer.outcome
        t.expect(
            outcome is None or outcome[0] == "failed", "no object where a bit was flipped", show(outcome)
        )


@_probe
def unsupported(t: Case) -> None:
    """What is not declared is answered with Unsupported, and so is a role that does not exist."""
    one, other = t.sites()
    operations: dict[str, Callable[[], object]] = {
        "container": lambda: one.raw.send_container([other.name], [1], timeout=DEADLINE),
        "file": lambda: one.raw.send_file([other.name], t.file(b"x"), timeout=DEADLINE),
        "pull": lambda: one.raw.retrieve_container(other.name, "x", timeout=DEADLINE),
        "push": lambda: one.raw.send_container([other.name], [1], timeout=DEADLINE),
    }
    chosen: dict[str, Callable[[], object]] = {
        name: operation for name, operation in operations.items() if not t.has(name)
    }
    if isinstance(t.adapter, WireAdapter) and t.has("wire"):
        role: Any = f"x-{t.random.getrandbits(32):x}"
        adapter = t.adapter
        chosen[f"the role {role}"] = lambda: adapter.wire(role, "x")
    if not chosen:
        raise NotApplicable("something that is not offered", "all that can be asked for is declared")
    for what, operation in chosen.items():
        try:
            operation()
        except Unsupported:
            continue
        except Exception as error:
            raise Violation(f"Unsupported for {what}", f"{type(error).__name__}: {error}") from error
        raise Violation(f"Unsupported for {what}, which is not declared", "it was accepted")
