"""The cases and the specification fit together."""

from __future__ import annotations

import pytest

from objstream_conformance import cases, registry
from objstream_conformance.contract import CAPABILITIES

REQUIREMENTS = registry.load()
CASES = cases.load()


@pytest.mark.parametrize("info", CASES.values(), ids=CASES)
def test_a_case_needs_what_its_requirement_is_about(info: cases.CaseInfo) -> None:
    for id_ in info.ids:
        assert REQUIREMENTS[id_].capability in {*info.needs, *info.any_of, "none"}


@pytest.mark.parametrize("info", CASES.values(), ids=CASES)
def test_a_scenario_is_a_sentence_for_people(info: cases.CaseInfo) -> None:
    assert info.scenario.endswith(".")
    assert 20 < len(info.scenario) < 240


def test_capabilities_are_known() -> None:
    known = {*CAPABILITIES, *registry.CAPABILITIES, "root"}
    assert {one for info in CASES.values() for one in (*info.needs, *info.any_of)} <= known


@pytest.mark.parametrize("selector", ["VAL", "val", "OSP-VAL-003", "val.floats_keep_bits"])
def test_cases_are_selected_by_area_id_and_name(selector: str) -> None:
    assert "val.floats_keep_bits" in cases.select(CASES, [selector])


def test_selecting_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no case matches 'VAL-3'"):
        cases.select(CASES, ["CTR", "VAL-3"])


def test_memory_is_measured_first() -> None:
    areas = [name.partition(".")[0] for name in CASES]
    assert areas[: areas.count("mem")] == ["mem"] * areas.count("mem")


def test_a_case_without_a_scenario_cannot_be_declared() -> None:
    def nameless(t: object) -> None: ...

    with pytest.raises(ValueError, match="no docstring"):
        cases.requirement("OSP-CTR-001")(nameless)
