"""Failures as small files, and the command `objstream replay`, which repeats one of them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from . import cases, probes, report, runner
from .outcomes import CaseResult, Verdict
from .verdicts import Assessment

EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1}


@dataclass(frozen=True)
class Replay:
    """All it takes to repeat a case, and how it ended.

    Attributes:
        adapter: the selector of the implementation.
        case: the name of the case.
        seed: the seed of the run.
        requirements: the ids that the case tests.
        verdict: FAIL or INCONCLUSIVE.
        outcome: what happened; see :class:`~.outcomes.Outcome`.
        expected: in words.
        observed: in words.
    """

    adapter: str
    case: str
    seed: int
    requirements: tuple[str, ...] = ()
    verdict: str = ""
    outcome: str = ""
    expected: str = ""
    observed: str = ""

    @classmethod
    def of(cls, adapter: str, seed: int, result: CaseResult) -> Replay:
        told = (result.verdict.value, result.outcome.value, result.expected, result.observed)
        return cls(adapter, result.case, seed, result.ids, *told)

    @classmethod
    def load(cls, path: Path) -> Replay:
        """Read the file.

        Raises:
            ValueError: it is not one.
        """
        try:
            record: Any = json.loads(path.read_text("utf-8"))
            return cls(**{**record, "requirements": tuple(record.get("requirements", ()))})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no replay file: {error}") from error


def write(folder: Path, seed: int, assessments: Iterable[Assessment]) -> dict[tuple[str, str], Path]:
    """Write a file for each case that failed or was inconclusive; their paths by adapter and case."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for run in (assessment.run for assessment in assessments):
        for result in [*run.probes, *run.results]:
            if result.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
                name = re.sub(r"[^\w.-]+", "-", run.name) or "unnamed"
                path = folder / f"{name}-{result.case}.json"
                record = asdict(Replay.of(run.adapter, seed, result))
                path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
                written[run.adapter, result.case] = path
    return written


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--adapter", help="Another implementation than the one that failed.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    help="Seconds after which the case is taken to hang.",
)
def replay(file: Path, adapter: str | None, timeout: float | None) -> None:
    """Repeat one case that failed, from the FILE that `objstream check --replays` has written.

    Exit status: 0 it passes; 1 it fails; 2 it cannot be run; 3 it is inconclusive or does not apply.
    """
    try:
        recorded = Replay.load(file)
        info = {**probes.PROBES, **cases.load()}.get(recorded.case)
        if info is None:
            raise ValueError(f"there is no case {recorded.case}")
        found = repeat(recorded, info, adapter or recorded.adapter, timeout)
    except (ValueError, runner.WorkerFailed) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    console = Console(highlight=False)
    console.print(f"[bold]{found.verdict.value}[/] {', '.join(found.ids)} seed {recorded.seed}")
    report.show_case(console, found, verbose=True)
    same = (found.verdict.value, found.outcome.value) == (recorded.verdict, recorded.outcome)
    told = "as recorded" if same else f"recorded was {recorded.verdict}, {recorded.outcome}"
    console.print(f"[dim]{told}[/]")
    sys.exit(EXIT_CODES.get(found.verdict, 3))


def repeat(recorded: Replay, info: cases.CaseInfo, adapter: str, timeout: float | None) -> CaseResult:
    """Run the case once more.

    Raises:
        WorkerFailed: the adapter cannot be had.
    """
    worker = runner.Worker(adapter, recorded.seed, timeout)
    try:
        capabilities = frozenset(worker.start()["capabilities"])
        return runner.inapplicable(info, capabilities) or worker.run(info)
    finally:
        worker.stop()
