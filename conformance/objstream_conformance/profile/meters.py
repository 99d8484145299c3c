"""Meters of one process: the heap by memray, the resident set by the kernel."""

from __future__ import annotations

import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import memray
import psutil

INTERVAL_MS = 5


@dataclass(frozen=True)
class Reading:
    """What a meter saw between start and stop, in bytes over the state at the start.

    Attributes:
        peak: the most at any time.
        left: what is still there at the stop.
        timeline: (seconds since the epoch, bytes) now and then, where the meter keeps it.
    """

    peak: int
    left: int
    timeline: tuple[tuple[float, int], ...] = ()


class Meter(ABC):
    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> Reading: ...


class HeapMeter(Meter):
    """Counts every allocation from start to stop, those of Python objects one by one.

    Arenas of Python's own allocator are not counted, what is taken from them is; so the figure has no grain, and the
    same run gives the same figure. What was allocated before the start is not seen, neither its presence nor its end.

    Args:
        record: file in which memray writes; it must not exist.
        stacks: record where allocations are made, for flame graphs. Following the calls is slow, and in Python 3.11
            it keeps the interpreter from its specialised instructions, without which `text += part` copies.
    """

    def __init__(self, record: Path, *, stacks: bool = False) -> None:
        self._record = record
        self._stacks = stacks
        self._tracker = memray.Tracker(
            record,
            file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS,
            trace_python_allocators=True,
            native_traces=stacks,
            memory_interval_ms=INTERVAL_MS,
        )

    def start(self) -> None:
        self._tracker.__enter__()
        if not self._stacks:
            threading.setprofile(None)
            sys.setprofile(None)

    def stop(self) -> Reading:
        self._tracker.__exit__(None, None, None)
        with memray.FileReader(self._record) as reader:
            peak = sum(one.size for one in reader.get_high_watermark_allocation_records(merge_threads=True))
            left = sum(one.size for one in reader.get_leaked_allocation_records(merge_threads=True))
            snapshots = list(reader.get_memory_snapshots())
        return Reading(peak, left, tuple((one.time / 1000, one.heap) for one in snapshots))


def footprint(build: Callable[[], object], meter: Meter) -> tuple[object, int]:
    """What `build` returns and the bytes that it takes, to the meter; what else `build` leaves behind counts too."""
    meter.start()
    built = build()
    return built, meter.stop().left


class ResidentMeter(Meter):
    """The peak of the resident set: the kernel's own high-water mark on Linux, samples elsewhere."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = 0
        self._sampler: _Sampler | None = None

    def start(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
            self._before = _status("VmRSS")
        except OSError:
            self._before = _resident(self._process)
            self._sampler = _Sampler(self._process)

    def stop(self) -> Reading:
        peak = self._sampler.stop() if self._sampler else _status("VmHWM")
        return Reading(max(0, peak - self._before), _resident(self._process) - self._before)


class _Sampler:
    """Looks at the resident set every few milliseconds."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._peak = _resident(process)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_MS / 1000):
            self._peak = max(self._peak, _resident(self._process))

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return max(self._peak, _resident(self._process))


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _status(field: str) -> int:
    match = re.search(rf"^{field}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


def wait_until_idle(threads: int, patience: float = 5.0) -> None:
    """Give sessions that have ended the time to end their threads too, down to that many."""
    until = time.monotonic() + patience
    time.sleep(0.05)
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.02)
