"""The streaming example of FLARE, run with its own streamers and with ours, measured side by side."""

from .command import compare_flare

__all__ = ["compare_flare"]
