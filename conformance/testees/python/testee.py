"""A testee over objstream, an example for authors: the messages of ../README.md on standard input and output."""

from __future__ import annotations

import base64
import json
import os
import struct
import sys
import traceback
from typing import Any

from ends import ROLES, End, Unsupported

import objstream

CAPABILITIES = ["container", "file", "numpy", "wire"]
try:
    import torch  # noqa: F401 - now, since the first message may take its time

    CAPABILITIES.append("tensors")
except ImportError:
    pass
LENGTH = struct.Struct(">I")


def answer(ends: dict[int, End], op: str, id: int = 0, **details: Any) -> object:
    if op == "describe":
        return {
            "name": "objstream",
            "version": objstream.__version__,
            "roles": ROLES,
            "capabilities": CAPABILITIES,
        }
    if op == "open":
        number = max(ends, default=0) + 1
        ends[number] = End(**details)
        return {"id": number}
    if op == "close":
        del ends[id]
        return {}
    if op == "outcome":
        return ends[id].outcome()
    if op == "feed":
        details = {"data": base64.b64decode(details["data"])}
    if op in ("start", "feed", "eof", "advance"):
        return {"data": base64.b64encode(getattr(ends[id], op)(**details)).decode()}
    raise Unsupported


def main() -> None:
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed by anyone is no answer
    ends: dict[int, End] = {}
    while head := source.read(LENGTH.size):
        try:
            said = answer(ends, **json.loads(source.read(*LENGTH.unpack(head))))
        except Unsupported:
            said = {"unsupported": True}
        except Exception:
            said = {"crash": traceback.format_exc()}
        body = json.dumps(said).encode()
        target.write(LENGTH.pack(len(body)) + body)
        target.flush()


if __name__ == "__main__":
    main()
