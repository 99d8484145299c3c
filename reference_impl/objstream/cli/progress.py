"""A progress bar for one transfer."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ..session import Observer
from ..session import Progress as State
from .words import clean

_EVERY = 0.1


class Bar:
    """Shows a transfer on standard error when that is a terminal; otherwise `observer` is None and nothing is shown."""

    def __init__(self, name: str) -> None:
        self._progress: Progress | None = None
        self.state: State | None = None
        self._next = 0.0
        if sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(binary_units=True),
                TransferSpeedColumn(),
                TextColumn("{task.fields[entries]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task: TaskID = self._progress.add_task(clean(name), total=None, entries="")

    @property
    def observer(self) -> Observer | None:
        return None if self._progress is None else self._show

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _show(self, state: State) -> None:
        now = time.monotonic()
        if self._progress is None or (now < self._next and state.bytes != state.size):
            return
        self._next = now + _EVERY
        entries = f"{state.entries}/{state.count} entries" if state.count else ""
        self._progress.update(self._task, completed=state.bytes, total=state.size, entries=entries)
