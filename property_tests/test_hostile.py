"""A peer that speaks the format and keeps no rule: any frame at any time. Nothing crashes, nothing is left behind."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from objstream import Code, TransferError
from objstream.session import Connection, Receiver, Sender
from objstream_conformance.frames import PREFACE, Author, Step, Type, content, split, step
from objstream_conformance.simulation.objects import (
    Account,
    ContainerSource,
    ContainerStore,
    Subject,
    Trouble,
)
from objstream_conformance.simulation.plan import Plan
from objstream_conformance.trace import Record, check, recording

CONTAINER = {"a": b"x" * 50, "b": [1, 2.5, None], "c": bytearray(300)}
PLAN = Plan(0, chunk=64, window=200, inline=64)

KINDS = st.sampled_from(["dict", "list", "set", "container", "file", "x-sim", "", "DICT"])
SIZES = st.none() | st.integers(0, 600) | st.sampled_from([1 << 30, (1 << 63) - 1])
CREDITS = st.integers(0, 600) | st.sampled_from([(1 << 63) - 1])
DIGESTS = st.sampled_from(["sha-256", "blake3", "none", "md5"])
VERSIONS = st.sampled_from([[1], [2], [1, 9], [0, 1]])
GOOD_CONTENT = content("a", 1, "b", [True, b"y" * 20], 5, "c")
CONTENT = st.sampled_from(GOOD_CONTENT) | st.builds(
    lambda type_, data: step(type_, data=data),
    st.sampled_from([Type.ENTRIES, Type.DATA]),
    st.binary(min_size=0, max_size=80)
    | st.just(b"\x61a\x01\x61b\x02")
    | st.just(b"\x61d\xd8\x1b\x82\x65bytes\x19\x01\x2c"),
)


def without_none(type_: int, **fields: Any) -> Step:
    return step(type_, **{name: value for name, value in fields.items() if value is not None})


def built(type_: int, **fields: Any) -> st.SearchStrategy[Step]:
    return st.builds(lambda **drawn: without_none(type_, **drawn), **fields)


FRAMES = st.one_of(
    built(Type.OFFER, kind=KINDS, size=SIZES, count=SIZES),
    built(
        Type.REQUEST,
        kind=KINDS,
        credit=CREDITS,
        max_bytes=CREDITS,
        max_frame=st.integers(1, 100) | st.just(1 << 20),
        versions=VERSIONS,
        digests=st.lists(DIGESTS, min_size=1, max_size=3),
    ),
    built(Type.OPEN, kind=KINDS, size=SIZES, count=SIZES, digests=DIGESTS, versions=st.integers(0, 2)),
    CONTENT,
    CONTENT,
    built(Type.END, count=st.integers(0, 6), size=SIZES),
    built(Type.DONE, chain=st.binary(min_size=32, max_size=32)),
    built(Type.CREDIT, credit=CREDITS),
    built(Type.RESET, code=st.integers(0, 30), message=st.text(max_size=30)),
    st.builds(
        lambda type_, flags: step(type_, meta=b"", flags=flags),
        st.sampled_from([0, 10, 255]),
        st.sampled_from([0, 1, 1]),
    ),
)
PLAYED_BY_THE_RULES = st.sampled_from(
    [
        [step(Type.REQUEST, kind="container", credit=600), *["work"] * 8, "done"],
        [step(Type.REQUEST, kind="dict", credit=600), *["work"] * 8, "done"],
        [step(Type.OPEN, kind="dict"), *GOOD_CONTENT, step(Type.END, count=3)],
        [
            step(Type.OFFER, kind="dict"),
            "work",
            step(Type.OPEN, kind="dict"),
            *GOOD_CONTENT,
            step(Type.END, count=3),
        ],
    ]
)
ACTIONS = st.one_of(
    FRAMES, FRAMES, FRAMES, st.sampled_from(["work", "work", "done", "cancel", "wait", "expire", "refuse"])
)
SCRIPTS = st.builds(
    lambda good, at, bad: [*good[:at], *bad, *good[at:]],
    PLAYED_BY_THE_RULES,
    st.integers(0, 10),
    st.lists(ACTIONS, max_size=6),
) | st.lists(ACTIONS, max_size=12)


class Target:
    """One end of the reference under attack, and what its application has open."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.log: list[Record] = []
        self.accounts: list[Account] = []
        self.author = Author()
        self.said = b""
        self.now = 0.0
        sender = role in ("sender", "owner")
        limits = PLAN.sender_limits if sender else PLAN.receiver_limits
        begins = role in ("sender", "requester")
        self.connection: Connection = recording(self.log.append, hashing=True)(
            limits=limits, preface=True, incoming=None if begins else lambda type_: self.session()
        )
        if begins:
            self.connection.start(self.session())
        self.connection.tick(self.now)
        for _ in range(2 if role == "requester" else 0):
            self.say()

    def session(self) -> Sender | Receiver:
        options: dict[str, Any] = {"name": "object", "deadline": 10.0}
        if self.role in ("sender", "owner"):
            streamer = self.source() if self.role == "sender" else None
            sender = Sender(streamer, limits=PLAN.sender_limits, accepted=("sha-256", "blake3"), **options)
            if streamer is not None:
                sender.offer()
            return sender
        store = self.store() if self.role == "requester" else None
        receiver = Receiver(
            store, limits=PLAN.receiver_limits, offered=("sha-256", "blake3"), window=PLAN.window, **options
        )
        if store is not None:
            receiver.ask("container")
        return receiver

    def source(self) -> ContainerSource:
        source = ContainerSource(Subject("container", CONTAINER, False), PLAN, Trouble([]))
        self.accounts.append(source.account)
        return source

    def store(self) -> ContainerStore:
        store = ContainerStore(Trouble([]))
        self.accounts.append(store.account)
        return store

    def do(self, action: Step | str) -> None:
        """One thing that the peer, the application or the clock does."""
        if isinstance(action, Step):
            self.hear(self.author.write(action))
        elif action == "done":
            ends = [frame for frame in split(self.said[len(PREFACE) :])[0] if frame.type == Type.END]
            chain = ends[-1].get("chain") if ends else bytes(32)
            self.hear(self.author.write(step(Type.DONE, chain=chain)))
        elif action == "work":
            for _ in range(3):
                self.say()
        elif action == "cancel":
            self.connection.cancel()
        elif action == "refuse" and self.connection.session is not None and self.connection.session.waiting:
            self.connection.session.fail(TransferError(Code.REFUSED, "not now"))
        elif action in ("wait", "expire"):
            self.now += 3.0 if action == "wait" else 11.0
            self.connection.tick(self.now)

    def hear(self, data: bytes) -> None:
        view = memoryview(data)
        while len(view) and not self.connection.closing:
            place = self.connection.want()
            count = min(len(place), len(view))
            place[:count] = view[:count]
            self.connection.received(count)
            view = view[count:]

    def say(self) -> None:
        session = self.connection.session
        if session is not None and session.waiting:
            if isinstance(session, Sender):
                session.open(self.source())
            else:
                session.accept(self.store())
        self.said += b"".join(self.connection.output() or [])

    def leave(self) -> None:
        """The peer hangs up; the rest is said."""
        self.connection.eof()
        for _ in range(50):
            self.say()


