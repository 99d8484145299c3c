"""What it takes to try a streamer: an object, and a way to see whether it has arrived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import ObjectAssembler, ObjectStreamer


@dataclass(frozen=True)
class Sample:
    """An object for trials of a streamer, which `ObjectStreamer.sample` gives.

    Attributes:
        streamer: makes a streamer of the object, a new one for each transfer or push.
        assembler: makes an assembler, the same for an object of any size. It stores in the directory that it is given,
            if it stores at all, each object under a name of its own.
        content: what the object holds, as a value of the value model.
        read: makes that of what an assembler has resulted in.
    """

    streamer: Callable[[], ObjectStreamer]
    assembler: Callable[[Path], ObjectAssembler]
    content: object
    read: Callable[[Any], object]
