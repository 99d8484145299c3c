"""Write the vectors of `spec/vectors`, or check that what is there is what this writes.

`--write` replaces the directory, `--check` names what differs. The vectors themselves are in the package `corpus`; the
frames are written by the conformance suite, which has to be importable.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import sys
from pathlib import Path

from corpus import VECTORS, Vector

DIRECTORY = Path(__file__).resolve().parent.parent / "vectors"
for module in ("talks", "headers", "metas", "sessions", "buffers", "values", "malformed"):
    importlib.import_module(f"corpus.{module}")


def files() -> dict[str, str]:
    """The text of every file, by its path."""
    return {
        f"{path}/{name}": text
        for path, vector in VECTORS.items()
        for name, text in (("vector.json", described(vector)), ("input.hex", listed(vector)))
    }


def described(vector: Vector) -> str:
    """One member a line."""
    members = (f"  {json.dumps(key)}: {_json(value)}" for key, value in vector.description.items())
    return "{\n" + ",\n".join(members) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def listed(vector: Vector) -> str:
    """One frame a line: its header, the rest, and what it is."""
    groups = ((data[:24].hex(), data[24:].hex(), f"# {name}") for data, name in vector.lines)
    return "".join(" ".join(filter(None, group)) + "\n" for group in groups)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true")
    action.add_argument("--check", action="store_true")
    expected = files()
    if parser.parse_args().write:
        for folder in ("accept", "reject"):
            shutil.rmtree(DIRECTORY / folder, ignore_errors=True)
        for path, text in expected.items():
            DIRECTORY.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
            DIRECTORY.joinpath(path).write_text(text, "utf-8")
    there = {
        str(path.relative_to(DIRECTORY)): path.read_text("utf-8")
        for folder in ("accept", "reject")
        for path in DIRECTORY.joinpath(folder).rglob("*")
        if path.is_file()
    }
    wrong = sorted(path for path in {*expected, *there} if expected.get(path) != there.get(path))
    for path in wrong:
        print(f"{path} is not what this script writes: run it with --write", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
