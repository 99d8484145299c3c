"""A process that answers questions, a length and JSON each, on its standard output; and every way not to answer."""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import subprocess
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from ..compare import show
from ..contract import Unsupported
from ..outcomes import AdapterError, Crash, Ending, Hang

START_SECONDS: Final = 60.0
"""How long a program may take to start and to describe itself."""
ANSWER_SECONDS: Final = 5.0
STARVED: Final = 6
"""So many times as long as that a program may take that wants to run and gets no processor."""
MOST: Final = 64 << 20
"""Bytes in an answer; the first four bytes of any text, taken as a length, are more."""
_LENGTH: Final = struct.Struct(">I")
_TAIL: Final = 2000


class Program:
    """A running program, asked one question at a time.

    Attributes:
        description: its answer to the first question, who it is.
        abandoned: the ids of ends that nobody holds any more; they are closed before the next one is opened.
        stop: ends the process; harmless when called again.
    """

    def __init__(self, command: list[str]) -> None:
        """Start it.

        Raises:
            LookupError: there is no such program.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._errors)
        except OSError as error:
            self._errors.close()
            raise LookupError(f"cannot start {command[0]}: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self.stop = weakref.finalize(self, _stop, self._process, self._errors)
        self.abandoned: deque[int] = deque()
        self._asking = threading.RLock()
        self.description = self.ask("describe", {}, START_SECONDS)

    @property
    def number(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self.stop.alive and self._process.poll() is None

    def ask(self, operation: str, details: Mapping[str, object], within: float = 0.0) -> Any:
        """The answer to a question, `within` so many seconds if given. A program that fails to answer is stopped.

        Threads wait for each other.

        Raises:
            Unsupported: it says so.
            Crash: it says so, or has died.
            Hang: nothing came in so many seconds.
            AdapterError: what came is no answer.
        """
        with self._asking:
            return self._ask(operation, details, within or ANSWER_SECONDS)

    def _ask(self, operation: str, details: Mapping[str, object], within: float) -> Any:
        if not self.stop.alive:
            raise Crash(f"an answer to {operation}", "the testee was stopped at an earlier question")
        while operation == "open" and self.abandoned:
            self._ask("close", {"id": self.abandoned.popleft()}, ANSWER_SECONDS)
        body = json.dumps({"op": operation, **details}).encode()
        try:
            answer = self._exchange(operation, _LENGTH.pack(len(body)) + body, within)
        except Ending:
            self.stop()
            raise
        if isinstance(answer, dict) and answer.get("unsupported"):
            raise Unsupported(f"{operation} {show(details, 200)}")
        if isinstance(answer, dict) and "crash" in answer:
            raise Crash(f"the testee to do {operation}", f"it has crashed: {answer['crash']}")
        return answer

    def _exchange(self, operation: str, question: bytes, within: float) -> Any:
        end, last = (time.monotonic() + within * times for times in (1, STARVED))
        used = self._state()[1]
        unsent, heard, size = memoryview(question), bytearray(), _LENGTH.size
        while len(heard) < size:
            left = max(0.0, end - time.monotonic())
            readable, writable, _ = select.select([self._out], [self._in] if unsent else [], [], left)
            if not readable and not writable:
                state, now = self._state()
                if state in "RD" and now - used < within and time.monotonic() < last:
                    end = time.monotonic() + within / 10
                    continue
                raise self._silence(operation, within, heard)
            if writable:
                unsent = self._write(unsent)
            if readable:
                data = os.read(self._out, 1 << 16)
                if not data:
                    raise self._death(operation)
                heard += data
            if size == _LENGTH.size <= len(heard):
                size += _LENGTH.unpack_from(heard)[0]
                if size > MOST:
                    raise _malformed(operation, f"a length of {size - _LENGTH.size} bytes", heard)
        if len(heard) > size:
            raise _malformed(operation, "more than one answer", heard)
        try:
            return json.loads(heard[_LENGTH.size :])
        except (ValueError, RecursionError) as error:
            raise _malformed(operation, f"no JSON ({error})", heard) from error

    def _state(self) -> tuple[str, float]:
        """What the process is doing, by the letter of `proc(5)`, and the seconds of processor time it has used."""
        try:
            fields = Path(f"/proc/{self.number}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return "X", 0.0
        return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _write(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(self._in, unsent) :]
        except BrokenPipeError:
            return unsent[:0]  # nobody reads it any more: what is still to be heard says why

    def _silence(self, operation: str, within: float, heard: bytearray) -> Ending:
        if heard:
            return _malformed(operation, f"a part of an answer, and nothing more in {within:g} s", heard)
        return Hang(f"an answer to {operation} within {within:g} s", "none came", self._tail())

    def _death(self, operation: str) -> Crash:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        status = self._process.returncode
        how = "it closed its standard output" if status is None else f"it ended with status {status}"
        return Crash(f"an answer to {operation}", how, self._tail())

    def _tail(self) -> str:
        """The last that the program has written to its standard error."""
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _TAIL))
        return self._errors.read().decode("utf-8", "replace")


def _malformed(operation: str, what: str, heard: bytearray) -> AdapterError:
    return AdapterError(
        f"the answer to {operation} on standard output, its length in four bytes and its JSON",
        f"{what}: {show(bytes(heard[:60]), 100)}",
        "does anything else write to standard output?",
    )


def _stop(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, errors):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
