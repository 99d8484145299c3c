"""Transfer a model from the server to the clients in one of three ways, and measure time and memory."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import simulation
from implementations import find, new_job
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
    rounds: int = 1,
    **options: Any,
) -> FedJob:
    """The job; files are sent from a directory, and received there.

    Args:
        options: of the retrievers.
    """
    job = new_job("streaming", clients)
    job.to_server(ModelOwner(mode, size, model, entries, str(directory), rounds))
    job.to_clients(ModelRequester(mode), tasks=[RECEIVE])
    if mode == "container":
        retriever = find("ContainerRetriever", implementation)
        job.to_server(retriever(**options), id=RETRIEVER)
        job.to_clients(retriever(**options), id=RETRIEVER)
    elif mode == "file":
        retriever = find("FileRetriever", implementation)
        options |= {"source_dir": str(directory), "dest_dir": str(directory)}
        job.to_server(retriever(**options), id=RETRIEVER)
        job.to_clients(retriever(**options), id=RETRIEVER)
    return job


def main() -> int:
    parser = simulation.arguments(__doc__ or "")
    parser.add_argument(
        "--retriever_mode", choices=("container", "file"), help="regular transmission without it"
    )
    parser.add_argument("--size", type=simulation.size, default="512MiB", help="of the model, about")
    parser.add_argument("--model", default="", help="a model file, or a name or directory for transformers")
    parser.add_argument("--entries", type=int, default=0, help="that many integers instead of a model")
    parser.add_argument("--rounds", type=int, default=1, help="how often the model is received")
    parser.add_argument("--window", type=simulation.size, help="bytes under way at a time; objstream only")
    options = parser.parse_args()
    if options.window and options.implementation != "objstream":
        parser.error("FLARE's own retrievers have no window")
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
            rounds=options.rounds,
            **({"window": options.window} if options.window else {}),
        )
        run = simulation.simulate(job, options)
    return simulation.conclude(run, options)


if __name__ == "__main__":
    sys.exit(main())
