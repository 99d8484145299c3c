"""Runs a job in FLARE's Simulator, within a time limit, and measures it from outside."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reports
from implementations import IMPLEMENTATIONS
from nvflare.job_config.api import FedJob
from utils.memory import ProcessTree

MIB = 1 << 20
UNITS = {"": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}


@dataclass(frozen=True)
class Run:
    """A job that has ended.

    Attributes:
        report: what the job wrote.
        began, ended: when it started and when it was over, by `time.monotonic`.
        tree: the memory of all of its processes.
    """

    report: dict[str, Any]
    began: float
    ended: float
    tree: ProcessTree

    @property
    def rounds(self) -> list[tuple[float, float]]:
        """For each round, when the first client began to receive, and when the last one had the object."""
        rounds = zip(*(site.get("rounds", []) for site in self.report["sites"].values()), strict=False)
        return [
            (min(each["began"] for each in sites), max(each["ended"] for each in sites))
            for sites in rounds
            if all("ended" in each for each in sites)
        ]

    def record(self, implementation: str) -> dict[str, Any]:
        """What is written for programs: times in seconds, memory in bytes.

        The extra memory is that of all processes at its peak during a transfer, over their memory before it and over
        what the clients have received into theirs; the most of all rounds. Times are those of all rounds, and the last.
        """
        record = {**self.report, "implementation": implementation, "job_s": self.ended - self.began}
        record["peak_rss_tree_bytes"] = self.tree.peak(self.began, self.ended)
        if rounds := self.rounds:
            began, ended = rounds[-1]
            received = self.report["bytes_in_memory"] * len(self.report["sites"])
            record["transfer_s"] = ended - began
            record["transfers_s"] = [ended - began for began, ended in rounds]
            record["extra_bytes"] = max(self.tree.over(began, ended) for began, ended in rounds) - received
            record["memory"] = self.tree.timeline(began, self.began, self.ended)
        return record


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that all jobs have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--implementation", choices=IMPLEMENTATIONS, default="objstream")
    parser.add_argument("--clients", type=int, default=1, help="all of them receive at once")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds that the whole job may take")
    parser.add_argument("--workspace", type=Path, help="keep what the Simulator writes in this directory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here")
    return parser


def size(text: str) -> int:
    """A number of bytes: 1048576, 512MiB, 2GiB."""
    number = text.rstrip("KMGiB")
    return int(float(number) * UNITS[text[len(number) :]])


def simulate(job: FedJob, options: argparse.Namespace) -> Run:
    """Run a job; what it has started is ended at the end, in any case.

    Raises:
        TimeoutError: it did not end in time.
        LookupError: it wrote no report.
    """
    with tempfile.TemporaryDirectory(prefix="flare-") as temporary:
        workspace = options.workspace or Path(temporary) / "workspace"
        tree = ProcessTree(os.getpid())
        late = threading.Event()

        def stop() -> None:
            late.set()
            tree.end_all()

        timer = threading.Timer(options.timeout, stop)
        timer.start()
        began = time.monotonic()
        try:
            job.simulator_run(str(workspace.absolute()), n_clients=options.clients, threads=options.clients)
        finally:
            ended = time.monotonic()
            timer.cancel()
            tree.stop()
            tree.end_all()
        if late.is_set():
            raise TimeoutError(f"the job did not end within {options.timeout:g} s")
        return Run(reports.read(workspace), began, ended, tree)


def conclude(run: Run, options: argparse.Namespace) -> int:
    """Show and write what was found; the exit status."""
    record = run.record(options.implementation)
    if options.json:
        options.json.write_text(json.dumps(record) + "\n", "utf-8")
    show(record)
    return 0 if record["verified"] else 1


def show(record: dict[str, Any]) -> None:
    """What was found, for people."""
    for name, site in record["sites"].items():
        print(f"{name}: {site['rc']}, {'verified' if site['verified'] else 'NOT VERIFIED'}")
    print(
        f"the job took {record['job_s']:.1f} s, its processes {record['peak_rss_tree_bytes'] / MIB:.0f} MiB"
    )
    if "transfer_s" in record:
        size, extra = record["bytes"] / MIB, max(0, record["extra_bytes"]) / MIB
        print(
            f"{size:.1f} MiB in {record['transfer_s']:.2f} s, with {extra:.0f} MiB of memory beside the object"
        )
