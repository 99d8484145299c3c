"""The protocol's logic as pure state machines: frames in, frames out; no socket, thread or clock."""

from __future__ import annotations

from .base import DEADLINE, LOGGER, Buffers, Observer, Progress, Session
from .connection import AnySession, Connection
from .receiver import WINDOW, Receiver
from .sender import Sender
from .tables import FINAL, RECEIVER, SENDER, Event, State

__all__ = [
    "DEADLINE",
    "FINAL",
    "LOGGER",
    "RECEIVER",
    "SENDER",
    "WINDOW",
    "AnySession",
    "Buffers",
    "Connection",
    "Event",
    "Observer",
    "Progress",
    "Receiver",
    "Sender",
    "Session",
    "State",
]