@given(st.sampled_from(["sender", "owner", "receiver", "requester"]), SCRIPTS)
@settings(max_examples=settings.default.max_examples * 5)
def test_any_frames_at_any_time(role: str, script: list[Step | str]) -> None:
    target = Target(role)
    target.hear(PREFACE)
    for action in script:
        target.do(action)
    session = target.connection.session
    target.leave()
    assert target.connection.finished
    violations = check(target.log)
    assert violations == [], (violations, [str(record) for record in target.log])
    for account in target.accounts:
        assert account.late == ""
    if session is not None and session.error is None:
        assert session.finished
    ended(target)


def ended(target: Target) -> None:
    """Every source was closed once; every store has either given its object or been discarded."""
    for account in target.accounts:
        if target.role in ("sender", "owner"):
            assert account.closed == 1
        else:
            assert (account.finished == 1) != (account.discarded > 0)


def test_the_scripts_by_the_rules_are_delivered() -> None:
    for role, kind in (("sender", "dict"), ("owner", "container")):
        target = Target(role)
        target.hear(PREFACE)
        for action in (*["work"] * 8, step(Type.REQUEST, kind=kind, credit=600), *["work"] * 8, "done"):
            target.do(action)
        assert target.connection.session is not None
        assert target.connection.session.error is None
        assert target.connection.session.finished
    for role, first in (("receiver", [step(Type.OFFER, kind="dict"), "work"]), ("requester", [])):
        target = Target(role)
        target.hear(PREFACE)
        for action in (*first, step(Type.OPEN, kind="dict"), *GOOD_CONTENT, step(Type.END, count=3)):
            target.do(action)
        assert isinstance(target.connection.session, Receiver)
        assert target.connection.session.result == {"a": 1, "b": [True, b"y" * 20], 5: "c"}
