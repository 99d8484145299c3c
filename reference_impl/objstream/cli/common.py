"""What the commands share: their options, and how a signal ends them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click

from ..digests import ALGORITHMS, DEFAULT, NONE
from ..engines import address
from ..session import DEADLINE

Decorated = TypeVar("Decorated", bound=Callable[..., object])

DIGESTS = ("blake3", "xxh3-128", "sha-256", NONE)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parse_url(text: str) -> str:
    """Raises click.BadParameter."""
    try:
        return str(address.parse(text))
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from problem


def parse_named(text: str) -> tuple[str, Path]:
    """NAME=PATH, or the path alone, which then gives the name. Raises click.BadParameter."""
    name, separator, path = text.partition("=")
    found = Path(path if separator else text)
    if not found.is_file():
        raise click.BadParameter(f"{str(found)!r} is no file")
    return (name if separator else found.name), found


def transfer_options(command: Decorated) -> Decorated:
    """The options `--digest` and `--deadline`."""
    deadline = click.option(
        "--deadline",
        type=click.FloatRange(min=0, min_open=True),
        default=DEADLINE,
        show_default=True,
        help="Seconds without progress after which a transfer fails.",
    )
    digest = click.option(
        "--digest",
        "digests",
        type=click.Choice(DIGESTS),
        multiple=True,
        callback=_installed,
        help=f"A digest to use, the best first; may be repeated.  [default: {', '.join(DEFAULT)}] "
        f"'{NONE}' detects no altered bytes: only where the transport does.",
    )
    return digest(deadline(command))


def _installed(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in ALGORITHMS:
            raise click.BadParameter(f"{name} is not installed: install objstream[digests]", ctx, param)
    return value or DEFAULT


def free_space(directory: Path) -> int:
    """Bytes that can still be written there. Raises OSError."""
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize


class Interruption:
    """While it is entered, a signal to end sets `event` instead; a second one ends the process at once.

    Attributes:
        status: the exit status of a process ended by that signal, 0 as long as there was none.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.status = 0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            raise KeyboardInterrupt
        self.status = 128 + number
        self.event.set()
