"""Fuzzing guided by the branches that an input reaches: a process for itself, which atheris never gives back.

`python -m property_tests.fuzz.guided TARGET [options of libFuzzer] DIRECTORY...`
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["objstream"]):
    from .bounds import bounded_memory, timed
    from .targets import TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    target = timed(TARGETS[name])

    def run(data: bytes) -> None:
        target(data)

    atheris.Setup([sys.argv[0], *options], run)
    bounded_memory()
    atheris.Fuzz()


if __name__ == "__main__":
    main()
