"""The report of a run: for people on the terminal, for programs as JSON (see `report.schema.json`)."""

from __future__ import annotations

import datetime
import platform
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .outcomes import CaseResult, Verdict
from .registry import AREAS
from .verdicts import Assessment, RequirementResult, Standing

_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.UNTESTED: "dim",
}


NAME: Final = "objstream-conformance"
SPECIFICATION: Final = "1.0"


def suite_version() -> str:
    return metadata.version("objstream")


def as_json(
    assessments: Sequence[Assessment], *, seed: int, started: float, seconds: float
) -> dict[str, object]:
    """The whole run as data.

    Args:
        assessments: the implementations.
        seed: the seed of the run.
        started: when it began, in seconds since the epoch.
        seconds: how long it took.
    """
    return {
        "suite": {
            "name": NAME,
            "version": suite_version(),
            "specification": SPECIFICATION,
            "python": platform.python_version(),
            "seed": seed,
            "started": datetime.datetime.fromtimestamp(started, datetime.timezone.utc).isoformat(),
            "seconds": round(seconds, 3),
        },
        "implementations": [_implementation(assessment) for assessment in assessments],
    }


def _implementation(assessment: Assessment) -> dict[str, object]:
    run = assessment.run
    return {
        "name": run.name,
        "version": run.version,
        "adapter": run.adapter,
        "verdict": assessment.standing.value,
        "reason": assessment.reason,
        "roles": sorted(run.roles),
        "capabilities": sorted(run.capabilities),
        "declared": assessment.declared,
        "executed": assessment.executed,
        "counts": assessment.counts(),
        "seconds": round(run.seconds, 3),
        "differences": assessment.differences,
        "probes": [_case(probe, assessment.known) for probe in run.probes],
        "requirements": [_requirement(result, assessment.known) for result in assessment.requirements],
    }


def _requirement(result: RequirementResult, known: Mapping[str, str]) -> dict[str, object]:
    requirement, case = result.requirement, result.case
    return {
        "id": requirement.id,
        "title": requirement.title,
        "level": requirement.level,
        "layer": requirement.layer,
        "area": requirement.area,
        "text": requirement.text,
        "intent": requirement.intent,
        "section": f"{requirement.chapter}#{requirement.anchor}",
        "verdict": result.verdict.value,
        "outcome": case.outcome.value if case else "",
        "case": case.case if case else "",
        "scenario": case.scenario if case else "",
        "expected": case.expected if case else "",
        "observed": result.reason or (case.observed if case else ""),
        "check": case.check if case else "",
        "known": known.get(requirement.id, ""),
        "seconds": round(case.seconds, 3) if case else 0.0,
        "evidence": dict(case.evidence) if case else {},
    }


def _case(case: CaseResult, known: Mapping[str, str]) -> dict[str, object]:
    return {
        "case": case.case,
        "verdict": case.verdict.value,
        "outcome": case.outcome.value,
        "scenario": case.scenario,
        "expected": case.expected,
        "observed": case.observed,
        "known": known.get(case.case, ""),
    }


def again(adapter: str, case: str, seed: int) -> str:
    """The command that repeats a case, as it is typed."""
    return f"objstream check {shlex.quote(adapter)} --only {case} --seed {seed}"


