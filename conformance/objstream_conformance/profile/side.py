"""One side of a transfer in a process of its own: `python -m objstream_conformance.profile.side SPEC`.

It takes commands from stdin and answers on stdout, a JSON value in a line each. Before measuring starts the object is
built, a small object has been transferred, and garbage is collected; the cyclic collector is off from then on.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from ..compare import difference
from . import contents
from .meters import HeapMeter, Meter, Reading, ResidentMeter, footprint, wait_until_idle
from .scenarios import SCENARIOS
from .subjects import load_subject

WARM = 64 * contents.KIB
DEADLINE = 120.0


@dataclass(frozen=True)
class Spec:
    """What a side is to do.

    Attributes:
        subject: selector of the implementation.
        scenario: name of the scenario.
        size: its size, in bytes.
        sender: this side has the object.
        heap: the heap is measured, else the resident set.
        url: where to listen.
        directory: an empty directory of its own.
        record: the file that memray writes.
        stacks: it is recorded where allocations are made.
    """

    subject: str
    scenario: str
    size: int
    sender: bool
    heap: bool
    url: str
    directory: str
    record: str
    stacks: bool = False


class Side:
    """The state between commands; each command is a method."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.scenario = SCENARIOS[spec.scenario]
        self.size = self.scenario.object_size(spec.size)
        self.directory = Path(spec.directory)
        self.endpoint: Any = load_subject(spec.subject).listen(spec.url, self.directory, self.scenario.chunk)
        self.small = self._build(WARM)
        self.footprint = 0
        self.object: Any = None
        if spec.sender or self.scenario.into:
            meter = self._meter(self.directory / "footprint")
            self.object, self.footprint = footprint(lambda: self._build(self.size), meter)
        self.result: Any = None
        self.problem: Exception | None = None
        self.threads = threading.active_count()
        self.meter = self._meter(Path(spec.record), stacks=spec.stacks)
        if spec.sender and not self.scenario.push:
            self._add("small", self.small)
            self._add("object", self.object)
        if self.scenario.into and not spec.sender:
            for array in self.object.values():
                array.fill(0)

    def describe(self) -> dict[str, object]:
        return {"address": self.endpoint.address, "footprint": self.footprint}

    def warm(self, peers: list[str]) -> None:
        """Transfer something small, so that what is made once is there."""
        for _ in range(2):
            self._transfer(peers, "small", self.small)

    def start(self) -> None:
        wait_until_idle(self.threads)
        gc.collect()
        gc.disable()
        self.meter.start()

    def run(self, peers: list[str]) -> str:
        """Make the transfer, or transfers, and say why it failed.

        The error is kept, as an application may keep it: what was received must not hang on its traceback.
        """
        try:
            for _ in range(self.scenario.sessions(self.spec.size)):
                self.result = None
                self.result = self._transfer(peers, "object", self.object)
        except Exception as problem:
            self.problem = problem
        return "" if self.problem is None else f"{type(self.problem).__name__}: {self.problem}"

    def cancel(self) -> None:
        self.endpoint.cancel()

    def stop(self) -> dict[str, object]:
        """End the measurement; what has been received is checked only when no figure can suffer from it."""
        wait_until_idle(self.threads)
        wrong = ""
        if self.spec.heap:
            self.result = None
            reading = self.meter.stop()
        else:
            reading = self.meter.stop()
            wrong = self._check()
        if self.scenario.push or not self.spec.heap:
            reading = Reading(reading.peak, 0, reading.timeline)
        return {"reading": asdict(reading), "wrong": wrong}

    def _check(self) -> str:
        """Where what has been received differs from what was sent."""
        if self.spec.sender or self.scenario.fault:
            return ""
        result = self.endpoint.received()[-1] if self.scenario.push else self.result
        if self.scenario.content == "file":
            return contents.file_difference(Path(result), self.size)
        if type(result) is not dict:
            return f"a {type(result).__name__} arrived"
        entries = contents.CONTENTS[self.scenario.content](self.size)
        for sent, received in itertools.zip_longest(entries, result.items()):
            if found := difference(sent, received, "entry"):
                return found
        return ""

    def _transfer(self, peers: list[str], name: str, value: Any) -> Any:
        file = self.scenario.content == "file"
        if self.scenario.push:
            send = self.endpoint.send_file if file else self.endpoint.send_container
            for verdict in send(peers, value, timeout=DEADLINE).values():
                if verdict is not None:
                    raise verdict
            return None
        if file:
            return self.endpoint.retrieve_file(peers[0], name, timeout=DEADLINE)
        options = {"into": value} if self.scenario.into else {}
        return self.endpoint.retrieve_container(peers[0], name, timeout=DEADLINE, **options)

    def _meter(self, record: Path, *, stacks: bool = False) -> Meter:
        return HeapMeter(record, stacks=stacks) if self.spec.heap else ResidentMeter()

    def _build(self, size: int) -> Any:
        if self.scenario.content != "file":
            return contents.container(self.scenario.content, size)
        path = self.directory / f"content-{size}"
        contents.write_file(path, size)
        return path

    def _add(self, name: str, value: Any) -> None:
        if self.scenario.content == "file":
            self.endpoint.add_file(name, value)
        else:
            self.endpoint.add_container(name, value)


def main(spec: Spec, commands: TextIO, answers: TextIO) -> None:
    def say(answer: object) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    side = Side(spec)
    say(side.describe())
    worker = threading.Thread()
    for line in commands:
        name, *arguments = json.loads(line)
        if name == "run":
            worker = threading.Thread(target=lambda peers: say(side.run(peers)), args=arguments)
            worker.start()
        elif name == "cancel":
            side.cancel()
        else:
            if worker.ident is not None:
                worker.join()
            say(getattr(side, name)(*arguments))


if __name__ == "__main__":
    stdout = os.dup(1)
    os.dup2(2, 1)  # what the implementation prints must not be taken for an answer
    with os.fdopen(stdout, "w") as stream:
        main(Spec(**json.loads(sys.argv[1])), sys.stdin, stream)
