"""How one case ends: every way has its own outcome, and none is mistaken for a pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from honest import HonestAdapter, HonestSite

from objstream_conformance.case import Case
from objstream_conformance.cases import CaseInfo
from objstream_conformance.contract import Rejected
from objstream_conformance.network import Fault
from objstream_conformance.outcomes import CaseResult, NotApplicable, Outcome, Verdict
from objstream_conformance.worker import run_case


def end(body: Callable[[Case], None], adapter: HonestAdapter | None = None) -> CaseResult:
    adapter = adapter or HonestAdapter()
    info = CaseInfo("here.case", ("OSP-CTR-001",), frozenset(), frozenset(), "A scenario.", body)
    return run_case(info, adapter, adapter.describe(), seed=1)


def verdict(result: CaseResult) -> tuple[str, str]:
    return result.verdict.value, result.outcome.value


def test_a_body_that_returns_is_a_pass() -> None:
    assert verdict(end(lambda t: t.carries({"a": 1}))) == ("PASS", "ok")


def test_an_expectation_that_fails_is_a_violation_with_evidence() -> None:
    def body(t: Case) -> None:
        t.carries([1])
        t.expect(1 > 2, "order", "chaos", "look here")

    result = end(body)
    assert verdict(result) == ("FAIL", "violation")
    assert (result.expected, result.observed, result.check) == ("order", "chaos", "look here")
    assert result.evidence["messages"] > 4  # type: ignore[operator]


def test_a_refusal_that_nobody_asked_for_is_a_violation() -> None:
    result = end(lambda t: t.transfer(object()) and None)
    assert verdict(result) == ("FAIL", "violation")
    assert "rejected: UNSUPPORTED" in result.observed


def test_a_fault_that_struck_nothing_proves_nothing() -> None:
    def body(t: Case) -> None:
        t.fault("drop", nth=10_000)
        t.carries([1])

    result = end(body)
    assert verdict(result) == ("INCONCLUSIVE", "unexercised")
    assert "drop: message 10000" in result.observed


def test_a_fault_elsewhere_that_struck_nothing_proves_nothing() -> None:
    def body(t: Case) -> None:
        with t.elsewhere() as there:
            there.fault("drop", nth=10_000)
            there.carries([1])

    assert verdict(end(body)) == ("INCONCLUSIVE", "unexercised")


def test_a_case_that_was_not_exercised_is_tried_again() -> None:
    tries: list[int] = []

    def body(t: Case) -> None:
        tries.append(1)
        t.exercised(len(tries) == 3, "the third time")

    assert verdict(end(body)) == ("PASS", "ok")


def test_a_violation_is_not_tried_again() -> None:
    tries: list[int] = []

    def body(t: Case) -> None:
        tries.append(1)
        t.expect(len(tries) == 2, "the second time", "the first")

    assert verdict(end(body)) == ("FAIL", "violation")


def test_a_violation_without_its_fault_is_tried_again() -> None:
    tries: list[int] = []

    def once(t: Case) -> None:
        tries.append(1)
        if len(tries) < 3:
            with t.elsewhere() as there:
                there.fault("drop", nth=10_000)
                there.expect(False, "a", "b")
        t.carries([1])

    assert verdict(end(once)) == ("PASS", "ok")
    assert len(tries) == 3

    def always(t: Case) -> None:
        tries.append(1)
        t.fault("drop", nth=10_000)
        t.expect(False, "a", "b")

    assert verdict(end(always)) == ("FAIL", "violation")
    assert len(tries) == 6


def test_a_fault_may_strike_when_the_operation_has_ended() -> None:
    def body(t: Case) -> None:
        sender, receiver = t.sites()
        t.fault("drop", source=sender.name, target=receiver.name)
        carry = threading.Timer(0.05, lambda: t.network.carry(sender.name, receiver.name, b"late"))
        carry.start()
        t.network.heal()
        t.fault("drop", source=sender.name, target=receiver.name)
        threading.Timer(0.05, lambda: t.network.carry(sender.name, receiver.name, b"late")).start()

    assert verdict(end(body)) == ("PASS", "ok")


def test_a_bug_of_the_suite_is_not_the_implementation_s() -> None:
    result = end(lambda t: [][1])  # type: ignore[misc]
    assert verdict(result) == ("INCONCLUSIVE", "suite-error")
    assert "IndexError" in result.observed


def test_what_is_not_declared_does_not_apply() -> None:
    assert verdict(end(lambda t: t.need("observer"))) == ("NOT APPLICABLE", "unsupported")


class Restless(HonestSite):
    """Cannot be closed."""

    def close(self) -> None:
        raise OSError("in use")


class Homeless(HonestAdapter):
    """Opens no site."""

    def site(self, *_: object) -> HonestSite:
        raise OSError("no room")


def test_a_site_that_cannot_be_closed_is_the_adapter_s_fault() -> None:
    adapter = HonestAdapter()
    adapter.site_class = Restless
    assert verdict(end(lambda t: t.carries([1]), adapter)) == ("INCONCLUSIVE", "adapter-error")


def test_a_violation_is_not_hidden_by_a_site_that_cannot_be_closed() -> None:
    adapter = HonestAdapter()
    adapter.site_class = Restless
    assert verdict(end(lambda t: t.same(t.transfer([1]), [2]), adapter)) == ("FAIL", "violation")


def test_a_crash_beside_the_case_is_a_crash() -> None:
    def body(t: Case) -> None:
        t.overlap(lambda: t.sites()[0].extra("no_such_method"), source=t.sites()[0].name)
        t.carries([1])

    assert verdict(end(body)) == ("INCONCLUSIVE", "adapter-error")


def test_a_site_that_cannot_be_opened_is_the_adapter_s_fault() -> None:
    assert verdict(end(lambda t: t.carries([1]), Homeless())) == ("INCONCLUSIVE", "adapter-error")


def test_cases_are_repeatable() -> None:
    seen: list[object] = []
    for _ in range(2):
        end(lambda t: seen.append((t.load().sent, t.network._random.random())))
    assert seen[0] == seen[1]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    adapter = HonestAdapter()
    return Case(adapter, adapter.describe(), tmp_path, "seed")


def test_refuses_wants_a_refusal_and_no_delivery(case: Case) -> None:
    assert "function" in case.refuses([lambda: None], "no functions").message
    with pytest.raises(Exception, match="delivered was"):
        case.refuses([1], "no numbers")


def test_refused_wants_more_than_a_timeout(case: Case) -> None:
    def slow() -> None:
        raise TimeoutError("late")

    assert isinstance(case.rejected(slow, "an error"), TimeoutError)
    with pytest.raises(Exception, match="running out of time"):
        case.refused(slow, "an error")


def test_within_looks_at_the_clock(case: Case) -> None:
    assert case.within(5.0, lambda: 3, "an end") == 3
    with pytest.raises(Exception, match="it took"):
        case.within(0.05, lambda: time.sleep(0.1), "an end")


def test_together_runs_side_by_side_and_keeps_refusals(case: Case) -> None:
    def refuse() -> None:
        raise Rejected("no")

    start = time.monotonic()
    results = case.together(lambda: time.sleep(0.2) or 1, lambda: time.sleep(0.2) or 2, refuse)  # type: ignore[func-returns-value]
    assert time.monotonic() - start < 0.39
    assert results[:2] == [1, 2]
    assert isinstance(results[2], Rejected)


def test_overlap_happens_in_the_middle(case: Case) -> None:
    inner: list[object] = []
    owner, requester = case.sites()
    owner.add_container("inner", [1])
    case.overlap(
        lambda: inner.append(requester.retrieve_container(owner.name, "inner")), source=owner.name, nth=2
    )
    case.carries([1, 2, 3])
    assert inner == [[1]]


def test_leftovers_are_found(case: Case) -> None:
    _, receiver = case.sites()
    before = receiver.files()
    (receiver.directory / "deep").mkdir()
    (receiver.directory / "deep" / ".tmp").write_bytes(b"xyz")
    with pytest.raises(Exception, match=r"1 files left: \{'deep/.tmp': 3\}"):
        case.no_leftovers(receiver, before)


def test_a_rehearsal_aims_the_fault(case: Case) -> None:
    load = case.load(pieces=3, size=50_000)
    trace = case.rehearse(lambda: load.move(1.0)).way(source="alpha").content()
    case.hit("drop", trace.messages[1])
    assert isinstance(case.rejected(lambda: load.move(1.0), "a failure"), Rejected)
    assert case.network.fired() == [str(Fault("drop", "alpha", "beta", nth=trace.messages[1].nth))]
    case.works()


def test_not_applicable_is_an_ending() -> None:
    assert NotApplicable("x", "y").verdict is Verdict.NOT_APPLICABLE
    assert CaseResult("c", ("i",), Verdict.PASS, Outcome.OK, "s").as_json() == (
        '{"case": "c", "ids": ["i"], "verdict": "PASS", "outcome": "ok", "scenario": "s", "expected": "", '
        '"observed": "", "check": "", "seconds": 0.0, "evidence": {}}'
    )
