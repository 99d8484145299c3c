"""The command `objstream`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of the process.

    Returns:
        the exit status: 0 done, 1 failed, 2 called the wrong way or something is not installed, 128 and the signal's
        number when a signal ended it (130 for Ctrl-C); `check` has its own.
    """
    try:
        from .commands import run
    except ImportError as problem:
        if problem.name not in ("click", "rich"):
            raise
        print(f"objstream: the commands need {problem.name}: install objstream[cli]", file=sys.stderr)
        return 2
    return run(arguments)
