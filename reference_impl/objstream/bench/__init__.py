"""Benchmarks over TCP loopback: two processes, raw TCP in the same run as the yardstick."""

from __future__ import annotations

from .layouts import LAYOUTS, SMALL_ENTRIES, build, shapes
from .measure import Plan, Report, run
from .peers import INTO, NEW, RAW, RAW_NEW, SMALL, Task

__all__ = [
    "INTO",
    "LAYOUTS",
    "NEW",
    "RAW",
    "RAW_NEW",
    "SMALL",
    "SMALL_ENTRIES",
    "Plan",
    "Report",
    "Task",
    "build",
    "run",
    "shapes",
]
