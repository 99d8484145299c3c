"""FLARE's own streamers and retrievers and those of `objstream.flare`, by the same names.

A job of yours has one import instead: `from objstream.flare import ContainerRetriever`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

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
