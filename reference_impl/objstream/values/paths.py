"""How a place inside an object is written in error messages: `['layers'][3]`."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable


class _Repr(reprlib.Repr):
    """Representations of bounded length, made in bounded time."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 120
        self.maxlevel = 3

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value[:60]) + ("..." if len(value) > 60 else "")


_short = _Repr()


def step(key: object) -> str:
    """One step into a container, by key or index; long keys are abbreviated."""
    try:
        return f"[{_short.repr(key)}]"
    except ValueError:  # an int with too many digits for a decimal form
        return f"[{type(key).__name__}]"


def render(path: Iterable[object]) -> str:
    return "".join(map(step, path))


def class_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
