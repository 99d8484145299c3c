"""Let things go wrong in a job: each side must get a clear return code in time, and the next transfer must work."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import simulation
from faulty import CONTAINERS, DEADLINE, FILES, TASK, FaultyClient, FaultyOwner
from implementations import new_job
from nvflare.job_config.api import FedJob

from objstream.flare import ContainerRetriever, FileRetriever

CLIENTS = 3


def make_job(directory: Path) -> FedJob:
    """The job; there are no files in the directory."""
    job = new_job("faults", clients=1)
    job.to_server(FaultyOwner())
    job.to_clients(FaultyClient(), tasks=[TASK])
    for retriever, name in (
        (ContainerRetriever(entry_timeout=DEADLINE), CONTAINERS),
        (FileRetriever(str(directory), dest_dir=str(directory), chunk_timeout=DEADLINE), FILES),
    ):
        job.to_server(retriever, id=name)
        job.to_clients(retriever, id=name)
    return job


def main() -> int:
    options = simulation.arguments(__doc__ or "").parse_args()
    options.clients = CLIENTS
    with tempfile.TemporaryDirectory(prefix="flare-files-") as directory:
        run = simulation.simulate(make_job(Path(directory)), options)
    for step in run.report["steps"]:
        verdict = "as expected" if step["as_expected"] else f"expected {' or '.join(step['expected'])}"
        print(f"{step['step']}: {step['rc']} after {step['seconds']:.1f} s: {verdict}")
    return simulation.conclude(run, options)


if __name__ == "__main__":
    sys.exit(main())
