"""From cases to requirements to implementations to exit codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from objstream_conformance import registry
from objstream_conformance.outcomes import CaseResult, Outcome, Verdict
from objstream_conformance.probes import GOOD_STREAM
from objstream_conformance.runner import ImplementationRun
from objstream_conformance.verdicts import Assessment, Standing, assess, exit_code

REQUIREMENTS = registry.load()
MUST = REQUIREMENTS["OSP-CTR-001"]
SHOULD = REQUIREMENTS["OSP-FIL-020"]
WIRE = REQUIREMENTS["OSP-FRM-001"]
ROLES = frozenset({"owner", "requester", "sender", "receiver"})


def case(verdict: Verdict, outcome: Outcome = Outcome.OK, *ids: str, name: str = "x.y") -> CaseResult:
    return CaseResult(name, ids or (MUST.id,), verdict, outcome, "A scenario.")


def run(
    *results: CaseResult, capabilities: str = "container file", good: Verdict = Verdict.PASS
) -> ImplementationRun:
    probes = [case(good, name=GOOD_STREAM)]
    return ImplementationRun(
        "x", "x", "1", ROLES, frozenset(capabilities.split()), probes=probes, results=list(results)
    )


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE], Verdict.FAIL),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], Verdict.INCONCLUSIVE),
        ([Verdict.NOT_APPLICABLE, Verdict.PASS], Verdict.PASS),
        ([Verdict.NOT_APPLICABLE], Verdict.NOT_APPLICABLE),
        ([], Verdict.UNTESTED),
    ],
)
def test_the_worst_case_decides_about_a_requirement(cases: list[Verdict], expected: Verdict) -> None:
    (result,) = assess(run(*map(case, cases)), [MUST]).requirements
    assert result.verdict is expected


def test_what_is_not_declared_does_not_apply() -> None:
    results = assess(run(capabilities="file"), [MUST, WIRE]).requirements
    assert [(r.verdict, r.reason) for r in results] == [
        (Verdict.NOT_APPLICABLE, "container is not declared"),
        (Verdict.NOT_APPLICABLE, "wire is not declared"),
    ]


def test_a_role_that_is_not_played_does_not_apply() -> None:
    only_sends = replace(run(case(Verdict.PASS)), roles=frozenset({"sender"}))
    (result,) = assess(only_sends, [replace(MUST, role="receiver")]).requirements
    assert (result.verdict, result.reason) == (Verdict.NOT_APPLICABLE, "the role receiver is not declared")


STANDINGS = [
    (run(case(Verdict.PASS)), Standing.CONFORMANT),
    (run(case(Verdict.FAIL, Outcome.VIOLATION)), Standing.NOT_CONFORMANT),
    (run(case(Verdict.FAIL, Outcome.CRASH)), Standing.NOT_CONFORMANT),
    (
        run(case(Verdict.FAIL, Outcome.HANG), case(Verdict.INCONCLUSIVE, Outcome.ADAPTER_ERROR)),
        Standing.NOT_CONFORMANT,
    ),
    (run(case(Verdict.INCONCLUSIVE, Outcome.UNEXERCISED)), Standing.INCONCLUSIVE),
    (run(case(Verdict.INCONCLUSIVE, Outcome.ADAPTER_ERROR)), Standing.SUITE_ERROR),
    (run(case(Verdict.INCONCLUSIVE, Outcome.SUITE_ERROR)), Standing.SUITE_ERROR),
    (run(case(Verdict.PASS), case(Verdict.FAIL, Outcome.VIOLATION, SHOULD.id)), Standing.CONFORMANT),
    (run(case(Verdict.PASS), good=Verdict.FAIL), Standing.NOT_CONFORMANT),
    (run(case(Verdict.PASS), good=Verdict.INCONCLUSIVE), Standing.INCONCLUSIVE),
    (run(), Standing.NOTHING_RAN),
    (run(capabilities="push"), Standing.NOTHING_RAN),
    (ImplementationRun("x", error="no such module"), Standing.SUITE_ERROR),
]


@pytest.mark.parametrize(("found", "expected"), STANDINGS)
def test_the_verdict_on_an_implementation(found: ImplementationRun, expected: Standing) -> None:
    assert assess(found, [MUST, SHOULD]).standing is expected


def test_passes_do_not_count_when_nothing_is_accepted() -> None:
    (result,) = assess(run(case(Verdict.PASS), good=Verdict.FAIL), [MUST]).requirements
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "refusing proves nothing" in result.reason


def test_numbers_add_up() -> None:
    assessment = assess(run(case(Verdict.PASS)), [MUST, SHOULD, WIRE])
    assert (assessment.declared, assessment.executed) == (2, 1)
    assert sum(assessment.counts().values()) == 3


@pytest.mark.parametrize(
    ("standings", "code"),
    [
        ([Standing.CONFORMANT, Standing.CONFORMANT], 0),
        ([Standing.CONFORMANT, Standing.NOT_CONFORMANT], 1),
        ([Standing.NOT_CONFORMANT, Standing.INCONCLUSIVE], 1),
        ([Standing.NOT_CONFORMANT, Standing.SUITE_ERROR], 2),
        ([Standing.CONFORMANT, Standing.NOTHING_RAN], 3),
        ([Standing.CONFORMANT, Standing.INCONCLUSIVE], 3),
        ([], 3),
    ],
)
def test_exit_codes(standings: list[Standing], code: int) -> None:
    found = [Assessment(ImplementationRun("x"), standing, "", []) for standing in standings]
    assert exit_code(found) == code