def show(
    console: Console,
    assessment: Assessment,
    *,
    verbose: bool = False,
    replay: Callable[[CaseResult], str] = lambda case: "",
) -> None:
    """Print one implementation: the counts by area, then everything that is not as it has to be.

    Args:
        console: where to.
        assessment: the implementation.
        verbose: print evidence too, what does not apply, and known failures in full.
        replay: the command that repeats a case.
    """
    run = assessment.run
    console.rule(escape(f"{run.name or run.adapter} {run.version}"), align="left")
    if run.name:
        console.print(
            f"[dim]{escape(run.adapter)}; {', '.join(sorted(run.roles))}; {', '.join(sorted(run.capabilities))}[/]",
            soft_wrap=True,
        )
    if assessment.requirements and run.name:
        console.print(_table(assessment))
    for note in assessment.notes:
        if note.partition(":")[0] not in assessment.known:
            console.print(f"[yellow]probe[/] {escape(note)}", soft_wrap=True)
    wanted = [
        Verdict.FAIL,
        Verdict.INCONCLUSIVE,
        *([Verdict.UNTESTED, Verdict.NOT_APPLICABLE] if verbose else []),
    ]
    for id_, what in assessment.known.items():
        console.print(f"[dim]known[/] [bold]{id_}[/] {escape(what)}", soft_wrap=True)
    area = ""
    for result in assessment.with_verdict(*wanted):
        if verbose or result.requirement.id not in assessment.known:
            if result.requirement.area != area:
                area = result.requirement.area
                console.print(f"\n[bold]{area}[/] {AREAS[area]}")
            _show_requirement(console, result, verbose, replay)
    if assessment.differences:
        console.print()
    for difference in assessment.differences:
        console.print(f"[red]difference[/] {escape(difference)}", soft_wrap=True)
    good = assessment.standing in (Standing.CONFORMANT, Standing.AS_KNOWN)
    colour = "green" if good else "red"
    verdict = f"[bold {colour}]{assessment.standing.value}[/]: {escape(assessment.reason)}"
    console.print(verdict, soft_wrap=True)
    counts = ", ".join(f"{count} {name}" for name, count in assessment.counts().items() if count)
    tested = f"{assessment.declared} requirements apply, {assessment.executed} were tested"
    console.print(f"{tested}: {counts}; {run.seconds:.1f} s\n", soft_wrap=True)


def show_run(console: Console, *, seed: int, seconds: float) -> None:
    """Print what all implementations were held against."""
    versions = f"{NAME} {suite_version()}, specification {SPECIFICATION}, Python {platform.python_version()}"
    console.print(f"[dim]{versions}; seed {seed}; {seconds:.1f} s[/]", soft_wrap=True)


def _table(assessment: Assessment) -> Table:
    table = Table("area", *(verdict.value for verdict in Verdict), box=None, pad_edge=False)
    for area in dict.fromkeys(result.requirement.area for result in assessment.requirements):
        verdicts = [result.verdict for result in assessment.requirements if result.requirement.area == area]
        cells = [(verdict, verdicts.count(verdict)) for verdict in Verdict]
        table.add_row(
            area, *(f"[{_COLOURS[verdict]}]{count}[/]" if count else "" for verdict, count in cells)
        )
    return table


def _show_requirement(
    console: Console, result: RequirementResult, verbose: bool, replay: Callable[[CaseResult], str]
) -> None:
    requirement, case = result.requirement, result.case
    colour = _COLOURS[result.verdict]
    console.print(
        f"\n[{colour}]{result.verdict.value}[/] [bold]{requirement.id}[/] {escape(requirement.title)}"
        f" [dim]({requirement.level}, {requirement.layer})[/]",
        soft_wrap=True,
    )
    if case is not None and result.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        shown = replace(case, observed=result.reason or case.observed)
        show_case(console, shown, verbose=verbose, intent=requirement.intent, again=replay(case))
    elif result.reason:
        _lines(console, [("observed", result.reason)])


def show_case(
    console: Console, case: CaseResult, *, verbose: bool = False, intent: str = "", again: str = ""
) -> None:
    """Print what a case has done and found."""
    lines = [
        ("outcome", case.outcome.value),
        ("scenario", f"{case.scenario} ({case.case})"),
        ("expected", case.expected),
        ("observed", case.observed),
        ("check", case.check),
        ("intent", intent),
        ("again", again),
    ]
    if verbose:
        lines += [(name, _evidence(value)) for name, value in case.evidence.items()]
    _lines(console, lines)


def _lines(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    for label, text in lines:
        if text:
            console.print(f"  [dim]{label:<9}[/]{escape(text)}", soft_wrap=True)


def _evidence(value: object) -> str:
    return "\n           ".join(str(item) for item in value) if isinstance(value, list) else str(value)
