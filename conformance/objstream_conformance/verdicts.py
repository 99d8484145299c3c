"""From the results of cases to a verdict per requirement, per implementation and for the whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from .outcomes import CaseResult, Outcome, Verdict
from .probes import GOOD_STREAM
from .registry import Requirement
from .runner import ImplementationRun

_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.NOT_APPLICABLE)
_BROKEN = (Outcome.ADAPTER_ERROR, Outcome.SUITE_ERROR)


class Standing(str, Enum):
    """The verdict on an implementation."""

    CONFORMANT = "conformant"
    AS_KNOWN = "known failures"
    NOT_CONFORMANT = "not conformant"
    INCONCLUSIVE = "inconclusive"
    SUITE_ERROR = "suite-error"
    NOTHING_RAN = "nothing-ran"


EXIT_CODES: Mapping[Standing, int] = {
    Standing.CONFORMANT: 0,
    Standing.AS_KNOWN: 0,
    Standing.NOT_CONFORMANT: 1,
    Standing.SUITE_ERROR: 2,
    Standing.NOTHING_RAN: 3,
    Standing.INCONCLUSIVE: 3,
}


@dataclass(frozen=True)
class RequirementResult:
    """What is known about one requirement: its verdict, and the case that decided it."""

    requirement: Requirement
    verdict: Verdict
    case: CaseResult | None = None
    reason: str = ""


@dataclass(frozen=True)
class Assessment:
    """The verdict on one implementation, and why.

    Attributes:
        notes: what the honesty probes have found.
        known: failures that were known and occurred as they were to, and what is said of them; see :mod:`.known`.
        differences: between what is known and what occurred.
    """

    run: ImplementationRun
    standing: Standing
    reason: str
    requirements: list[RequirementResult]
    notes: list[str] = field(default_factory=list)
    known: Mapping[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        found = Counter(result.verdict for result in self.requirements)
        return {verdict.value: found[verdict] for verdict in Verdict}

    def with_verdict(self, *verdicts: Verdict) -> list[RequirementResult]:
        return [result for result in self.requirements if result.verdict in verdicts]

    @property
    def declared(self) -> int:
        """Requirements that apply to what the implementation declares."""
        return len(self.requirements) - len(self.with_verdict(Verdict.NOT_APPLICABLE))

    @property
    def executed(self) -> int:
        return len(self.with_verdict(Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE))


def assess(run: ImplementationRun, requirements: Iterable[Requirement]) -> Assessment:
    """The verdicts on one implementation, for the requirements that were asked about."""
    accepts = next(
        (probe.verdict is Verdict.PASS for probe in run.probes if probe.case == GOOD_STREAM), False
    )
    results = [_requirement(requirement, run, accepts) for requirement in requirements]
    notes = [f"{probe.case}: {probe.observed}" for probe in run.probes if _counts_against(probe)]
    return Assessment(run, *standing(run, results), results, notes)


def exit_code(assessments: Iterable[Assessment]) -> int:
    """0 when all conform, 1 when one does not, 2 when suite or adapter broke, 3 when nothing was shown."""
    codes = [EXIT_CODES[assessment.standing] for assessment in assessments]
    return next((code for code in (2, 1, 3) if code in codes), 0 if codes else 3)


def _counts_against(result: CaseResult) -> bool:
    return result.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)


def _requirement(requirement: Requirement, run: ImplementationRun, accepts: bool) -> RequirementResult:
    if run.error:
        return RequirementResult(requirement, Verdict.UNTESTED, reason="the adapter did not get that far")
    missing = _missing(requirement, run)
    if missing:
        return RequirementResult(requirement, Verdict.NOT_APPLICABLE, reason=f"{missing} is not declared")
    bound = [result for result in run.results if requirement.id in result.ids]
    if not bound:
        return RequirementResult(requirement, Verdict.UNTESTED, reason="no case tests it")
    worst = min(bound, key=lambda result: _WORST_FIRST.index(result.verdict))
    if worst.verdict is Verdict.PASS and not accepts:
        reason = "it passed, but the implementation did not accept a good stream: refusing proves nothing"
        return RequirementResult(requirement, Verdict.INCONCLUSIVE, worst, reason)
    return RequirementResult(requirement, worst.verdict, worst)


def _missing(requirement: Requirement, run: ImplementationRun) -> str:
    if requirement.layer == "wire" and "wire" not in run.capabilities:
        return "wire"
    if requirement.capability not in ("none", *run.capabilities):
        return requirement.capability
    roles = {
        "sender": {"sender", "owner"},
        "receiver": {"receiver", "requester"},
        "owner": {"owner"},
        "requester": {"requester"},
    }.get(requirement.role, set(run.roles))
    return "" if roles & run.roles else f"the role {requirement.role}"


def standing(
    run: ImplementationRun, results: Iterable[RequirementResult], excused: Collection[str] = ()
) -> tuple[Standing, str]:
    """The verdict and why; requirements and probes that are excused do not count."""
    if run.error:
        return Standing.SUITE_ERROR, run.error
    results = [result for result in results if result.requirement.id not in excused]
    musts = [result for result in results if result.requirement.level == "MUST"]
    failed = [result for result in musts if result.verdict is Verdict.FAIL]
    if failed:
        return Standing.NOT_CONFORMANT, _counted(len(failed), "requirement fails", "requirements fail")
    broken = [result for result in [*run.probes, *run.results] if result.outcome in _BROKEN]
    if broken:
        return Standing.SUITE_ERROR, f"{broken[0].case}: {broken[0].observed}"
    dishonest = [probe for probe in run.probes if probe.verdict is Verdict.FAIL and probe.case not in excused]
    if dishonest:
        return Standing.NOT_CONFORMANT, f"{dishonest[0].case}: {dishonest[0].observed}"
    if not any(result.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE) for result in results):
        return Standing.NOTHING_RAN, "no requirement that was asked about applies to what is declared"
    unclear = [result for result in musts if result.verdict is Verdict.INCONCLUSIVE]
    if unclear:
        return Standing.INCONCLUSIVE, _counted(
            len(unclear), "requirement could not be decided", "requirements could not be decided"
        )
    return Standing.CONFORMANT, "every requirement that applies and was tested is met"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
