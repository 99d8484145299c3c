"""Run a command and write down the memory of its processes: `python log_memory.py FILE COMMAND...`.

Each line of the file is a number of seconds since the start and the bytes that are resident in the command and all
that it has started. The exit status is that of the command.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from memory import ProcessTree


def main(path: str, *command: str) -> int:
    began = time.monotonic()
    process = subprocess.Popen(command)
    tree = ProcessTree(process.pid)
    try:
        return process.wait()
    finally:
        tree.stop()
        lines = [f"{moment - began:.3f},{size}" for moment, size in tree.samples]
        Path(path).write_text("\n".join(["seconds,bytes", *lines, ""]), "utf-8")
        print(f"peak memory: {tree.peak() / 2**20:.0f} MiB", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
