"""A variant as a program: `python -m objstream_conformance.mutants.testee NAME` speaks the protocol of testees.

It has the ends of the reference with the variant's difference, whatever the place for which the variant is meant. One
that differs in what ends do not have, so that nothing can be seen of it here, declares the capability `SITES_ALONE`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import objstream
from objstream.engines.memory import MemoryNetwork, MemorySite

from ..adapters import reference
from ..adapters.ends import OF_ENDS
from ..adapters.wire import CAPABILITIES, ReferenceEnd
from ..contract import ROLES, Unsupported
from ..skeleton import put_together, taken_apart
from . import kit, load

SITES_ALONE: Final = "different-in-its-sites-alone"
_OF_SITES: Final = (MemoryNetwork, MemorySite, reference, reference.ReferenceAdapter, reference.ReferenceSite)
_LENGTH: Final = struct.Struct(">I")


class Testee:
    """Answers to the messages of `testees/README.md`, by their names."""

    def __init__(self, variant: kit.Variant) -> None:
        kit.become(variant)
        capabilities = CAPABILITIES | variant.claims & OF_ENDS
        if "tensors" in capabilities:
            importlib.import_module("torch")  # now, since the first message may take its time
        if kit.TOUCHED and all(any(one is other for other in _OF_SITES) for one in kit.TOUCHED):
            capabilities |= {SITES_ALONE}
        self._told = {
            "name": variant.name,
            "version": objstream.__version__,
            "roles": sorted(ROLES),
            "capabilities": sorted(capabilities),
        }
        self._ends: dict[int, ReferenceEnd] = {}
        self._count = 0

    def describe(self) -> object:
        return self._told

    def open(self, role: Any, name: str, value: Any, options: Mapping[str, Any]) -> object:
        self._count += 1
        self._ends[self._count] = ReferenceEnd(role, name, _built(value), **options)
        return {"id": self._count}

    def start(self, id: int) -> object:
        return _said(self._ends[id].start())

    def feed(self, id: int, data: str) -> object:
        return _said(self._ends[id].feed(base64.b64decode(data)))

    def eof(self, id: int) -> object:
        return _said(self._ends[id].eof())

    def cancel(self, id: int) -> object:
        return _said(self._ends[id].cancel())

    def advance(self, id: int, seconds: float) -> object:
        return _said(self._ends[id].advance(seconds))

    def outcome(self, id: int) -> object:
        end = self._ends[id]
        outcome = end.outcome()
        if outcome is None:
            return None
        return (*outcome, end.reason) if outcome[0] == "failed" else ("delivered", _told(outcome[1]))

    def close(self, id: int) -> object:
        del self._ends[id]
        return {}


def _said(data: bytes) -> object:
    return {"data": base64.b64encode(data).decode()}


def _built(value: Any) -> object:
    if value is None:
        return None
    if value["kind"] == "file":
        return Path(value["path"])
    return put_together(
        value["kind"], [(type_ == 5, base64.b64decode(data)) for type_, data in value["content"]]
    )


def _told(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, Path):
        return {"kind": "file", "path": str(value)}
    kind, content = taken_apart(value)
    return {
        "kind": kind,
        "content": [[5 if out else 4, base64.b64encode(data).decode()] for out, data in content],
    }


def main(name: str) -> None:
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed by anyone is no answer
    testee = Testee({variant.name: variant for variant in load()}[name])
    while head := source.read(_LENGTH.size):
        question = json.loads(source.read(*_LENGTH.unpack(head)))
        answer: Callable[..., object] = getattr(testee, question.pop("op"))
        try:
            said = answer(**question)
        except Unsupported:
            said = {"unsupported": True}
        except Exception:
            said = {"crash": traceback.format_exc()}
        body = json.dumps(said).encode()
        target.write(_LENGTH.pack(len(body)) + body)
        target.flush()


if __name__ == "__main__":
    main(sys.argv[1])
