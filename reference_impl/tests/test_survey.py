"""What was surveyed is what is sent: a source that changes meanwhile is never delivered mixed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from objstream import Code, ContainerStreamer
from objstream.session import Sender, State
from objstream.values import Piece

from .helpers import CREDIT, RESET, asked, code_of, confirm, meta, names, reset_of


def changed_meanwhile(value: Any, change: Any, **options: Any) -> Sender:
    """A sender whose container is changed after the first bytes were sent."""
    talk, sender, sent = asked(ContainerStreamer(value, name="m", chunk=100), credit=250, **options)
    assert "END" not in names(sent)
    assert sender.state is State.STREAMING
    change(value)
    answer = talk.say(CREDIT, meta(credit=1 << 30))
    if sender.state is State.ENDED:
        confirm(talk, answer)
    return sender


def array() -> Any:
    return np.zeros(20_000, np.uint8)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ({"a": array(), "b": 1}, lambda value: value.update(c=1)),
        ({"a": array(), "b": 1}, lambda value: value.pop("b")),
        ({"a": array(), "b": 1}, lambda value: value.update(b=2)),
        ({"a": array(), "b": 1, "c": 2}, lambda value: (value.pop("b"), value.update(d=2))),
        ([array(), 1], lambda value: value.append(1)),
        ([array(), 1], lambda value: value.pop()),
        ([array(), 1], lambda value: value.__setitem__(1, 2)),
        ([array(), [1]], lambda value: value[1].append(2)),
        ([array()], lambda value: value[0].fill(1)),
        ({array().tobytes(), 1}, lambda value: value.add(2)),
    ],
)
def test_a_container_that_changes_while_it_is_sent_is_not_delivered(value: Any, change: Any) -> None:
    sender = changed_meanwhile(value, change)
    assert sender.error is not None
    assert sender.error.code is Code.SOURCE_CHANGED
    assert sender.error.message.startswith("m: ")


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([array()], lambda value: value[0].__setitem__(slice(19_999, 20_000), 1)),
        ([bytearray(20_000)], lambda value: value[0].__setitem__(15_000, 1)),
    ],
)
def test_a_buffer_that_changes_goes_out_under_the_digest_it_had(value: Any, change: Any) -> None:
    talk, sender, _ = asked(ContainerStreamer(value, name="m", chunk=100), credit=250)
    change(value)
    sent = talk.say(CREDIT, meta(credit=1 << 30))
    wrong = [heard for heard in sent if heard.name == "DATA" and sha256(heard.data).digest() != heard.digest]
    assert len(wrong) == 1
    talk.say(RESET, meta(code=int(Code.CORRUPT), message="does not match its digest"))
    assert sender.error is not None
    assert sender.error.code is Code.CORRUPT
    assert "changed while it was sent" in sender.error.local


def test_content_that_is_altered_on_its_way_is_not_blamed_on_the_source() -> None:
    talk, sender, _ = asked(ContainerStreamer([array()], name="m", chunk=100), credit=250)
    talk.say(RESET, meta(code=int(Code.CORRUPT), message="does not match its digest"))
    assert sender.error is not None
    assert sender.error.local == ""


def test_an_array_that_changes_inside_a_piece_that_credit_cuts_is_not_delivered() -> None:
    value = np.zeros(20_000, np.uint8)
    talk, sender, _ = asked(ContainerStreamer([value], name="m"), credit=5000)
    value[:] = 7
    sent = talk.say(CREDIT, meta(credit=1 << 30))
    assert reset_of(sent[-1:])[0] is code_of(sender.error) is Code.SOURCE_CHANGED


class Changing(ContainerStreamer):
    """A list of 20 bytes whose pieces are others at each reading, though of as many bytes."""

    def __init__(self, *readings: list[tuple[int, int]]) -> None:
        super().__init__([], name="m")
        self.readings = iter(readings)

    def pieces(self, chunk: int) -> Iterator[Piece]:
        for kind, length in next(self.readings):
            yield Piece(kind, memoryview(bytes(length)))


@pytest.mark.parametrize("digest", ["sha-256", "none"])
@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([(5, 20)], [(5, 10), (5, 10)]),
        ([(5, 10), (5, 10)], [(5, 10)]),
        ([(5, 10), (5, 10)], []),
        ([(5, 20)], [(5, 20), (5, 1)]),
        ([(4, 20)], [(4, 19)]),
        ([(4, 20)], [(4, 10), (4, 10)]),
    ],
)
def test_other_pieces_than_before_are_never_ended(
    digest: str, before: list[tuple[int, int]], now: list[tuple[int, int]]
) -> None:
    streamer = Changing(before, now)
    _, sender, sent = asked(streamer, accepted=(digest,), digests=[digest])
    assert code_of(sender.error) is Code.SOURCE_CHANGED
    assert names(sent)[-1] == "RESET"
    assert "END" not in names(sent)


def test_a_change_that_is_undone_is_no_change() -> None:
    def there_and_back(value: Any) -> None:
        value.append(5)
        value.pop()

    assert changed_meanwhile([array(), 1], there_and_back).state is State.DELIVERED


def test_without_digest_a_change_of_the_skeleton_is_noticed_all_the_same() -> None:
    sender = changed_meanwhile(
        [array(), 1], lambda value: value.__setitem__(1, 2), accepted=("none",), digests=["none"]
    )
    assert code_of(sender.error) is Code.SOURCE_CHANGED
