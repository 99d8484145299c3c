"""The protocol inside NVIDIA FLARE: its streamers and retrievers, by change of an import.

    from nvflare.app_common.streamers.container_retriever import ContainerRetriever    # before
    from objstream.flare import ContainerRetriever                                     # after

`ContainerStreamer`, `FileStreamer`, `ContainerRetriever` and `FileRetriever` have FLARE's names, arguments, callbacks
and returns, and go into a job in the same way; both sides of a transfer must have made the change. What they add is
optional: timeouts are about progress, `into=` fills a model that exists, results come by target with the reason, and
what is reported as OK has been verified and stored.
"""

from __future__ import annotations

from .producers import AssemblerFactory, StreamerProducer
from .results import Deliveries, Result
from .retrievers import ContainerRetriever, FileRetriever
from .site import FlareOptions, FlareSite
from .streamers import ContainerStreamer, FileStreamer

__all__ = [
    "AssemblerFactory",
    "ContainerRetriever",
    "ContainerStreamer",
    "Deliveries",
    "FileRetriever",
    "FileStreamer",
    "FlareOptions",
    "FlareSite",
    "Result",
    "StreamerProducer",
]
