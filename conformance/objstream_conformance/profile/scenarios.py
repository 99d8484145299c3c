"""The scenarios in which memory is measured, and what each of them says about an implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .contents import GPT_NEO, KIB, MIB, SMALL_ENTRY, largest

Level = Literal["Bounded-chunk", "Bounded-entry", "unbounded"]
Fault = Literal["", "cut", "corrupt", "cancel"]
Role = Literal["sender", "receiver", "both"]

SIDES: tuple[Role, ...] = ("sender", "receiver")
BOTH: tuple[Role, ...] = ("both",)
"""The two where they share a process."""

SESSION_OBJECT = MIB


@dataclass(frozen=True)
class Scenario:
    """One way to transfer an object of a size that varies.

    Attributes:
        content: what is sent: a key of `contents.CONTENTS`, or "file".
        level: the level of the specification that it asks for.
        requirements: ids of the requirements that it measures.
        push: the sender starts, not the receiver.
        targets: receivers of a push.
        into: the receiver has a destination, and no second object may come into being.
        fault: how the transfer fails when half of it is done.
        repeated: the size is not that of the object but of many objects of 1 MiB, transferred one after another.
        chunk: bytes of the largest piece.
        scale: it is measured at such a fraction of the sizes that are asked for.
        fixed: bytes of the object, where its size does not vary and the bound is on the two processes as they are.
    """

    name: str
    summary: str
    content: str
    requirements: tuple[str, ...]
    level: Level = "Bounded-chunk"
    push: bool = False
    targets: int = 1
    into: bool = False
    fault: Fault = ""
    repeated: bool = False
    chunk: int = MIB
    scale: int = 1
    fixed: int = 0

    def unit(self, level: Level, size: int) -> int | None:
        """Bytes of what a level allows to be in memory beside the object; None where there is no such thing."""
        if level == "Bounded-chunk":
            return self.chunk
        return None if self.content == "file" else largest(self.content, self.object_size(size))

    @property
    def per_entry(self) -> bool:
        """What grows is the number of entries; else it is bytes."""
        return self.content == "small"

    @property
    def needs_torch(self) -> bool:
        return self.content.startswith("gpt")

    @property
    def capabilities(self) -> frozenset[str]:
        """What an implementation must offer for the scenario to apply."""
        needed = {"file" if self.content == "file" else "container", "push" if self.push else "pull"}
        asked = {
            "multi-target": self.targets > 1,
            "into": self.into,
            "cancel": self.fault == "cancel",
            "chunk-size": self.chunk != MIB,
            "tensors": self.needs_torch,
        }
        return frozenset(needed.union(name for name, wanted in asked.items() if wanted))

    def quantity(self, size: int) -> int:
        """How much there is, at that size, of what the bound must not depend on."""
        return size // SMALL_ENTRY if self.per_entry else size

    def sessions(self, size: int) -> int:
        return max(1, size // SESSION_OBJECT) if self.repeated else 1

    def object_size(self, size: int) -> int:
        return SESSION_OBJECT if self.repeated else size


_ENTRY = ("OSP-MEM-001", "OSP-MEM-002", "OSP-MEM-010")
_CHUNK = ("OSP-MEM-003", "OSP-MEM-004", "OSP-MEM-010")
_FILE = ("OSP-MEM-005", "OSP-MEM-006", "OSP-MEM-010")
_COUNT = ("OSP-MEM-007", "OSP-MEM-008")
_SESSIONS = ("OSP-MEM-009",)
_TARGETS = ("OSP-MEM-011",)
_FAILED = ("OSP-MEM-012",)
_BY_ENTRY: Level = "Bounded-entry"

_ALL = (
    Scenario("huge-entry", "one entry with everything in it", "huge", _CHUNK),
    Scenario("equal-entries", "entries of 4 MiB, more and more", "equal", _ENTRY, _BY_ENTRY),
    Scenario("small-entries", "entries of 640 bytes, more and more", "small", _COUNT, scale=16),
    Scenario("gpt", "the torch state dict of a GPT, float32", "gpt", _CHUNK),
    Scenario("gpt-bf16", "the same, bfloat16", "gpt-bf16", _CHUNK, scale=4),
    Scenario("nested", "arrays deep in containers", "nested", _CHUNK),
    Scenario("bytes", "one long byte string", "long-bytes", _CHUNK),
    Scenario("text", "one long text", "long-text", _CHUNK),
    Scenario("file", "a file in chunks of 1 MiB", "file", _FILE),
    Scenario("file-64k", "a file in chunks of 64 KiB", "file", _FILE, chunk=64 * KIB, scale=4),
    Scenario("file-4m", "a file in chunks of 4 MiB", "file", _FILE, chunk=4 * MIB, scale=4),
    Scenario("into", "a container received into arrays that exist", "equal", _CHUNK, into=True),
    Scenario("push-1", "a push to one target", "equal", _TARGETS, _BY_ENTRY, push=True),
    Scenario("push-2", "a push to 2 targets", "equal", _TARGETS, _BY_ENTRY, push=True, targets=2, scale=4),
    Scenario("push-4", "a push to 4 targets", "equal", _TARGETS, _BY_ENTRY, push=True, targets=4, scale=4),
    Scenario("cut", "the connection is cut half-way", "huge", _FAILED, fault="cut", scale=4),
    Scenario("cut-nested", "it is cut among nested containers", "nested", _FAILED, fault="cut", scale=4),
    Scenario("corrupt", "a byte is altered half-way", "huge", _FAILED, fault="corrupt", scale=4),
    Scenario("cancel", "the receiver gives up half-way", "huge", _FAILED, fault="cancel", scale=4),
    Scenario("sessions", "objects of 1 MiB, one after another", "huge", _SESSIONS, repeated=True, scale=4),
)
SCENARIOS: dict[str, Scenario] = {one.name: one for one in _ALL}

_NEO = "gpt-neo-1.3b"
FIXED: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(_NEO, "the state dict of GPT-Neo-1.3B, float32", "gpt-neo", _CHUNK, fixed=GPT_NEO),
        Scenario(
            f"{_NEO}-into", "the same, into arrays that exist", "gpt-neo", _CHUNK, into=True, fixed=GPT_NEO
        ),
    )
}
"""Asked for by name: they take gigabytes, and the bound is on all that the two processes have."""


def scenario(name: str) -> Scenario:
    """The one of that name."""
    return SCENARIOS[name] if name in SCENARIOS else FIXED[name]
