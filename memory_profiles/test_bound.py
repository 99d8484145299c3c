"""The memory bound of the reference: in absolute figures, and as growth in every scenario."""

from __future__ import annotations

import functools

import pytest

from objstream_conformance.profile.bounds import judge
from objstream_conformance.profile.contents import KIB, MIB
from objstream_conformance.profile.measure import measure
from objstream_conformance.profile.meters import Measurement
from objstream_conformance.profile.scenarios import SCENARIOS, SIDES, Role

EXTRA = 4 * MIB
NOISE = 256 * KIB


QUICKLY = {"gpt-bf16", "push-4"}
"""Scenarios that differ from another in one thing, and take long: two sizes show that it changes nothing."""


@functools.cache
def measured(name: str, size: int) -> dict[Role, Measurement]:
    return {one.side: one for one in measure("reference", SCENARIOS[name], size)}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["equal-entries", "huge-entry", "file"])
def test_a_side_needs_a_few_chunks_whatever_the_size(name: str, side: Role, sizes: list[int]) -> None:
    extras = [measured(name, size)[side].extra for size in sizes]
    assert max(extras) <= EXTRA
    assert max(extras) - min(extras) <= NOISE, f"{extras} bytes at {sizes}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_bound_holds(name: str, sizes: list[int]) -> None:
    scenario = SCENARIOS[name]
    if scenario.needs_torch:
        pytest.importorskip("torch")
    chosen = [sizes[0], sizes[-1]] if name in QUICKLY else sizes
    bounds = judge(scenario, [one for size in chosen for one in measured(name, size).values()])
    assert [bound.side for bound in bounds] == list(SIDES)
    for bound in bounds:
        assert bound.holds, f"{bound.side}: {bound.reason}"
        assert bound.level == "Bounded-chunk"


@pytest.mark.parametrize("name", ["equal-entries", "file"])
def test_the_bound_holds_over_unix_sockets(name: str) -> None:
    for one in measure("reference", SCENARIOS[name], 16 * MIB, transport="unix"):
        assert one.extra <= EXTRA


def test_a_model_of_half_a_gigabyte_needs_four_megabytes(sizes: list[int]) -> None:
    pytest.importorskip("torch")
    size = max(*sizes, 512 * MIB)
    for one in measured("gpt", size).values():
        assert one.extra <= EXTRA
        assert one.extra_resident <= EXTRA
