"""Hostile inputs cost no more than they may: see `costs.py` for what is measured, and how."""

from __future__ import annotations

import pytest

from .costs import BOUND, INPUTS, Cost


@pytest.mark.parametrize("name", INPUTS)
def test_hostile_inputs_are_bounded(name: str) -> None:
    cost = INPUTS[name]()
    assert BOUND.keeps(cost), cost
    assert cost.outcome


def test_the_bound_is_one() -> None:
    assert not BOUND.keeps(Cost(1000, 0.6, 0, ""))
    assert not BOUND.keeps(Cost(1000, 0.0, 3 << 20, ""))
    assert BOUND.keeps(Cost(1000, 0.4, 1 << 20, ""))
