"""The figures of the runs: a table for people, JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from rich.table import Table

from objstream import __version__

from .runs import Series

MIB: Final = 1 << 20
REPORTED: Final = ("transfer_s", "job_s", "peak_rss_tree_bytes", "extra_bytes")


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


def speed_up(series: Series, all_series: Sequence[Series]) -> float | None:
    """How many times faster the transfer is than with FLARE's own streamer in the same setting, by medians."""
    for other in all_series:
        if other.combination.setting == series.combination.setting and (
            other.combination.implementation == "nvflare"
        ):
            return other.median("transfer_s") / series.median("transfer_s")
    return None


def table(all_series: Sequence[Series]) -> Table:
    """Medians, memory in MiB and times in seconds."""
    made = Table("setting", "implementation")
    for heading in ("peak memory, MiB", "extra, MiB", "transfer, s", "job, s", "speed-up"):
        made.add_column(heading, justify="right")
    for series in all_series:
        ratio = speed_up(series, all_series)
        made.add_row(
            series.combination.setting,
            series.combination.implementation,
            f"{series.median('peak_rss_tree_bytes') / MIB:,.0f}",
            f"{series.median('extra_bytes') / MIB:,.0f}",
            f"{series.median('transfer_s'):.2f}",
            f"{series.median('job_s'):.1f}",
            "" if ratio is None else f"{ratio:.1f}",
        )
    return made


def as_json(all_series: Sequence[Series], environment: dict[str, str]) -> dict[str, Any]:
    """Every run, and the medians; times in seconds, memory in bytes."""
    return {
        "environment": environment,
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
