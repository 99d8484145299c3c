"""Mutants that are wrong about security and time, as seen from outside."""

from __future__ import annotations

import contextlib
import copy
import time
from typing import Any

from objstream import Code, TransferError
from objstream.session import Receiver
from objstream.values.encode import _Encoder

from .kit import instead, mutant


@mutant("OSP-SEC-001", "no instance made of a class that is not listed")
def strangers_are_copied() -> None:
    """A value that cannot be carried is copied before that is said."""

    @instead(_Encoder, "_foreign")
    def foreign(original: Any, self: Any, cls: type, value: Any) -> Any:
        if not isinstance(value, type) and not (self._registry and self._registry.for_class(cls)):
            with contextlib.suppress(Exception):
                copy.copy(value)
        return original(self, cls, value)


@mutant("OSP-SEC-007", "no local path (in the error|on the wire)")
def paths_are_told() -> None:
    """What the system says about a file that is missing goes to the peer."""

    @instead(TransferError, "__init__")
    def init(
        original: Any, self: Any, code: Code, message: str = "", *, local: str = "", **rest: Any
    ) -> None:
        told = f"{message} ({local})" if local and code is Code.NOT_FOUND else message
        original(self, code, told, local=local, **rest)


@mutant("OSP-SEC-008", "no value of the object (in the error|on the wire)")
def values_are_told() -> None:
    """A refusal shows the value."""

    @instead(_Encoder, "_foreign")
    def foreign(original: Any, self: Any, cls: type, value: Any) -> Any:
        try:
            return original(self, cls, value)
        except TransferError as error:
            raise TransferError(error.code, f"{error.message}: {value!r:.80}") from None


@mutant("OSP-TIM-001", "to keep a deadline of")
def deadlines_are_total() -> None:
    """A receiver fails when the whole transfer takes twice its deadline, however much is moving."""

    @instead(Receiver, "tick")
    def tick(original: Any, self: Any, now: float) -> None:
        begun = self.__dict__.setdefault("begun", now)
        original(self, now)
        if not self.finished and now > begun + 2 * self.deadline:
            self.fail(TransferError(Code.STALLED, "it takes too long"))


@mutant("OSP-TIM-009", "during which the clock is put [+]1 h to succeed")
def clocks_are_believed() -> None:
    """A receiver gives up when, by the clock on the wall, a minute has passed since it last looked."""

    @instead(Receiver, "tick")
    def tick(original: Any, self: Any, now: float) -> None:
        before, self.wall = self.__dict__.get("wall"), time.time()
        original(self, now)
        if not self.finished and before is not None and self.wall > before + 60:
            self.fail(TransferError(Code.STALLED, "nothing moved for a minute"))
