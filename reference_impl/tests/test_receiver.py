"""The receiver's session against a sender whose lines are written by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import cbor2
import numpy as np
import pytest

from objstream import (
    Code,
    ContainerAssembler,
    Description,
    FileAssembler,
    Limits,
    ObjectAssembler,
    Progress,
    TransferError,
)
from objstream.digests import Chain
from objstream.session import Receiver, State

from .helpers import (
    CREDIT,
    DATA,
    END,
    ENTRIES,
    OFFER,
    OPEN,
    RESET,
    Heard,
    Meta,
    Talk,
    code_of,
    frame,
    meta,
    names,
    opened,
    put,
)

BLOB = bytes(range(256)) * 100
REFERENCE = cbor2.dumps(cbor2.CBORTag(27, ["bytes", len(BLOB)]))
"""A list [1, BLOB, "end"] is these bytes of skeleton, the blob, and the rest of the skeleton."""
LIST = [(ENTRIES, b"\x01" + REFERENCE), (DATA, BLOB), (ENTRIES, b"\x63end")]


class Script:
    """The lines of a sender: content frames with their digests, and the END that belongs to them."""

    def __init__(self, talk: Talk, kind: str = "list", digest: str = "sha-256") -> None:
        self.talk = talk
        self.digest = digest
        self.chain = Chain(kind)
        self.size = 0

    def content(self, type_: int, data: bytes, **fields: Any) -> list[Heard]:
        digest = hashlib.sha256(data).digest() if self.digest == "sha-256" else b""
        self.chain.add(type_, len(data), digest)
        self.size += len(data)
        return self.talk.say(type_, meta(digest=digest or None), data, **fields)

    def end(self, entries: int, **changed: Any) -> list[Heard]:
        told = {"size": self.size, "count": entries, "chain": self.chain.value} | changed
        return self.talk.say(END, meta(**told))


def asking(
    assembler: ObjectAssembler | None = None, kind: str = "container", **options: Any
) -> tuple[Talk, Receiver, Heard]:
    """A receiver that asks for "m", and its REQUEST."""
    receiver = Receiver(assembler or ContainerAssembler(), name="m", **({"offered": ["sha-256"]} | options))
    receiver.ask(kind)
    talk = Talk(receiver, limits=options.get("limits"))
    (asked,) = talk.hear()
    return talk, receiver, asked


def receiving(
    assembler: ObjectAssembler | None = None, opening: Meta | None = None, **options: Any
) -> tuple[Script, Receiver]:
    """A receiver to which OPEN has been said."""
    opening = opening or opened()
    kind = opening[3]
    talk, receiver, _ = asking(assembler, "file" if kind == "file" else "container", **options)
    assert talk.say(OPEN, opening) == []
    assert receiver.state is State.RECEIVING
    return Script(talk, kind, opening[1]), receiver


def refusal(heard: list[Heard], receiver: Receiver) -> Code:
    """The code of the RESET, which is the only answer and what the receiver reports."""
    assert names(heard) == ["RESET"]
    assert code_of(receiver.error) is Code(heard[0].code)
    assert receiver.result is None
    return Code(heard[0].code)


def test_a_request_says_everything_that_a_sender_must_know() -> None:
    limits = Limits(max_bytes=1000, max_frame=500)
    _, receiver, asked = asking(offered=["blake3", "sha-256"], limits=limits, window=100)
    assert asked.meta == meta(
        versions=[1],
        digests=["blake3", "sha-256"],
        name="m",
        kind="container",
        max_bytes=1000,
        credit=100,
        max_frame=500,
    )
    assert (asked.name, asked.seq, receiver.state) == ("REQUEST", 0, State.REQUESTED)


def test_without_options_a_request_says_the_defaults_of_the_specification() -> None:
    receiver = Receiver(ContainerAssembler(), name="m")
    receiver.ask("container")
    (asked,) = Talk(receiver).hear()
    assert (asked.credit, asked.max_frame, receiver.deadline) == (16 << 20, 16 << 20, 60)


def test_no_digest_is_not_offered_unless_it_is_asked_for() -> None:
    receiver = Receiver(ContainerAssembler(), name="m")
    receiver.ask("container")
    assert "none" not in Talk(receiver).hear()[0].digests


def test_a_pull_is_delivered_when_everything_is_there_and_verified() -> None:
    script, receiver = receiving()
    for part in LIST:
        assert script.content(*part) == []
        assert receiver.result is None
    (done,) = script.end(3)
    assert receiver.state is State.DELIVERED
    assert receiver.result == [1, BLOB, "end"]
    assert (done.name, done.seq, done.meta) == ("DONE", 1, meta(chain=script.chain.value))


def test_content_may_be_cut_anywhere() -> None:
    for size in (1, 2, 7, 1000):
        script, receiver = receiving()
        for type_, data in LIST:
            for at in range(0, len(data), size if type_ == ENTRIES else size * 97):
                script.content(type_, data[at : at + (size if type_ == ENTRIES else size * 97)])
        assert names(script.end(3)) == ["DONE"]
        assert receiver.result == [1, BLOB, "end"]


@pytest.mark.parametrize(
    ("kind", "skeleton", "count", "value"),
    [
        ("dict", b"\x61a\x01\x61b\x80", 2, {"a": 1, "b": []}),
        ("list", b"\x01\x02", 2, [1, 2]),
        ("tuple", b"\x01\x02", 2, (1, 2)),
        ("set", b"\x01\x02", 2, {1, 2}),
        ("frozenset", b"\x01\x02", 2, frozenset({1, 2})),
    ],
)
def test_each_kind_of_container_becomes_itself(kind: str, skeleton: bytes, count: int, value: object) -> None:
    script, receiver = receiving(opening=opened(kind=kind))
    script.content(ENTRIES, skeleton)
    assert names(script.end(count)) == ["DONE"]
    assert type(receiver.result) is type(value)
    assert receiver.result == value
    script, receiver = receiving(opening=opened(kind=kind, size=0, count=0))
    assert names(script.end(0)) == ["DONE"]
    assert receiver.result == type(value)()


def test_an_offer_is_taken_with_a_request_for_it() -> None:
    receiver = Receiver(offered=["sha-256"])
    talk = Talk(incoming=lambda _: receiver)
    assert talk.say(OFFER, meta(name="model", kind="list", size=2, count=2, attributes={"a": 1})) == []
    assert receiver.waiting
    assert (receiver.name, receiver.offer[4], receiver.offer[15]) == ("model", 2, {"a": 1})
    receiver.accept(ContainerAssembler())
    (asked,) = talk.hear()
    assert (asked.name, asked.meta[2], asked.kind, asked.seq) == ("REQUEST", "model", "list", 0)
    script = Script(talk)
    talk.say(OPEN, opened())
    script.content(ENTRIES, b"\x01\x02")
    assert names(script.end(2)) == ["DONE"]
    assert receiver.result == [1, 2]


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (meta(name="x" * 1025, kind="list"), Code.TOO_LARGE),
        (meta(name="m", kind="list", size=1001), Code.TOO_LARGE),
    ],
)
def test_an_offer_beyond_the_limits_is_refused_before_anyone_is_asked(offer: Meta, code: Code) -> None:
    receiver = Receiver(limits=Limits(max_bytes=1000))
    talk = Talk(incoming=lambda _: receiver)
    assert refusal(talk.say(OFFER, offer), receiver) is code
    assert not receiver.waiting


def test_an_offer_of_a_kind_that_the_assembler_does_not_take_is_refused() -> None:
    receiver = Receiver()
    talk = Talk(incoming=lambda _: receiver)
    talk.say(OFFER, meta(name="m", kind="x-parquet"))
    receiver.accept(ContainerAssembler())
    assert refusal(talk.hear(), receiver) is Code.UNSUPPORTED
    assert "x-parquet" in str(receiver.error)


def test_an_offer_can_be_refused() -> None:
    receiver = Receiver()
    talk = Talk(incoming=lambda _: receiver)
    talk.say(OFFER, meta(name="m", kind="list"))
    receiver.fail(TransferError(Code.REFUSED, "not today"))
    assert refusal(talk.hear(), receiver) is Code.REFUSED
    assert not receiver.waiting


@pytest.mark.parametrize(
    "changed",
    [
        {"versions": 2},
        {"versions": 0},
        {"digests": "none"},
        {"digests": "blake3"},
        {"kind": "file"},
        {"kind": "x-parquet"},
        {"kind": "container"},
        {"kind": ""},
    ],
)
def test_an_open_with_what_was_not_asked_for_is_refused(changed: dict[str, Any]) -> None:
    talk, receiver, _ = asking()
    assert refusal(talk.say(OPEN, opened(**changed)), receiver) is Code.PROTOCOL


@pytest.mark.parametrize(("kind", "opens"), [("list", "dict"), ("x-list", "list"), ("file", "list")])
def test_only_a_request_for_a_container_takes_any_of_them(kind: str, opens: str) -> None:
    talk, receiver, _ = asking(kind=kind)
    assert refusal(talk.say(OPEN, opened(kind=opens)), receiver) is Code.PROTOCOL


def test_a_request_for_one_kind_of_container_takes_that() -> None:
    talk, receiver, _ = asking(kind="list")
    assert talk.say(OPEN, opened(kind="list")) == []
    assert receiver.state is State.RECEIVING


def test_an_open_of_another_kind_than_was_offered_is_refused() -> None:
    receiver = Receiver(offered=["sha-256"])
    talk = Talk(incoming=lambda _: receiver)
    talk.say(OFFER, meta(name="m", kind="list"))
    receiver.accept(ContainerAssembler())
    talk.hear()
    assert refusal(talk.say(OPEN, opened(kind="dict")), receiver) is Code.PROTOCOL


def test_a_size_above_the_limit_is_refused_at_open() -> None:
    talk, receiver, _ = asking(limits=Limits(max_bytes=1000))
    assert refusal(talk.say(OPEN, opened(size=1001)), receiver) is Code.TOO_LARGE


def header_of(script: Script, type_: int, length: int, **fields: Any) -> list[Heard]:
    """Only header and meta of a content frame: what is refused here is refused before its data is read."""
    put(
        script.talk.connection,
        frame(type_, meta(digest=bytes(32)), length=length, seq=script.talk.seq, **fields),
    )
    script.talk.seq += 1
    return script.talk.hear()


def test_content_beyond_the_size_of_open_is_refused_on_its_header() -> None:
    script, receiver = receiving(opening=opened(size=10), window=5)
    assert refusal(header_of(script, ENTRIES, 11), receiver) is Code.PROTOCOL


def test_content_of_exactly_the_size_of_open_is_taken() -> None:
    script, receiver = receiving(opening=opened(size=10))
    script.content(ENTRIES, b"\x01" * 10)
    assert refusal(header_of(script, ENTRIES, 1), receiver) is Code.PROTOCOL


def test_content_of_unknown_size_beyond_what_is_taken_is_refused_on_its_header() -> None:
    script, receiver = receiving(limits=Limits(max_bytes=100), window=50)
    script.content(ENTRIES, b"\x01" * 50)
    assert refusal(header_of(script, ENTRIES, 51), receiver) is Code.TOO_LARGE


def test_content_beyond_the_credit_is_refused_on_its_header() -> None:
    script, receiver = receiving(window=50)
    assert refusal(header_of(script, ENTRIES, 51), receiver) is Code.PROTOCOL
    assert receiver.error is not None
    assert "credit ends at 50" in receiver.error.message


def test_a_frame_larger_than_was_asked_for_is_refused_on_its_header() -> None:
    script, receiver = receiving(limits=Limits(max_frame=50))
    assert refusal(header_of(script, ENTRIES, 51), receiver) is Code.TOO_LARGE


def test_credit_is_renewed_when_half_of_the_window_is_used() -> None:
    script, _ = receiving(window=100)
    assert script.content(ENTRIES, b"\x01" * 49) == []
    (credit,) = script.content(ENTRIES, b"\x01")
    assert (credit.name, credit.credit, credit.seq) == ("CREDIT", 150, 1)
    assert script.content(ENTRIES, b"\x01" * 49) == []
    assert [frame.credit for frame in script.content(ENTRIES, b"\x01")] == [200]


def test_the_smallest_window_lets_one_byte_after_another_through() -> None:
    script, receiver = receiving(window=1)
    for number in range(5):
        (credit,) = script.content(ENTRIES, b"\x01")
        assert credit.credit == number + 2
    script.end(5)
    assert receiver.result == [1] * 5


def test_no_credit_is_granted_for_what_will_not_come() -> None:
    script, _ = receiving(opening=opened(size=100), window=100)
    assert names(script.content(ENTRIES, b"\x01" * 60)) == ["CREDIT"]
    assert script.content(ENTRIES, b"\x01" * 40) == []


def test_entries_while_a_buffer_is_incomplete_are_refused_on_their_header() -> None:
    script, receiver = receiving()
    script.content(*LIST[0])
    script.content(DATA, BLOB[:-1])
    assert refusal(header_of(script, ENTRIES, 4), receiver) is Code.PROTOCOL


def test_data_without_a_buffer_and_beyond_it_is_refused_on_its_header() -> None:
    script, receiver = receiving()
    assert refusal(header_of(script, DATA, 1), receiver) is Code.PROTOCOL
    script, receiver = receiving()
    script.content(*LIST[0])
    assert refusal(header_of(script, DATA, len(BLOB) + 1), receiver) is Code.PROTOCOL


def test_entries_of_a_file_are_refused(tmp_path: Any) -> None:
    for size in (None, 10):
        script, receiver = receiving(
            FileAssembler(tmp_path / "f"), opened(kind="file", size=size), limits=Limits(max_bytes=100)
        )
        assert refusal(header_of(script, ENTRIES, 1), receiver) is Code.PROTOCOL
        assert list(tmp_path.iterdir()) == []


def test_content_without_its_digest_is_refused() -> None:
    script, receiver = receiving()
    assert refusal(script.talk.say(ENTRIES, meta(), b"\x01"), receiver) is Code.PROTOCOL


def test_content_with_a_digest_is_refused_when_there_is_none() -> None:
    script, receiver = receiving(opening=opened(digests="none"), offered=["none"])
    assert script.content(ENTRIES, b"\x01") == []
    answer = script.talk.say(ENTRIES, meta(digest=hashlib.sha256(b"\x01").digest()), b"\x01")
    assert refusal(answer, receiver) is Code.PROTOCOL


@pytest.mark.parametrize("digest", [bytes(32), b"", hashlib.sha256(b"\x01").digest()[:31]])
def test_content_that_does_not_match_its_digest_is_corrupt(digest: bytes) -> None:
    script, receiver = receiving()
    assert refusal(script.talk.say(ENTRIES, meta(digest=digest), b"\x01"), receiver) is Code.CORRUPT


def test_the_last_byte_of_a_buffer_is_used_only_after_its_frame_is_verified() -> None:
    class Watching(ContainerAssembler):
        def entry(self, value: object) -> None:
            seen.append(value)

    seen: list[object] = []
    script, receiver = receiving(Watching())
    script.content(*LIST[0])
    assert seen == [1]
    assert refusal(script.talk.say(DATA, meta(digest=bytes(32)), BLOB), receiver) is Code.CORRUPT
    assert seen == [1]


def test_skeleton_is_used_only_after_its_frame_is_verified() -> None:
    script, receiver = receiving()
    invalid = b"\xff\xff"
    assert refusal(script.talk.say(ENTRIES, meta(digest=bytes(32)), invalid), receiver) is Code.CORRUPT
    script, receiver = receiving()
    assert refusal(script.content(ENTRIES, invalid), receiver) is Code.PROTOCOL


@pytest.mark.parametrize(
    "changed", [{"size": 0}, {"size": 1 << 40}, {"count": 2}, {"count": 4}, {"chain": bytes(32)}]
)
def test_an_end_that_does_not_fit_is_corrupt(changed: dict[str, Any]) -> None:
    script, receiver = receiving()
    for part in LIST:
        script.content(*part)
    assert refusal(script.end(3, **changed), receiver) is Code.CORRUPT


@pytest.mark.parametrize("told", [{"size": 10_000_000}, {"count": 4}, {"count": 2}])
def test_an_end_that_does_not_fit_the_open_is_corrupt(told: dict[str, int]) -> None:
    script, receiver = receiving(opening=opened(**told))
    for part in LIST:
        script.content(*part)
    assert refusal(script.end(3), receiver) is Code.CORRUPT


def test_an_end_inside_a_buffer_or_an_entry_is_refused() -> None:
    for parts in (
        [LIST[0]],
        [LIST[0], (DATA, BLOB[:-1])],
        [(ENTRIES, b"\x01\x82\x01")],
        [(ENTRIES, b"\x63en")],
    ):
        script, receiver = receiving()
        for part in parts:
            script.content(*part)
        assert refusal(script.end(1), receiver) is Code.PROTOCOL


def test_a_dict_must_not_end_after_a_key() -> None:
    script, receiver = receiving(opening=opened(kind="dict"))
    script.content(ENTRIES, b"\x61a\x01\x61b")
    assert refusal(script.end(1), receiver) is Code.PROTOCOL


@pytest.mark.parametrize(
    ("kind", "skeleton"), [("dict", b"\x61a\x01\x61a\x02"), ("set", b"\x01\x01"), ("frozenset", b"\x01\xf5")]
)
def test_one_key_or_element_twice_is_refused(kind: str, skeleton: bytes) -> None:
    script, receiver = receiving(opening=opened(kind=kind))
    assert refusal(script.content(ENTRIES, skeleton), receiver) is Code.PROTOCOL


def test_a_reset_ends_with_the_peers_words() -> None:
    talk, receiver, _ = asking()
    assert talk.say(RESET, meta(code=4, message="no such model")) == []
    assert str(receiver.error) == "NOT_FOUND: peer: no such model"


def test_a_cancel_says_how_far_it_came() -> None:
    script, receiver = receiving(opening=opened(size=50_000))
    script.content(*LIST[0])
    receiver.cancel()
    (reset,) = script.talk.hear()
    told = f"m: cancelled; {script.size} of 50000 bytes received, 1 entries"
    assert (reset.code, reset.message, reset.seq) == (12, told, 1)


def test_numbers_of_frames_have_no_gap_when_a_credit_was_overtaken() -> None:
    def enough(now: Progress) -> None:
        raise RuntimeError("enough")

    script, receiver = receiving(window=2, progress=enough)
    (reset,) = script.content(ENTRIES, b"\x01")
    assert (reset.name, reset.seq, reset.code) == ("RESET", 1, 12)
    assert receiver.error is not None
    assert receiver.error.local == "RuntimeError: enough"


def test_progress_is_told_after_each_content_frame() -> None:
    told: list[Progress] = []
    script, _ = receiving(opening=opened(size=50_000, count=3), progress=told.append)
    sizes = [len(data) for _, data in LIST]
    for part in LIST:
        script.content(*part)
    assert [now.bytes for now in told] == [sum(sizes[: at + 1]) for at in range(3)]
    assert [now.entries for now in told] == [1, 2, 3]
    assert {(now.size, now.count) for now in told} == {(50_000, 3)}


HOOKS: dict[str, Callable[[Script], object]] = {
    "accepts": lambda script: script.talk.say(OPEN, opened()),
    "begin": lambda script: script.talk.say(OPEN, opened()),
    "room": lambda script: script.content(*LIST[0]),
    "feed": lambda script: script.content(*LIST[0]),
    "entry": lambda script: script.content(*LIST[0]),
    "buffer": lambda script: [script.content(*part) for part in LIST[:2]],
    "filled": lambda script: [script.content(*part) for part in LIST[:2]],
    "check_complete": lambda script: [*(script.content(*part) for part in LIST), script.end(3)],
    "finish": lambda script: [*(script.content(*part) for part in LIST), script.end(3)],
    "result": lambda script: [*(script.content(*part) for part in LIST), script.end(3)],
}


def failing(hook: str, problem: Exception) -> ContainerAssembler:
    """An assembler that fails in that method, and counts how often it is told to discard."""

    class Failing(ContainerAssembler):
        discarded = 0

        def discard(self) -> None:
            super().discard()
            self.discarded += 1

    def fail(self: object, *arguments: object) -> None:
        raise problem

    setattr(Failing, hook, fail)
    return Failing()


@pytest.mark.parametrize("hook", HOOKS)
def test_whatever_an_assembler_raises_is_store_failed_with_the_detail_kept_here(hook: str) -> None:
    assembler: Any = failing(hook, OSError(28, "no room in /srv/secret"))
    talk, receiver, _ = asking(assembler)
    if hook not in ("accepts", "begin"):
        talk.say(OPEN, opened())
    HOOKS[hook](Script(talk))
    assert receiver.state is State.FAILED
    assert code_of(receiver.error) is Code.STORE_FAILED
    assert receiver.error is not None
    assert "secret" not in receiver.error.message
    assert "/srv/secret" in receiver.error.local
    assert assembler.discarded == 1
    assert receiver.result is None


@pytest.mark.parametrize("hook", HOOKS)
def test_a_transfer_error_of_an_assembler_keeps_its_code(hook: str) -> None:
    talk, receiver, _ = asking(failing(hook, TransferError(Code.MISMATCH, "it does not fit")))
    if hook not in ("accepts", "begin"):
        talk.say(OPEN, opened())
    HOOKS[hook](Script(talk))
    assert code_of(receiver.error) is Code.MISMATCH
    assert receiver.error is not None
    assert receiver.error.message.endswith("it does not fit")


def test_an_assembler_is_discarded_once_unless_the_object_is_delivered() -> None:
    for end in ("done", "reset", "cancel", "eof", "corrupt"):
        assembler: Any = failing("nothing", OSError())
        talk, receiver, _ = asking(assembler)
        talk.say(OPEN, opened())
        script = Script(talk)
        script.content(*LIST[0])
        if end == "done":
            script.content(*LIST[1])
            script.end(2)
        elif end == "reset":
            talk.say(RESET, meta(code=12, message=""))
        elif end == "cancel":
            receiver.cancel()
            receiver.cancel()
        elif end == "eof":
            talk.connection.eof()
        else:
            talk.say(DATA, meta(digest=bytes(32)), BLOB)
        talk.hear()
        assert receiver.finished
        assert assembler.discarded == (end != "done"), end


def test_an_assembler_is_told_what_was_announced_and_the_limits() -> None:
    class Told(ContainerAssembler):
        def begin(self, description: Description, limits: Limits) -> None:
            told.append((description, limits))
            super().begin(description, limits)

    told: list[tuple[Description, Limits]] = []
    limits = Limits(max_bytes=1 << 20)
    receiving(Told(), opened(size=5, count=2, attributes={"round": 7}), limits=limits)
    assert told == [(Description("list", 5, 2, {"round": 7}), limits)]


def test_data_lands_in_the_memory_of_the_array_itself() -> None:
    place = np.zeros(len(BLOB), np.uint8)
    script, _ = receiving(ContainerAssembler(into=[place]))
    skeleton = cbor2.dumps(cbor2.CBORTag(27, ["ndarray", "U8", [len(BLOB)], len(BLOB)]))
    script.content(ENTRIES, skeleton)
    put(script.talk.connection, frame(DATA, meta(digest=hashlib.sha256(BLOB).digest()), BLOB, seq=2)[:-1])
    assert place[:-1].tobytes() == BLOB[:-1]


def test_frames_larger_than_those_before_find_room() -> None:
    script, receiver = receiving()
    for size in (1, 10, 5, 5000):
        script.content(ENTRIES, b"\x01" * size)
    script.end(5016)
    assert receiver.result == [1] * 5016


def test_a_frame_that_a_receiver_does_not_take_is_refused() -> None:
    script, receiver = receiving()
    assert refusal(script.talk.say(CREDIT, meta(credit=5)), receiver) is Code.PROTOCOL
