"""A program in any language, behind its standard input and output; `testees/README.md` describes the messages."""

from __future__ import annotations

import base64
import importlib.util
import shlex
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from ..compare import show
from ..contract import ROLES, Description, Role, Unsupported
from ..notation import application
from ..outcomes import AdapterError, Ending
from ..skeleton import item, put_together, taken_apart
from .ends import EndsAdapter, described, mapped
from .program import Program

_SHOWN: Final = 200
"""Characters of a value that cannot be carried which go with what stands for it."""


class TesteeAdapter(EndsAdapter):
    """The program that `command` starts. One process at a time, started anew when it has died or was stopped.

    It has ends of sessions, out of which the suite builds sites. It ends with the adapter.
    """

    def __init__(self, command: str, chunk_size: int | None = None) -> None:
        super().__init__(chunk_size)
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise LookupError(f"{command}: {error}") from error
        if not self._command:
            raise LookupError("a testee is given by its command line: testee:COMMAND LINE")
        self._running: Program | None = None

    def again(self, **options: Any) -> TesteeAdapter:
        """An adapter of the same program with other options."""
        other = type(self)(shlex.join(self._command), **options)
        other._running = self._running
        return other

    def describe(self) -> Description:
        try:
            told = self._program().description
        except (Ending, Unsupported) as error:
            raise AdapterError("the testee to start and to describe itself", str(error)) from error
        try:
            name, version = told["name"], told["version"]
            roles, capabilities = frozenset(told["roles"]), frozenset(told["capabilities"])
            lists = type(told["roles"]) is type(told["capabilities"]) is list
            if not (lists and type(name) is type(version) is str and roles <= ROLES):
                raise ValueError
        except (TypeError, KeyError, ValueError) as error:
            expected = f"name, version, roles (of {', '.join(sorted(ROLES))}) and capabilities"
            raise AdapterError(f"{expected} in answer to describe", show(told, 300)) from error
        if importlib.util.find_spec("torch") is None:
            capabilities -= {"tensors"}  # there is nothing to compare them with
        return described(name, version, roles, capabilities)

    def wire(self, role: Role, name: str, value: object = None, **options: object) -> TesteeEnd:
        return TesteeEnd(self._program(), role, name, value, options)

    def process(self) -> int:
        """The number of the process."""
        return self._program().number

    def _program(self) -> Program:
        if self._running is None or not self._running.alive:
            self._running = Program(self._command)
        return self._running


class TesteeEnd:
    """See :class:`~..contract.WireEnd`. What it does not say as it is to raises :class:`~..outcomes.Ending`."""

    def __init__(
        self, program: Program, role: Role, name: str, value: object, options: dict[str, object]
    ) -> None:
        self.reason = ""
        capabilities = program.description["capabilities"]
        given = _message(value, capabilities) if role in ("owner", "sender") else None
        told = {key: str(one) if isinstance(one, Path) else one for key, one in options.items()}
        opened = program.ask("open", {"role": role, "name": name, "value": given, "options": told})
        if not isinstance(opened, dict) or type(opened.get("id")) is not int:
            raise AdapterError('{"id": a number} in answer to open', show(opened))
        self._program = program
        self._id: int = opened["id"]
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        weakref.finalize(self, program.abandoned.append, self._id)

    def start(self) -> bytes:
        return self._bytes("start")

    def feed(self, data: bytes) -> bytes:
        return self._bytes("feed", _text(data))

    def eof(self) -> bytes:
        return self._bytes("eof")

    def cancel(self) -> bytes:
        return self._bytes("cancel")

    def advance(self, seconds: float) -> bytes:
        return self._bytes("advance", seconds=seconds)

    def outcome(self) -> tuple[Literal["delivered"], object] | tuple[Literal["failed"], str] | None:
        answer = self._program.ask("outcome", {"id": self._id})
        if answer is None:
            return None
        try:
            how, what, *reason = answer
            if how == "failed" and all(isinstance(text, str) for text in (what, *reason)) and len(reason) < 2:
                self.reason = "".join(reason)
                return "failed", what
            if how == "delivered" and not reason:
                return _Delivered(None if what is None else partial(self._value, what))
        except (TypeError, ValueError):
            pass
        raise AdapterError("an outcome as the protocol has it", show(answer))

    def _bytes(self, operation: str, data: str | None = None, seconds: float | None = None) -> bytes:
        details = {"data": data, "seconds": seconds}
        given = {key: value for key, value in details.items() if value is not None}
        answer = self._program.ask(operation, {"id": self._id, **given})
        try:
            return base64.b64decode(answer["data"], validate=True)
        except (TypeError, KeyError, ValueError) as error:
            raise AdapterError(f'{{"data": base64}} in answer to {operation}', show(answer)) from error

    def _value(self, told: Any) -> object:
        try:
            if "path" in told:
                return Path(told["path"])
            content = [
                ({4: False, 5: True}[type_], base64.b64decode(data)) for type_, data in told["content"]
            ]
            if told["kind"] != "file":
                return put_together(told["kind"], content)
        except (TypeError, KeyError, ValueError) as error:
            raise AdapterError("a value as the protocol has it", f"{show(told)}: {error}") from error
        self._directory = self._directory or tempfile.TemporaryDirectory(prefix="testee-")
        path = Path(self._directory.name) / "received"
        path.write_bytes(b"".join(data for _, data in content))
        return path


class _Delivered(tuple[Literal["delivered"], object]):
    """`("delivered", value)`, with a value that is put together when it is asked for.

    Thousands of keys with one hash are too much for the dict of this side, and nobody looks at them.
    """

    def __new__(cls, value: Callable[[], object] | None) -> _Delivered:
        return super().__new__(cls, ("delivered", value))

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index] if index != 0 else "delivered"

    def __iter__(self) -> Iterator[Any]:
        value: Any = super().__getitem__(1)
        return iter(("delivered", value and value()))

    def __repr__(self) -> str:
        return "('delivered', …)"


def _message(value: object, capabilities: Collection[str]) -> object:
    """An object as the protocol has it; None for none."""
    if value is None:
        return None
    if isinstance(value, Path) and "disk" in capabilities:
        return {"kind": "file", "path": str(value)}
    if isinstance(value, Path):
        data = value.read_bytes()
        return {"kind": "file", "content": [[5, _text(data)]] if data else []}
    if "unlisted" in capabilities:
        value = mapped(value, _stand_in)
    try:
        kind, content = taken_apart(value)
    except TypeError as error:
        raise Unsupported(f"{error}, and cannot be given to a testee") from error
    return {"kind": kind, "content": [[5 if out else 4, _text(data)] for out, data in content]}


def _stand_in(value: object) -> object:
    """A value itself or, where it cannot be carried, one of an application type that nobody has registered."""
    try:
        item(value)
    except TypeError:
        return application(f"{type(value).__name__}@0")(repr(value)[:_SHOWN])
    return value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
