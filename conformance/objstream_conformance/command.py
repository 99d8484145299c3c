"""The commands `objstream check` and `objstream requirements`."""

from __future__ import annotations

import datetime
import difflib
import json
import shlex
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import cases, junit, known, page, probes, registry, replay, report, runner, sides
from .cases import CaseInfo
from .locate import BUILT_IN
from .outcomes import CaseResult
from .registry import Requirement
from .verdicts import Assessment, assess, exit_code

if TYPE_CHECKING:
    from .mutants import Mutant

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("adapters", nargs=-1, metavar="ADAPTER...")
@click.option(
    "--streamer",
    "streamers",
    multiple=True,
    metavar="MODULE:CLASS",
    help="A subclass of objstream.ObjectStreamer that has sample().",
)
@click.option(
    "--flare-pair",
    "pairs",
    multiple=True,
    metavar="PRODUCER,CONSUMER",
    help="A producer and a consumer factory of FLARE's, each module:name; see adapters/nvflare_pair.py.",
)
@click.option("--only", multiple=True, metavar="AREA|ID|CASE", help="Ask only about these; may be repeated.")
@click.option(
    "--known", "known_files", type=_FILE, multiple=True, help="Failures that are to occur; see known.py."
)
@click.option("--update-known", type=_FILE, help="Write the failures that occur into this list.")
@click.option("--json", "json_file", type=_FILE, help="Write the report here.")
@click.option("--junit", "junit_file", type=_FILE, help="Write the report as JUnit XML here.")
@click.option("--html", "html_file", type=_FILE, help="Write the report as a page here.")
@click.option(
    "--markdown", type=_FILE, help="Write ADAPTERs side by side here, with what is --known of them."
)
@click.option("--confirm", is_flag=True, help="Do not write that page: fail unless it is there and the same.")
@click.option(
    "--replays",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a file for each failure here, for objstream replay.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all that is random.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    help="Seconds after which a case is taken to hang; "
    f"by default {runner.WATCHDOG_SECONDS:g}, and {runner.PROGRAM_SECONDS:g} for a program.",
)
@click.option("--verbose", is_flag=True, help="Show evidence, and requirements that do not apply.")
def check(
    adapters: tuple[str, ...],
    streamers: tuple[str, ...],
    pairs: tuple[str, ...],
    only: tuple[str, ...],
    known_files: tuple[Path, ...],
    update_known: Path | None,
    json_file: Path | None,
    junit_file: Path | None,
    html_file: Path | None,
    markdown: Path | None,
    confirm: bool,
    replays: Path | None,
    seed: int,
    timeout: float | None,
    verbose: bool,
) -> None:
    """Hold implementations against the specification.

    ADAPTER is a built-in name (reference, reference-socket, nvflare), module:Class or path/to/file.py:Class; or the
    command line of a program in any language, after testee:; or the address of a server and what it offers, after
    blackbox:.

    Exit status: 0 all conform, or fail exactly as known; 1 one does not; 2 the suite or an adapter broke; 3 nothing
    ran, or the result is inconclusive.
    """
    adapters += tuple(f"streamer:{streamer}" for streamer in streamers)
    adapters += tuple(f"flare-pair:{pair}" for pair in pairs)
    if not adapters:
        raise click.UsageError("there is nothing to check: give an ADAPTER, --streamer or --flare-pair")
    if confirm and markdown is None:
        raise click.UsageError("--confirm is about the page of --markdown")
    if update_known is not None and len(adapters) != 1:
        raise click.UsageError("--update-known is about one ADAPTER")
    try:
        chosen = cases.select(cases.load(), only)
        everything = registry.load()
        requirements = asked_about(everything, chosen, only)
        lists = [known.load(path) for path in known_files]
    except (ValueError, registry.RegistryError, known.KnownError) as error:
        _broken(error)
    started = time.time()
    runs = _run(adapters, chosen, seed, timeout)
    assessments = [assess(run, requirements) for run in runs]
    today = datetime.date.today()
    if update_known is not None:
        lists.append(_updated(update_known, assessments[0], today))
    strangers = {one.implementation for one in lists} - {run.name for run in runs if not run.error}
    if strangers and not any(run.error for run in runs):
        _broken(f"known failures of {', '.join(sorted(strangers))} were given, and it was not asked")
    for listed in lists:
        assessments = [
            known.against(one, listed, everything, today) if one.run.name == listed.implementation else one
            for one in assessments
        ]
    files = replay.write(replays, seed, assessments) if replays is not None else {}
    console = Console(highlight=False)
    for assessment in assessments:
        again = partial(_again, files, assessment.run.adapter, seed)
        report.show(console, assessment, verbose=verbose, replay=again)
    record = report.as_json(assessments, seed=seed, started=started, seconds=time.time() - started)
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    if junit_file is not None:
        junit_file.write_text(junit.render(assessments, seed=seed), "utf-8", "replace")
    if html_file is not None:
        html_file.write_text(page.render(record), "utf-8", "replace")
    _epilogue(console, assessments)
    report.show_run(console, seed=seed, seconds=time.time() - started)
    same = markdown is None or _side_by_side(markdown, sides.render(record, lists, markdown), confirm)
    sys.exit(exit_code(assessments) or (0 if same else 1))


def _side_by_side(path: Path, text: str, confirm: bool) -> bool:
    """Write the page, or see whether it is the same."""
    if not confirm:
        path.write_text(text, "utf-8")
        return True
    before = path.read_text("utf-8") if path.exists() else ""
    lines = difflib.unified_diff(
        before.splitlines(), text.splitlines(), str(path), "this run", lineterm="", n=0
    )
    for line in lines:
        click.echo(line, err=True)
    return before == text


def _broken(error: object) -> NoReturn:
    click.echo(f"error: {error}", err=True)
    sys.exit(2)


def _again(files: Mapping[tuple[str, str], Path], adapter: str, seed: int, result: CaseResult) -> str:
    """The command that repeats a case."""
    path = files.get((adapter, result.case))
    if path is not None:
        return f"objstream replay {shlex.quote(str(path))}"
    return report.again(adapter, result.case, seed)


def _updated(path: Path, assessment: Assessment, today: datetime.date) -> known.Known:
    """Write the list anew; what is returned is what it says."""
    if assessment.run.error:
        _broken(assessment.run.error)
    try:
        before = known.load(path) if path.exists() else known.Known(assessment.run.name)
    except known.KnownError as error:
        _broken(error)
    after = known.updated(before, assessment, today)
    path.write_text(known.render(after), "utf-8")
    return after


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
    adapters: tuple[str, ...], chosen: Mapping[str, CaseInfo], seed: int, timeout: float | None
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
    from . import mutants

    found = [one for one in mutants.load() if isinstance(one, mutants.Mutant)]
    rows = list(described(registry.load(), cases.load(), found))
    if as_json:
        click.echo(json.dumps({"requirements": rows}, indent=1))
        return
    console = Console(highlight=False)
    for row in rows:
        tests = ", ".join(row["tests"]) if isinstance(row["tests"], list) else ""
        console.print(f"[bold]{row['id']}[/] {row['level']} {row['summary']}  [dim]{tests or 'untested'}[/]")


def described(
    requirements: Mapping[str, Requirement], known: Mapping[str, CaseInfo], wrong: Iterable[Mutant] = ()
) -> Iterable[dict[str, object]]:
    """Each requirement with the cases that test it and the mutants that break it."""
    wrong = list(wrong)
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
            "mutants": [mutant.name for mutant in wrong if id_ in mutant.reasons],
        }


__all__ = ["BUILT_IN", "check", "described", "requirements"]
