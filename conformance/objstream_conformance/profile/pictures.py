"""The page of memory measurements: memory over time of every scenario, its figures, and flame graphs beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from objstream.cli.words import size as words

from . import subjects
from .bounds import Bound
from .chart import Curve, Mark, draw
from .foreign import Foreign
from .measure import Transport, record
from .meters import Measurement, MeasurementError
from .page import Section, render
from .report import HEADINGS, Profile, about, lines, row
from .scenarios import Scenario

INDEX = "index.html"
Links = dict[tuple[str, str], list[tuple[str, str]]]
"""By implementation and scenario: words, and the name of a file."""


def flame_graphs(
    selector: str, name: str, scenario: Scenario, size: int, directory: Path, transport: Transport
) -> list[tuple[str, str]]:
    """Make a transfer once more and write a flame graph of each side, where that can be seen.

    Raises:
        MeasurementError: the transfer or memray's own command failed.
    """
    if isinstance(subjects.load(selector), Foreign) or scenario.fixed:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    links = []
    for side, path in record(selector, scenario, size, directory, transport=transport).items():
        page = directory / f"{name}-{scenario.name}-{side}.html"
        command = [sys.executable, "-m", "memray", "flamegraph", "--force", "--output", str(page), str(path)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise MeasurementError(f"memray flamegraph failed: {made.stderr.strip()}")
        path.unlink()
        links.append((f"{name}, {side}: where memory was allocated ({words(size)})", page.name))
    return links


def write(profiles: Sequence[Profile], links: Links, directory: Path, transport: Transport) -> Path:
    """Write the page into the directory, next to the flame graphs."""
    directory.mkdir(parents=True, exist_ok=True)
    scenarios = dict.fromkeys(bound.scenario for profile in profiles for bound in profile.bounds)
    names = ", ".join(f"{one.subject.name} {one.subject.version}" for one in profiles)
    sections = [_summary(profiles), *(_section(one, profiles, links) for one in scenarios)]
    path = directory / INDEX
    path.write_text(render(f"Memory of transfers: {names}", about(transport), sections), "utf-8")
    return path


def _summary(profiles: Sequence[Profile]) -> Section:
    rows = [[profile.subject.name, *row(bound)] for profile in profiles for bound in profile.bounds]
    notes = [
        f"{one.subject.name}, {name}: not measured: {what}" for one in profiles for name, what in one.failures
    ]
    header = ["implementation", *(heading for heading, _ in HEADINGS)]
    return Section("All figures, in MiB beside the object", " ".join(notes), header, rows)


def _section(scenario: Scenario, profiles: Sequence[Profile], links: Links) -> Section:
    texts = [f"{scenario.summary[0].upper()}{scenario.summary[1:]}; asked for: {scenario.level}."]
    curves: list[Curve] = []
    marks: list[Mark] = []
    size = 0
    for profile in profiles:
        bounds = [bound for bound in profile.bounds if bound.scenario is scenario]
        texts += [f"{profile.subject.name}, {one.side}: {one.reason}." for one in bounds if one.reason]
        texts += [" ".join(lines(one)) for one in profile.wholes if one.scenario is scenario]
        largest = [max(bound.measurements, key=lambda one: one.size) for bound in bounds]
        curves += _curves(profile.subject.name, bounds, largest)
        size = max([size, *(one.size for one in largest)])
        marks = marks or [
            Mark("the object", one.object_heap or one.object_resident)
            for one in largest
            if one.object_heap or one.object_resident
        ]
    pictures = (
        [draw(f"{scenario.name}, {words(size)}", curves, marks)] if any(one.points for one in curves) else []
    )
    found = [link for profile in profiles for link in links.get((profile.subject.name, scenario.name), [])]
    return Section(scenario.name, " ".join(texts), pictures=pictures, links=found)


def _curves(name: str, bounds: Sequence[Bound], largest: Sequence[Measurement]) -> Iterator[Curve]:
    """Of each side of an implementation, from the moment at which its transfer began."""
    timelines = [one.heap.timeline if one.heap else one.resident.timeline for one in largest]
    began = min((time for timeline in timelines for time, _ in timeline), default=0.0)
    for bound, one, timeline in zip(bounds, largest, timelines, strict=True):
        points = [(time - began, count) for time, count in timeline]
        yield Curve(f"{name}, {bound.side}: {words(one.extra)} beside the object", points)
