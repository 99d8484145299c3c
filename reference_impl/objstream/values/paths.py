"""How a place inside an object is written in error messages: `['layers'][3]`."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120
_short.maxlevel = 3


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
