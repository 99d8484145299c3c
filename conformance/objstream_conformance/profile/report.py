"""The report of memory measurements: a table for people, JSON for programs, pictures and flame graphs."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from objstream.cli.words import size as words

from ..contract import Description
from .bounds import Bound
from .chart import draw
from .contents import MIB
from .measure import Measurement, Transport, record
from .process import MeasurementError
from .scenarios import Scenario

POLICY = "collected before the transfer, then off"
HEADINGS: Sequence[tuple[str, Literal["left", "right"]]] = (
    ("scenario", "left"),
    ("side", "left"),
    ("heap", "right"),
    ("resident", "right"),
    ("bound", "left"),
)
VERDICTS = {True: "[green]holds[/]", False: "[red]grows[/]", None: "[yellow]inconclusive[/]"}


def show(console: Console, bounds: Sequence[Bound]) -> None:
    """Print extra memory at each size, and whether its growth keeps the bound."""
    sizes = sorted({one.size for bound in bounds for one in bound.measurements})
    table = Table(title=f"MiB beside the object, at {', '.join(map(words, sizes))}")
    for heading, justify in HEADINGS:
        table.add_column(heading, justify=justify, no_wrap=True)
    for bound in bounds:
        heaps, residents = (_by_size(bound, extra) for extra in ("extra_heap", "extra_resident"))
        table.add_row(bound.scenario.name, bound.side, heaps, residents, VERDICTS[bound.holds])
    console.print(table)
    for bound in bounds:
        if bound.reason:
            console.print(f"{bound.scenario.name}, {bound.side}: {bound.scenario.level}: {bound.reason}")
    console.print(f"garbage collector: {POLICY}", style="dim")


def _by_size(bound: Bound, extra: str) -> str:
    peaks: dict[int, int] = {}
    for one in bound.measurements:
        peaks[one.size] = max(peaks.get(one.size, 0), getattr(one, extra))
    return "  ".join(f"{peak / MIB:.2f}" for _, peak in sorted(peaks.items()))


def as_json(subject: Description, bounds: Iterable[Bound], transport: Transport) -> dict[str, object]:
    """The report for programs; sizes in bytes, `holds` null where the measurements do not tell."""
    return {
        "implementation": {"name": subject.name, "version": subject.version},
        "environment": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "transport": transport,
            "garbage_collector": POLICY,
        },
        "profiles": [_row(subject, bound, one) for bound in bounds for one in bound.measurements],
        "bounds": [
            {
                "implementation": subject.name,
                "scenario": bound.scenario.name,
                "requirements": list(bound.scenario.requirements),
                "side": bound.side,
                "level": bound.scenario.level,
                "slope": bound.slope,
                "resident_slope": bound.resident_slope,
                "per": "entry" if bound.scenario.per_entry else "byte",
                "holds": bound.holds,
                "reason": bound.reason,
            }
            for bound in bounds
        ],
    }


def _row(subject: Description, bound: Bound, one: Measurement) -> dict[str, object]:
    return {
        "implementation": subject.name,
        "scenario": bound.scenario.name,
        "side": one.side,
        "size_bytes": one.size,
        "object_bytes": one.object_heap,
        "unit_bytes": bound.scenario.unit,
        "peak_extra_bytes": one.extra_heap,
        "peak_rss_extra_bytes": one.extra_resident,
        "left_bytes": one.heap.left,
        "level": bound.scenario.level,
        "holds": bound.holds,
    }


def pictures(
    selector: str, scenario: Scenario, bounds: Sequence[Bound], directory: Path, transport: Transport
) -> list[Path]:
    """Draw the largest transfer of a scenario over time, and make it again for a flame graph of each side.

    Raises:
        MeasurementError: the transfer or memray's own command failed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    largest = [max(bound.measurements, key=lambda one: one.size) for bound in bounds]
    picture = directory / f"{scenario.name}.svg"
    picture.write_text(draw(scenario, largest), "utf-8")
    written = [picture]
    for path in record(selector, scenario, largest[0].size, directory, transport=transport).values():
        page = path.with_suffix(".html")
        command = [sys.executable, "-m", "memray", "flamegraph", "--force", "--output", str(page), str(path)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise MeasurementError(f"memray flamegraph failed: {made.stderr.strip()}")
        path.unlink()
        written.append(page)
    return written
