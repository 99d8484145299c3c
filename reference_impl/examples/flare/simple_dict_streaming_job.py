"""Stream a dict of arrays from the server to the clients, with a retriever at both ends."""

from __future__ import annotations

import sys

import simulation
from dict_streaming import DictOwner, DictRequester
from implementations import find, new_job
from nvflare.job_config.api import FedJob
from workflow import RECEIVE, RETRIEVER


def make_job(size: int, implementation: str, clients: int = 1) -> FedJob:
    retriever = find("ContainerRetriever", implementation)
    job = new_job("simple_dict_streaming", clients)
    job.to_server(DictOwner(size))
    job.to_server(retriever(), id=RETRIEVER)
    job.to_clients(DictRequester(), tasks=[RECEIVE])
    job.to_clients(retriever(), id=RETRIEVER)
    return job


def main() -> int:
    parser = simulation.arguments(__doc__ or "")
    parser.add_argument("--size", type=simulation.size, default="5MiB", help="of the arrays in the dict")
    options = parser.parse_args()
    run = simulation.simulate(make_job(options.size, options.implementation, options.clients), options)
    return simulation.conclude(run, options)


if __name__ == "__main__":
    sys.exit(main())
