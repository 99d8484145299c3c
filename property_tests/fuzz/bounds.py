"""What no input may exceed: seconds and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

from objstream_conformance.simulation import quiet

SECONDS = 2.0
"""Of CPU time: an input has some kilobytes."""

MEMORY = 256 << 20
"""Bytes of address space on top of what the process has when fuzzing begins."""


def bounded_memory() -> None:
    """From now on this process gets no more than `MEMORY`: what asks for more fails."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def timed(target: Callable[[bytes], str]) -> Callable[[bytes], str]:
    """The target, without its log, and an error where it takes too long."""

    def run(data: bytes) -> str:
        started = time.thread_time()
        with quiet():
            outcome = target(bytes(data))
        taken = time.thread_time() - started
        assert taken < SECONDS, f"{len(data)} bytes took {taken:.2f} s"
        return outcome

    return run
