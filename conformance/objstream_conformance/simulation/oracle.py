"""Whether a play kept the promises: no wrong object, no false success, no hang, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from objstream.errors import Code
from objstream.session import AnySession

from ..compare import difference
from .application import Account
from .plan import Plan
from .world import Play, Played

_WIRE = {"PROTOCOL", "CORRUPT", "LOST", "STALLED", "UNCONFIRMED"}
MAY_CAUSE: dict[str, set[str]] = {
    **dict.fromkeys(("drop", "duplicate", "reorder", "corrupt", "truncate", "extend", "replay"), _WIRE),
    "forge": _WIRE | {"TOO_LARGE", "UNSUPPORTED"},
    "delay": {"STALLED", "UNCONFIRMED", "LOST", "PROTOCOL"},
    "pause": {"STALLED", "UNCONFIRMED", "LOST"},
    "cut": {"LOST", "STALLED", "UNCONFIRMED"},
    "silence": {"LOST", "STALLED", "UNCONFIRMED"},
    "crash": {"LOST", "STALLED", "UNCONFIRMED"},
    "vanish": {"LOST", "STALLED", "UNCONFIRMED"},
    "cancel": {"CANCELLED", "UNCONFIRMED", "LOST"},
    "source": {"SOURCE_FAILED", "LOST"},
    "changed": {"SOURCE_CHANGED", "CORRUPT", "LOST"},
    "store": {"STORE_FAILED", "TOO_LARGE", "LOST"},
    "refuse": {"REFUSED", "SOURCE_FAILED", "STORE_FAILED", "LOST"},
    "observer": {"CANCELLED", "SOURCE_FAILED", "STORE_FAILED", "UNCONFIRMED", "LOST"},
}
"""The codes that a fault may lead to; a session in which nothing of the kind happened must not end with them."""


GRAVEST = (
    *(
        "wrong object",
        "false success",
        "disagreement",
        "crash",
        "hang",
        "left behind",
        "leak",
        "not delivered",
    ),
    *("wrong code", "trace"),
)
"""The promises, each in a word, the gravest first; "trace" is what the checker of logs finds."""


@dataclass(frozen=True)
class Problem:
    """A broken promise.

    Attributes:
        promise: one of `GRAVEST`.
        detail: what was seen.
    """

    promise: str
    detail: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.detail}"


def judge(play: Play, excused: Set[str] = frozenset()) -> list[Problem]:
    """All broken promises of a play; `excused` are codes that something outside of its plan explains."""
    problems = [Problem("crash", crash) for crash in play.crashes]
    if play.hung:
        problems.append(Problem("hang", play.hung))
    if play.disk.temporary and "receiver" not in play.dead:
        problems.append(Problem("left behind", f"temporary files {sorted(play.disk.temporary)}"))
    codes = _allowed(play.plan) | excused
    calm = play.plan.calm and not excused
    for number, played in enumerate(play.sessions):
        problems += [
            Problem(problem.promise, f"session {number}: {problem.detail}")
            for problem in _session(play, played, codes, calm)
        ]
    return problems


def _session(play: Play, played: Played, codes: set[str], calm: bool) -> Iterator[Problem]:
    sender = None if "sender" in play.dead else played.sender
    receiver = None if "receiver" in play.dead else played.receiver
    yield from _objects(played)
    yield from _agreement(play, played)
    for session, side in ((sender, "sender"), (receiver, "receiver")):
        if session is not None:
            yield from _ending(play, session, side, codes, calm)
    if sender is not None and sender.finished and played.source is not None:
        yield from _account(played.source, "the source", kept=sender.error is None)
    if receiver is not None and receiver.finished and played.store is not None:
        yield from _store(played.store, delivered=receiver.error is None)


def delivered(session: AnySession | None) -> bool:
    return session is not None and session.finished and session.error is None


def _objects(played: Played) -> Iterator[Problem]:
    """Whatever was delivered is the object, in the state in which it was announced."""
    if not delivered(played.receiver):
        return
    assert played.receiver is not None
    got, states = played.receiver.result, played.subject.states[: played.subject.pinned]
    differences = [difference(state, got) for state in states]
    if "" not in differences:
        yield Problem("wrong object", differences[0] if differences else "nothing had been announced")


def _agreement(play: Play, played: Played) -> Iterator[Problem]:
    if delivered(played.sender) and not delivered(played.receiver):
        state = (
            "nothing of it"
            if played.receiver is None
            else played.receiver.error or played.receiver.state.value
        )
        yield Problem("false success", f"the sender reports success, the receiver {state}")
    sender = None if "sender" in play.dead else played.sender
    failure = None if sender is None else sender.error
    if delivered(played.receiver) and failure is not None and failure.code is not Code.UNCONFIRMED:
        yield Problem("disagreement", f"the receiver has the object, the sender reports {failure}")
    if not delivered(played.receiver) and played.receiver is not None and played.receiver.result is not None:
        yield Problem("left behind", "a failed session has a result")
    if played.sender is None and delivered(played.receiver):
        yield Problem("wrong object", "delivered without a sender")
    expected = {
        f"file {n}" for n, one in enumerate(play.sessions) if one.kind == "file" and delivered(one.receiver)
    }
    if "receiver" not in play.dead and set(play.disk.files) != expected:
        yield Problem("left behind", f"files {sorted(play.disk.files)}, delivered were {sorted(expected)}")


def _ending(play: Play, session: AnySession, side: str, codes: set[str], calm: bool) -> Iterator[Problem]:
    if not session.finished:
        if not play.hung:
            yield Problem("hang", f"the {side} is in state {session.state.value}")
        return
    if session.error is None:
        return
    if calm:
        yield Problem("not delivered", f"nothing was in the way of the {side}: {session.error}")
    elif session.error.code.name not in codes:
        yield Problem("wrong code", f"the {side} reports {session.error}")
    if session.error.code is Code.UNCONFIRMED and session.error.from_peer != (side == "receiver"):
        origin = "from its peer" if session.error.from_peer else "on its own"
        yield Problem("wrong code", f"the {side} reports UNCONFIRMED {origin}")
    if "/secret" in session.error.message:
        yield Problem("leak", f"a local path in a message: {session.error.message}")


def _account(account: Account, what: str, *, kept: bool) -> Iterator[Problem]:
    if account.closed != 1:
        yield Problem("left behind", f"{what} was closed {account.closed} times")
    if account.late:
        yield Problem("left behind", f"{what} was used after its end: {account.late}")


def _store(account: Account, *, delivered: bool) -> Iterator[Problem]:
    if account.late:
        yield Problem("left behind", f"the store was used after its end: {account.late}")
    if delivered and (account.finished, account.discarded) != (1, 0):
        yield Problem(
            "left behind", f"delivered, finished {account.finished}, discarded {account.discarded} times"
        )
    if not delivered and (account.finished or not account.discarded):
        yield Problem(
            "left behind", f"failed, finished {account.finished}, discarded {account.discarded} times"
        )


def _allowed(plan: Plan) -> set[str]:
    """The codes with which sessions of this plan may end."""
    codes: set[str] = set()
    for fault in plan.faults:
        codes |= MAY_CAUSE[fault.kind]
    if not plan.digest:
        codes |= {"DIGEST", "LOST"}
    if plan.max_bytes < 1 << 20:
        codes |= {"TOO_LARGE", "LOST"}
    if len(plan.kinds) > 1 and plan.faults:
        codes |= {"PROTOCOL"}  # the other side's last word about one session reaches the next
    if plan.slow:
        codes |= {"STALLED", "LOST", "UNCONFIRMED"}
    return codes
