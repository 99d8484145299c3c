"""Memory, measured: each side of a transfer in a process of its own, at several sizes, judged by growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .command import profile

__all__ = ["profile"]


def __getattr__(name: str) -> object:
    """The command is imported when it is asked for: the measured processes do without."""
    if name != "profile":
        raise AttributeError(name)
    from .command import profile

    return profile
