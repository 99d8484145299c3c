"""One session's bytes: any prefix is no success, any split changes nothing, no limit is exceeded."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from objstream import Limits
from objstream.session import State
from objstream_conformance import strategies
from objstream_conformance.compare import difference

from .helpers import Session, Setting, outcome

PLACES = st.integers(0, (1 << 30) - 1)
"""Places in bytes whose number depends on the order of sets, which is another one in every process."""

SETTINGS = st.builds(
    Setting,
    strategies.containers(large=False),
    way=st.sampled_from(["pull", "push"]),
    chunk=strategies.chunk_sizes(least=8),
    window=strategies.windows(least=8),
    sender_limits=st.builds(Limits, max_inline=st.sampled_from([600, 1 << 16])),
    digests=st.sampled_from([("sha-256",), ("none",), ("xxh3-128", "sha-256")]),
)


def played(setting: Setting) -> Session:
    session = setting.play()
    assert session.states() == (State.DELIVERED, State.DELIVERED)
    assert difference(setting.container, session.result) == ""
    return session


@given(SETTINGS, st.lists(PLACES, min_size=1, max_size=4))
def test_no_prefix_of_what_the_sender_says_is_a_success(setting: Setting, places: list[int]) -> None:
    sent = played(setting).sent
    for cut in [place % len(sent) for place in places]:
        receiver = setting.receiver()
        setting.drain(receiver)
        setting.feed(receiver, sent[:cut])
        assert outcome(receiver) == "open"
        receiver.eof()
        setting.drain(receiver)
        assert outcome(receiver) in ("LOST", "open")
        assert receiver.session is None or receiver.session.state is State.FAILED


@given(SETTINGS, st.lists(PLACES, min_size=1, max_size=4))
def test_no_prefix_of_what_the_receiver_says_is_a_success(setting: Setting, places: list[int]) -> None:
    received = played(setting).received
    for cut in [place % len(received) for place in places]:
        sender = setting.sender()
        setting.drain(sender)
        setting.feed(sender, received[:cut])
        assert outcome(sender) == "open"
        sender.eof()
        setting.drain(sender)
        assert outcome(sender) in ("LOST", "UNCONFIRMED", "open")
        assert sender.session is None or sender.session.state is State.FAILED


@given(SETTINGS, strategies.splits())
def test_a_receiver_says_the_same_however_bytes_are_split(setting: Setting, lengths: list[int]) -> None:
    session = played(setting)
    receiver = setting.receiver()
    said = setting.drain(receiver)
    for turn in session.forth:
        said += setting.feed(receiver, turn, lengths)
    assert said == session.received
    assert outcome(receiver) == "delivered"


@given(SETTINGS, strategies.splits(), strategies.splits())
def test_sessions_are_delivered_however_bytes_are_split(
    setting: Setting, forth: list[int], back: list[int]
) -> None:
    session = setting.play(forth, back)
    assert session.states() == (State.DELIVERED, State.DELIVERED)
    assert difference(setting.container, session.result) == ""


@given(SETTINGS, st.booleans(), PLACES, st.integers(0, 7))
def test_a_flipped_bit_is_never_a_wrong_object(setting: Setting, forth: bool, place: int, bit: int) -> None:
    setting = dataclasses.replace(setting, digests=("sha-256",))
    session = played(setting)
    damaged = bytearray(session.sent if forth else session.received)
    damaged[place % len(damaged)] ^= 1 << bit
    end = setting.receiver() if forth else setting.sender()
    setting.drain(end)
    setting.feed(end, bytes(damaged))
    end.eof()
    setting.drain(end)
    assert outcome(end) != "delivered"


@given(SETTINGS, st.integers(8, 4000), st.integers(16, 4000))
def test_the_receivers_limits_are_kept(setting: Setting, frame: int, most: int) -> None:
    limits = Limits(max_frame=frame, max_bytes=most)
    setting = dataclasses.replace(setting, receiver_limits=limits)
    session = setting.play()
    if session.states() == (State.DELIVERED, State.DELIVERED):
        assert difference(setting.container, session.result) == ""
    else:
        assert (outcome(session.sender), outcome(session.receiver)) == ("TOO_LARGE", "TOO_LARGE")
    for length in lengths(session.sent):
        assert length <= min(frame, setting.chunk, setting.window)
    assert sum(lengths(session.sent)) <= most


def lengths(said: bytes) -> list[int]:
    """Lengths of the data of all frames, read by the header alone."""
    found = []
    at = 8
    while at < len(said):
        meta = int.from_bytes(said[at + 2 : at + 4], "big")
        length = int.from_bytes(said[at + 4 : at + 8], "big")
        found.append(length)
        at += 24 + meta + length
    return found
