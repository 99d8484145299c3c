"""Memory, measured: each side of a transfer in a process of its own, at several sizes, judged by growth."""

from __future__ import annotations

from .command import profile

__all__ = ["profile"]
