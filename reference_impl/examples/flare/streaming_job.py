"""Transfer a model from the server to the clients in one of three ways, and measure time and memory."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import simulation
from implementations import find
from model_streaming import ModelOwner, ModelRequester
from nvflare.job_config.api import FedJob
from workflow import RECEIVE, RETRIEVER


def make_job(
    mode: str,
    implementation: str,
    directory: Path,
    size: int = 0,
    model: str = "",
    entries: int = 0,
    clients: int = 1,
) -> FedJob:
    """The job; the owner of a file has it in a directory, and its retrievers put what they receive there."""
    job = FedJob(name="streaming", min_clients=clients)
    job.to_server(ModelOwner(mode, size, model, entries, str(directory)))
    job.to_clients(ModelRequester(mode), tasks=[RECEIVE])
    if mode == "container":
        retriever = find("ContainerRetriever", implementation)
        job.to_server(retriever(), id=RETRIEVER)
        job.to_clients(retriever(), id=RETRIEVER)
    elif mode == "file":
        retriever = find("FileRetriever", implementation)
        job.to_server(retriever(source_dir=str(directory)), id=RETRIEVER)
        job.to_clients(retriever(source_dir=str(directory), dest_dir=str(directory)), id=RETRIEVER)
    return job


def main() -> int:
    parser = simulation.arguments(__doc__ or "")
    parser.add_argument(
        "--retriever_mode", choices=("container", "file"), help="regular transmission without it"
    )
    parser.add_argument("--size", type=simulation.size, default="512MiB", help="of the model, about")
    parser.add_argument("--model", default="", help="a model file, or a name or directory for transformers")
    parser.add_argument("--entries", type=int, default=0, help="that many integers instead of a model")
    options = parser.parse_args()
    mode = options.retriever_mode or "regular"
    with tempfile.TemporaryDirectory(prefix="flare-files-") as directory:
        job = make_job(
            mode,
            options.implementation,
            Path(directory),
            size=options.size,
            model=options.model,
            entries=options.entries,
            clients=options.clients,
        )
        run = simulation.simulate(job, options)
    return simulation.conclude(run, options)


if __name__ == "__main__":
    sys.exit(main())
