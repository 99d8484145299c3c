"""The handle of a process that is one side of a transfer."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from typing import Any

from .meters import MeasurementError
from .side import Spec

PATIENCE = 900.0


class Process:
    """Runs one side; use it in a `with` statement.

    Raises:
        MeasurementError: from every method, when the process does not answer.
    """

    def __init__(self, spec: Spec) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "objstream_conformance.profile.side", json.dumps(asdict(spec))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.address = ""
        self.footprint = 0

    def wait(self) -> None:
        """Until the side has what it is to send; only then is `footprint` known."""
        self.footprint = self.hear()

    def open(self, sender: str = "") -> None:
        """Let it take part: it tells its `address`, and is told that of the sender."""
        self.address = self.ask("open", sender)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def tell(self, *command: object) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            print(json.dumps(command), file=stdin, flush=True)
        except BrokenPipeError:
            raise self._dead() from None

    def hear(self, patience: float = PATIENCE, otherwise: str = "a side did not answer") -> Any:
        """Its next answer, which must come within so many seconds; otherwise that is the error."""
        try:
            line = self._answers.get(timeout=patience)
        except queue.Empty:
            raise MeasurementError(f"{otherwise} within {patience:g} s") from None
        if not line:
            raise self._dead()
        return json.loads(line)

    def ask(self, *command: object) -> Any:
        self.tell(*command)
        return self.hear()

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        for line in stdout:
            self._answers.put(line)
        self._answers.put("")

    def _dead(self) -> MeasurementError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(60)
        self._errors.seek(0)
        return MeasurementError(
            f"a side ended with status {self._process.returncode}:\n{self._errors.read()}"
        )
