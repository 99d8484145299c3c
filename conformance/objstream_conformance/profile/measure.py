"""One measurement: a scenario at one size, each side in a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from . import subjects
from .foreign import Foreign
from .meters import Measurement, MeasurementError, Reading
from .process import Process
from .relay import Relay
from .scenarios import Role, Scenario
from .side import DEADLINE, Spec

Transport = Literal["tcp", "unix"]
AFTER_A_FAULT = DEADLINE + 30
"""Seconds after which a transfer that has been disturbed is taken to hang."""


def measure(
    subject: str, scenario: Scenario, size: int, *, transport: Transport = "tcp"
) -> list[Measurement]:
    """Measure a scenario at one size: once the heap, once the resident set, as one disturbs the other.

    Args:
        subject: selector of the implementation.

    Returns:
        the measurement of the sender and that of the (first) receiver, or that of both together.

    Raises:
        MeasurementError: a transfer did not end as the scenario says, or something else arrived than was sent.
    """
    found = subjects.load(subject)
    if isinstance(found, Foreign):
        return found.measure(scenario, size)
    heaps: list[Reading | None] = []
    object_heap = 0
    if not scenario.fixed:
        with Run(subject, scenario, size, transport, heap=True) as run:
            heaps, object_heap = [*run.readings()], run.footprint
    with Run(subject, scenario, size, transport, heap=False) as run:
        residents, object_resident = run.readings(), run.footprint
    rows = []
    for side, heap, resident in itertools.zip_longest(subjects.sides(found), heaps, residents):
        if side is None:  # receivers beyond the first
            break
        delivers = side != "sender" and not scenario.into and scenario.content != "file"
        copies = (scenario.targets if side == "both" else 1) if delivers else 0
        rows.append(Measurement(side, size, copies * object_heap, copies * object_resident, heap, resident))
    return rows


def record(
    subject: str, scenario: Scenario, size: int, directory: Path, *, transport: Transport = "tcp"
) -> dict[Role, Path]:
    """Make the transfer once more and keep for each side what memray saw, with the stacks of all allocations.

    Raises:
        MeasurementError: the transfer did not end as the scenario says.
    """
    sides = subjects.sides(subjects.load(subject))
    records: dict[Role, Path] = {side: directory / f"{scenario.name}-{side}.memray" for side in sides}
    for path in records.values():
        path.unlink(missing_ok=True)
    with Run(subject, scenario, size, transport, heap=True, records=records) as run:
        run.readings()
    return records


class Run:
    """The processes of one transfer; use it in a `with` statement.

    Attributes:
        footprint: bytes that the object takes, to the meter of the heap or to that of the resident set.
    """

    def __init__(
        self,
        subject: str,
        scenario: Scenario,
        size: int,
        transport: Transport = "tcp",
        *,
        heap: bool,
        records: Mapping[Role, Path] | None = None,
    ) -> None:
        self._scenario = scenario
        self._size = size
        self._relay: Relay | None = None
        with contextlib.ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="osp-")))

            def process(side: Role, number: int = 0) -> Process:
                directory = self._directory / f"{side}{number}"
                directory.mkdir()
                kept = records[side] if records and number == 0 else None
                spec = Spec(
                    subject=subject,
                    scenario=scenario.name,
                    size=size,
                    side=side,
                    heap=heap,
                    url="tcp://127.0.0.1:0" if transport == "tcp" else f"unix://{directory}/socket",
                    directory=str(directory),
                    record=str(kept or directory / "record"),
                    stacks=kept is not None,
                )
                return stack.enter_context(Process(spec))

            first, *others = subjects.sides(subjects.load(subject))
            self._first = process(first)
            self._others = [process(side, number) for side in others for number in range(scenario.targets)]
            for each in self._all():
                each.wait()
            self.footprint = self._first.footprint
            self._first.open()
            way = self._first.address
            if scenario.fault and self._others:
                self._relay = Relay(way, scenario.fault)
                stack.callback(self._relay.close)
                way = self._relay.address
            self._way = way
            for each in self._others:
                each.open(way)
            self._stack = stack.pop_all()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def readings(self) -> list[Reading]:
        """Make the transfer; what each process's meter says of it, the sender's first."""
        active, peers = (self._others or [self._first])[0], [self._way]
        if self._scenario.push:
            active, peers = self._first, [each.address for each in self._others]
        active.ask("warm", peers)
        for process in self._all():
            process.ask("start")
        half = self._scenario.object_size(self._size) // 2
        if self._scenario.fault and self._relay is None:
            active.ask("arm", half)
        active.tell("run", peers)
        if self._relay is None:
            self._check_ending(active.hear())
        else:
            self._interfere(self._relay, half, active)
            late = f"{self._scenario.name}: after the fault the transfer did not end"
            self._check_ending(active.hear(AFTER_A_FAULT, late))
        readings = []
        for process in self._all():
            answer = process.ask("stop")
            if answer["wrong"]:
                raise MeasurementError(f"{self._scenario.name}: {answer['wrong']}")
            readings.append(Reading(**answer["reading"]))
        return readings

    def _all(self) -> Iterator[Process]:
        yield self._first
        yield from self._others

    def _interfere(self, relay: Relay, half: int, active: Process) -> None:
        relay.arm(half)
        if not relay.reached.wait(300):
            raise MeasurementError(f"{self._scenario.name}: half of the object never came")
        if self._scenario.fault == "cancel":
            active.tell("cancel")

    def _check_ending(self, problem: str) -> None:
        if problem and not self._scenario.fault:
            raise MeasurementError(f"{self._scenario.name}: the transfer failed: {problem}")
        if not problem and self._scenario.fault:
            raise MeasurementError(f"{self._scenario.name}: the transfer ended well in spite of the fault")
