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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from ..compare import difference
from . import contents
from .meters import HeapMeter, Meter, ResidentMeter, footprint, wait_until_idle
from .scenarios import Role, scenario
from .subjects import load, opened

WARM = 64 * contents.KIB
DEADLINE = 120.0


@dataclass(frozen=True)
class Spec:
    """What a side is to do.

    Attributes:
        subject: selector of the implementation.
        scenario: name of the scenario.
        size: its size, in bytes.
        side: which one it is.
        heap: the heap is measured, else the resident set.
        url: where to listen.
        directory: an empty directory of its own.
        record: the file that memray writes.
        stacks: it is recorded where allocations are made.
    """

    subject: str
    scenario: str
    size: int
    side: Role
    heap: bool
    url: str
    directory: str
    record: str
    stacks: bool = False

    @property
    def sender(self) -> bool:
        """It has the object."""
        return self.side != "receiver"


class Side:
    """The state between commands; each command is a method."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.scenario = scenario(spec.scenario)
        self.size = self.scenario.object_size(spec.size)
        self.directory = Path(spec.directory)
        self.subject = load(spec.subject)
        self.small = self._build(WARM)
        self.footprint = 0
        self.object: Any = None
        if spec.sender or self.scenario.into:
            meter = self._meter(self.directory / "footprint")
            self.object, self.footprint = footprint(lambda: self._build(self.size), meter)
        if self.scenario.into and spec.side == "both":
            self.object, self.into = self._build(self.size), self.object
        else:
            self.into = self.object
        self.result: Any = None
        self.problem: Exception | None = None
        self.threads = 0
        self.endpoint: Any = None
        self.meter = self._meter(Path(spec.record), stacks=spec.stacks)

    def open(self, sender: str) -> str:
        self.endpoint = opened(
            self.subject, self.spec.side, self.spec.url, sender, self.directory, self.scenario
        )
        self.threads = threading.active_count()
        if self.spec.sender and not self.scenario.push:
            self._add("small", self.small)
            self._add("object", self.object)
        if self.scenario.into and self.spec.side != "sender":
            for array in self.into.values():
                array.fill(0)
        return str(self.endpoint.address)

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

    def arm(self, after: int) -> None:
        self.endpoint.arm(self.scenario.fault, after)

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
            reading = replace(reading, left=0)
        return {"reading": asdict(reading), "wrong": wrong}

    def _check(self) -> str:
        """Where what has been received differs from what was sent."""
        if self.spec.side == "sender" or self.scenario.fault:
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
        options = {"into": self._destination(name)} if self.scenario.into else {}
        return self.endpoint.retrieve_container(peers[0], name, timeout=DEADLINE, **options)

    def _destination(self, name: str) -> Any:
        return self.into if name == "object" else self.small

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
    say(side.footprint)
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
