"""Stream large objects between sites: containers entry by entry, files chunk by chunk, in bounded memory.

A site gives and takes objects; an engine connects it with others. Retrievers ask for named objects, `Site.push` offers
one. `ContainerStreamer` and `FileStreamer` are the objects that are known; subclass `ObjectStreamer` and
`ObjectAssembler` for others.
"""

from __future__ import annotations

from .engines.memory import MemoryNetwork, MemorySite
from .engines.socket import SocketSite
from .errors import Code, TransferError
from .limits import Limits
from .retrievers import ContainerRetriever, FileRetriever, ObjectRetriever
from .session import Progress
from .site import Options, Outcome, Request, Site
from .streamers import (
    ContainerAssembler,
    ContainerStreamer,
    Description,
    FileAssembler,
    FileStreamer,
    ObjectAssembler,
    ObjectStreamer,
    Sample,
)
from .values import Registry

__version__ = "0.1.0"

__all__ = [
    "Code",
    "ContainerAssembler",
    "ContainerRetriever",
    "ContainerStreamer",
    "Description",
    "FileAssembler",
    "FileRetriever",
    "FileStreamer",
    "Limits",
    "MemoryNetwork",
    "MemorySite",
    "ObjectAssembler",
    "ObjectRetriever",
    "ObjectStreamer",
    "Options",
    "Outcome",
    "Progress",
    "Registry",
    "Request",
    "Sample",
    "Site",
    "SocketSite",
    "TransferError",
    "__version__",
]
