"""Honesty probes: before a verdict counts, an implementation shows that it can say yes, no and "not offered".

A suite that is told yes to everything, or no to everything, would otherwise hand out passes for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .case import DEADLINE, Case
from .cases import Body, CaseInfo
from .contract import Unsupported, WireAdapter
from .outcomes import AdapterError, NotApplicable, Violation
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
    retrieve: Any = requester.retrieve_container if t.has("container") else requester.retrieve_file
    t.rejected(lambda: retrieve(owner.name, name, timeout=DEADLINE), "a name nobody offered to be refused")


@_probe
def corrupted_stream(t: Case) -> None:
    """One bit of the largest message is flipped: the object arrives as it was sent, or not at all."""
    load = t.load(pieces=2, size=_PAYLOAD // 2)
    trace = t.rehearse(lambda: load.move(PATIENCE))
    t.hit("corrupt", trace.largest(), at=0.5)
    t.never_wrong(lambda: load.move(DEADLINE), load.sent)


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
