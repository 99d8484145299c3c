"""The suite passes an honest implementation and fails wrong ones, for the requirements that they break."""

from __future__ import annotations

import wrong
from helpers import case_of, failed, run
from honest import HonestAdapter

from objstream_conformance.outcomes import Outcome, Verdict
from objstream_conformance.verdicts import Standing


def test_an_honest_implementation_conforms() -> None:
    assessment = run(HonestAdapter())
    unclear = assessment.with_verdict(Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert [(result.requirement.id, result.case) for result in unclear] == []
    assert assessment.standing is Standing.CONFORMANT
    assert assessment.notes == []
    assert assessment.executed > 110


def test_yes_to_everything() -> None:
    assessment = run(wrong.Yes(), "CTR", "SES", "INT", "RTV", "TIM")
    assert len(assessment.notes) == 3
    assert assessment.standing is Standing.NOT_CONFORMANT
    passed = {result.requirement.id for result in assessment.with_verdict(Verdict.PASS)}
    assert passed == set()


def test_no_to_everything() -> None:
    assessment = run(wrong.No(), "VAL", "RTV", "SEC")
    assert assessment.standing is Standing.NOT_CONFORMANT
    assert assessment.with_verdict(Verdict.PASS) == []
    refusals = next(result for result in assessment.requirements if result.requirement.id == "OSP-VAL-036")
    assert refusals.verdict is Verdict.INCONCLUSIVE
    assert "did not accept a good stream" in refusals.reason


def test_a_crash_is_no_rejection() -> None:
    assessment = run(wrong.Crashing(), "OSP-RTV-001", "OSP-RTV-010")
    assert failed(assessment) == {"OSP-RTV-001"}
    assert case_of(assessment, "OSP-RTV-001").outcome is Outcome.CRASH
    assert "KeyError" in case_of(assessment, "OSP-RTV-001").observed


def test_storing_nothing() -> None:
    assert failed(run(wrong.Forgetful(), "OSP-FIL-012", "OSP-SES-018", "OSP-SES-001", "OSP-CTR-001")) == {
        "OSP-SES-001",
        "OSP-SES-018",
    }


def test_corrupting_silently() -> None:
    assessment = run(wrong.Trusting(), "INT", "VAL")
    assert failed(assessment) == {"OSP-INT-004"}
    assert "wrong object" in case_of(assessment, "OSP-INT-004").observed
    assert any("probe.corrupted_stream" in note for note in assessment.notes)


def test_lists_for_tuples() -> None:
    assessment = run(wrong.Listing(), "CTR", "VAL")
    assert (
        {"OSP-CTR-002", "OSP-VAL-010"}
        <= failed(assessment)
        <= {
            *("OSP-CTR-001", "OSP-CTR-002", "OSP-CTR-003", "OSP-CTR-005"),
            *("OSP-VAL-010", "OSP-VAL-014", "OSP-VAL-016", "OSP-VAL-039"),
        }
    )
    assert "a tuple was sent, a list arrived" in case_of(assessment, "OSP-VAL-010").observed


def test_sorted_dicts() -> None:
    assert "OSP-CTR-004" in failed(run(wrong.Sorting(), "CTR"))


def test_leaving_files_behind() -> None:
    assessment = run(wrong.Littering(), "FIL", "INT")
    assert "OSP-FIL-010" in failed(assessment)
    assert failed(assessment).isdisjoint({"OSP-FIL-001", "OSP-INT-001", "OSP-FIL-015"})


def test_delivering_twice() -> None:
    assert {"OSP-SES-010"} <= failed(run(wrong.Repeating(), "SES")) <= {"OSP-SES-010", "OSP-SES-011"}


def test_a_deadline_for_the_whole() -> None:
    assert failed(run(wrong.Impatient(), "TIM", "OSP-RTV-005")) == {"OSP-TIM-001"}


def test_hoarding() -> None:
    assert "OSP-RTV-007" in failed(run(wrong.Hoarding(), "OSP-RTV-007", "OSP-RTV-010"))


def test_declared_and_not_offered() -> None:
    assessment = run(wrong.Unwilling(), "OSP-FIL-001", "OSP-VAL-001")
    assert failed(assessment) == set()
    assert case_of(assessment, "OSP-FIL-001").outcome is Outcome.ADAPTER_ERROR
    assert assessment.standing is Standing.SUITE_ERROR


def test_nothing_declared() -> None:
    assessment = run(wrong.Bare(), "CTR", "VAL")
    assert assessment.executed == 0
    assert assessment.standing is Standing.NOTHING_RAN
