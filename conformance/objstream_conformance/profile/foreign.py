"""A program behind its standard input and output: what the kernel says of its process is all that can be measured.

The other end is the reference, in this process. Objects go to and from the program as JSON, before and after.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..adapters.testee import TesteeAdapter
from ..adapters.wire import ReferenceEnd
from ..compare import difference
from ..contract import Description, WireEnd
from ..contract import Role as End
from ..outcomes import Ending
from . import contents
from .meters import Measurement, MeasurementError, ResidentMeter
from .scenarios import SIDES, Fault, Role, Scenario

ROLES: dict[tuple[Role, bool], tuple[End, End]] = {
    ("sender", False): ("owner", "requester"),
    ("receiver", False): ("requester", "owner"),
    ("sender", True): ("sender", "receiver"),
    ("receiver", True): ("receiver", "sender"),
}
"""By side, and whether it is a push: the role of the program and ours."""
WINDOW = 2 * contents.MIB
"""How far a sender may be ahead. A message to or from the program is not larger."""
WARM = 4 * WINDOW
"""Enough for messages of every size."""


class Foreign:
    """A testee; see `testees/README.md`."""

    scale = 32
    """The default sizes divided by it: a whole object must fit into a message."""

    def __init__(self, command: str) -> None:
        self._command = command

    def describe(self) -> Description:
        told = TesteeAdapter(self._command).describe()
        ways = {"pull": {"owner", "requester"}, "push": {"sender", "receiver"}}
        offered = {way for way, roles in ways.items() if roles <= told.roles}
        return replace(told, capabilities=told.capabilities - set(ways) | offered)

    def measure(self, scenario: Scenario, size: int) -> list[Measurement]:
        """Measure both sides, one after the other, each in a process of its own.

        Raises:
            MeasurementError: a transfer did not end as the scenario says, or the program failed.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="osp-") as directory:
                return [self._measure(scenario, size, side, Path(directory)) for side in SIDES]
        except Ending as problem:
            raise MeasurementError(
                f"{scenario.name}: expected {problem.expected}: {problem.observed}"
            ) from None

    def _measure(self, scenario: Scenario, size: int, side: Role, directory: Path) -> Measurement:
        program = TesteeAdapter(self._command)
        value = _content(scenario, scenario.object_size(size), directory)
        small = _content(scenario, WARM, directory)
        for _ in range(2):
            Conversation(program, scenario, side, small).run()
        meter = ResidentMeter(program.process(), sampled=True)
        sessions = scenario.sessions(size)
        if sessions > 1:
            meter.start()
            for _ in range(sessions):
                Conversation(program, scenario, side, value).run()
            reading = meter.stop()
        else:
            conversation = Conversation(program, scenario, side, value)
            meter.start()
            conversation.converse(scenario.fault, scenario.object_size(size) // 2)
            reading = meter.stop()
            conversation.check(failed=bool(scenario.fault))
        if side == "sender" or scenario.content == "file":
            return Measurement(side, size, 0, 0, None, reading)
        taken = _weight(value, scenario.object_size(size))
        if scenario.fault:  # nothing is delivered: what counts besides is what stays
            reading = replace(reading, peak=max(reading.peak - taken, reading.left, 0))
            taken = 0
        return Measurement(side, size, 0, taken, None, reading)


class Conversation:
    """One transfer between the program, which is one side of it, and this process, which is the other."""

    def __init__(self, program: TesteeAdapter, scenario: Scenario, side: Role, value: object) -> None:
        self._scenario = scenario
        self._side = side
        self._value = value
        theirs, ours = ROLES[side, scenario.push]
        kind = "file" if scenario.content == "file" else "container"
        sender, receiver = {"chunk": scenario.chunk}, {"window": WINDOW}
        asking = receiver if scenario.push else {**receiver, "kind": kind}
        if side == "sender":
            self._theirs: WireEnd = program.wire(theirs, "object", value, **sender)
            self._ours: WireEnd = ReferenceEnd(ours, "object", **asking)
        else:
            self._theirs = program.wire(theirs, "object", **asking)
            self._ours = ReferenceEnd(ours, "object", value, **sender)

    def run(self) -> None:
        self.converse()
        self.check()

    def converse(self, fault: Fault = "", left: int = 0) -> None:
        """Carry bytes to and fro until nothing is said any more; after `left` bytes of the sender the fault happens."""
        sender, receiver = (
            (self._theirs, self._ours) if self._side == "sender" else (self._ours, self._theirs)
        )
        to_sender, to_receiver = receiver.start(), sender.start()
        while to_sender or to_receiver:
            content, to_receiver = to_receiver, b""
            if fault and left > 0:
                left -= len(content)
                if left <= 0 and fault == "cut":
                    sender.eof()
                    receiver.eof()
                    return
                if left <= 0:
                    content = content[:-1] + bytes([content[-1] ^ 1])
            answer = receiver.feed(content) if content else b""
            to_receiver += sender.feed(to_sender) if to_sender else b""
            to_sender = answer

    def check(self, *, failed: bool = False) -> None:
        """Hold the program's verdict, and what it has received, against what was to come.

        Raises:
            MeasurementError: it is something else.
        """
        outcome = self._theirs.outcome()
        if outcome is None or (outcome[0] == "failed") != failed:
            raise MeasurementError(f"{self._scenario.name}: the transfer ended with {outcome}")
        if self._side == "sender" or failed:
            return
        wrong = (
            difference(self._value.read_bytes(), outcome[1].read_bytes(), "file")
            if isinstance(self._value, Path) and isinstance(outcome[1], Path)
            else difference(self._value, outcome[1], "object")
        )
        if wrong:
            raise MeasurementError(f"{self._scenario.name}: {wrong}")


def _content(scenario: Scenario, size: int, directory: Path) -> Any:
    if scenario.content != "file":
        return contents.container(scenario.content, size)
    path = directory / f"content-{size}"
    contents.write_file(path, size)
    return path


def _weight(value: dict[Any, Any], size: int) -> int:
    """Bytes of the object: those of its arrays where there is nothing else in it, and else about what was asked for."""
    arrays: list[Any] = [getattr(entry, "nbytes", None) for entry in value.values()]
    return size if None in arrays else sum(arrays)
