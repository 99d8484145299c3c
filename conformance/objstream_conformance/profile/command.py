"""The command `objstream profile`."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from objstream.cli.words import parse_size
from objstream.cli.words import size as words

from ..contract import Description
from . import pictures, report, subjects
from .bounds import Bound, judge
from .measure import Transport, measure
from .meters import Measurement, MeasurementError
from .report import Profile
from .scenarios import FIXED, SCENARIOS, Scenario, scenario

DEFAULT_SIZES = "64MiB,256MiB,1GiB"
WIDTH = 132


def _parse_sizes(context: click.Context, option: click.Parameter, value: str | None) -> list[int] | None:
    return sorted({parse_size(part) for part in value.split(",")}) if value else None


@click.command()
@click.argument("adapters", nargs=-1, metavar="[ADAPTER]...")
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice([*SCENARIOS, *FIXED]),
    metavar="NAME",
    help=f"Only this; may be repeated. There are: {', '.join(SCENARIOS)}; and, of a fixed size: {', '.join(FIXED)}.",
)
@click.option(
    "--sizes",
    callback=_parse_sizes,
    help=f"Sizes of the object; N, 4N and 16N tell growth best.  [default: {DEFAULT_SIZES}, less where it takes long]",
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
    help="Write a page with pictures of memory over time, and flame graphs, into this directory.",
)
def profile(
    adapters: tuple[str, ...],
    names: tuple[str, ...],
    sizes: list[int] | None,
    runs: int,
    transport: Transport,
    json_file: Path | None,
    directory: Path | None,
) -> None:
    """Measure the memory that transfers need, and hold its growth against the specification.

    ADAPTER is reference (the default; over sockets), reference-memory, objstream-flare (objstream.flare over real
    cells), nvflare (FLARE's own streamers over the same), module:Class, path/to/file.py:Class or testee:COMMAND. Sender
    and receiver run in processes of their own; an adapter without a method listen has both in one. The heap is measured
    by memray, the resident set by the kernel; of a testee the kernel's figure is all there is.

    Exit status: 0 all bounds hold; 1 one does not; 2 a measurement failed; 3 one is inconclusive, or nothing was
    measured.
    """
    console = Console(highlight=False, soft_wrap=False)
    console.width = max(console.width, WIDTH)
    progress = Console(stderr=True, highlight=False)
    profiles: list[Profile] = []
    links: pictures.Links = {}
    for selector in adapters or ("reference",):
        try:
            subject = subjects.load(selector)
            described = subject.describe()
        except LookupError as problem:
            click.echo(f"error: {problem}", err=True)
            sys.exit(2)
        bounds: list[Bound] = []
        failures: list[tuple[str, str]] = []
        profiles.append(Profile(selector, described, bounds, failures))
        for one in _applicable(described, names, progress):
            try:
                chosen = _sizes(one, sizes, subjects.scale(subject, one))
                judged = _measured(selector, one, chosen, runs, transport, progress)
                bounds += judged
                if directory is not None:
                    graphs = pictures.flame_graphs(
                        selector, described.name, one, min(chosen), directory, transport
                    )
                    links[described.name, one.name] = graphs
            except MeasurementError as problem:
                failures.append((one.name, str(problem)))
                progress.print(f"error: {problem}", style="red", markup=False)
            _write(json_file, profiles, transport)  # who interrupts a long run has what was measured
        report.show(console, profiles[-1])
    console.print(report.about(transport), style="dim")
    _write(json_file, profiles, transport)
    if directory is not None:
        progress.print(f"wrote {pictures.write(profiles, links, directory, transport)}", style="dim")
    sys.exit(exit_code(profiles))


def _write(json_file: Path | None, profiles: Sequence[Profile], transport: Transport) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(profiles, transport), indent=1) + "\n", "utf-8")


def exit_code(profiles: Collection[Profile]) -> int:
    if any(one.failures for one in profiles):
        return 2
    if any(one.holds is False for one in profiles):
        return 1
    return 0 if all(one.holds for one in profiles) else 3


def _sizes(scenario: Scenario, asked: Sequence[int] | None, scale: int) -> list[int]:
    if scenario.fixed:
        return [scenario.fixed]
    return list(asked) if asked else [parse_size(size) // scale for size in DEFAULT_SIZES.split(",")]


def _measured(
    selector: str,
    scenario: Scenario,
    sizes: Sequence[int],
    runs: int,
    transport: Transport,
    progress: Console,
) -> list[Bound]:
    rows: list[Measurement] = []
    for size in sizes:
        for _ in range(runs):
            progress.print(f"{selector}: {scenario.name}, {words(size)}", style="dim", markup=False)
            rows += measure(selector, scenario, size, transport=transport)
    return judge(scenario, rows)


def _applicable(subject: Description, names: Collection[str], progress: Console) -> Iterator[Scenario]:
    """The scenarios that were named, or all; without those that the implementation, or this installation, lacks."""
    for name in names or SCENARIOS:
        one = scenario(name)
        missing = one.capabilities - subject.capabilities
        if missing:
            progress.print(f"{name}: not applicable, {subject.name} lacks {', '.join(sorted(missing))}")
        elif one.needs_torch and importlib.util.find_spec("torch") is None:
            progress.print(f"{name}: not measured, torch is not installed")
        else:
            yield one
