"""Runs cases in this process and says which requirements fail."""

from __future__ import annotations

from collections.abc import Iterable

from objstream_conformance import cases, probes, registry
from objstream_conformance.command import asked_about
from objstream_conformance.contract import Adapter
from objstream_conformance.outcomes import CaseResult, Outcome, Verdict
from objstream_conformance.runner import ImplementationRun, inapplicable
from objstream_conformance.verdicts import Assessment, assess
from objstream_conformance.worker import run_case


def run(adapter: Adapter, *only: str) -> Assessment:
    """Hold an adapter against the cases selected, in this process."""
    description = adapter.describe()
    chosen = cases.select(cases.load(), only)
    result = ImplementationRun(
        "here", description.name, description.version, description.roles, description.capabilities
    )
    infos = [*probes.PROBES.values(), *chosen.values()]
    for info in infos:
        found = inapplicable(info, description.capabilities) or run_case(info, adapter, description, 0)
        (result.probes if info.name in probes.PROBES else result.results).append(found)
    return assess(result, asked_about(registry.load(), chosen, only))


def failed(assessment: Assessment) -> set[str]:
    """The ids of the requirements that fail."""
    return {result.requirement.id for result in assessment.with_verdict(Verdict.FAIL)}


def case_of(assessment: Assessment, id_: str) -> CaseResult:
    """The case that decided about a requirement."""
    found = next(result.case for result in assessment.requirements if result.requirement.id == id_)
    assert found is not None
    return found


def outcomes(results: Iterable[CaseResult]) -> dict[str, Outcome]:
    return {result.case: result.outcome for result in results}
