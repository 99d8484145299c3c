"""The command `objstream profile`."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Collection
from pathlib import Path

import click
from rich.console import Console

from objstream.cli.words import parse_size
from objstream.cli.words import size as words

from ..contract import Description
from . import report
from .bounds import Bound, judge
from .measure import Measurement, Transport, measure
from .process import MeasurementError
from .scenarios import SCENARIOS, Scenario
from .subjects import load_subject

DEFAULT_SIZES = "16MiB,64MiB,256MiB"


def _parse_sizes(context: click.Context, option: click.Parameter, value: str) -> list[int]:
    return sorted({parse_size(part) for part in value.split(",")})


@click.command()
@click.argument("subject", default="reference")
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice(list(SCENARIOS)),
    metavar="NAME",
    help=f"Only this; may be repeated. There are: {', '.join(SCENARIOS)}.",
)
@click.option(
    "--sizes",
    callback=_parse_sizes,
    default=DEFAULT_SIZES,
    show_default=True,
    help="N, 4N and 16N tell growth best.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Measurements of each size."
)
@click.option("--transport", type=click.Choice(["tcp", "unix"]), default="tcp", show_default=True)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here."
)
@click.option(
    "--html",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write pictures of memory over time and flame graphs into this directory.",
)
def profile(
    subject: str,
    names: tuple[str, ...],
    sizes: list[int],
    runs: int,
    transport: Transport,
    json_file: Path | None,
    directory: Path | None,
) -> None:
    """Measure the memory that transfers need, and hold its growth against the specification.

    SUBJECT is reference, or module:Class or path/to/file.py:Class of an adapter with a method listen. Sender and
    receiver run in processes of their own; the heap is measured by memray, the resident set by the kernel.

    Exit status: 0 all bounds hold; 1 one does not; 2 a measurement failed; 3 one is inconclusive, or nothing was
    measured.
    """
    console = Console(highlight=False)
    progress = Console(stderr=True, highlight=False)
    bounds: list[Bound] = []
    try:
        described = load_subject(subject).describe()
        for scenario in _applicable(described, names, progress):
            rows: list[Measurement] = []
            for size in sizes:
                for _ in range(runs):
                    progress.print(f"{scenario.name}, {words(size)}", style="dim")
                    rows += measure(subject, scenario, size, transport=transport)
            judged = judge(scenario, rows)
            bounds += judged
            if directory is not None:
                for path in report.pictures(subject, scenario, judged, directory, transport):
                    progress.print(f"wrote {path}", style="dim")
    except (LookupError, MeasurementError) as problem:
        click.echo(f"error: {problem}", err=True)
        sys.exit(2)
    report.show(console, bounds)
    if json_file is not None:
        record = report.as_json(described, bounds, transport)
        json_file.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    sys.exit(exit_code(bounds))


def exit_code(bounds: Collection[Bound]) -> int:
    if any(bound.holds is False for bound in bounds):
        return 1
    return 0 if bounds and all(bound.holds for bound in bounds) else 3


def _applicable(subject: Description, names: Collection[str], progress: Console) -> list[Scenario]:
    """The scenarios that were named, or all; without those that the implementation, or this installation, lacks."""
    chosen = []
    for scenario in SCENARIOS.values():
        if names and scenario.name not in names:
            continue
        missing = scenario.capabilities - subject.capabilities
        if missing:
            progress.print(
                f"{scenario.name}: not applicable, {subject.name} lacks {', '.join(sorted(missing))}"
            )
        elif scenario.needs_torch and importlib.util.find_spec("torch") is None:
            progress.print(f"{scenario.name}: not measured, torch is not installed")
        else:
            chosen.append(scenario)
    return chosen
