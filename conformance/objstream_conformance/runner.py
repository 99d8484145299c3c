"""Runs the cases against implementations, each in a worker process with a watchdog in this one."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from . import probes
from .cases import CaseInfo
from .outcomes import CaseResult, Outcome, Verdict

START_SECONDS = 120.0
"""How long an adapter may take to import; the first import of a large framework is slow."""
WATCHDOG_SECONDS = 20.0
PROGRAM_SECONDS = 60.0
"""As above, for a program: each byte goes through two pipes."""
WORKERS = 2
KEPT_LINES = 60
"""Lines of what an implementation wrote to stderr that are shown when it hangs or dies."""


class WorkerFailed(Exception):
    """The worker did not start: the adapter cannot be imported or described."""


class _WorkerDied(Exception):
    pass


@dataclass
class ImplementationRun:
    """All that was learnt about one implementation."""

    adapter: str
    name: str = ""
    version: str = ""
    roles: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    error: str = ""
    probes: list[CaseResult] = field(default_factory=list)
    results: list[CaseResult] = field(default_factory=list)
    seconds: float = 0.0


Progress = Callable[[str, CaseResult], None]


class Worker:
    """A worker process, restarted when it hangs or dies."""

    def __init__(self, adapter: str, seed: int, timeout: float | None = None) -> None:
        self.adapter = adapter
        self.seed = seed
        self.timeout = timeout or (PROGRAM_SECONDS if adapter.startswith("testee:") else WATCHDOG_SECONDS)
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._stderr: deque[str] = deque(maxlen=KEPT_LINES)

    def start(self) -> dict[str, Any]:
        """Start the process and return how the implementation describes itself.

        Raises:
            WorkerFailed: it did not come up.
        """
        command = [
            sys.executable,
            "-m",
            "objstream_conformance.worker",
            self.adapter,
            "--seed",
            str(self.seed),
        ]
        lines: queue.Queue[str | None] = queue.Queue()
        self._lines = lines
        self._process = process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

        threading.Thread(target=_drain, args=(process.stderr, self._stderr.append), daemon=True).start()
        threading.Thread(target=_drain, args=(process.stdout, lines.put, None), daemon=True).start()
        try:
            hello: dict[str, Any] = json.loads(self._line(START_SECONDS))
        except (queue.Empty, _WorkerDied):
            self.stop()
            raise WorkerFailed(f"the worker did not come up:\n{self._tail()}") from None
        if "error" in hello:
            self.stop()
            raise WorkerFailed(hello["error"])
        return hello

    def run(self, info: CaseInfo) -> CaseResult:
        """Run one case. A worker that hangs or dies is stopped and the case recorded so."""
        if self._process is None:
            self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        start = time.monotonic()
        try:
            self._process.stdin.write(info.name + "\n")
            self._process.stdin.flush()
            return CaseResult.from_json(self._line(self.timeout))
        except queue.Empty:
            return self._lost(info, Outcome.HANG, f"still running after {self.timeout:g} s", start)
        except (_WorkerDied, BrokenPipeError):
            return self._lost(info, Outcome.CRASH, "the process died", start)

    def _line(self, timeout: float) -> str:
        line = self._lines.get(timeout=timeout)
        if line is None:
            raise _WorkerDied
        return line

    def _lost(self, info: CaseInfo, outcome: Outcome, observed: str, start: float) -> CaseResult:
        if outcome is Outcome.HANG and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGUSR1)  # every thread writes down where it is
            time.sleep(0.3)
        self.stop()
        return CaseResult(
            info.name,
            info.ids,
            Verdict.FAIL,
            outcome,
            info.scenario,
            "every operation to end within its deadline, and the process to live",
            observed,
            "see the threads in the evidence: they show where it stood",
            time.monotonic() - start,
            {"stderr": self._tail()},
        )

    def _tail(self) -> str:
        return "".join(list(self._stderr))

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _drain(stream: IO[str], take: Callable[[Any], object], *end: None) -> None:
    """Hand over a stream line by line, and `end` after the last one."""
    with stream:
        for line in stream:
            take(line)
    for mark in end:
        take(mark)


def run_implementation(
    adapter: str,
    cases: Mapping[str, CaseInfo],
    *,
    seed: int = 0,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> ImplementationRun:
    """Run the probes, then the cases, against one implementation."""
    run = ImplementationRun(adapter)
    start = time.monotonic()
    worker = Worker(adapter, seed, timeout)
    try:
        hello = worker.start()
        run.name, run.version = hello["name"], hello["version"]
        run.roles, run.capabilities = frozenset(hello["roles"]), frozenset(hello["capabilities"])
        for results, infos in ((run.probes, probes.PROBES), (run.results, cases)):
            for info in infos.values():
                result = inapplicable(info, run.capabilities) or worker.run(info)
                results.append(result)
                if progress is not None:
                    progress(adapter, result)
    except WorkerFailed as failure:
        run.error = str(failure)
    finally:
        worker.stop()
    run.seconds = time.monotonic() - start
    return run


def run_all(
    adapters: Iterable[str],
    cases: Mapping[str, CaseInfo],
    *,
    seed: int = 0,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> list[ImplementationRun]:
    """Run several implementations side by side."""

    def one(adapter: str) -> ImplementationRun:
        return run_implementation(adapter, cases, seed=seed, timeout=timeout, progress=progress)

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, adapters))


def inapplicable(info: CaseInfo, capabilities: frozenset[str]) -> CaseResult | None:
    missing = info.missing(capabilities)
    if not missing:
        return None
    return CaseResult(
        info.name,
        info.ids,
        Verdict.NOT_APPLICABLE,
        Outcome.UNSUPPORTED,
        info.scenario,
        f"the capability {missing}",
        "it is not declared",
    )
