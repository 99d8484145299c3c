"""The run: the same measurements in turn, round after round, so that all of them see the same machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from .. import __version__
from ..limits import MIB
from ..session import WINDOW
from .layouts import SMALL_ENTRIES, shapes
from .peers import INTO, NEW, RAW, RAW_NEW, SMALL, Setup, Task, receive, send

_PACKAGES = ("numpy", "torch", "blake3", "xxhash")


@dataclass(frozen=True)
class Plan:
    """What is measured: sizes in bytes, `repeat` rounds after one that does not count.

    Attributes:
        torch: with tensors, not arrays; None: when torch is installed.
    """

    size: int
    layout: str
    digests: tuple[str, ...]
    repeat: int
    chunk: int = MIB
    window: int = WINDOW
    torch: bool | None = None


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        arrays, bytes: of the state dict.
        seconds: of each measurement, by round.
    """

    plan: Plan
    environment: dict[str, str]
    arrays: int
    bytes: int
    seconds: dict[Task, list[float]]

    def median(self, task: Task) -> float:
        """Seconds of the median round."""
        return median(self.seconds[task])

    def rate(self, task: Task) -> float:
        """Bytes per second of the median round."""
        return self.bytes / self.median(task)

    def ratio(self, task: Task, yardstick: str) -> float:
        """The speed over that of `yardstick` (RAW or RAW_NEW) in the same round, the median of it."""
        pairs = zip(self.seconds[Task(yardstick)], self.seconds[task], strict=True)
        return median(raw / own for raw, own in pairs)

    def as_json(self) -> dict[str, Any]:
        def row(task: Task) -> dict[str, Any]:
            figures = {"what": task.what, "digest": task.digest, "seconds": self.seconds[task]}
            if task.what not in (INTO, NEW):
                return figures
            return figures | {
                f"ratio to {yardstick}": self.ratio(task, yardstick) for yardstick in (RAW, RAW_NEW)
            }

        return {
            "environment": self.environment,
            "layout": self.plan.layout,
            "arrays": self.arrays,
            "bytes": self.bytes,
            "torch": self.plan.torch,
            "chunk": self.plan.chunk,
            "window": self.plan.window,
            "small_entries": SMALL_ENTRIES,
            "rows": list(map(row, self.seconds)),
        }


def run(plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None) -> Report:
    """Measure.

    Args:
        progress: called with the number of transfers that are done, and of all.

    Raises:
        RuntimeError: one of the two processes died.
    """
    torch = importlib.util.find_spec("torch") is not None if plan.torch is None else plan.torch
    setup = Setup(shapes(plan.layout, plan.size), torch, plan.chunk, plan.window)
    tasks = _tasks(plan)
    taken: dict[Task, list[float]] = {task: [] for task in tasks}
    with _process(send, setup) as sender:
        address, port = _answer(sender)
        with _process(receive, setup, address, port) as receiver:
            total = _answer(receiver)
            rounds = plan.repeat + 1
            for number in range(rounds):
                for index, task in enumerate(tasks, 1):
                    receiver.send(task)
                    seconds = _answer(receiver)
                    if number:
                        taken[task].append(seconds)
                    progress(number * len(tasks) + index, rounds * len(tasks))
    return Report(replace(plan, torch=torch), _environment(), len(setup.shapes), total, taken)


def _tasks(plan: Plan) -> list[Task]:
    if plan.layout == "small":
        return [Task(SMALL, digest) for digest in plan.digests]
    ways = [Task(what, digest) for digest in plan.digests for what in (INTO, NEW, SMALL)]
    return [Task(RAW), Task(RAW_NEW), *ways]


@contextlib.contextmanager
def _process(target: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """A process of its own, and the pipe to it; it ends when the pipe does."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join(5)
        if process.is_alive():
            process.terminate()
            process.join()


def _answer(pipe: Connection) -> Any:
    try:
        answer = pipe.recv()
    except EOFError:
        raise RuntimeError("a process of the benchmark died") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _environment() -> dict[str, str]:
    found = {
        "cores": str(len(os.sched_getaffinity(0))),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "objstream": __version__,
    }
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
