"""`objstream bench`: how fast transfers are, beside raw TCP."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ..bench import INTO, LAYOUTS, NEW, RAW, RAW_NEW, SMALL, SMALL_ENTRIES, Plan, Report, Task, run
from ..digests import ALGORITHMS, DEFAULT, NONE
from ..limits import MIB
from ..session import WINDOW
from . import words


@click.command()
@click.option(
    "--size",
    type=words.parse_size,
    metavar="SIZE",
    default="512MiB",
    show_default=True,
    help="Bytes of the state dict.",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="gpt",
    show_default=True,
    help="A small language model, one array, or small entries only.",
)
@click.option(
    "--digest",
    "digests",
    type=click.Choice(list(ALGORITHMS)),
    multiple=True,
    help="Measure with this digest; may be repeated.  [default: all]",
)
@click.option("--repeat", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds.")
@click.option(
    "--chunk",
    type=words.parse_size,
    metavar="SIZE",
    default=str(MIB),
    help="Bytes in a frame.  [default: 1 MiB]",
)
@click.option(
    "--window",
    type=words.parse_size,
    metavar="SIZE",
    default=str(WINDOW),
    help=f"Bytes that the sender may be ahead.  [default: {words.size(WINDOW)}]",
)
@click.option("--numpy", is_flag=True, help="Arrays, not torch tensors.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write figures here."
)
def bench(
    size: int,
    layout: str,
    digests: tuple[str, ...],
    repeat: int,
    chunk: int,
    window: int,
    numpy: bool,
    json_file: Path | None,
) -> None:
    """Transfer a state dict between two processes over TCP loopback.

    Each round measures every digest once, into existing arrays and into new ones, and a raw TCP socket (1 MiB at a time
    between the same arrays) beside them. What says something is the ratio to raw TCP in the same round; medians are
    shown. New memory costs what the system takes for its pages, which is why raw TCP is measured into new arrays too.
    Time is taken at the receiver, from before it connects until it has the verified object. All buffers but the new
    ones have been written to before; a first round warms up and does not count.
    """
    chosen = digests or tuple(name for name in (NONE, "xxh3-128", *DEFAULT) if name in ALGORITHMS)
    plan = Plan(size, layout, tuple(dict.fromkeys(chosen)), repeat, chunk, window, False if numpy else None)
    report = _watched(plan) if sys.stderr.isatty() else run(plan)
    _show(report)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=1) + "\n", "utf-8")


def _watched(plan: Plan) -> Report:
    """Run it with a progress bar."""
    columns = (TextColumn("measuring"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        return run(plan, lambda done, total: bar.update(task, completed=done, total=total))


def _show(report: Report) -> None:
    plan = report.plan
    click.echo(", ".join(f"{name} {value}" for name, value in report.environment.items()))
    table = Table("digest")
    if report.arrays:
        kind = "tensors" if plan.torch else "arrays"
        click.echo(
            f"{plan.layout}: {report.arrays} float32 {kind}, {words.size(report.bytes)}; "
            f"chunk {words.size(plan.chunk)}, window {words.size(plan.window)}; medians of {plan.repeat} rounds"
        )
        raw, new = (report.rate(Task(what)) / 1e9 for what in (RAW, RAW_NEW))
        click.echo(f"raw TCP: {raw:.2f} GB/s into existing arrays, {new:.2f} GB/s into new ones")
        for heading in ("into arrays: GB/s", "of raw", "new arrays: GB/s", "of raw", "of raw, new"):
            table.add_column(heading, justify="right")
    table.add_column(f"µs per entry of {SMALL_ENTRIES}", justify="right")
    for digest in plan.digests:
        cells = [digest]
        if report.arrays:
            into, fresh = Task(INTO, digest), Task(NEW, digest)
            cells += [f"{report.rate(into) / 1e9:.2f}", f"{report.ratio(into, RAW):.2f}"]
            cells += [f"{report.rate(fresh) / 1e9:.2f}", f"{report.ratio(fresh, RAW):.2f}"]
            cells.append(f"{report.ratio(fresh, RAW_NEW):.2f}")
        cells.append(f"{report.median(Task(SMALL, digest)) / SMALL_ENTRIES * 1e6:.1f}")
        table.add_row(*cells)
    console = Console(highlight=False)
    console.width = max(console.width, 100)
    console.print(table)
