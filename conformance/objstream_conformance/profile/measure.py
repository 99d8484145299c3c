"""One measurement: a scenario at one size, each side in a process of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .meters import Reading
from .process import MeasurementError, Process
from .relay import Relay
from .scenarios import Scenario
from .side import Spec

Role = Literal["sender", "receiver"]
Transport = Literal["tcp", "unix"]

SIDES: tuple[Role, Role] = ("sender", "receiver")


@dataclass(frozen=True)
class Measurement:
    """What one side needed, beside the object.

    Attributes:
        size: of the scenario, in bytes.
        object_heap: bytes that the object itself adds at this side, of the heap.
        object_resident: and of the resident set.
        heap: what memray saw.
        resident: what the kernel saw.
    """

    side: Role
    size: int
    object_heap: int
    object_resident: int
    heap: Reading
    resident: Reading

    @property
    def extra_heap(self) -> int:
        """Peak of the heap over the state before and the object; or what is left at the end, if that is more."""
        return max(self.heap.peak - self.object_heap, self.heap.left, 0)

    @property
    def extra_resident(self) -> int:
        return max(self.resident.peak - self.object_resident, 0)


def measure(
    subject: str, scenario: Scenario, size: int, *, transport: Transport = "tcp"
) -> tuple[Measurement, Measurement]:
    """Measure a scenario at one size: once the heap, once the resident set, as one disturbs the other.

    Args:
        subject: selector of the implementation.

    Returns:
        the measurement of the sender and that of the (first) receiver.

    Raises:
        MeasurementError: a transfer did not end as the scenario says, or something else arrived than was sent.
    """
    with _Run(subject, scenario, size, transport, heap=True) as run:
        heap, object_heap = run.readings(), run.footprint
    with _Run(subject, scenario, size, transport, heap=False) as run:
        resident, object_resident = run.readings(), run.footprint
    if scenario.into or scenario.content == "file":
        object_heap = object_resident = 0
    return (
        Measurement("sender", size, 0, 0, heap[0], resident[0]),
        Measurement("receiver", size, object_heap, object_resident, heap[1], resident[1]),
    )


def record(
    subject: str, scenario: Scenario, size: int, directory: Path, *, transport: Transport = "tcp"
) -> dict[Role, Path]:
    """Make the transfer once more and keep for both sides what memray saw, with the stacks of all allocations.

    Raises:
        MeasurementError: the transfer did not end as the scenario says.
    """
    records: dict[Role, Path] = {side: directory / f"{scenario.name}-{side}.memray" for side in SIDES}
    for path in records.values():
        path.unlink(missing_ok=True)
    with _Run(subject, scenario, size, transport, heap=True, records=records) as run:
        run.readings()
    return records


class _Run:
    """The processes of one transfer; use it in a `with` statement."""

    def __init__(
        self,
        subject: str,
        scenario: Scenario,
        size: int,
        transport: Transport,
        *,
        heap: bool,
        records: Mapping[Role, Path] | None = None,
    ) -> None:
        self._scenario = scenario
        self._size = size
        with contextlib.ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="osp-")))

            def process(side: Role, number: int) -> Process:
                directory = self._directory / f"{side}{number}"
                directory.mkdir()
                url = "tcp://127.0.0.1:0" if transport == "tcp" else f"unix://{directory}/socket"
                kept = records[side] if records and number == 0 else None
                return stack.enter_context(
                    Process(
                        Spec(
                            subject=subject,
                            scenario=scenario.name,
                            size=size,
                            sender=side == "sender",
                            heap=heap,
                            url=url,
                            directory=str(directory),
                            record=str(kept or directory / "record"),
                            stacks=kept is not None,
                        )
                    )
                )

            self._sender = process("sender", 0)
            self._receivers = [process("receiver", number) for number in range(scenario.targets)]
            for each in self._all():
                each.wait()
            self.footprint = self._sender.footprint
            self._relay: Relay | None = None
            if scenario.fault:
                self._relay = Relay(self._sender.address, scenario.fault)
                stack.callback(self._relay.close)
            self._stack = stack.pop_all()

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def readings(self) -> list[Reading]:
        """Make the transfer; what each side's meter says of it, the sender's first."""
        active, peers = self._receivers[0], [self._sender.address]
        if self._scenario.push:
            active, peers = self._sender, [receiver.address for receiver in self._receivers]
        if self._relay is not None:
            peers = [self._relay.address]
        active.ask("warm", peers)
        for process in self._all():
            process.ask("start")
        active.tell("run", peers)
        self._interfere(active)
        self._check_ending(active.hear())
        readings = []
        for process in self._all():
            answer = process.ask("stop")
            if answer["wrong"]:
                raise MeasurementError(f"{self._scenario.name}: {answer['wrong']}")
            readings.append(Reading(**answer["reading"]))
        return readings

    def _all(self) -> Iterator[Process]:
        yield self._sender
        yield from self._receivers

    def _interfere(self, active: Process) -> None:
        if self._relay is None:
            return
        self._relay.arm(self._scenario.object_size(self._size) // 2)
        if not self._relay.reached.wait(300):
            raise MeasurementError(f"{self._scenario.name}: half of the object never came")
        if self._scenario.fault == "cancel":
            active.tell("cancel")

    def _check_ending(self, problem: str) -> None:
        if problem and not self._scenario.fault:
            raise MeasurementError(f"{self._scenario.name}: the transfer failed: {problem}")
        if not problem and self._scenario.fault:
            raise MeasurementError(f"{self._scenario.name}: the transfer ended well in spite of the fault")
