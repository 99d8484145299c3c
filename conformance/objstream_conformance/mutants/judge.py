"""Whether the suite says of a variant what it has to say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ..outcomes import CaseResult, Outcome, Verdict
from ..registry import Requirement
from ..runner import ImplementationRun
from ..verdicts import Assessment, assess
from .kit import Liar, Mutant, Variant


class Finding(Enum):
    """What became of a variant."""

    KILLED = "killed exactly"
    CAUGHT = "caught"
    PASSED = "passed"
    SURVIVED = "survived"
    OTHERS = "failed other ids"
    REASON = "wrong reason"
    BROKEN = "broke the suite"
    SKIPPED = "skipped"
    UNSHOWN = "not shown"


GOOD = frozenset({Finding.KILLED, Finding.CAUGHT, Finding.PASSED})
NEITHER = frozenset({Finding.SKIPPED, Finding.UNSHOWN})
"""Nothing was found out."""


@dataclass(frozen=True)
class Judgement:
    """A finding about a variant, and what it rests on where it is not as it should be."""

    variant: Variant
    finding: Finding
    detail: str = ""
    seconds: float = 0.0


def judge(variant: Variant, run: ImplementationRun, requirements: Iterable[Requirement]) -> Judgement:
    """Hold what the suite found in a run against what the variant declares."""
    assessment = assess(run, requirements)
    if run.error:
        finding, detail = Finding.BROKEN, run.error
    elif isinstance(variant, Mutant):
        finding, detail = _mutant(variant, assessment)
    elif isinstance(variant, Liar):
        finding, detail = _liar(variant, assessment)
    else:
        finding, detail = _oddity(run)
    return Judgement(variant, finding, detail, run.seconds)


def _mutant(mutant: Mutant, assessment: Assessment) -> tuple[Finding, str]:
    run, failing = assessment.run, _failing(assessment)
    if missing := sorted(mutant.reasons.keys() - failing.keys()):
        return Finding.SURVIVED, "; ".join(f"{id_}: {_passed(run, id_)}" for id_ in missing)
    if others := sorted(failing.keys() - mutant.reasons.keys()):
        return Finding.OTHERS, "; ".join(f"{id_}: {_said(failing[id_][0])}" for id_ in others)
    if strange := _strange(mutant.reasons, failing):
        return Finding.REASON, strange
    broken = [result for result in run.results if result.outcome is Outcome.SUITE_ERROR]
    return (Finding.BROKEN, _said(broken[0])) if broken else (Finding.KILLED, "")


def _liar(liar: Liar, assessment: Assessment) -> tuple[Finding, str]:
    failing = _failing(assessment)
    if assessment.standing is not liar.standing:
        return Finding.SURVIVED, f"the verdict is {assessment.standing.value}: {assessment.reason}"
    passed = assessment.with_verdict(Verdict.PASS)
    if passed and not liar.passes:
        return Finding.SURVIVED, f"{len(passed)} requirements pass, {passed[0].requirement.id} among them"
    if missing := sorted(liar.reasons.keys() - failing.keys()):
        return Finding.SURVIVED, "; ".join(f"{id_}: {_passed(assessment.run, id_)}" for id_ in missing)
    strange = _strange(liar.reasons, failing)
    return (Finding.REASON, strange) if strange else (Finding.CAUGHT, "")


def _oddity(run: ImplementationRun) -> tuple[Finding, str]:
    fine = (Verdict.PASS, Verdict.NOT_APPLICABLE)
    bad = [result for result in (*run.probes, *run.results) if result.verdict not in fine]
    return (Finding.OTHERS, "; ".join(map(_said, bad))) if bad else (Finding.PASSED, "")


def _failing(assessment: Assessment) -> dict[str, list[CaseResult]]:
    """The requirements that fail, each with the cases that do."""
    ids = [result.requirement.id for result in assessment.with_verdict(Verdict.FAIL)]
    failed = [result for result in assessment.run.results if result.verdict is Verdict.FAIL]
    return {id_: [result for result in failed if id_ in result.ids] for id_ in ids}


def _strange(reasons: Mapping[str, str], failing: Mapping[str, list[CaseResult]]) -> str:
    """The first failure that is for another reason than declared."""
    for id_, reason in reasons.items():
        for result in failing[id_]:
            if not re.search(reason, _said(result), re.DOTALL):
                return f"{id_}: not {reason!r}, but {_said(result)}"
    return ""


def _passed(run: ImplementationRun, id_: str) -> str:
    found = [result for result in run.results if id_ in result.ids]
    return (
        ", ".join(f"{result.case} {result.verdict.value} {result.observed}" for result in found) or "no case"
    )


def _said(result: CaseResult) -> str:
    return f"{result.case} ({result.outcome.value}): expected {result.expected}; observed {result.observed}"
