"""Whole sessions between two connections: however their bytes are cut, wherever they end, whatever is altered."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from objstream import Code, ContainerAssembler, ContainerStreamer, Limits, TransferError
from objstream.session import Connection, Receiver, Sender, State

from .helpers import (
    CREDIT,
    HEADER,
    IGNORABLE,
    OFFER,
    OPEN,
    PREFACE,
    REQUEST,
    RESET,
    Joined,
    Talk,
    code_of,
    drain,
    frame,
    joined_pull,
    joined_push,
    meta,
    names,
    opened,
    parse,
    put,
    request,
)

VALUE = {"w": b"w" * 20_000, "n": [1, "text", None], "s": {1, 2}}
JOINERS = [joined_pull, joined_push]
Ends = tuple[Receiver, Sender, Joined]
Join = Callable[..., Ends]


@pytest.mark.parametrize("join", JOINERS)
@pytest.mark.parametrize("step", [1, 2, 7, 23, 24, 25, 1000, 1 << 20])
def test_how_bytes_are_cut_does_not_matter(join: Join, step: int) -> None:
    receiver, sender, joined = join(VALUE, step=step, chunk=5000)
    joined.run()
    assert (receiver.state, sender.state) == (State.DELIVERED, State.DELIVERED)
    assert receiver.result == VALUE
    _, _, whole = join(VALUE, chunk=5000)
    assert whole.run().said == joined.said


def test_the_frames_of_a_pull_are_those_of_the_specification() -> None:
    _, _, joined = joined_pull(VALUE)
    joined.run()
    assert all(said.startswith(PREFACE) for said in joined.said.values())
    assert names(joined.heard_from("receiver")) == ["REQUEST", "DONE"]
    assert names(joined.heard_from("sender")) == ["OPEN", "ENTRIES", "DATA", "ENTRIES", "END"]


def test_the_frames_of_a_push_are_those_of_the_specification() -> None:
    _, _, joined = joined_push(VALUE)
    joined.run()
    assert names(joined.heard_from("receiver")) == ["REQUEST", "DONE"]
    assert names(joined.heard_from("sender")) == ["OFFER", "OPEN", "ENTRIES", "DATA", "ENTRIES", "END"]


def test_a_small_window_makes_small_frames_and_many_credits() -> None:
    receiver, _, joined = joined_pull(VALUE, receiver=narrow())
    joined.run()
    assert receiver.result == VALUE
    said = joined.heard_from("receiver")
    assert names(said) == ["REQUEST", *["CREDIT"] * (len(said) - 2), "DONE"]
    assert len(said) >= 2 + 20_000 // 6000
    assert [frame.seq for frame in said] == list(range(len(said)))
    assert max(len(frame.data) for frame in joined.heard_from("sender")) <= 6000


def narrow() -> Receiver:
    """A receiver whose window makes the sender wait several times."""
    return Receiver(ContainerAssembler(), name="m", window=6000)


def cut(joined: Joined, who: str, length: int) -> None:
    """Let only so many bytes of what that side says arrive."""
    left = length

    def between(speaker: str, said: bytes) -> bytes:
        nonlocal left
        if speaker == who:
            said = said[:left]
            left -= len(said)
        return said

    joined.between = between


@pytest.mark.parametrize("join", JOINERS)
def test_a_receiver_that_loses_its_sender_at_any_byte_delivers_nothing(join: Join) -> None:
    value = {"w": b"w" * 17_000, "n": 1}
    length = len(join(value)[2].run().said["sender"])
    for end in [*range(400), *range(length - 400, length)]:
        receiver, sender, joined = join(value)
        cut(joined, "sender", end)
        joined.run().eof()
        assert receiver.result is None
        assert sender.state is State.FAILED
        begun = join is joined_pull or end >= 8 + HEADER.size + 20
        if begun:
            assert code_of(receiver.error) is Code.LOST, end
        else:
            assert receiver.state in (State.IDLE, State.FAILED)
        assert code_of(sender.error) in (Code.LOST, Code.UNCONFIRMED)
        assert (code_of(sender.error) is Code.UNCONFIRMED) == ("END" in names(joined.heard_from("sender")))


@pytest.mark.parametrize("join", JOINERS)
def test_a_sender_that_loses_its_receiver_at_any_byte_reports_no_success(join: Join) -> None:
    length = len(join(VALUE, receiver=narrow())[2].run().said["receiver"])
    for end in range(length):
        receiver, sender, joined = join(VALUE, receiver=narrow())
        cut(joined, "receiver", end)
        joined.run().eof()
        assert sender.state is not State.DELIVERED
        if receiver.state is State.DELIVERED:
            assert code_of(sender.error) is Code.UNCONFIRMED
            assert receiver.result == VALUE
        else:
            assert code_of(receiver.error) is Code.LOST


def altered(join: Join, who: str, at: int) -> tuple[Receiver, Sender, TransferError | None]:
    """A session in which one bit of one byte that one side says is altered, and what the other finds wrong."""
    receiver, sender, joined = join({"w": b"w" * 100, "n": 1})
    seen = 0

    def between(speaker: str, said: bytes) -> bytes:
        nonlocal seen
        if speaker != who:
            return said
        start, seen = seen, seen + len(said)
        if start <= at < seen:
            said = said[: at - start] + bytes([said[at - start] ^ 1 << at % 8]) + said[at - start + 1 :]
        return said

    joined.between = between
    joined.run()
    problem = (joined.receiving if who == "sender" else joined.sending).problem
    joined.eof()
    return receiver, sender, problem


@pytest.mark.parametrize("join", JOINERS)
def test_a_byte_of_the_sender_that_is_altered_never_makes_an_object(join: Join) -> None:
    for at in range(len(join({"w": b"w" * 100, "n": 1})[2].run().said["sender"])):
        receiver, sender, problem = altered(join, "sender", at)
        assert receiver.result is None
        assert sender.state is not State.DELIVERED
        assert code_of(problem) is (Code.PROTOCOL if at < 8 else Code.CORRUPT)


@pytest.mark.parametrize("join", JOINERS)
def test_a_byte_of_the_receiver_that_is_altered_never_makes_a_success(join: Join) -> None:
    for at in range(len(join({"w": b"w" * 100, "n": 1})[2].run().said["receiver"])):
        _, sender, problem = altered(join, "receiver", at)
        assert sender.state is not State.DELIVERED
        assert code_of(problem) is (Code.PROTOCOL if at < 8 else Code.CORRUPT)


@pytest.mark.parametrize("join", JOINERS)
@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_a_cancel_at_any_step_ends_both_sides_with_one_reset(join: Join, side: str) -> None:
    cancelled = 0
    for step in range(1000):
        receiver, sender, joined = join(VALUE, chunk=3000, receiver=None if join is joined_push else narrow())
        for _ in range(step):
            joined.pass_on()
        connection = joined.receiving if side == "receiver" else joined.sending
        if connection.session is None:
            continue
        if connection.session.finished:
            break
        told = bool(joined.heard_from("receiver") or joined.heard_from("sender"))
        state = connection.session.state
        connection.cancel()
        connection.cancel()
        cancelled += 1
        joined.run()
        other = sender if side == "receiver" else receiver
        resets = {who: names(joined.heard_from(who)).count("RESET") for who in joined.said}
        assert resets[side] == told
        assert sum(resets.values()) == told or other.state is State.DELIVERED
        expected = Code.UNCONFIRMED if state is State.ENDED else Code.CANCELLED
        assert code_of(connection.session.error) is expected
        if other.state is not State.DELIVERED and told:
            assert code_of(other.error) is expected
            assert other.error is not None
            assert other.error.from_peer
        assert sender.state is not State.DELIVERED
    assert cancelled > 8


def test_sessions_follow_each_other_on_one_connection() -> None:
    server: list[Sender] = []

    def incoming(_: object) -> Sender:
        server.append(Sender())
        return server[-1]

    sending = Connection(limits=Limits(), preface=True, incoming=incoming)
    receiving = Connection(limits=Limits(), preface=True)
    for number in range(4):
        receiver = Receiver(ContainerAssembler(), name=f"m{number}")
        receiver.ask("container")
        receiving.start(receiver)
        while not receiver.finished or not sending.finished:
            said = drain(receiving)
            put(sending, said)
            if server[-1].waiting:
                server[-1].open(ContainerStreamer([number] * 1000, name="m"))
            put(receiving, drain(sending))
        assert receiver.result == [number] * 1000
    assert [session.state for session in server] == [State.DELIVERED] * 4
    assert len({id(session) for session in server}) == 4
    for connection in (sending, receiving):
        connection.eof()
        assert connection.problem is None


def test_pushes_follow_each_other_on_one_connection() -> None:
    taken: list[Receiver] = []

    def incoming(_: object) -> Receiver:
        taken.append(Receiver())
        return taken[-1]

    receiving = Connection(limits=Limits(), preface=True, incoming=incoming)
    sending = Connection(limits=Limits(), preface=True)
    for number in range(3):
        sender = Sender(ContainerStreamer([number], name="m"), name="m")
        sender.offer()
        sending.start(sender)
        while not sender.finished:
            put(receiving, drain(sending))
            if taken[-1].waiting:
                taken[-1].accept(ContainerAssembler())
            put(sending, drain(receiving))
    assert [session.result for session in taken] == [[0], [1], [2]]


@pytest.mark.parametrize("type_", [3, 4, 5, 6, 7, 8])
def test_nothing_but_request_and_offer_begins_a_session(type_: int) -> None:
    metas = {3: opened(), 6: meta(size=0, count=0, chain=bytes(32)), 7: meta(chain=bytes(32))}
    metas |= {8: meta(credit=1)}
    talk = Talk(incoming=lambda _: Sender())
    (reset,) = talk.say(type_, metas.get(type_, meta()), b"x" if type_ in (4, 5) else b"")
    assert (reset.name, reset.code, reset.seq) == ("RESET", Code.PROTOCOL, 0)
    assert talk.connection.session is None
    assert talk.connection.closing
    assert talk.connection.finished


def test_a_reset_outside_of_sessions_ends_the_conversation_without_an_answer() -> None:
    talk = Talk(incoming=lambda _: Sender())
    assert talk.say(9, meta(code=17, message="too many")) == []
    assert talk.connection.closing
    assert talk.connection.problem is not None
    assert talk.connection.problem.code is Code.BUSY
    assert talk.connection.problem.from_peer


@pytest.mark.parametrize("type_", [REQUEST, OFFER])
def test_a_side_that_takes_no_sessions_refuses_them(type_: int) -> None:
    talk = Talk()
    (reset,) = talk.say(type_, request() if type_ == REQUEST else meta(name="m", kind="list"))
    assert (reset.name, reset.code) == ("RESET", Code.PROTOCOL)


def test_after_a_failed_session_nothing_more_is_taken_from_the_stream() -> None:
    begun: list[Sender] = []

    def incoming(_: object) -> Sender:
        begun.append(Sender())
        return begun[-1]

    talk = Talk(incoming=incoming)
    talk.say(REQUEST, request(versions=[7]))
    talk.connection.want()
    assert talk.say(REQUEST, request(), seq=0) == []
    assert len(begun) == 1
    assert talk.connection.closing


def test_after_a_reset_of_the_peer_nothing_more_is_taken_from_the_stream() -> None:
    receiver = Receiver(ContainerAssembler(), name="m")
    receiver.ask("container")
    talk = Talk(receiver)
    talk.hear()
    talk.say(RESET, meta(code=4, message="no"))
    assert talk.connection.closing
    assert talk.say(OPEN, opened()) == []
    assert code_of(receiver.error) is Code.NOT_FOUND


def test_bytes_after_the_end_of_a_session_are_refused_without_changing_its_outcome() -> None:
    receiver, sender, joined = joined_pull(VALUE)
    joined.run()
    put(joined.sending, frame(CREDIT, meta(credit=1)))
    assert sender.state is State.DELIVERED
    assert names(parse(drain(joined.sending))) == ["RESET"]
    assert joined.sending.closing
    put(joined.receiving, frame(OPEN, opened()))
    assert receiver.state is State.DELIVERED
    assert receiver.result == VALUE


def test_the_last_word_of_a_session_comes_before_what_follows_it() -> None:
    receiver = Receiver()
    talk = Talk(incoming=lambda _: receiver)
    talk.say(OFFER, meta(name="m", kind="list"))
    receiver.accept(ContainerAssembler())
    talk.hear()
    talk.say(OPEN, opened(digests="sha-256"))
    chain = receiver._chain.value
    stream = frame(6, meta(size=0, count=0, chain=chain), seq=2) + frame(CREDIT, meta(credit=1))
    put(talk.connection, stream)
    assert names(talk.hear()) == ["DONE", "RESET"]
    assert receiver.state is State.DELIVERED


def test_a_next_session_waits_until_the_last_word_of_the_one_before_is_out() -> None:
    receivers = [Receiver(), Receiver()]
    taken = iter(receivers)
    talk = Talk(incoming=lambda _: next(taken))
    talk.say(OFFER, meta(name="m", kind="list"))
    receivers[0].accept(ContainerAssembler())
    talk.hear()
    talk.say(OPEN, opened())
    end = frame(6, meta(size=0, count=0, chain=receivers[0]._chain.value), seq=2)
    put(talk.connection, end + frame(OFFER, meta(name="n", kind="list")))
    receivers[1].accept(ContainerAssembler())
    heard = talk.hear()
    assert [(frame.name, frame.seq) for frame in heard] == [("DONE", 1), ("REQUEST", 0)]


def test_a_connection_that_ends_between_sessions_has_no_problem() -> None:
    connection = Connection(limits=Limits(), preface=True, incoming=lambda _: Sender())
    put(connection, PREFACE)
    connection.eof()
    assert connection.problem is None
    assert connection.closing
    assert connection.expires is None


@pytest.mark.parametrize("said", [PREFACE[:3], PREFACE + frame(REQUEST, request())[:10]])
def test_a_connection_that_ends_inside_a_frame_is_lost(said: bytes) -> None:
    connection = Connection(limits=Limits(), preface=True, incoming=lambda _: Sender())
    put(connection, said)
    connection.eof()
    assert code_of(connection.problem) is Code.LOST


def test_what_was_wrong_first_stays_the_problem() -> None:
    connection = Connection(limits=Limits(), preface=True, incoming=lambda _: Sender())
    put(connection, b"GET / HTTP/1.1")
    connection.eof()
    assert code_of(connection.problem) is Code.PROTOCOL


def test_the_last_word_of_a_session_comes_before_the_next_one_that_is_started_here() -> None:
    receiver, _, joined = joined_pull([1])
    while receiver.state is not State.DELIVERED:
        joined.pass_on()
    following = Receiver(ContainerAssembler(), name="m")
    following.ask("container")
    joined.receiving.start(following)
    heard = parse(drain(joined.receiving))
    assert [(frame.name, frame.seq) for frame in heard] == [("DONE", 1), ("REQUEST", 0)]


def test_a_connection_that_is_stopped_takes_nothing_more() -> None:
    connection = Connection(limits=Limits(), preface=True, incoming=lambda _: Sender())
    connection.stop()
    assert connection.closing
    assert put(connection, PREFACE) == 0


def test_a_connection_that_is_closed_holds_neither_session_nor_memory() -> None:
    receiver, _, joined = joined_pull(VALUE)
    joined.pass_on()
    kept = weakref.ref(receiver)
    connection = joined.receiving
    connection.close()
    assert connection.closing
    connection.received(1)
    del receiver, joined
    assert kept() is None


def test_a_foreign_protocol_is_told_so_and_nothing_more_is_read() -> None:
    connection = Connection(limits=Limits(), preface=True, incoming=lambda _: Sender())
    taken = put(connection, b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
    assert taken == 8
    said = drain(connection)
    assert said.startswith(PREFACE)
    (reset,) = parse(said.removeprefix(PREFACE))
    assert (reset.name, reset.code) == ("RESET", Code.PROTOCOL)
    assert connection.closing


@pytest.mark.parametrize("said", [b"GET / HT", PREFACE + bytes(HEADER.size)], ids=["preface", "header"])
def test_a_side_that_has_said_nothing_answers_what_is_wrong(said: bytes) -> None:
    sender = Sender(ContainerStreamer(VALUE, name="m"), name="m")
    sender.offer()
    connection = Connection(limits=Limits(), preface=True)
    connection.start(sender)
    put(connection, said)
    (reset,) = parse(drain(connection).removeprefix(PREFACE))
    assert (reset.name, reset.code) == ("RESET", sender.error and sender.error.code)


@pytest.mark.parametrize(
    ("said", "answered"),
    [(b"", []), (PREFACE[:5], []), (PREFACE, []), (PREFACE + b"\x02", ["RESET"])],
    ids=["nothing", "half a preface", "a preface", "a byte of a frame"],
)
def test_a_cancel_is_told_to_a_peer_that_has_begun_a_frame(said: bytes, answered: list[str]) -> None:
    sender = Sender(ContainerStreamer(VALUE, name="m"), name="m")
    sender.offer()
    connection = Connection(limits=Limits(), preface=True)
    connection.start(sender)
    put(connection, said)
    connection.cancel()
    assert names(parse(drain(connection).removeprefix(PREFACE))) == answered


def test_a_connection_can_be_refused_before_anything_is_said() -> None:
    connection = Connection(limits=Limits(), preface=True, incoming=lambda _: Sender())
    connection.fail(TransferError(Code.BUSY))
    (reset,) = parse(drain(connection).removeprefix(PREFACE))
    assert reset.code == Code.BUSY
    assert put(connection, PREFACE) == 0


def test_cancelling_and_ticking_without_a_session_is_harmless() -> None:
    connection = Connection(limits=Limits(), preface=False)
    connection.cancel()
    connection.tick(5)
    assert (connection.session, connection.finished, connection.expected) == (None, True, 0)


@pytest.mark.parametrize("join", JOINERS)
def test_frames_that_may_be_ignored_are_ignored_anywhere(join: Join) -> None:
    hints = {"receiver": 0, "sender": 0}

    def between(who: str, said: bytes) -> bytes:
        """A frame of an unknown type before each frame; the numbers of the others move up."""
        if said in (PREFACE, b""):
            return said
        out = b""
        for heard in parse(said):
            out += frame(200, b"\xff\x00", b"hint" * 50, seq=heard.seq + hints[who], flags=IGNORABLE)
            hints[who] += 1
            out += frame(heard.type, heard.meta, heard.data, seq=heard.seq + hints[who])
        return out

    receiver, sender, joined = join(VALUE, between=between)
    joined.run()
    assert receiver.result == VALUE
    assert sender.state is State.DELIVERED
    assert hints == {"receiver": 2, "sender": 5 if join is joined_pull else 6}


def test_arrays_cross_without_a_copy_in_between() -> None:
    source, place = np.arange(100_000), np.zeros(100_000, np.int64)
    receiver = Receiver(ContainerAssembler(into=[place]), name="m")
    _, sender, joined = joined_pull([source], receiver=receiver)
    seen: list[memoryview] = []
    output = joined.sending.output

    def watched() -> Any:
        buffers = output()
        seen.extend(buffers or [])
        return buffers

    joined.sending.output = watched  # type: ignore[method-assign]
    joined.run()
    assert sender.state is State.DELIVERED
    assert (place == source).all()
    assert any(np.shares_memory(np.frombuffer(view, np.uint8), source) for view in seen if len(view))
