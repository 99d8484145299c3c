"""Implementations that need too much memory are found out: on the side that is at fault, and on no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from objstream_conformance.profile.bounds import judge
from objstream_conformance.profile.contents import MIB
from objstream_conformance.profile.measure import measure
from objstream_conformance.profile.scenarios import SCENARIOS

MUTANTS = Path(__file__).with_name("mutants.py")
SIZES = (4 * MIB, 16 * MIB)
SIZES_OF_EQUAL = (12 * MIB, 48 * MIB)
"""Some entries of 4 MiB, and more: who holds one, and the last of another, does so from the start."""
FAULTY: dict[tuple[str, str], set[str]] = {
    ("WholeReceiver", "equal-entries"): {"receiver"},
    ("WholeReceiver", "huge-entry"): {"receiver"},
    ("EntryReceiver", "equal-entries"): set(),
    ("EntryReceiver", "huge-entry"): {"receiver"},
    ("CyclicReceiver", "equal-entries"): {"receiver"},
    ("LeakingReceiver", "sessions"): {"receiver"},
    ("CountingReceiver", "small-entries"): {"receiver"},
    ("ClingingReceiver", "cut"): {"receiver"},
    ("WholeFileReceiver", "file"): {"receiver"},
    ("WholeSender", "equal-entries"): {"sender"},
    ("EntrySender", "equal-entries"): set(),
    ("EntrySender", "huge-entry"): {"sender"},
    ("CountingSender", "small-entries"): {"sender"},
    ("WholeFileSender", "file"): {"sender"},
    ("CopyingSender", "push-2"): {"sender"},
}
"""By mutant and scenario: the sides whose bound does not hold."""
SHOWN = {
    ("WholeReceiver", "equal-entries"): "unbounded",
    ("WholeSender", "equal-entries"): "unbounded",
    ("EntryReceiver", "equal-entries"): "Bounded-entry",
    ("EntryReceiver", "huge-entry"): "Bounded-entry",
    ("EntrySender", "equal-entries"): "Bounded-entry",
    ("EntrySender", "huge-entry"): "Bounded-entry",
    ("LeakingReceiver", "sessions"): "unbounded",
}
"""And the level that the side at fault shows."""


@pytest.mark.parametrize(("mutant", "name"), FAULTY)
def test_a_mutant_is_found_out(mutant: str, name: str) -> None:
    sizes = SIZES_OF_EQUAL if SCENARIOS[name].content == "equal" else SIZES
    rows = [one for size in sizes for one in measure(f"{MUTANTS}:{mutant}", SCENARIOS[name], size)]
    bounds = judge(SCENARIOS[name], rows)
    assert {bound.side for bound in bounds if bound.holds is False} == FAULTY[mutant, name]
    assert {bound.side for bound in bounds if bound.holds is None} == set()
    for bound in bounds:
        assert ("grows" in bound.reason) == (bound.holds is False)
        at_fault = (
            bound.side == mutant.removeprefix("Whole").removeprefix("Entry").removeprefix("Leaking").lower()
        )
        assert not at_fault or bound.level == SHOWN.get((mutant, name), bound.level)


def test_no_mutant_is_forgotten() -> None:
    written = re.findall(r"^class (\w+)\(ReferenceSubject\)", MUTANTS.read_text("utf-8"), re.MULTILINE)
    assert {mutant for (mutant, _), sides in FAULTY.items() if sides} == set(written)
