"""The sender's session against a receiver whose lines are written by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from objstream import Code, ContainerStreamer, Description, Limits, Progress, TransferError
from objstream.digests import Chain
from objstream.session import Sender, State
from objstream.values import Label, Piece

from .helpers import (
    CREDIT,
    DATA,
    DONE,
    OFFER,
    REQUEST,
    RESET,
    Talk,
    asked,
    code_of,
    confirm,
    meta,
    names,
    offered,
    request,
    reset_of,
)

VALUE = {"a": 1, "blob": b"x" * 50_000, "z": [None, "text"]}


class Once(ContainerStreamer):
    """Entries that are made as they are sent: nothing is known of them before."""

    repeatable = False


def test_a_pull_is_answered_with_everything_and_delivered_with_done() -> None:
    talk, sender, sent = asked(ContainerStreamer(VALUE, name="m"))
    assert names(sent) == ["OPEN", "ENTRIES", "DATA", "ENTRIES", "END"]
    opening, *content, end = sent
    assert opening.meta == meta(versions=1, digests="sha-256", kind="dict", size=end.size, count=3)
    assert end.size == sum(len(frame.data) for frame in content)
    assert end.count == 3
    assert content[1].data == VALUE["blob"]
    assert [frame.seq for frame in sent] == list(range(5))
    assert sender.state is State.ENDED
    assert confirm(talk, sent) == []
    assert sender.state is State.DELIVERED
    assert sender.error is None


def test_each_content_frame_has_its_digest_and_end_has_the_chain() -> None:
    _, _, sent = asked(ContainerStreamer(VALUE, name="m", chunk=1000))
    chain = Chain("dict")
    for frame in sent[1:-1]:
        assert frame.digest == hashlib.sha256(frame.data).digest()
        chain.add(frame.type, len(frame.data), frame.digest)
    assert sent[-1].chain == chain.value


def test_an_empty_container_is_open_and_end() -> None:
    talk, sender, sent = asked(ContainerStreamer({}, name="m"), credit=0)
    assert names(sent) == ["OPEN", "END"]
    assert (sent[0].size, sent[0].count, sent[1].size, sent[1].count) == (0, 0, 0, 0)
    confirm(talk, sent)
    assert sender.state is State.DELIVERED


def test_an_offer_announces_and_a_request_for_it_is_answered_at_once() -> None:
    talk, sender, offer = offered(ContainerStreamer(VALUE, name="m"), accepted=("sha-256",))
    assert names(offer) == ["OFFER"]
    sent = talk.say(REQUEST, request(kind="dict"))
    assert offer[0].meta == meta(name="m", kind="dict", size=sent[-1].size, count=3)
    assert names(sent) == ["OPEN", "ENTRIES", "DATA", "ENTRIES", "END"]
    assert [frame.seq for frame in sent] == [1, 2, 3, 4, 5]
    confirm(talk, sent)
    assert sender.state is State.DELIVERED


def test_nothing_but_the_offer_is_sent_before_the_request() -> None:
    talk, sender, offer = offered(ContainerStreamer(VALUE, name="m"))
    assert names(offer) == ["OFFER"]
    assert talk.hear() == []
    assert sender.state is State.OFFERED


@pytest.mark.parametrize(
    ("changed", "what"),
    [({"name": "other"}, "name"), ({"kind": "list"}, "kind"), ({"kind": "container"}, "kind")],
)
def test_a_request_for_something_else_than_was_offered_is_refused(changed: dict[str, Any], what: str) -> None:
    talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"), accepted=("sha-256",))
    code, _ = reset_of(talk.say(REQUEST, request(**({"kind": "dict"} | changed))))
    assert code is code_of(sender.error) is Code.PROTOCOL, what


def test_a_request_that_overtakes_the_offer_is_refused() -> None:
    sender = Sender(ContainerStreamer(VALUE, name="m"), name="m", accepted=("sha-256",))
    sender.offer()
    talk = Talk(sender)
    talk.say(REQUEST, request(kind="dict"))
    assert code_of(sender.error) is Code.PROTOCOL
    assert "OPEN" not in names(talk.hear())


def test_an_offer_that_is_refused_ends_with_the_peers_words() -> None:
    talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"))
    assert talk.say(RESET, meta(code=5, message="not \x1b[31mtoday")) == []
    assert str(sender.error) == "REFUSED: peer: not \\x1b[31mtoday"


def test_a_code_of_tomorrow_is_still_a_failure() -> None:
    talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"))
    talk.say(RESET, meta(code=99, message="of tomorrow"))
    assert sender.error is not None
    assert sender.error.code is Code.PROTOCOL
    assert sender.error.from_peer
    assert "99" in sender.error.message
    assert "of tomorrow" in sender.error.message


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("x" * 512, "x" * 512),
        ("x" * 513, "x" * 509 + "..."),
        ("ü" * 256, "ü" * 256),
        ("ü" * 1000, "ü" * 254 + "..."),
        ("\N{PILE OF POO}" * 200, "\N{PILE OF POO}" * 127 + "..."),
    ],
)
def test_a_message_that_is_too_long_is_cut_where_a_character_ends(told: str, kept: str) -> None:
    talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"))
    talk.say(RESET, meta(code=5, message=told))
    assert sender.error is not None
    assert sender.error.message == kept


def test_a_message_of_ones_own_is_cut_too_and_never_breaks() -> None:
    for message, sent in (("x" * 513, "x" * 509 + "..."), ("no \udc80 here", "no ? here")):
        talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"))
        sender.fail(TransferError(Code.REFUSED, message))
        assert reset_of(talk.hear()) == (Code.REFUSED, sent)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"versions": [2, 3]}, Code.VERSION),
        ({"digests": ["md5", "none"]}, Code.DIGEST),
        ({"name": "ü" * 513}, Code.TOO_LARGE),
        ({"resume": [1, 2, bytes(32)]}, Code.PROTOCOL),
        ({"resume": [1, 2, bytes(32)], "validator": b"v"}, Code.SOURCE_CHANGED),
        ({"versions": [2], "digests": ["md5"]}, Code.VERSION),
        ({"versions": [2], "name": "x" * 1025}, Code.TOO_LARGE),
        ({"digests": ["md5"], "resume": [1, 2, bytes(32)]}, Code.DIGEST),
    ],
)
def test_what_a_request_asks_for_in_vain_is_said(changed: dict[str, Any], code: Code) -> None:
    _, sender, answer = asked(ContainerStreamer(VALUE), **changed)
    assert reset_of(answer)[0] is code_of(sender.error) is code


def test_a_name_of_exactly_1024_bytes_is_taken() -> None:
    _, _, sent = asked(ContainerStreamer([]), name="ü" * 512)
    assert names(sent) == ["OPEN", "END"]


def test_version_1_is_chosen_among_others() -> None:
    _, _, sent = asked(ContainerStreamer([]), versions=[3, 1, 2])
    assert sent[0].versions == 1


def test_an_object_that_is_too_large_is_refused_before_open() -> None:
    _, sender, answer = asked(ContainerStreamer(VALUE, name="m"), max_bytes=50_000)
    code, message = reset_of(answer)
    assert code is code_of(sender.error) is Code.TOO_LARGE
    assert message.startswith("m: 50")
    assert message.endswith("bytes, the receiver takes at most 50000")


def test_an_object_of_exactly_the_size_that_is_taken_is_sent() -> None:
    _, _, sent = asked(ContainerStreamer(VALUE))
    _, _, again = asked(ContainerStreamer(VALUE), max_bytes=sent[-1].size)
    assert names(again) == names(sent)


def test_no_content_goes_beyond_the_credit() -> None:
    talk, sender, sent = asked(ContainerStreamer(VALUE, name="m"), credit=20)
    assert sum(len(frame.data) for frame in sent) == 20
    assert talk.hear() == []
    for credit in (21, 30_000, 30_001):
        more = talk.say(CREDIT, meta(credit=credit))
        sent += more
        assert sum(len(frame.data) for frame in sent) == credit
    sent += talk.say(CREDIT, meta(credit=1 << 40))
    assert names(sent)[-1] == "END"
    assert b"".join(frame.data for frame in sent if frame.type == DATA) == VALUE["blob"]
    confirm(talk, sent)
    assert sender.state is State.DELIVERED


def test_pieces_that_credit_cuts_keep_their_digests_and_the_chain() -> None:
    talk, _, sent = asked(ContainerStreamer(VALUE, name="m"), credit=1)
    for credit in (*range(2, 40), 1000, 49_000, 1 << 20):
        sent += talk.say(CREDIT, meta(credit=credit))
    chain = Chain("dict")
    for frame in sent[1:-1]:
        assert frame.digest == hashlib.sha256(frame.data).digest()
        chain.add(frame.type, len(frame.data), frame.digest)
    assert sent[-1].chain == chain.value


def test_credit_that_is_not_higher_than_the_last_grants_nothing() -> None:
    talk, sender, _ = asked(ContainerStreamer(VALUE), credit=20)
    for credit in (20, 19, 0):
        assert talk.say(CREDIT, meta(credit=credit)) == []
    assert not sender.finished


def test_the_number_of_credits_that_grant_nothing_is_limited() -> None:
    talk, sender, _ = asked(ContainerStreamer(VALUE), credit=20, limits=Limits(max_controls=3))
    for credit in (20, 21, 20, 22, 20):
        talk.say(CREDIT, meta(credit=credit))
    assert not sender.finished
    assert reset_of(talk.say(CREDIT, meta(credit=22)))[0] is code_of(sender.error) is Code.TOO_LARGE


def test_no_frame_is_larger_than_the_receiver_takes() -> None:
    _, _, sent = asked(ContainerStreamer(VALUE), max_frame=999)
    assert max(len(frame.data) for frame in sent) == 999
    _, _, sent = asked(ContainerStreamer(VALUE, chunk=500), max_frame=999)
    assert max(len(frame.data) for frame in sent) == 500


def test_a_push_of_an_array_keeps_to_the_frame_size_of_the_request() -> None:
    talk, _, offer = offered(ContainerStreamer(VALUE, name="m"), accepted=("sha-256",))
    sent = talk.say(REQUEST, request(kind="dict", max_frame=999))
    assert max(len(frame.data) for frame in sent) == 999
    assert sent[-1].size == offer[0].size


def test_a_push_uses_the_digest_that_the_receiver_prefers() -> None:
    talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"), accepted=("blake3", "sha-256"))
    sent = talk.say(REQUEST, request(kind="dict", digests=["sha-256", "blake3"]))
    assert sent[0].digests == "sha-256"
    assert sent[1].digest == hashlib.sha256(sent[1].data).digest()
    confirm(talk, sent)
    assert sender.state is State.DELIVERED


def test_without_digest_the_frames_carry_none_and_the_chain_still_binds_them() -> None:
    _, _, sent = asked(ContainerStreamer(VALUE), accepted=("sha-256", "none"), digests=["none"])
    assert sent[0].digests == "none"
    chain = Chain("dict")
    for frame in sent[1:-1]:
        assert frame.meta == {}
        chain.add(frame.type, len(frame.data), b"")
    assert sent[-1].chain == chain.value


def test_a_confirmation_of_another_object_is_no_success() -> None:
    talk, sender, _ = asked(ContainerStreamer(VALUE))
    assert reset_of(talk.say(DONE, meta(chain=bytes(32))))[0] is Code.UNCONFIRMED
    assert sender.state is State.FAILED
    assert code_of(sender.error) is Code.UNCONFIRMED


def test_after_end_only_done_is_success_and_only_reset_is_plain_failure() -> None:
    ends = {
        "cancel": lambda talk, sender: sender.cancel(),
        "eof": lambda talk, sender: talk.connection.eof("connection reset"),
        "garbage": lambda talk, sender: talk.say(77),
        "another frame": lambda talk, sender: talk.say(OFFER, meta(name="m", kind="list")),
        "silence": lambda talk, sender: (sender.tick(0), sender.tick(60)),
    }
    for what, happens in ends.items():
        talk, sender, _ = asked(ContainerStreamer(VALUE))
        happens(talk, sender)
        assert code_of(sender.error) is Code.UNCONFIRMED, what
        assert "the receiver may have the object" in str(sender.error)
    talk, sender, _ = asked(ContainerStreamer(VALUE))
    talk.say(RESET, meta(code=11, message="disk full"))
    assert code_of(sender.error) is Code.STORE_FAILED


def test_an_object_without_known_size_is_sent_as_it_comes() -> None:
    talk, sender, sent = asked(Once(VALUE, name="m"))
    assert names(sent) == ["OPEN", "ENTRIES", "DATA", "ENTRIES", "END"]
    assert sent[0].meta == meta(versions=1, digests="sha-256", kind="dict")
    assert sent[-1].count == 3
    confirm(talk, sent)
    assert sender.state is State.DELIVERED


def test_attributes_are_announced() -> None:
    class Noted(ContainerStreamer):
        def describe(self) -> Description:
            return Description(self.kind, attributes={"round": 7})

    _, _, sent = asked(Noted([1]))
    assert sent[0].attributes == {"round": 7}
    _, _, offer = offered(Noted([1], name="m"))
    assert offer[0].attributes == {"round": 7}


def test_what_cannot_be_carried_is_refused_by_path_before_anything_is_announced() -> None:
    value = {"head": {"ok": 1, "scale": object()}}
    sender = Sender(ContainerStreamer(value, name="model"), name="model")
    sender.offer()
    talk = Talk(sender)
    assert "OFFER" not in names(talk.hear())
    assert sender.error is not None
    assert sender.error.code is Code.UNSUPPORTED
    assert sender.error.message.startswith("model['head']['scale']: ")
    _, sender, answer = asked(ContainerStreamer(value, name="model"))
    assert reset_of(answer) == (Code.UNSUPPORTED, sender.error.message if sender.error else "")


def test_progress_is_told_after_each_content_frame() -> None:
    told: list[Progress] = []
    talk, _, _ = offered(ContainerStreamer(VALUE, name="m"), accepted=("sha-256",), progress=told.append)
    sent = talk.say(REQUEST, request(kind="dict", max_frame=20_000))
    sizes = [len(frame.data) for frame in sent[1:-1]]
    assert [now.bytes for now in told] == [sum(sizes[: at + 1]) for at in range(len(sizes))]
    assert {(now.size, now.count) for now in told} == {(sum(sizes), 3)}
    assert told[-1].entries == 3


def test_progress_that_raises_cancels() -> None:
    def enough(now: Progress) -> None:
        raise ZeroDivisionError("secret")

    talk, sender, _ = offered(ContainerStreamer(VALUE, name="m"), accepted=("sha-256",), progress=enough)
    sent = talk.say(REQUEST, request(kind="dict"))
    assert sent[-1].name == "RESET"
    assert (sent[-1].code, sent[-1].seq) == (12, len(sent))
    assert "secret" not in sent[-1].message
    assert sender.error is not None
    assert sender.error.local == "ZeroDivisionError: secret"


class Failing(ContainerStreamer):
    """A streamer that fails at one place."""

    def __init__(self, at: str, problem: Exception) -> None:
        super().__init__([1, b"x" * 50_000], name="m")
        self.at = at
        self.problem = problem
        self.closed = 0

    def describe(self) -> Description:
        self._fail("describe")
        return super().describe()

    def pieces(self, chunk: int) -> Iterator[Piece]:
        self._fail("pieces")
        return super().pieces(chunk)

    def entries(self) -> Iterator[tuple[Label, object]]:
        yield from super().entries()
        self._fail("entries")

    def confirm(self) -> None:
        self._fail("confirm")

    def close(self) -> None:
        self.closed += 1

    def _fail(self, where: str) -> None:
        if self.at == where:
            raise self.problem


@pytest.mark.parametrize("at", ["describe", "pieces", "entries", "confirm"])
@pytest.mark.parametrize("repeatable", [True, False])
def test_whatever_a_streamer_raises_is_source_failed_with_the_detail_kept_here(
    at: str, repeatable: bool
) -> None:
    streamer = Failing(at, OSError(5, "cannot read /srv/secret"))
    streamer.repeatable = repeatable
    _, sender, sent = asked(streamer)
    code, message = reset_of(sent[-1:])
    assert code is code_of(sender.error) is Code.SOURCE_FAILED
    assert "secret" not in message
    assert message.startswith("m: the object could not be read")
    assert sender.error is not None
    assert "/srv/secret" in sender.error.local
    assert isinstance(sender.error.__cause__, OSError)
    assert streamer.closed == 1


@pytest.mark.parametrize("at", ["describe", "pieces", "entries", "confirm"])
def test_a_transfer_error_of_a_streamer_goes_to_the_peer_as_it_is(at: str) -> None:
    _, sender, sent = asked(Failing(at, TransferError(Code.REFUSED, "m: not today", local="secret")))
    assert reset_of(sent[-1:]) == (Code.REFUSED, "m: not today")
    assert code_of(sender.error) is Code.REFUSED


@pytest.mark.parametrize("offering", [True, False])
def test_the_streamer_is_closed_once_whatever_the_outcome(offering: bool) -> None:
    for end in ("done", "reset", "cancel", "eof"):
        streamer = Failing("", OSError())
        if offering:
            talk, sender, _ = offered(streamer, accepted=("sha-256",))
            sent = talk.say(REQUEST, request(kind="list", credit=10 if end == "cancel" else 1 << 20))
        else:
            talk, sender, sent = asked(streamer)
        if end == "done":
            confirm(talk, sent)
        elif end == "reset":
            talk.say(RESET, meta(code=12, message=""))
        elif end == "cancel":
            sender.cancel()
            sender.cancel()
        else:
            talk.connection.eof()
        talk.hear()
        assert sender.finished
        assert streamer.closed == 1, end


def test_a_cancel_says_how_far_it_came() -> None:
    talk, sender, _ = asked(ContainerStreamer([b"x" * 50_000], name="m"), credit=20_000)
    sender.cancel()
    (reset,) = talk.hear()
    assert (reset.code, reset.message) == (12, "m: cancelled; 20000 of 50012 bytes sent")
    assert reset.seq == 3


def test_nothing_follows_reset() -> None:
    talk, sender, _ = asked(ContainerStreamer(VALUE), credit=20)
    sender.cancel()
    assert names(talk.hear()) == ["RESET"]
    assert talk.say(CREDIT, meta(credit=1 << 30)) == []
    assert talk.hear() == []


def test_a_request_can_be_refused_by_the_application() -> None:
    sender = Sender()
    talk = Talk(incoming=lambda _: sender)
    assert talk.say(REQUEST, request()) == []
    assert sender.waiting
    assert sender.name == "m"
    sender.fail(TransferError(Code.NOT_FOUND, "nothing is called that"))
    assert reset_of(talk.hear()) == (Code.NOT_FOUND, "nothing is called that")
    assert not sender.waiting
