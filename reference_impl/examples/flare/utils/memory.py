"""The memory of a process and all that it has started, sampled from outside."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil

INTERVAL = 0.02
DISCOVERY = 0.25


class ProcessTree:
    """Samples the resident memory of a process and its descendants, from a thread of its own.

    Processes that leave the tree, because their parent has ended, are still followed.

    Args:
        root: process id.
        interval: seconds between samples; new processes are looked for every quarter of a second.

    Attributes:
        samples: (time.monotonic(), bytes).
    """

    def __init__(self, root: int, interval: float = INTERVAL) -> None:
        self.samples: list[tuple[float, int]] = []
        self._root = psutil.Process(root)
        self._known: dict[int, psutil.Process] = {root: self._root}
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more samples."""
        self._stopped.set()
        self._thread.join()

    def end_all(self, patience: float = 5.0) -> None:
        """End what the root has started and is still running: nothing else, and not the root."""
        self._discover()
        running = [process for process in self._known.values() if process != self._root]
        for end in (psutil.Process.terminate, psutil.Process.kill):
            for process in running:
                with contextlib.suppress(psutil.NoSuchProcess):
                    end(process)
            _, running = psutil.wait_procs(running, timeout=patience)

    def peak(self, began: float = 0.0, ended: float = float("inf")) -> int:
        """The most between two moments, 0 when no sample was taken."""
        return max((size for moment, size in self.samples if began <= moment <= ended), default=0)

    def over(self, began: float, ended: float) -> int:
        """The most between two moments, over the last sample before the first of them."""
        return self.peak(began, ended) - self._at(began)

    def timeline(self, zero: float, began: float, ended: float) -> list[tuple[float, int]]:
        """All samples between two moments; time and memory count from the moment `zero`."""
        before = self._at(zero)
        return [(moment - zero, size - before) for moment, size in self.samples if began <= moment <= ended]

    def _at(self, moment: float) -> int:
        before = [size for when, size in self.samples if when <= moment]
        return before[-1] if before else 0

    def _run(self) -> None:
        discovered = 0.0
        while not self._stopped.wait(self._interval):
            now = time.monotonic()
            if now - discovered > DISCOVERY:
                self._discover()
                discovered = now
            self.samples.append((now, sum(map(_resident, list(self._known.values())))))

    def _discover(self) -> None:
        """Look for processes whose parents are known; a parent may be known only since a moment ago."""
        found = True
        candidates = [(process, process.info["ppid"]) for process in psutil.process_iter(["ppid"])]
        while found:
            found = False
            for process, parent in candidates:
                known = self._known.get(process.pid)
                if parent in self._known and known != process:
                    self._known[process.pid] = process
                    found = True


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss) if process.is_running() else 0
    except psutil.NoSuchProcess:
        return 0
