"""Logs of sessions: written by a thin wrapper of a connection, read back, and held against the specification.

A log is evidence about the side that wrote it: what this side received is taken as it came, what it sent and how it
ended is judged.
"""

from __future__ import annotations

from .check import Violation, check
from .command import trace
from .record import Record, dump, load
from .recorder import Recorded, recording

__all__ = ["Record", "Recorded", "Violation", "check", "dump", "load", "recording", "trace"]
