"""The run: the same measurements in turn, round after round, so that all of them see the same machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from ..limits import MIB
from ..session import WINDOW
from .layouts import SMALL_ENTRIES, shapes
from .peers import Setup, Task, receive, send

_PACKAGES = ("objstream", "numpy", "torch", "blake3", "xxhash")


@dataclass(frozen=True)
class Plan:
    """What is measured: sizes in bytes, `repeat` rounds after one that does not count."""

    size: int
    layout: str
    digests: tuple[str, ...]
    repeat: int
    chunk: int = MIB
    window: int = WINDOW


@dataclass(frozen=True)
class Row:
    """One way of transfer.

    Attributes:
        seconds: of each round.
        ratio: its speed over that of raw TCP in the same round, the median; None where raw TCP is no yardstick.
    """

    task: Task
    seconds: list[float]
    ratio: float | None

    @property
    def median(self) -> float:
        return median(self.seconds)


@dataclass(frozen=True)
class Report:
    plan: Plan
    environment: dict[str, str]
    arrays: int
    bytes: int
    rows: list[Row]

    def row(self, what: str, digest: str = "") -> Row | None:
        return next((row for row in self.rows if row.task == Task(what, digest)), None)

    def rate(self, row: Row) -> float:
        """Bytes per second of the median round."""
        return self.bytes / row.median

    def as_json(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "layout": self.plan.layout,
            "arrays": self.arrays,
            "bytes": self.bytes,
            "chunk": self.plan.chunk,
            "window": self.plan.window,
            "small_entries": SMALL_ENTRIES,
            "rows": [
                {"what": row.task.what, "digest": row.task.digest, "seconds": row.seconds, "ratio": row.ratio}
                for row in self.rows
            ],
        }


def run(plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None) -> Report:
    """Measure.

    Args:
        progress: called with the number of transfers that are done, and of all.

    Raises:
        RuntimeError: one of the two processes died.
    """
    torch = importlib.util.find_spec("torch") is not None
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
    raw = taken.get(Task("raw"))
    rows = [Row(task, seconds, _ratio(task, seconds, raw)) for task, seconds in taken.items()]
    return Report(plan, _environment(torch), len(setup.shapes), total, rows)


def _tasks(plan: Plan) -> list[Task]:
    ways = ["small"] if plan.layout == "small" else ["fresh", "into", "small"]
    tasks = [Task(what, digest) for digest in plan.digests for what in ways]
    return tasks if plan.layout == "small" else [Task("raw"), *tasks]


def _ratio(task: Task, seconds: list[float], raw: list[float] | None) -> float | None:
    if raw is None or task.what == "small":
        return None
    return median(yardstick / own for yardstick, own in zip(raw, seconds, strict=True))


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


def _environment(torch: bool) -> dict[str, str]:
    found = {
        "cores": str(len(os.sched_getaffinity(0))),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
