"""Sites that the suite builds out of ends: they carry what ends say, and do nothing in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import failed, run

from objstream_conformance import cases, registry
from objstream_conformance.adapters.ends import EndsAdapter, described
from objstream_conformance.adapters.switchboard import Half, Switchboard
from objstream_conformance.adapters.wire import EndsOfReference
from objstream_conformance.contract import OF_SITES, ROLES, Description, Rejected, Unsupported
from objstream_conformance.network import Fault, Network
from objstream_conformance.outcomes import AdapterError, Hang, Verdict
from objstream_conformance.verdicts import Standing

CORE = sorted(
    {id_ for info in cases.load().values() if "wire" not in info.needs for id_ in info.ids}
    - {id_ for id_, requirement in registry.load().items() if requirement.layer == "wire"}
)


def test_the_ends_of_the_reference_conform() -> None:
    assessment = run(EndsOfReference(), *CORE)
    assert failed(assessment) == set()
    assert assessment.standing is Standing.CONFORMANT
    assert len(assessment.with_verdict(Verdict.PASS)) > 75


@pytest.fixture
def sites(tmp_path: Path) -> tuple[Network, Any, Any]:
    network, adapter = Network(), EndsOfReference()
    made = []
    for name in ("alpha", "beta"):
        network.sites.add(name)
        tmp_path.joinpath(name).mkdir()
        made.append(adapter.site(name, network, tmp_path / name))
    return network, *made


def test_all_that_is_sent_goes_over_the_network(sites: tuple[Network, Any, Any]) -> None:
    network, alpha, beta = sites
    alpha.add_container("model", {"a": bytes(100_000)})
    assert beta.retrieve_container("alpha", "model", timeout=1.0) == {"a": bytes(100_000)}
    way = [(message.source, message.target) for message in network.log]
    assert way[0] == ("beta", "alpha")
    assert sum(message.size for message in network.log) > 100_000
    bodies = [message.body or b"" for message in network.log]
    assert {body[:16] for body in bodies} == {bodies[0][:16]}
    assert [body[16:24] == b"\x89OSP\r\n\x1a\n" for body in bodies[:2]] == [True, True]


@pytest.mark.parametrize("name", ["Model", "model ", "mode", "other", ""])
def test_the_end_says_no_and_not_the_site(name: str, sites: tuple[Network, Any, Any]) -> None:
    network, alpha, beta = sites
    alpha.add_container("model", {"a": 1})
    with pytest.raises(Rejected) as refusal:
        beta.retrieve_container("alpha", name, timeout=1.0)
    assert refusal.value.code == "NOT_FOUND"
    assert len(network.log) == 2


def test_a_message_of_no_session_reaches_nobody(sites: tuple[Network, Any, Any]) -> None:
    network, alpha, beta = sites
    alpha.add_container("model", [1, 2])
    network.plan(Fault("corrupt", source="beta", at=0))
    with pytest.raises(TimeoutError):
        beta.retrieve_container("alpha", "model", timeout=1.0)
    assert beta.retrieve_container("alpha", "model", timeout=1.0) == [1, 2]
    assert alpha.served()[-1] == ("beta", "model", None)


def test_what_is_not_declared_is_not_offered(tmp_path: Path) -> None:
    class Receiving(EndsOfReference):
        def describe(self) -> Description:
            return described("receiving", "1", ["requester", "receiver"], {"wire", "container"})

    site = Receiving().site("alpha", Network(), tmp_path)
    for operation in (
        lambda: site.send_container(["beta"], [1], timeout=1.0),
        lambda: site.retrieve_container("beta", "x", timeout=1.0),
        lambda: site.add_file("x", tmp_path),
        site.cancel,
    ):
        with pytest.raises(Unsupported):
            operation()


def test_what_ends_can_do_is_told_by_their_roles() -> None:
    told = described("x", "1", ROLES, {"wire", "container", "push"})
    assert told.capabilities == {
        *("wire", "container", "pull", "push", "deadline", "chunk-size", "owner-verdict"),
    }
    assert "push" not in described("x", "1", ["sender", "owner", "requester"], {"push"}).capabilities
    assert Description("x", "1", ROLES, frozenset()).capabilities == OF_SITES
    with pytest.raises(AdapterError, match="ends of sessions can have; observed memory, sites"):
        described("x", "1", ROLES, {"sites", "memory", "wire"})


# -- time


class Clocked:
    """An end that says nothing, and fails after so many seconds by its clock."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def start(self) -> bytes:
        return b"hello"

    def feed(self, data: bytes) -> bytes:
        return b""

    eof = start

    def advance(self, seconds: float) -> bytes:
        self.left -= seconds
        return b""

    def outcome(self) -> Any:
        return ("failed", "STALLED") if self.left <= 1e-9 else None


def passed(seconds: float, deadline: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long the suite has waited for an end that takes so many seconds by its clock."""
    waited: list[float] = []
    monkeypatch.setattr("objstream_conformance.adapters.switchboard.time.sleep", waited.append)
    network = Network()
    network.sites |= {"alpha", "beta"}
    network.plan(Fault("drop", times=0))
    half = Half("alpha", "beta", Clocked(seconds), lambda _: None, lambda _: None)
    Switchboard(network, framed=False).run(half, lambda: pytest.fail("nothing arrives"), deadline)
    return sum(waited)


def test_a_deadline_takes_no_time_and_being_late_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert passed(8.0, 8.0, monkeypatch) == 0
    assert passed(3.0, 2.0, monkeypatch) == pytest.approx(1.0)
    with pytest.raises(Hang, match=r"give up 2 s after the last progress; observed alpha's still waits"):
        passed(100.0, 2.0, monkeypatch)


class Total(EndsAdapter):
    """The ends of the reference, with deadlines that are about the total."""

    def describe(self) -> Description:
        return EndsOfReference().describe()

    def wire(self, *arguments: Any, deadline: float, **options: Any) -> Any:
        end = EndsOfReference().wire(*arguments, deadline=deadline, **options)
        advance, total = end.advance, [0.0]

        def limited(seconds: float) -> bytes:
            total[0] += seconds
            return advance(seconds) if total[0] < deadline else end.cancel()

        end.advance = limited  # type: ignore[method-assign]
        return end


def test_a_message_that_is_held_up_takes_time() -> None:
    assert failed(run(Total(), "OSP-TIM-001")) == {"OSP-TIM-001"}
    assert failed(run(EndsOfReference(), "OSP-TIM-001")) == set()
