"""The halves of an object in transit: streamers take it apart, assemblers put it together."""

from __future__ import annotations

from .base import Description, ObjectAssembler, ObjectStreamer, Sample
from .container import ContainerAssembler, ContainerStreamer
from .file import FileAssembler, FileStreamer, kept_beside

__all__ = [
    "ContainerAssembler",
    "ContainerStreamer",
    "Description",
    "FileAssembler",
    "FileStreamer",
    "ObjectAssembler",
    "ObjectStreamer",
    "Sample",
    "kept_beside",
]
