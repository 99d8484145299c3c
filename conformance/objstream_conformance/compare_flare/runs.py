"""Runs of the example job, one after the other, each in processes of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SCRIPT: Final = "streaming_job.py"
SETTINGS: Final = ("regular", "container", "file")
IMPLEMENTATIONS: Final = ("nvflare", "objstream")
ROUNDS: Final = 2
"""Of transfers in a job: the first finds memory that was never used, the last what it has let go just before."""
TAIL: Final = 15


class RunError(Exception):
    """A job did not run to its end, or what arrived was not what was sent."""


@dataclass(frozen=True)
class Combination:
    """A setting and whose streamer is used for it."""

    setting: str
    implementation: str

    def __str__(self) -> str:
        return self.setting if self.setting == "regular" else f"{self.setting}, {self.implementation}"


def combinations(settings: Sequence[str], implementations: Sequence[str]) -> list[Combination]:
    """All to be run. No streamer takes part in the regular transmission, so that it is FLARE's alone."""
    return [
        Combination(setting, implementation)
        for setting in settings
        for implementation in implementations
        if setting != "regular" or implementation == "nvflare"
    ]


@dataclass
class Series:
    """The runs of one combination, each as the example's `--json` writes it."""

    combination: Combination
    records: list[dict[str, Any]] = field(default_factory=list)

    def median(self, key: str) -> float:
        return float(statistics.median(record[key] for record in self.records))

    @property
    def typical(self) -> dict[str, Any]:
        """The run whose transfer took the median time, or the next longer one."""
        ordered = sorted(self.records, key=lambda record: record["transfer_s"])
        return ordered[len(ordered) // 2]


def examples() -> Path:
    """The directory of the example jobs: inside an installed package, or in a checkout.

    Raises:
        LookupError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for candidate in (
        package / "flare_examples",
        package.parents[1] / "reference_impl" / "examples" / "flare",
    ):
        if candidate.joinpath(SCRIPT).is_file():
            return candidate
    raise LookupError("the example jobs are neither installed with the suite nor part of this checkout")


def run(combination: Combination, size: int, timeout: float, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Run the job once.

    Args:
        size: of the model, in bytes.
        timeout: seconds that the job may take.
        arguments: more options of the example.

    Raises:
        RunError: as its documentation says.
    """
    with tempfile.TemporaryDirectory(prefix="compare-flare-") as temporary:
        record, log = Path(temporary) / "record.json", Path(temporary) / "log"
        command = [sys.executable, str(examples() / SCRIPT), "--implementation", combination.implementation]
        command += ["--size", str(size), "--timeout", str(timeout), "--json", str(record)]
        command += ["--rounds", str(ROUNDS), *arguments]
        if combination.setting != "regular":
            command += ["--retriever_mode", combination.setting]
        with log.open("wb") as output:
            done = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, cwd=temporary, check=False
            )
        if done.returncode:
            last = log.read_text("utf-8", "replace").splitlines()[-TAIL:]
            raise RunError("\n".join([f"{combination}: the job failed; the end of its log:", *last]))
        found = dict(json.loads(record.read_text("utf-8")))
        return found | {"first_transfer_s": found["transfers_s"][0]}
