"""The report of memory measurements: a table for people, JSON for programs."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

from objstream.cli.words import size as words

from ..contract import Description
from .bounds import PER_ENTRY, SLOPE, A, Bound, K, Whole, whole
from .contents import MIB
from .measure import Transport
from .meters import Measurement

POLICY = "collected before the transfer, then off"
GB = 1e9
HEADINGS: Sequence[tuple[str, Literal["left", "right"]]] = (
    ("scenario", "left"),
    ("sizes, MiB", "left"),
    ("side", "left"),
    ("heap", "right"),
    ("resident", "right"),
    ("growth", "right"),
    ("level", "left"),
    ("bound", "left"),
)
VERDICTS = {True: "holds", False: "does not hold", None: "inconclusive"}
COLOURS = {True: "green", False: "red", None: "yellow"}


@dataclass(frozen=True)
class Profile:
    """What was found about one implementation.

    Attributes:
        bounds: in the order in which they were measured.
        failures: (name of the scenario, what went wrong) where nothing could be measured.
    """

    selector: str
    subject: Description
    bounds: Sequence[Bound]
    failures: Sequence[tuple[str, str]]

    @property
    def wholes(self) -> list[Whole]:
        """Of the scenarios of a fixed size."""
        fixed = list(dict.fromkeys(bound.scenario for bound in self.bounds if bound.scenario.fixed))
        return [whole([one for one in self.bounds if one.scenario is scenario]) for scenario in fixed]

    @property
    def holds(self) -> bool | None:
        """All bounds hold; None when some cannot be told, and none is known not to."""
        verdicts = [bound.holds for bound in self.bounds] + [one.holds for one in self.wholes]
        if False in verdicts:
            return False
        return True if verdicts and None not in verdicts else None


def show(console: Console, profile: Profile) -> None:
    """Print extra memory at each size, its growth, and the level that it shows."""
    subject = profile.subject
    table = Table(title=f"{subject.name} {subject.version}: MiB beside the object")
    for heading, justify in HEADINGS:
        table.add_column(heading, justify=justify, no_wrap=True)
    for bound in profile.bounds:
        *cells, verdict = row(bound)
        table.add_row(*cells, f"[{COLOURS[bound.holds]}]{verdict}[/]")
    console.print(table)
    for bound in profile.bounds:
        if bound.reason:
            console.print(f"{bound.scenario.name}, {bound.side}: not {bound.scenario.level}: {bound.reason}")
    for name, problem in profile.failures:
        console.print(f"{name}: [yellow]not measured[/]: ", problem, sep="")
    for one in profile.wholes:
        for line in lines(one):
            console.print(line)


def row(bound: Bound) -> list[str]:
    """The cells of a bound, as `HEADINGS` has them."""
    by_size = {one.size: one for one in bound.measurements}
    heaps, residents = (
        "  ".join(
            f"{max(extra(one, kind) for one in bound.measurements if one.size == size) / MIB:.2f}"
            for size in by_size
        )
        if any(one.heap for one in by_size.values()) or kind == "resident"
        else "-"
        for kind in ("heap", "resident")
    )
    growth = (
        "-" if bound.slope is None else f"{bound.slope:+.4f} B/{'entry' if bound.scenario.per_entry else 'B'}"
    )
    sizes = " ".join(f"{size / MIB:.4g}" for size in by_size)
    level = bound.level or "-"
    return [bound.scenario.name, sizes, bound.side, heaps, residents, growth, level, VERDICTS[bound.holds]]


def extra(one: Measurement, kind: str) -> int:
    return one.extra if kind == "heap" else one.extra_resident


def lines(one: Whole) -> list[str]:
    """What two whole processes need, in words."""
    size, bound = one.scenario.fixed / GB, one.most / GB
    sides = [
        f"  {side:8}  {one.before[side] / GB:6.3f} GB before the transfer, {peak / GB:6.3f} GB at most"
        for side, peak in one.peaks.items()
    ]
    return [
        f"{one.scenario.name}: {one.scenario.summary}, {size:.3f} GB; the whole processes, libraries included:",
        *sides,
        f"  together  {one.total / GB:6.3f} GB at most; twice {size:.3f} GB and 0.3 GB are {bound:.3f} GB: "
        f"{VERDICTS[one.holds]}",
    ]


def as_json(profiles: Sequence[Profile], transport: Transport) -> dict[str, object]:
    """The report for programs, see `report.schema.json`; sizes in bytes, null where the measurements do not tell."""
    return {
        "implementations": [
            {"selector": one.selector, "name": one.subject.name, "version": one.subject.version}
            for one in profiles
        ],
        "environment": {
            "python": platform.python_version(),
            "system": platform.platform(),
            "transport": transport,
            "garbage_collector": POLICY,
        },
        "bound": {"A": A, "k": K, "slope_per_byte": SLOPE, "slope_per_entry": PER_ENTRY},
        "profiles": [
            _row(profile.subject, bound, one)
            for profile in profiles
            for bound in profile.bounds
            for one in bound.measurements
        ],
        "bounds": [_bound(profile.subject, bound) for profile in profiles for bound in profile.bounds],
        "processes": [_whole(profile.subject, one) for profile in profiles for one in profile.wholes],
        "failures": [
            {"implementation": profile.subject.name, "scenario": name, "problem": problem}
            for profile in profiles
            for name, problem in profile.failures
        ],
    }


def _row(subject: Description, bound: Bound, one: Measurement) -> dict[str, object]:
    return {
        "implementation": subject.name,
        "scenario": bound.scenario.name,
        "side": one.side,
        "size_bytes": one.size,
        "object_bytes": one.object_heap or one.object_resident,
        "unit_bytes": bound.unit(one.size),
        "peak_extra_bytes": one.extra,
        "peak_rss_extra_bytes": one.extra_resident,
        "left_bytes": one.heap.left if one.heap else None,
        "meter": "memray" if one.heap else "kernel",
        "level": bound.level,
        "holds": bound.holds,
    }


def _bound(subject: Description, bound: Bound) -> dict[str, object]:
    return {
        "implementation": subject.name,
        "scenario": bound.scenario.name,
        "requirements": list(bound.scenario.requirements),
        "side": bound.side,
        "asked": bound.scenario.level,
        "level": bound.level,
        "slope": bound.slope,
        "resident_slope": bound.resident_slope,
        "per": "entry" if bound.scenario.per_entry else "byte",
        "holds": bound.holds,
        "reason": bound.reason,
    }


def _whole(subject: Description, one: Whole) -> dict[str, object]:
    return {
        "implementation": subject.name,
        "scenario": one.scenario.name,
        "size_bytes": one.scenario.fixed,
        "peak_bytes": one.peaks,
        "total_bytes": one.total,
        "bound_bytes": one.most,
        "holds": one.holds,
    }


def about(transport: Transport) -> str:
    """A line about how it was measured."""
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {transport}; "
        f"garbage {POLICY}; a bound is A + k times the unit of its level, A = {words(A)}, k = {K}, "
        f"and growth of at most {SLOPE} bytes per byte or {PER_ENTRY} per entry"
    )
