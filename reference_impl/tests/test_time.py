"""Deadlines under virtual time: what counts as progress, and what does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from objstream import Code, ContainerAssembler, ContainerStreamer
from objstream.session import Receiver, Sender, State

from .helpers import (
    CREDIT,
    DATA,
    ENTRIES,
    IGNORABLE,
    OPEN,
    REQUEST,
    SIGN_OF_LIFE,
    Talk,
    code_of,
    frame,
    joined_pull,
    joined_push,
    meta,
    names,
    opened,
    put,
    request,
)

DEADLINE = 10.0
LARGE = b"x" * 100_000


def receiving() -> tuple[Talk, Receiver]:
    """A receiver that has got OPEN, at the time 0."""
    receiver = Receiver(ContainerAssembler(), name="m", offered=["sha-256"], deadline=DEADLINE)
    receiver.ask("container")
    talk = Talk(receiver)
    talk.hear()
    talk.say(OPEN, opened())
    talk.connection.tick(0)
    return talk, receiver


def sending(credit: int = 20) -> tuple[Talk, Sender]:
    """A sender that has used its credit, at the time 0."""
    sender = Sender(accepted=["sha-256"], deadline=DEADLINE)
    talk = Talk(incoming=lambda _: sender)
    talk.say(REQUEST, request(credit=credit))
    sender.open(ContainerStreamer([LARGE], name="m"))
    talk.hear()
    talk.connection.tick(0)
    return talk, sender


def test_silence_ends_with_stalled_when_the_deadline_has_passed_and_not_before() -> None:
    for talk, session in (receiving(), sending()):
        talk.connection.tick(DEADLINE - 0.001)
        assert not session.finished
        talk.connection.tick(DEADLINE)
        assert code_of(session.error) is Code.STALLED
        (reset,) = talk.hear()
        assert (reset.name, reset.code) == ("RESET", 13)
        assert reset.message.startswith("m: nothing moved for 10 s; ")


def test_the_deadline_is_known_from_the_first_tick_to_the_end() -> None:
    receiver = Receiver(ContainerAssembler(), name="m", deadline=DEADLINE)
    assert receiver.expires is None
    receiver.tick(100)
    assert receiver.expires == 110
    receiver.cancel()
    assert receiver.expires is None
    receiver.tick(1000)
    assert code_of(receiver.error) is Code.CANCELLED


def test_the_time_may_start_anywhere() -> None:
    receiver = Receiver(ContainerAssembler(), name="m", deadline=DEADLINE)
    receiver.tick(1e9)
    receiver.tick(1e9 + 9)
    assert not receiver.finished


def test_a_transfer_that_moves_may_take_any_time() -> None:
    talk, receiver = receiving()
    for number in range(100):
        digest = hashlib.sha256(b"\x01").digest()
        talk.say(ENTRIES, meta(digest=digest), b"\x01")
        talk.connection.tick((number + 1) * 9.0)
    assert receiver.state is State.RECEIVING


PROGRESS: dict[str, Callable[[Talk], object]] = {
    "a frame that is complete": lambda talk: talk.say(
        ENTRIES, meta(digest=hashlib.sha256(b"\x01").digest()), b"\x01"
    ),
    "a frame that is skipped": lambda talk: talk.say(200, b"", b"hint", flags=IGNORABLE),
    "a sign of life": lambda talk: talk.say(SIGN_OF_LIFE, flags=IGNORABLE),
    "header and meta of a content frame": lambda talk: put(
        talk.connection, frame(ENTRIES, meta(digest=bytes(32)), length=10, seq=talk.seq)
    ),
    "4096 bytes of data": lambda talk: put(
        talk.connection, frame(ENTRIES, meta(digest=bytes(32)), bytes(4096), length=5000, seq=talk.seq)
    ),
}


@pytest.mark.parametrize("what", PROGRESS)
def test_progress_puts_off_the_deadline(what: str) -> None:
    talk, receiver = receiving()
    talk.connection.tick(9)
    PROGRESS[what](talk)
    talk.connection.tick(9)
    assert receiver.expires == 19
    talk.connection.tick(18.9)
    assert not receiver.finished
    talk.connection.tick(19)
    assert code_of(receiver.error) is Code.STALLED


def test_the_last_byte_of_a_frame_is_progress() -> None:
    talk, receiver = receiving()
    data = frame(ENTRIES, meta(digest=hashlib.sha256(b"\x01\x02").digest()), b"\x01\x02", seq=talk.seq)
    put(talk.connection, data[:-1])
    talk.connection.tick(1)
    assert receiver.expires == 11
    put(talk.connection, data[-1:])
    talk.connection.tick(9)
    assert receiver.expires == 19


def test_a_trickle_of_header_and_meta_is_no_progress() -> None:
    talk, receiver = receiving()
    data = frame(ENTRIES, meta(digest=bytes(32)), length=10, seq=talk.seq)
    for at in range(len(data) - 1):
        put(talk.connection, data[at : at + 1])
        talk.connection.tick(at * 0.2)
        if receiver.finished:
            break
    assert code_of(receiver.error) is Code.STALLED
    assert at * 0.2 == pytest.approx(DEADLINE)


def test_a_trickle_of_data_is_no_progress_until_4096_bytes_are_there() -> None:
    talk, receiver = receiving()
    put(talk.connection, frame(ENTRIES, meta(digest=bytes(32)), length=100_000, seq=talk.seq))
    talk.connection.tick(0)
    for number in range(1, 4):
        put(talk.connection, bytes(4095))
        talk.connection.tick(number * 9 - 0.5)
        assert receiver.expires == (10 if number == 1 else (number - 1) * 9 + DEADLINE)
        put(talk.connection, bytes(1))
        talk.connection.tick(number * 9)
        assert receiver.expires == number * 9 + DEADLINE
    for number in range(100):
        put(talk.connection, bytes(30))
        talk.connection.tick(27 + number * 0.1)
    talk.connection.tick(27 + DEADLINE)
    assert code_of(receiver.error) is Code.STALLED


def test_data_that_lands_in_an_array_is_progress_too() -> None:
    talk, receiver = receiving()
    skeleton = bytes.fromhex("d81b82") + b"\x65bytes" + b"\x1a\x00\x01\x86\xa0"
    talk.say(ENTRIES, meta(digest=hashlib.sha256(skeleton).digest()), skeleton)
    put(talk.connection, frame(DATA, meta(digest=bytes(32)), length=100_000, seq=talk.seq))
    for number in range(1, 24):
        put(talk.connection, bytes(4096))
        talk.connection.tick(number * 9.0)
    assert not receiver.finished


def test_credit_is_progress_only_when_it_grants_something() -> None:
    talk, sender = sending()
    talk.connection.tick(9)
    talk.say(CREDIT, meta(credit=20))
    talk.connection.tick(9)
    assert sender.expires == 10
    talk.say(CREDIT, meta(credit=21))
    talk.connection.tick(9.5)
    assert sender.expires == 19.5
    for number in range(20):
        talk.say(CREDIT, meta(credit=21))
        talk.connection.tick(9.5 + number * 0.4)
    talk.connection.tick(19.5)
    assert code_of(sender.error) is Code.STALLED


def test_a_sender_that_waits_for_its_confirmation_ends_unconfirmed() -> None:
    talk, sender = sending(credit=1 << 30)
    assert sender.state is State.ENDED
    talk.connection.tick(DEADLINE)
    assert code_of(sender.error) is Code.UNCONFIRMED
    assert "nothing moved for 10 s" in str(sender.error)


def test_a_sender_that_waits_for_an_answer_to_its_offer_ends_stalled() -> None:
    sender = Sender(ContainerStreamer([1], name="m"), name="m", deadline=DEADLINE)
    sender.offer()
    talk = Talk(sender)
    assert names(talk.hear()) == ["OFFER"]
    sender.tick(0)
    sender.tick(DEADLINE)
    assert code_of(sender.error) is Code.STALLED


def test_a_content_frame_that_is_handed_over_is_progress() -> None:
    sender = Sender(accepted=["sha-256"], deadline=DEADLINE)
    talk = Talk(incoming=lambda _: sender)
    talk.say(REQUEST, request())
    sender.open(ContainerStreamer([LARGE], name="m", chunk=10_000))
    now = 0.0
    while sender.state is not State.ENDED:
        assert talk.connection.output() is not None
        talk.connection.tick(now)
        now += 9
    assert now > 9 * 10


def test_reading_through_a_large_object_is_progress_and_gives_signs_of_life() -> None:
    for join in (joined_pull, joined_push):
        sender = None
        if join is joined_push:
            sender = Sender(ContainerStreamer([LARGE], name="m", chunk=2000), name="m", deadline=DEADLINE)
        else:
            sender = Sender(deadline=DEADLINE)
        receiver, sender, joined = join([LARGE], sender=sender, chunk=2000)
        now = 0.0
        joined.tick(now)
        while joined.pass_on():
            now += 1
            joined.tick(now)
        assert sender.state is State.DELIVERED
        assert receiver.result == [LARGE]
        said = names(joined.heard_from("sender"))
        first = said.index("OPEN")
        if join is joined_pull:
            # 50 pieces, one each second, and a sign every quarter of the deadline
            assert 14 <= said[:first].count("ALIVE") <= 20
        else:
            assert said[0] == "OFFER"
        assert "ALIVE" not in said[first:]


def test_an_object_that_is_read_through_at_once_gives_no_sign_of_life() -> None:
    for join in (joined_pull, joined_push):
        _, _, joined = join([LARGE], chunk=2000)
        joined.tick(1e6)
        while joined.pass_on():
            joined.tick(1e6)
        assert "ALIVE" not in names(joined.heard_from("sender"))


def test_an_engine_that_does_not_take_the_bytes_stalls_the_session() -> None:
    sender = Sender(accepted=["sha-256"], deadline=DEADLINE)
    talk = Talk(incoming=lambda _: sender)
    put(talk.connection, frame(REQUEST, request()))
    sender.open(ContainerStreamer([LARGE], name="m"))
    talk.connection.tick(0)
    talk.connection.tick(DEADLINE)
    assert code_of(sender.error) is Code.STALLED
