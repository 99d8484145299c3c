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

from .scenarios import Role

INTERVAL_MS = 5
STEADY = 0.5
"""Seconds without a thread that ends, after which those that are there are taken to stay."""


class MeasurementError(Exception):
    """A measurement could not be made, or measured something else than it should."""


@dataclass(frozen=True)
class Reading:
    """What a meter saw between start and stop, in bytes over the state at the start.

    Attributes:
        peak: the most at any time.
        left: what is still there at the stop.
        timeline: (seconds since the epoch, bytes) now and then, where the meter keeps it.
        before: all that the process had at the start, where the meter knows it.
    """

    peak: int
    left: int
    timeline: tuple[tuple[float, int], ...] = ()
    before: int = 0


@dataclass(frozen=True)
class Measurement:
    """What one side needed, beside the object.

    Attributes:
        size: of the scenario, in bytes.
        object_heap: bytes that the object itself adds at this side, of the heap.
        object_resident: and of the resident set.
        heap: what memray saw; None where a process is not ours to look into.
        resident: what the kernel saw.
    """

    side: Role
    size: int
    object_heap: int
    object_resident: int
    heap: Reading | None
    resident: Reading

    @property
    def extra(self) -> int:
        """Peak of the heap over the state before and the object; or what is left at the end, if that is more.

        Of the resident set, where that is all that can be seen.
        """
        if self.heap is None:
            return self.extra_resident
        return max(self.heap.peak - self.object_heap, self.heap.left, 0)

    @property
    def extra_resident(self) -> int:
        return max(self.resident.peak - self.object_resident, 0)


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
    """The peak of the resident set: the kernel's own high-water mark on Linux, samples elsewhere.

    Args:
        pid: of the process; this one when it is None.
        sampled: samples are taken, and kept as the timeline, in any case.
    """

    def __init__(self, pid: int | None = None, *, sampled: bool = False) -> None:
        self._process = psutil.Process(pid)
        self._files = Path(f"/proc/{self._process.pid}")
        self._before = 0
        self._sampled = sampled
        self._sampler: _Sampler | None = None
        self._kernel = False

    def start(self) -> None:
        try:
            (self._files / "clear_refs").write_text("5")
            self._before = self._status("VmRSS")
            self._kernel = True
        except OSError:
            self._before = _resident(self._process)
            self._kernel = False
        if self._sampled or not self._kernel:
            self._sampler = _Sampler(self._process)

    def stop(self) -> Reading:
        samples = self._sampler.stop() if self._sampler else []
        peak = self._status("VmHWM") if self._kernel else max(size for _, size in samples)
        timeline = tuple((time, size - self._before) for time, size in samples if self._sampled)
        left = _resident(self._process) - self._before
        return Reading(max(0, peak - self._before), left, timeline, self._before)

    def _status(self, field: str) -> int:
        text = (self._files / "status").read_text()
        match = re.search(rf"^{field}:\s*(\d+) kB", text, re.MULTILINE)
        assert match is not None
        return int(match[1]) * 1024


class _Sampler:
    """Looks at the resident set every few milliseconds."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._samples: list[tuple[float, int]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._look()
        self._thread.start()

    def _look(self) -> None:
        self._samples.append((time.time(), _resident(self._process)))

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_MS / 1000):
            self._look()

    def stop(self) -> list[tuple[float, int]]:
        self._stopped.set()
        self._thread.join()
        self._look()
        return self._samples


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def wait_until_idle(threads: int, patience: float = 5.0) -> None:
    """Give sessions that have ended the time to end their threads too: down to that many, or until no more end."""
    until = time.monotonic() + patience
    time.sleep(0.05)
    count, since = threading.active_count(), time.monotonic()
    while count > threads and time.monotonic() < min(until, since + STEADY):
        time.sleep(0.02)
        if threading.active_count() < count:
            count, since = threading.active_count(), time.monotonic()
