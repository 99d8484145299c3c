"""Sites in one process, over a network that loses, repeats, exchanges, alters and cuts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    Limits,
    MemoryNetwork,
    Options,
    Outcome,
    Request,
    TransferError,
)

from .helpers import NAMES, failure, frame, meta, parse, request

VALUE = {"w": b"w" * 50_000, "n": [1, "text", None]}
Message = tuple[str, str, bytes]


class Wire:
    """A network that keeps every message; `rule` says what arrives of the n-th one."""

    def __init__(self, rule: Callable[[int, bytes], list[bytes]] = lambda number, message: [message]) -> None:
        self.messages: list[Message] = []
        self.rule = rule
        self.network = MemoryNetwork(self.carry)

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        self.messages.append((source, target, message))
        return self.rule(len(self.messages) - 1, message)

    def frames(self, source: str) -> list[str]:
        return [NAMES[message[16]] for who, _, message in self.messages if who == source]


class Pair:
    """An owner and a receiver; `taken` are the containers that the receiver was pushed."""

    def __init__(self, network: MemoryNetwork | None = None, options: Options | None = None) -> None:
        self.network = network or MemoryNetwork()
        self.owner = self.network.site("owner")
        self.receiver = self.network.site("receiver", options)
        ContainerRetriever(self.owner, chunk=5000).add_container("m", VALUE)
        self.taken: list[object] = []
        self.outcomes: list[Outcome] = []
        self.receiver.accept(lambda offer: ContainerAssembler())
        self.receiver.watch(lambda offer, outcome: self.taken.append(outcome.result))
        self.owner.watch(lambda asked, outcome: self.outcomes.append(outcome))

    def pull(self, options: Options | None = None) -> Any:
        return ContainerRetriever(self.receiver).retrieve_container("owner", "m", options=options)

    def push(self, options: Options | None = None) -> Outcome:
        streamer = ContainerStreamer(VALUE, name="m", chunk=5000)
        return self.owner.push(["receiver"], streamer, options)["receiver"]

    def nothing_is_left(self) -> bool:
        return not self.owner.live and not self.receiver.live


def test_a_pull_and_a_push_deliver() -> None:
    pair = Pair()
    assert pair.pull() == VALUE
    assert pair.push().delivered
    assert pair.taken == [VALUE]
    assert [outcome.delivered for outcome in pair.outcomes] == [True]
    assert pair.nothing_is_left()


def test_what_is_delivered_is_no_part_of_the_source() -> None:
    network = MemoryNetwork()
    a, b = network.site("a"), network.site("b")
    source = {"w": np.zeros(10_000), "l": [1]}
    ContainerRetriever(a).add_container("m", source)
    got = ContainerRetriever(b).retrieve_container("a", "m")
    source["w"][:] = 1
    source["l"].append(2)
    assert got["w"].sum() == 0
    assert got["l"] == [1]


def test_a_message_is_a_session_id_and_one_frame() -> None:
    wire = Wire()
    Pair(wire.network).pull()
    assert len({message[:16] for _, _, message in wire.messages}) == 1
    assert [(source, target) for source, target, _ in wire.messages[:2]] == [
        ("receiver", "owner"),
        ("owner", "receiver"),
    ]
    for _, _, message in wire.messages:
        assert len(parse(message[16:])) == 1
    assert wire.frames("receiver") == ["REQUEST", "DONE"]


def one(number: int, change: Callable[[bytes], list[bytes]]) -> Wire:
    """A network that does this to the message of that number, and nothing to the others."""
    return Wire(lambda now, message: change(message) if now == number else [message])


def late(number: int) -> Wire:
    """A network that delivers the message of that number after the next one."""
    held: list[bytes] = []

    def rule(now: int, message: bytes) -> list[bytes]:
        if now == number:
            held.append(message)
            return []
        return [message, held.pop()] if held else [message]

    return Wire(rule)


def joined(number: int) -> Wire:
    """A network that puts the frame of that message behind the next message."""
    wire = late(number)
    separate = wire.rule
    wire.rule = lambda now, message: _together(separate(now, message))
    return wire


def _together(messages: list[bytes]) -> list[bytes]:
    return [messages[1] + messages[0][16:]] if len(messages) > 1 else messages


def flipped(message: bytes, at: int) -> list[bytes]:
    at %= len(message)
    return [message[:at] + bytes([message[at] ^ 0x10]) + message[at + 1 :]]


FAULTS: dict[str, Callable[[int], Wire]] = {
    "lost": lambda n: one(n, lambda message: []),
    "late": late,
    "joined": joined,
    "a flip in the session id": lambda n: one(n, lambda message: flipped(message, 3)),
    "a flip in the type": lambda n: one(n, lambda message: flipped(message, 16)),
    "a flip in the number": lambda n: one(n, lambda message: flipped(message, 31)),
    "a flip in the meta": lambda n: one(n, lambda message: flipped(message, 45)),
    "a flip at the end": lambda n: one(n, lambda message: flipped(message, -1)),
    "cut at the end": lambda n: one(n, lambda message: [message[:-1]]),
    "cut in the header": lambda n: one(n, lambda message: [message[:30]]),
    "nothing but the session id": lambda n: one(n, lambda message: [message[:16]]),
    "empty": lambda n: one(n, lambda message: [b""]),
    "a byte more": lambda n: one(n, lambda message: [message + b"\0"]),
    "a frame more": lambda n: one(n, lambda message: [message + frame(8, meta(credit=1), seq=9)]),
}
HARMLESS: dict[str, Callable[[int], Wire]] = {
    "twice": lambda n: one(n, lambda message: [message, message]),
    "twice, the second time cut": lambda n: one(n, lambda message: [message, message[:-1]]),
    "three times": lambda n: one(n, lambda message: [message] * 3),
    "behind one of no session": lambda n: one(
        n, lambda message: [bytes(16) + frame(9, meta(code=12, message="die")), message]
    ),
    "behind itself without session": lambda n: one(
        n, lambda message: [bytes(16) + message[16:] if message[16] > 2 else b"", message]
    ),
}


def exchange(pair: Pair, what: str) -> TransferError | None:
    """How the transfer ended for the side that began it; what a pull delivers must be right."""
    if what == "push":
        return pair.push().error
    try:
        assert pair.pull() == VALUE
    except TransferError as problem:
        return problem
    return None


def messages_of(what: str) -> int:
    wire = Wire()
    assert exchange(Pair(wire.network), what) is None
    return len(wire.messages)


@pytest.mark.parametrize("what", ["pull", "push"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_message_that_comes_wrong_is_never_a_wrong_object_and_never_a_hang(what: str, fault: str) -> None:
    failures = 0
    for number in range(messages_of(what)):
        wire = FAULTS[fault](number)
        pair = Pair(wire.network)
        problem = exchange(pair, what)
        assert pair.nothing_is_left()
        assert all(value in (None, VALUE) for value in pair.taken)
        if what == "push":
            assert problem is not None or pair.taken == [VALUE]
        else:
            assert not any(outcome.delivered for outcome in pair.outcomes) or problem is None
        failures += problem is not None or not all(outcome.delivered for outcome in pair.outcomes)
        wire.rule = lambda number, message: [message]
        assert exchange(pair, what) is None
    assert failures > 0


@pytest.mark.parametrize("what", ["pull", "push"])
@pytest.mark.parametrize("repetition", HARMLESS)
def test_repetitions_and_strangers_are_harmless(what: str, repetition: str) -> None:
    for number in range(messages_of(what)):
        pair = Pair(HARMLESS[repetition](number).network)
        assert exchange(pair, what) is None
        assert pair.taken == ([VALUE] if what == "push" else [])
        assert pair.nothing_is_left()


def test_everything_twice_is_delivered_once() -> None:
    pair = Pair(Wire(lambda number, message: [message, message]).network)
    assert pair.push().delivered
    assert pair.taken == [VALUE]
    assert pair.pull() == VALUE


def test_a_session_that_is_played_again_delivers_nothing() -> None:
    wire = Wire()
    pair = Pair(wire.network)
    assert pair.push().delivered
    recorded = [message for source, _, message in wire.messages if source == "owner"]
    for message in recorded * 2:
        pair.receiver.deliver("owner", message[:16], [memoryview(message)[16:]])
    assert pair.nothing_is_left()
    assert pair.taken == [VALUE]


def test_a_session_that_failed_is_remembered_too() -> None:
    wire = Wire()
    pair = Pair(wire.network)
    assert code_of_pull(pair, "nothing") is Code.NOT_FOUND
    asked = wire.messages[0][2]
    pair.owner.deliver("receiver", asked[:16], [memoryview(asked)[16:]])
    assert pair.nothing_is_left()


def code_of_pull(pair: Pair, name: str, options: Options | None = None) -> Code:
    retriever = ContainerRetriever(pair.receiver)
    return failure(lambda: retriever.retrieve_container("owner", name, options=options)).code


def test_content_from_another_site_under_the_id_of_a_session_finds_nobody() -> None:
    def carry(source: str, target: str, message: bytes) -> list[bytes]:
        if source == "owner":
            pair.receiver.deliver("evil", message[:16], [memoryview(message[16:-1] + b"!")])
        return [message]

    pair = Pair(MemoryNetwork(carry))
    assert pair.pull() == VALUE
    assert pair.nothing_is_left()


@pytest.mark.parametrize("type_", range(1, 11))
def test_a_message_that_begins_no_session_leaves_nothing_behind(type_: int) -> None:
    site = MemoryNetwork().site("a")
    content = b"x" if type_ in (4, 5) else b""
    for seq in (0, 1, 5):
        if type_ > 2 or seq:
            raw = frame(type_, meta(), content, seq=seq, flags=type_ == 10)
            site.deliver("stranger", bytes(16), [memoryview(raw)])
    site.deliver("stranger", bytes(16), [memoryview(b"\xff" * 10)])
    assert not site.live


def test_an_unknown_site_is_found_out_at_once() -> None:
    pair = Pair()
    problem = failure(lambda: ContainerRetriever(pair.receiver).retrieve_container("nobody", "m"))
    assert problem.code is Code.LOST
    assert "nobody" in problem.local


def test_each_target_has_an_outcome_of_its_own() -> None:
    network = MemoryNetwork()
    sender, good, refusing = network.site("sender"), network.site("good"), network.site("refusing")
    good.accept(lambda offer: ContainerAssembler())
    outcomes = sender.push(["good", "refusing", "nobody", "good", "sender"], ContainerStreamer([1], name="m"))
    assert list(outcomes) == ["good", "refusing", "nobody", "sender"]
    assert outcomes["good"].delivered
    codes = {peer: outcome.error.code for peer, outcome in outcomes.items() if outcome.error}
    assert codes == {"refusing": Code.REFUSED, "nobody": Code.LOST, "sender": Code.REFUSED}
    assert not refusing.live


def test_a_target_that_says_nothing_does_not_hold_up_the_others() -> None:
    network = MemoryNetwork(lambda source, target, message: [] if target == "hole" else [message])
    sender, hole = network.site("sender"), network.site("hole")
    goods = [network.site(f"good{number}") for number in range(3)]
    for good in goods:
        good.accept(lambda offer: ContainerAssembler())
    options = Options(deadline=1e9)
    outcomes = sender.push(
        ["hole", *(good.name for good in goods)], ContainerStreamer([1], name="m"), options
    )
    assert [outcome.delivered for outcome in outcomes.values()] == [False, True, True, True]
    assert outcomes["hole"].error is not None
    assert outcomes["hole"].error.code is Code.STALLED
    assert not any(site.live for site in (sender, hole, *goods))


def test_a_cut_ends_both_sides() -> None:
    def cut(number: int, message: bytes) -> list[bytes]:
        if number >= 5:
            raise ConnectionError("the cable")
        return [message]

    pair = Pair(Wire(cut).network)
    assert code_of_pull(pair, "m") is Code.STALLED
    (outcome,) = pair.outcomes
    assert outcome.error is not None
    assert outcome.error.code is Code.LOST
    assert "cable" in outcome.error.local
    assert "cable" not in outcome.error.message
    assert pair.nothing_is_left()


@pytest.mark.parametrize(("each", "delivered"), [(4.0, True), (20.0, False)])
def test_time_passes_for_messages_on_their_way_as_the_network_says(each: float, delivered: bool) -> None:
    """A transfer may take longer than its deadline, if only each of its steps does not."""

    def slow(number: int, message: bytes) -> list[bytes]:
        wire.network.advance(each)
        return [message]

    wire = Wire(slow)
    pair = Pair(wire.network, Options(deadline=10.0))
    pull = ContainerRetriever(pair.receiver).retrieve_container
    if delivered:
        assert pull("owner", "m") == VALUE
        assert len(wire.messages) * each > 10.0
    else:
        assert failure(lambda: pull("owner", "m")).code is Code.STALLED


def test_lost_messages_cost_no_real_time() -> None:
    pair = Pair(Wire(lambda number, message: []).network)
    assert code_of_pull(pair, "m", Options(deadline=1e9)) is Code.STALLED


@pytest.mark.parametrize("closing", ["owner", "receiver"])
def test_a_site_that_is_closed_in_the_middle_ends_the_transfer_on_both_sides(closing: str) -> None:
    def rule(number: int, message: bytes) -> list[bytes]:
        if number == 4:
            getattr(pair, closing).close()
        return [message]

    wire = Wire(rule)
    pair = Pair(wire.network)
    assert code_of_pull(pair, "m") is Code.CANCELLED
    assert [outcome.error.code for outcome in pair.outcomes if outcome.error] == [Code.CANCELLED]
    assert pair.nothing_is_left()
    wire.network.site(closing)


def test_a_closed_site_does_nothing_and_says_so() -> None:
    pair = Pair()
    pair.receiver.close()
    pair.receiver.close()
    assert code_of_pull(pair, "m") is Code.REFUSED
    (outcome,) = pair.receiver.push(["owner"], ContainerStreamer([1])).values()
    assert outcome.error is not None
    assert outcome.error.code is Code.REFUSED
    outcome = pair.push()
    assert outcome.error is not None
    assert outcome.error.code is Code.LOST


def test_a_name_is_free_again_when_its_site_has_closed() -> None:
    network = MemoryNetwork()
    with network.site("a") as first, pytest.raises(ValueError, match="'a' already"):
        network.site("a")
    second = network.site("a")
    first.close()
    ContainerRetriever(second).add_container("m", [1])
    assert ContainerRetriever(network.site("b")).retrieve_container("a", "m") == [1]


def test_a_site_does_not_ask_itself() -> None:
    pair = Pair()
    retriever = ContainerRetriever(pair.owner)
    assert failure(lambda: retriever.retrieve_container("owner", "m")).code is Code.REFUSED


def test_a_site_with_as_many_sessions_as_it_takes_is_busy() -> None:
    network = MemoryNetwork()
    site = network.site("a", Options(limits=Limits(max_sessions=2)))
    site.provide(lambda asked: ContainerStreamer({}))
    for number in range(3):
        raw = frame(2, request())
        site.deliver("stranger", bytes([number] * 16), [memoryview(raw)])
    said: list[tuple[int, Any]] = []
    for key, live in list(site.live.items()):
        while (buffers := site.next_frame(key, live)) is not None:
            said += [(key[1][0], heard) for heard in parse(b"".join(buffers))]
    busy = [(number, heard.code) for number, heard in said if heard.name == "RESET"]
    assert busy == [(2, Code.BUSY)]
    assert len(site.live) == 2


def test_a_transfer_is_cancelled_by_its_event() -> None:
    for when in (0, 1, 4):
        event = threading.Event()

        def rule(number: int, message: bytes, event: Any = event, when: int = when) -> list[bytes]:
            if number == when:
                event.set()
            return [message]

        pair = Pair(Wire(rule).network)
        assert code_of_pull(pair, "m", Options(cancel=event)) is Code.CANCELLED
        assert [outcome.error.code for outcome in pair.outcomes if outcome.error] == [Code.CANCELLED]
        assert pair.nothing_is_left()
    event.set()
    wire = Wire()
    assert code_of_pull(Pair(wire.network), "m", Options(cancel=event)) is Code.CANCELLED
    assert wire.messages == []


def test_a_site_cancels_from_inside_of_progress_on_either_side() -> None:
    pair = Pair()
    options = Options(progress=lambda now: pair.receiver.cancel())
    assert code_of_pull(pair, "m", options) is Code.CANCELLED
    outcome = pair.push(Options(progress=lambda now: pair.owner.cancel()))
    assert outcome.error is not None
    assert outcome.error.code is Code.CANCELLED
    assert pair.taken == [None]


def test_an_interrupt_of_the_one_who_waits_ends_the_transfer() -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(now: object) -> None:
        raise Interrupted

    for what in ("pull", "push"):
        pair = Pair()
        with pytest.raises(Interrupted):
            getattr(pair, what)(Options(progress=interrupt))
        assert pair.nothing_is_left()
        assert exchange(pair, what) is None


def test_an_owner_may_ask_another_one_for_what_it_is_asked_for() -> None:
    network = MemoryNetwork()
    source, relay, asker = network.site("source"), network.site("relay"), network.site("asker")
    ContainerRetriever(source).add_container("m", VALUE)
    upstream = ContainerRetriever(relay)

    def provide(asked: Request) -> ContainerStreamer:
        return ContainerStreamer(upstream.retrieve_container("source", asked.name), name=asked.name)

    relay.provide(provide)
    assert ContainerRetriever(asker).retrieve_container("relay", "m") == VALUE


def test_many_threads_share_a_network() -> None:
    network = MemoryNetwork()
    owner = network.site("owner")
    ContainerRetriever(owner, chunk=1000).add_container("m", VALUE)
    got: list[object] = []

    def ask(number: int) -> None:
        got.append(ContainerRetriever(network.site(f"site{number}")).retrieve_container("owner", "m"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert got == [VALUE] * 8
    assert not owner.live


def test_a_message_that_is_slow_on_its_way_does_not_stop_the_others() -> None:
    release = threading.Event()

    def carry(source: str, target: str, message: bytes) -> list[bytes]:
        if target == "slow" and not release.is_set():
            started.set()
            assert release.wait(20)
        return [message]

    started = threading.Event()
    network = MemoryNetwork(carry)
    owner, slow, fast = network.site("owner"), network.site("slow"), network.site("fast")
    ContainerRetriever(owner).add_container("m", VALUE)
    got: list[object] = []
    thread = threading.Thread(
        target=lambda: got.append(ContainerRetriever(slow).retrieve_container("owner", "m"))
    )
    thread.start()
    assert started.wait(20)
    assert ContainerRetriever(fast).retrieve_container("owner", "m") == VALUE
    assert got == []
    release.set()
    thread.join(20)
    assert got == [VALUE]
