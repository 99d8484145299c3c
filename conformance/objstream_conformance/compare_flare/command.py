"""The command `objstream compare-flare`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import nvflare  # noqa: F401  that it is missing is said before anything runs
from rich.console import Console

from objstream.cli.words import parse_size

from . import report
from .runs import IMPLEMENTATIONS, SETTINGS, RunError, Series, combinations, run

_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command(name="compare-flare")
@click.option(
    "--size", type=parse_size, metavar="SIZE", default="512MiB", show_default=True, help="Of the model."
)
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True, help="Rounds.")
@click.option(
    "--setting", "settings", type=click.Choice(SETTINGS), multiple=True, help="Only this; may be repeated."
)
@click.option(
    "--implementation",
    "implementations",
    type=click.Choice(IMPLEMENTATIONS),
    multiple=True,
    help="Only this; may be repeated.",
)
@click.option(
    "--timeout", type=float, default=600.0, show_default=True, help="Seconds that one job may take."
)
@click.option("--json", "json_file", type=_PATH, help="Write figures here.")
@click.option("--html", "page", type=_PATH, help="Write a page with curves of memory here.")
def compare_flare(
    size: int,
    repeat: int,
    settings: tuple[str, ...],
    implementations: tuple[str, ...],
    timeout: float,
    json_file: Path | None,
    page: Path | None,
) -> None:
    """Transfer a model in jobs of NVIDIA FLARE, with its own streamers and with objstream.flare.

    The model goes from the server to one client, in FLARE's Simulator: in the task itself (regular transmission), as a
    container, and as a file. In each round every combination is run once; medians are shown. A job transfers the
    model twice, and the speed-up is that of the second transfer: the first one waits for memory that was never used,
    which on a virtual machine may cost more than the transfer. Memory is the resident memory of all processes of the
    job; the extra memory is that of the transfer, over the state before it and over the model that has been received
    into memory. What arrives is compared with what was sent.

    Exit status: 0 everything arrived; 1 something did not, or a job failed; 2 nvflare is not installed.
    """
    console = Console(highlight=False)
    progress = Console(stderr=True, highlight=False)
    chosen = combinations(settings or SETTINGS, implementations or IMPLEMENTATIONS)
    if not chosen:
        raise click.UsageError(
            "no streamer takes part in the regular transmission: it is measured with nvflare"
        )
    all_series = [Series(combination) for combination in chosen]
    try:
        for number in range(repeat):
            for series in all_series:
                progress.print(f"round {number + 1} of {repeat}: {series.combination}", style="dim")
                series.records.append(run(series.combination, size, timeout))
    except RunError as problem:
        click.echo(f"error: {problem}", err=True)
        sys.exit(1)
    found = report.environment()
    console.print(", ".join(f"{name} {value}" for name, value in found.items()))
    console.print(report.described(all_series))
    console.width = max(console.width, 120)
    console.print(report.table(all_series))
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(all_series, found), indent=1) + "\n", "utf-8")
    if page is not None:
        page.write_text(report.page(all_series, found), "utf-8")
