"""The figures of the runs: a table for people, a page with curves of memory, JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from rich.table import Table

from objstream import __version__
from objstream.cli.words import size as words

from ..profile.chart import PALETTE, Curve, Mark, draw
from ..profile.page import Section, render
from .runs import IMPLEMENTATIONS, SETTINGS, Series

MIB: Final = 1 << 20
REPORTED: Final = ("first_transfer_s", "transfer_s", "job_s", "peak_rss_tree_bytes", "extra_bytes")
HEADINGS: Final = (
    *("setting", "implementation", "peak memory, MiB", "extra, MiB"),
    *("first transfer, s", "transfer, s", "job, s", "speed-up"),
)
TITLES: Final = {
    "regular": "Regular transmission",
    "container": "Container streaming",
    "file": "File streaming",
}
TEXTS: Final = {
    "regular": "The model is in the task that the client is given. No streamer takes part.",
    "container": "The client retrieves a dict of tensors, entry by entry.",
    "file": "The client retrieves the file in which the model was saved, chunk by chunk; none of it stays in memory.",
}
COLOURS: Final = dict(zip(IMPLEMENTATIONS, (PALETTE[1], PALETTE[0]), strict=True))
AROUND: Final = 0.5
"""Seconds shown before a transfer, and after its end."""


def environment() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "nvflare": version("nvflare"),
        "objstream": __version__,
        "torch": version("torch"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
    }


def described(all_series: Sequence[Series]) -> str:
    """What was measured."""
    first = all_series[0]
    return (
        f"a model of {words(first.records[0]['bytes'])}; medians of {len(first.records)}; "
        f"objstream.flare: {carrier()}"
    )


def carrier() -> str:
    """How objstream.flare moves its frames, and how far a sender may be ahead."""
    from objstream.flare.site import WINDOW

    return f"messages between cells, window {words(WINDOW)}"


def speed_up(series: Series, all_series: Sequence[Series]) -> float | None:
    """How many times faster the transfer is than with FLARE's own streamer in the same setting, by medians."""
    for other in all_series:
        one = other.combination
        if (one.setting, one.implementation) == (series.combination.setting, "nvflare"):
            return other.median("transfer_s") / series.median("transfer_s")
    return None


def rows(all_series: Sequence[Series]) -> list[list[str]]:
    """Medians, in the order of HEADINGS."""

    def row(series: Series) -> list[str]:
        ratio = speed_up(series, all_series)
        memory = (f"{series.median(key) / MIB:,.0f}" for key in ("peak_rss_tree_bytes", "extra_bytes"))
        times = (f"{series.median(key):.2f}" for key in ("first_transfer_s", "transfer_s"))
        one = series.combination
        return [
            *(one.setting, one.implementation, *memory, *times),
            f"{series.median('job_s'):.1f}",
            "" if ratio is None else f"{ratio:.1f}",
        ]

    return [row(series) for series in all_series]


def table(all_series: Sequence[Series]) -> Table:
    made = Table()
    for number, heading in enumerate(HEADINGS):
        made.add_column(heading, justify="left" if number < 2 else "right")
    for row in rows(all_series):
        made.add_row(*row)
    return made


def page(all_series: Sequence[Series], environment: dict[str, str]) -> str:
    """All settings on one page, each with its figures and a picture; all pictures have one scale of memory.

    Memory is that of all processes of the job, over their memory before the transfer. Of each combination the run is
    drawn whose transfer took the median time.
    """
    most = max(y for series in all_series for _, y in _points(series))

    def section(setting: str) -> Section:
        shown = [series for series in all_series if series.combination.setting == setting]
        curves = [Curve(_legend(one), _points(one), COLOURS[one.combination.implementation]) for one in shown]
        received = shown[0].typical["bytes_in_memory"]
        marks = [Mark("the model, received", received)] if received else []
        picture = draw(f"{TITLES[setting]}: memory over time", curves, marks, most=most)
        figures = [row for row, one in zip(rows(all_series), all_series, strict=True) if one in shown]
        return Section(TITLES[setting], TEXTS[setting], HEADINGS[1:], [row[1:] for row in figures], [picture])

    present = {series.combination.setting for series in all_series}
    about = ", ".join(f"{name} {value}" for name, value in environment.items())
    return render(
        "Memory over time: FLARE's streamers and ours",
        f"{described(all_series)}; {about}",
        [section(setting) for setting in SETTINGS if setting in present],
    )


def _points(series: Series) -> list[tuple[float, float]]:
    """The part of a run around its transfer, which begins after AROUND seconds."""
    record = series.typical
    until = record["transfer_s"] + AROUND
    return [(x + AROUND, max(y, 0)) for x, y in record["memory"] if -AROUND <= x <= until] or [(0.0, 0.0)]


def _legend(series: Series) -> str:
    record, one = series.typical, series.combination
    whose = (
        "FLARE"
        if one.setting == "regular"
        else {"nvflare": "FLARE's streamer"}.get(one.implementation, "ours")
    )
    return f"{whose}: {record['transfer_s']:.2f} s, {words(max(record['extra_bytes'], 0))} beside the model"


def as_json(all_series: Sequence[Series], environment: dict[str, str]) -> dict[str, Any]:
    """Every run, and the medians; times in seconds, memory in bytes."""
    return {
        "environment": environment,
        "carrier": carrier(),
        "settings": [
            {
                "setting": series.combination.setting,
                "implementation": series.combination.implementation,
                "bytes": series.records[0]["bytes"],
                "median": {key: series.median(key) for key in REPORTED},
                "speed_up": speed_up(series, all_series),
                "runs": [{key: record[key] for key in (*REPORTED, "verified")} for record in series.records],
            }
            for series in all_series
        ],
    }
