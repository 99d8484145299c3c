"""Mutants that are wrong about security on the wire."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from objstream.frames import FrameReader
from objstream.session import Sender, Session
from objstream.values.assembly import Assembly
from objstream.values.decode import Decoder
from objstream.values.frames import ListFrame
from objstream.values.hashables import CollisionGuard

from .kit import instead, wire_mutant


@wire_mutant("OSP-SEC-002", "no import of a module that the peer has named")
def extensions_are_imported() -> None:
    """For an extension that is unknown, the module of its name is imported."""

    @instead(Assembly, "open_arguments")
    def open_(original: Any, self: Any, name: str, count: int) -> None:
        with contextlib.suppress(Exception):
            importlib.import_module(name.partition(".")[0])
        original(self, name, count)


@wire_mutant("OSP-SEC-003", "less than 1 MiB for the head of a list")
def room_is_made_for_lists() -> None:
    """Room for the items of a list is made when its length is announced, 4 MiB at most."""
    room: list[bytearray] = []

    @instead(ListFrame, "__init__")
    def init(original: Any, self: Any, size: int, *level: Any) -> None:
        room[:] = [bytearray(min(8 * size, 4 << 20))]
        original(self, size, *level)


@wire_mutant("OSP-SEC-004", "with one hash to cost at most|hang.*an answer to feed")
def collisions_go_unnoticed() -> None:
    """Hashes are not counted."""

    @instead(CollisionGuard, "admit")
    def admit(original: Any, self: Any, value: object) -> None:
        hash(value)


@wire_mutant("OSP-SEC-005", "at the next: the outcome TOO_LARGE")
def floods_are_skipped() -> None:
    """Any number of frames is skipped."""

    @instead(FrameReader, "_skip")
    def skip(original: Any, self: Any, length: int) -> Any:
        self._skipped = 0
        return original(self, length)


@wire_mutant("OSP-SEC-006", "at the next: the outcome TOO_LARGE")
def floods_of_credit_are_borne() -> None:
    """Any number of CREDIT frames that grant nothing is taken."""

    @instead(Sender, "_on_credit")
    def credit(original: Any, self: Any, frame: Any) -> None:
        self._idle_credits = 0
        original(self, frame)


@wire_mutant("OSP-SEC-009", "reject/OSP-SEC-009.*513-characters")
def names_are_counted_in_characters() -> None:
    """A name may have 1024 characters, however many bytes that are."""

    @instead(Session, "check_name")
    def check(original: Any, self: Any, name: str) -> None:
        if len(name) > self.limits.max_name:
            original(self, name)


@wire_mutant("OSP-SEC-010", "reject/OSP-SEC-010")
def integers_are_unlimited() -> None:
    """The length of integers is not limited."""

    @instead(Decoder, "_tagged")
    def tagged(original: Any, self: Any, data: bytes, tag: int, at: int) -> Any:
        limit, self._max_inline = self._max_inline, 1 << 40 if tag in (2, 3) else self._max_inline
        try:
            return original(self, data, tag, at)
        finally:
            self._max_inline = limit
