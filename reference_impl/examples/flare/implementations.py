"""FLARE's own streamers and retrievers and those of `objstream.flare`, by the same names.

A job of yours has one import instead: `from objstream.flare import ContainerRetriever`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nvflare.job_config.api import FedJob

IMPLEMENTATIONS = ("objstream", "nvflare")

_NVFLARE = {
    "ContainerStreamer": "nvflare.app_common.streamers.container_streamer",
    "FileStreamer": "nvflare.app_common.streamers.file_streamer",
    "ContainerRetriever": "nvflare.app_common.streamers.container_retriever",
    "FileRetriever": "nvflare.app_common.streamers.file_retriever",
}


def find(name: str, implementation: str) -> Any:
    """The class of that name, of one of the implementations."""
    module = "objstream.flare" if implementation == "objstream" else _NVFLARE[name]
    return getattr(import_module(module), name)


def new_job(name: str, clients: int) -> FedJob:
    """An empty job; objstream is installed at every site, so that its code does not travel with the job."""
    job = FedJob(name=name, min_clients=clients)
    job.set_app_packages(["objstream"])
    return job
