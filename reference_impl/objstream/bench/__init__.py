"""Benchmarks over TCP loopback: two processes, raw TCP in the same run as the yardstick."""

from __future__ import annotations

from .layouts import LAYOUTS, SMALL_ENTRIES, build, shapes
from .measure import Plan, Report, Row, run

__all__ = ["LAYOUTS", "SMALL_ENTRIES", "Plan", "Report", "Row", "build", "run", "shapes"]
