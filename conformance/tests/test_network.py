"""The suite's network does what its plan says, and nothing else."""

from __future__ import annotations

import json
import threading

import pytest

from objstream_conformance.contract import Cut
from objstream_conformance.network import Fault, Message, Network, Trace, aimed


@pytest.fixture
def network() -> Network:
    network = Network(seed=1)
    network.sites |= {"a", "b", "c"}
    return network


def test_without_a_plan_messages_arrive_as_they_are(network: Network) -> None:
    assert network.carry("a", "b", b"one") == [b"one"]
    assert [str(message) for message in network.log] == [f"#0 a->b 3 bytes {network.log[0].digest} carried"]


@pytest.mark.parametrize(
    ("fault", "arriving"),
    [
        (Fault("drop"), []),
        (Fault("duplicate"), [b"abcd", b"abcd"]),
        (Fault("corrupt", at=1), [b"accd"]),
        (Fault("corrupt", at=-1, mask=0x80), [b"abc\xe4"]),
        (Fault("corrupt", at=1.0), [b"abce"]),
        (Fault("corrupt", at=99), [b"abce"]),
        (Fault("truncate", amount=3), [b"a"]),
        (Fault("truncate", amount=9), [b""]),
    ],
)
def test_a_fault_strikes_the_message_selected(network: Network, fault: Fault, arriving: list[bytes]) -> None:
    network.plan(fault)
    assert network.carry("a", "b", b"abcd") == arriving
    assert network.carry("a", "b", b"abcd") == [b"abcd"]
    assert network.unfired() == []
    assert network.fired() == [str(fault)]


def test_random_bytes_come_from_the_seed() -> None:
    arrived = set()
    for _ in range(2):
        network = Network(seed=5)
        network.sites.add("b")
        network.plan(Fault("extend", amount=4))
        arrived.add(network.carry("a", "b", b"x")[0])
    assert len(arrived) == 1
    assert len(arrived.pop()) == 5


def test_a_fault_counts_only_what_it_selects(network: Network) -> None:
    network.plan(Fault("drop", source="a", target="b", min_size=3, nth=1, times=2))
    carried = [("b", "a", b"long"), ("a", "b", b"xx"), *[("a", "b", b"long")] * 4, ("a", "c", b"long")]
    arrived = [bool(network.carry(*message)) for message in carried]
    assert arrived == [True, True, True, False, False, True, True]


def test_times_zero_means_for_good(network: Network) -> None:
    network.plan(Fault("drop", nth=1, times=0))
    assert [bool(network.carry("a", "b", b"x")) for _ in range(4)] == [True, False, False, False]


def test_a_reordered_message_comes_after_the_next_of_its_direction(network: Network) -> None:
    network.plan(Fault("reorder"))
    assert network.carry("a", "b", b"1") == []
    assert network.carry("b", "a", b"x") == [b"x"]
    assert network.carry("a", "b", b"2") == [b"2", b"1"]
    assert network.carry("a", "b", b"3") == [b"3"]


def test_a_remembered_message_is_replayed_on_any_link(network: Network) -> None:
    network.carry("a", "b", b"old")
    (copy,) = network.remember(network.log[0].body)
    network.plan(Fault("replay", source="c", copy=copy))
    assert network.carry("c", "b", b"new") == [b"new", b"old"]


def test_a_cut_is_for_good_and_for_both_directions(network: Network) -> None:
    network.plan(Fault("cut", source="a"))
    for source, target in (("a", "b"), ("a", "b"), ("b", "a")):
        with pytest.raises(Cut):
            network.carry(source, target, b"x")
    assert network.carry("a", "c", b"x") == [b"x"]
    network.heal()
    assert network.carry("a", "b", b"x") == [b"x"]


def test_an_unknown_target_cannot_be_reached(network: Network) -> None:
    with pytest.raises(Cut):
        network.carry("a", "nowhere", b"x")
    assert network.log[0].fate == "unknown target"


def test_what_never_struck_is_told_unless_it_was_optional(network: Network) -> None:
    network.plan(Fault("drop", nth=3))
    network.plan(Fault("drop", nth=4), required=False)
    network.hook(lambda _: None, nth=5)
    network.carry("a", "b", b"x")
    network.heal()
    assert network.unfired() == ["drop: message 3 *->*", "a hook"]


def test_a_hook_sees_the_message_before_it_arrives(network: Network) -> None:
    seen: list[Message] = []
    network.hook(seen.append, source="a", nth=1, times=2)
    for body in (b"0", b"1", b"2", b"3"):
        network.carry("a", "b", body)
    assert [(message.nth, message.body) for message in seen] == [(1, b"1"), (2, b"2")]


def test_a_hook_may_use_the_network(network: Network) -> None:
    network.hook(lambda _: network.carry("b", "c", b"inner") and None)
    network.carry("a", "b", b"outer")
    assert [message.size for message in network.log] == [5, 5]


def test_a_delay_holds_up_its_own_link_only(network: Network) -> None:
    network.plan(Fault("delay", target="b", seconds=0.3))
    slow = threading.Thread(target=network.carry, args=("a", "b", b"x"))
    slow.start()
    network.carry("a", "c", b"x")
    assert slow.is_alive()
    slow.join()


def test_a_quiet_network_keeps_nothing(network: Network) -> None:
    network.quiet = True
    network.plan(Fault("drop"))
    network.carry("a", "b", b"x")
    network.heal()
    assert network.log == []
    assert network.fired() == []


def test_a_fault_is_data() -> None:
    fault = Fault("corrupt", source="a", nth=3, at=0.25)
    assert Fault(**json.loads(json.dumps(fault.as_dict()))) == fault


def test_a_trace_finds_its_targets(network: Network) -> None:
    network.carry("a", "b", b"before")
    start = len(network.log)
    for size in (10, 1000, 900, 1000, 20):
        network.carry("a", "b", bytes(size))
        network.carry("b", "a", b"ok")
    trace = network.since(start).way(source="a")
    assert [message.nth for message in trace.messages] == [0, 1, 2, 3, 4]
    assert [message.nth for message in trace.content().messages] == [1, 2, 3]
    assert [message.nth for message in trace.some(3)] == [0, 2, 4]
    assert trace.largest().nth == 1
    assert trace.last().nth == 4
    assert aimed("drop", trace.last()) == Fault("drop", source="a", target="b", nth=4)
    assert Trace([]).some(3) == []


def test_evidence_sums_up(network: Network) -> None:
    network.plan(Fault("drop", nth=1))
    for size in (1, 5, 3):
        network.carry("a", "b", bytes(size))
    evidence = network.evidence(tail=2)
    assert (evidence["messages"], evidence["bytes"], evidence["largest"]) == (3, 9, 5)
    assert evidence["faults"] == ["drop: message 1 *->*"]
    assert [str(line).rpartition(" ")[2] for line in evidence["tail"]] == ["drop", "carried"]  # type: ignore[attr-defined]
