"""The ways to measure: sites in one process, a program in any language, FLARE's cells."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from objstream_conformance.profile.bounds import judge
from objstream_conformance.profile.contents import MIB
from objstream_conformance.profile.measure import measure
from objstream_conformance.profile.scenarios import SCENARIOS
from objstream_conformance.profile.subjects import load, scale

HERE = Path(__file__).parent
ODD = HERE / "odd_subjects.py"
TESTEE = HERE.parent / "conformance" / "testees" / "python" / "testee.py"
PROGRAM = f"testee:{shlex.join([sys.executable, str(TESTEE)])}"
SIZES = (4 * MIB, 16 * MIB)
FAR_APART = (4 * MIB, 64 * MIB)
"""Where several targets are served, a chunk for each of them is there or not, by chance: that must not be growth."""


def levels(selector: str, name: str, sizes: tuple[int, ...] = SIZES) -> dict[str, str | None]:
    scenario = SCENARIOS[name]
    rows = [one for size in sizes for one in measure(selector, scenario, size)]
    return {bound.side: bound.level for bound in judge(scenario, rows)}


@pytest.mark.parametrize(
    "name", ["huge-entry", "file", "into", "push-2", "sessions", "cut", "corrupt", "cancel"]
)
def test_sites_in_one_process_are_measured_together(name: str) -> None:
    sizes = FAR_APART if SCENARIOS[name].targets > 1 else SIZES
    assert levels("reference-memory", name, sizes) == {"both": "Bounded-chunk"}


def test_what_is_held_in_one_process_is_found() -> None:
    assert levels(f"{ODD}:Hoarding", "equal-entries") == {"both": "unbounded"}


def test_a_program_is_measured_by_its_resident_set() -> None:
    rows = measure(PROGRAM, SCENARIOS["huge-entry"], 16 * MIB)
    assert [one.side for one in rows] == ["sender", "receiver"]
    for one in rows:
        assert one.heap is None
        assert one.resident.timeline
        assert one.extra == one.extra_resident < 16 * MIB
    assert scale(load(PROGRAM), SCENARIOS["gpt"]) == 32


@pytest.mark.parametrize("name", ["sessions", "cut", "corrupt", "push-1"])
def test_a_program_does_what_the_scenario_says(name: str) -> None:
    assert len(measure(PROGRAM, SCENARIOS[name], 2 * MIB)) == 2


@pytest.mark.parametrize("selector", ["nvflare", "objstream-flare"])
def test_the_streamers_of_a_flare_job_are_measured_over_cells(selector: str) -> None:
    pytest.importorskip("nvflare")
    for name in ("huge-entry", "push-2"):
        sender, receiver = measure(selector, SCENARIOS[name], 4 * MIB)
        assert sender.heap is not None
        assert receiver.heap is not None
        assert receiver.heap.peak > 4 * MIB
