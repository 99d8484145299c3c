"""The commands `objstream check` and `objstream requirements`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import cases, probes, registry, report, runner
from .cases import CaseInfo
from .locate import BUILT_IN
from .outcomes import CaseResult
from .registry import Requirement
from .verdicts import Assessment, assess, exit_code


@click.command()
@click.argument("adapters", nargs=-1, required=True, metavar="ADAPTER...")
@click.option("--only", multiple=True, metavar="AREA|ID|CASE", help="Ask only about these; may be repeated.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all that is random.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=runner.WATCHDOG_SECONDS,
    show_default=True,
    help="Seconds after which a case is taken to hang.",
)
@click.option("--verbose", is_flag=True, help="Show evidence, and requirements that do not apply.")
def check(
    adapters: tuple[str, ...],
    only: tuple[str, ...],
    json_file: Path | None,
    seed: int,
    timeout: float,
    verbose: bool,
) -> None:
    """Hold implementations against the specification.

    ADAPTER is a built-in name (reference, reference-socket, nvflare), module:Class or path/to/file.py:Class.

    Exit status: 0 all conform; 1 one does not; 2 the suite or an adapter broke; 3 nothing ran, or the
    result is inconclusive.
    """
    try:
        chosen = cases.select(cases.load(), only)
        requirements = asked_about(registry.load(), chosen, only)
    except (ValueError, registry.RegistryError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    started = time.time()
    runs = _run(adapters, chosen, seed, timeout)
    assessments = [assess(run, requirements) for run in runs]
    console = Console(highlight=False)
    for assessment in assessments:
        report.show(console, assessment, verbose=verbose)
    if json_file is not None:
        record = report.as_json(assessments, seed=seed, started=started, seconds=time.time() - started)
        json_file.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    _epilogue(console, assessments)
    sys.exit(exit_code(assessments))


def asked_about(
    requirements: Mapping[str, Requirement], chosen: Mapping[str, CaseInfo], only: Collection[str] = ()
) -> list[Requirement]:
    """The requirements of the report: all of them, or those selected or tested by the cases that are.

    Raises:
        ValueError: a case names an id that is in no chapter.
    """
    named = {one for info in chosen.values() for one in info.ids}
    stale = sorted(named - set(requirements))
    if stale:
        raise ValueError(f"cases name requirements that the specification does not have: {', '.join(stale)}")
    areas = {selector.upper() for selector in only}
    return [one for id_, one in requirements.items() if not only or id_ in named or one.area in areas]


def _run(
    adapters: tuple[str, ...], chosen: Mapping[str, CaseInfo], seed: int, timeout: float
) -> list[runner.ImplementationRun]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        total = len(chosen) + len(probes.PROBES)
        tasks = {adapter: bars.add_task(adapter, total=total) for adapter in adapters}

        def progress(adapter: str, result: CaseResult) -> None:
            bars.update(tasks[adapter], advance=1, description=f"{adapter} {result.case}")

        return runner.run_all(tasks, chosen, seed=seed, timeout=timeout, progress=progress)


def _epilogue(console: Console, assessments: Iterable[Assessment]) -> None:
    rows = list(assessments)
    if len(rows) > 1:
        for row in rows:
            console.print(f"{row.run.name or row.run.adapter}: {row.standing.value}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the registry as JSON.")
def requirements(as_json: bool) -> None:
    """List the requirements of the specification, with the cases that test each."""
    rows = list(described(registry.load(), cases.load()))
    if as_json:
        click.echo(json.dumps({"requirements": rows}, indent=1))
        return
    console = Console(highlight=False)
    for row in rows:
        tests = ", ".join(row["tests"]) if isinstance(row["tests"], list) else ""
        console.print(f"[bold]{row['id']}[/] {row['level']} {row['summary']}  [dim]{tests or 'untested'}[/]")


def described(
    requirements: Mapping[str, Requirement], known: Mapping[str, CaseInfo]
) -> Iterable[dict[str, object]]:
    """Each requirement with what tests it."""
    for id_, requirement in requirements.items():
        yield {
            "id": id_,
            "level": requirement.level,
            "role": requirement.role,
            "layer": requirement.layer,
            "capability": requirement.capability,
            "since": requirement.since,
            "area": requirement.area,
            "summary": requirement.title,
            "tests": [info.name for info in known.values() if id_ in info.ids],
            "mutants": [],
        }


__all__ = ["BUILT_IN", "check", "described", "requirements"]
