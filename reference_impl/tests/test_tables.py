"""Every cell of the two state tables that the specification prints, as the sessions behave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from objstream import Code, ContainerAssembler, ContainerStreamer, Limits, TransferError
from objstream.frames import Frame, FrameType
from objstream.session import RECEIVER, SENDER, AnySession, Event, Receiver, Sender, State

from .helpers import Meta, drain_session, meta, opened, request

CHAPTER = Path(__file__).parents[2] / "spec" / "07-session.md"
CHAIN = bytes(32)
FRAMES: dict[FrameType, tuple[Meta, int]] = {
    FrameType.OFFER: (meta(name="m", kind="list"), 0),
    FrameType.REQUEST: (request(kind="list"), 0),
    FrameType.OPEN: (opened(), 0),
    FrameType.ENTRIES: (meta(digest=b""), 1),
    FrameType.DATA: (meta(digest=b""), 1),
    FrameType.END: (meta(chain=CHAIN, size=0, count=0), 0),
    FrameType.DONE: (meta(chain=CHAIN), 0),
    FrameType.CREDIT: (meta(credit=1 << 30), 0),
    FrameType.RESET: (meta(code=4, message="no"), 0),
}
CONTENT = (FrameType.ENTRIES, FrameType.DATA)
TAKEN = {
    "sender": {FrameType.REQUEST, FrameType.CREDIT, FrameType.DONE, FrameType.RESET},
    "receiver": {FrameType.OFFER, FrameType.OPEN, *CONTENT, FrameType.END, FrameType.RESET},
}


def printed(section: str) -> list[tuple[str, str, str]]:
    """(event, state, cell) of the table in that section of the chapter."""
    part = CHAPTER.read_text("utf-8").split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"
    ]
    return [
        (event, state, cell)
        for event, *cells in rows[2:]
        for state, cell in zip(rows[0][1:], cells, strict=True)
    ]


PASSED_AT_ONCE = {
    ("sender", "OFFERED", "→ REQUESTED"): State.STREAMING,  # the object is there already
    ("receiver", "RECEIVING", "→ VERIFYING"): State.DELIVERED,
}
CELLS = [("sender", *cell) for cell in printed("7.3 The sender")] + [
    ("receiver", *cell) for cell in printed("7.4 The receiver")
]


class Once(ContainerStreamer):
    """A list that is not read through before it is announced."""

    repeatable = False


def sender_in(state: str) -> Sender:
    """A sender that came to this state in the ordinary way."""
    sender = Sender(accepted=["sha-256"])
    if state == "OFFERED":
        sender = Sender(Once([1]), name="m", accepted=["sha-256"])
        sender.offer()
    if state in ("REQUESTED", "STREAMING", "ENDED", "DELIVERED"):
        tell(sender, FrameType.REQUEST)
    if state in ("STREAMING", "ENDED", "DELIVERED"):
        sender.open(Once([1]))
    if state in ("ENDED", "DELIVERED"):
        drain_session(sender)
    if state == "DELIVERED":
        tell(sender, FrameType.DONE, meta(chain=sender._chain.value))
    if state == "FAILED":
        sender.fail(TransferError(Code.REFUSED, "before"))
    drain_session(sender, *([1] if state == "STREAMING" else []))
    assert sender.state is State[state]
    return sender


def receiver_in(state: str) -> Receiver:
    """A receiver that came to this state in the ordinary way, but for VERIFYING, which no one can look into."""
    receiver = Receiver(ContainerAssembler(), name="m", offered=["sha-256"])
    if state == "OFFERED":
        receiver = Receiver(offered=["sha-256"])
        tell(receiver, FrameType.OFFER)
    if state in ("REQUESTED", "RECEIVING", "VERIFYING", "DELIVERED"):
        receiver.ask("container")
    if state in ("RECEIVING", "VERIFYING", "DELIVERED"):
        tell(receiver, FrameType.OPEN)
    if state == "VERIFYING":
        receiver.state = State.VERIFYING
    if state == "DELIVERED":
        tell(receiver, FrameType.END, meta(chain=receiver._chain.value, size=0, count=0))
    if state == "FAILED":
        receiver.fail(TransferError(Code.REFUSED, "before"))
    drain_session(receiver)
    assert receiver.state is State[state]
    return receiver


def tell(session: AnySession, type_: FrameType, changed: Meta | None = None) -> None:
    """A frame arrives, as a connection hands it over."""
    fields, length = FRAMES[type_]
    try:
        session.on_frame(Frame(type_, changed or fields, length))
    except TransferError as problem:
        session.fail(problem)


def happen(session: AnySession, event: str) -> None:
    """Let the event of that name in the specification happen."""
    local: dict[str, Callable[[], Any]] = {
        "FAULT": lambda: session.fail(TransferError(Code.SOURCE_FAILED, "m: cannot be read")),
        "CANCEL": session.cancel,
        "TIMEOUT": lambda: (session.tick(0.0), session.tick(session.deadline)),
        "EOF": session.eof,
    }
    if event in local:
        local[event]()
        return
    if event == "RECV_CONTENT":
        tell(session, FrameType.ENTRIES)
        return
    correct = {}
    if event == "RECV_DONE" and isinstance(session, Sender):
        correct = meta(chain=session._chain.value)
    if event == "RECV_END" and isinstance(session, Receiver):
        correct = meta(chain=session._chain.value, size=0, count=0)
    tell(session, FrameType[event.removeprefix("RECV_")], correct)


def in_state(side: str, state: str) -> AnySession:
    return sender_in(state) if side == "sender" else receiver_in(state)


def happens(side: str, event: str) -> list[str]:
    """The events of which a row tells: RECV_OTHER stands for several."""
    if event != "RECV_OTHER":
        return [event]
    return [f"RECV_{type_.name}" for type_ in FrameType if type_ not in TAKEN[side]]


@pytest.mark.parametrize(
    ("side", "event", "state", "cell"),
    [
        (side, real, state, cell)
        for side, event, state, cell in CELLS
        if cell != "–" and not event.startswith(("SEND_", "STORED"))
        for real in happens(side, event)
    ],
)
def test_what_comes_from_outside_leads_where_the_table_says(
    side: str, event: str, state: str, cell: str
) -> None:
    session = in_state(side, state)
    before = session.error
    happen(session, event)
    sent = drain_session(session, 1)
    if cell == "·":
        assert (session.state, session.error, sent) == (State[state], before, [])
    elif cell.startswith("→ "):
        assert session.state is PASSED_AT_ONCE.get((side, state, cell), State[cell[2:]])
        assert session.error is None
    else:
        code = (
            {"FAULT": Code.SOURCE_FAILED, "RECV_RESET": Code.NOT_FOUND}[event]
            if cell == "code"
            else Code[cell]
        )
        assert session.state is State.FAILED
        assert session.error is not None
        assert session.error.code is code
        unheard = event in ("EOF", "RECV_RESET") or state == "IDLE"  # in IDLE nobody has heard of the session
        resets = [] if unheard else [("RESET", int(code))]
        assert [(frame.name, frame.code) for frame in sent] == resets
        assert session.error.from_peer == (event == "RECV_RESET")


@pytest.mark.parametrize(
    ("side", "state", "event", "cell"),
    [
        (side, state, event, cell)
        for side, event, state, cell in CELLS
        if event.startswith(("SEND_", "STORED"))
    ],
)
def test_a_step_of_ones_own_is_possible_where_the_table_says(
    side: str, state: str, event: str, cell: str
) -> None:
    session = in_state(side, state)
    if cell.startswith("→ "):
        session._step(Event[event])
        assert session.state is State[cell[2:]]
    else:
        with pytest.raises(AssertionError, match=state.lower()):
            session._step(Event[event])
        assert session.state is State[state]


def test_the_tables_hold_nothing_that_the_specification_does_not_print() -> None:
    for side, table in (("sender", SENDER), ("receiver", RECEIVER)):
        told = {
            (State[state], Event[event])
            for who, event, state, cell in CELLS
            if who == side and event in Event.__members__ and cell not in ("–", "·")
            if not (event.startswith("RECV_") and event != "RECV_RESET" and not cell.startswith("→"))
        }
        assert {(state, event) for state in table for event in table[state]} == told


def test_a_final_state_is_left_by_nothing() -> None:
    for table in (SENDER, RECEIVER):
        assert table[State.DELIVERED] == table[State.FAILED] == {}


def test_limits_of_a_session_must_make_sense() -> None:
    for deadline in (0, -1):
        with pytest.raises(ValueError, match="deadline"):
            Sender(deadline=deadline)
    with pytest.raises(ValueError, match="window"):
        Receiver(window=0)
    assert Receiver(limits=Limits(max_bytes=1)).limits.max_bytes == 1
