"""A peer that speaks the format and keeps no rule: any frame at any time. Nothing crashes, nothing is left behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objstream.session import Receiver
from objstream_conformance.frames import PREFACE, Author, Step, Type, content, step
from objstream_conformance.trace import check

from .ends import Role, Target

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


class Scripted:
    """A target, and the peer that plays a script to it."""

    def __init__(self, role: Role) -> None:
        self.target = Target(role)
        self.author = Author()
        for _ in range(2 if role == "requester" else 0):
            self.target.say()
        self.target.hear(PREFACE)

    def do(self, *actions: Step | str) -> None:
        """Things that the peer, the application or the clock does."""
        for action in actions:
            if action == "done":
                action = self.target.done()
            if isinstance(action, Step):
                self.target.hear(self.author.write(action))
            else:
                self.target.act(action)


@given(st.sampled_from(["sender", "owner", "receiver", "requester"]), SCRIPTS)
@settings(max_examples=settings.default.max_examples * 5)
def test_any_frames_at_any_time(role: Role, script: list[Step | str]) -> None:
    scripted = Scripted(role)
    scripted.do(*script)
    target = scripted.target
    target.leave()
    violations = check(target.log)
    assert violations == [], (violations, [str(record) for record in target.log])
    assert target.left() == ""


@pytest.mark.parametrize(("role", "kind"), [("sender", "dict"), ("owner", "container"), ("owner", "file")])
def test_a_sender_delivers_by_the_rules(role: Role, kind: str) -> None:
    scripted = Scripted(role)
    scripted.do(*["work"] * 8, step(Type.REQUEST, kind=kind, credit=600), *["work"] * 8, "done")
    session = scripted.target.connection.session
    assert session is not None
    assert session.finished
    assert session.error is None


@pytest.mark.parametrize(
    ("role", "first"), [("receiver", [step(Type.OFFER, kind="dict"), "work"]), ("requester", [])]
)
def test_a_receiver_takes_what_comes_by_the_rules(role: Role, first: list[Step | str]) -> None:
    scripted = Scripted(role)
    scripted.do(*first, step(Type.OPEN, kind="dict"), *GOOD_CONTENT, step(Type.END, count=3))
    session = scripted.target.connection.session
    assert isinstance(session, Receiver)
    assert session.result == {"a": 1, "b": [True, b"y" * 20], 5: "c"}
