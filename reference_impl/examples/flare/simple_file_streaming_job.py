"""Stream a file from the server to the clients, with a streamer alone: no retriever, no workflow."""

from __future__ import annotations

import sys

import simulation
from file_streaming import FileReceiver, FileSender, IdleExecutor
from implementations import new_job
from nvflare.job_config.api import FedJob


def make_job(size: int, implementation: str, clients: int = 1) -> FedJob:
    job = new_job("simple_file_streaming", clients)
    job.to_server(FileSender(size, implementation))
    job.to_clients(FileReceiver(implementation))
    job.to_clients(IdleExecutor())
    return job


def main() -> int:
    parser = simulation.arguments(__doc__ or "")
    parser.add_argument("--size", type=simulation.size, default="5MiB", help="of the file")
    options = parser.parse_args()
    run = simulation.simulate(make_job(options.size, options.implementation, options.clients), options)
    return simulation.conclude(run, options)


if __name__ == "__main__":
    sys.exit(main())
