"""From measurements to verdicts: a bound is a statement about growth (spec chapter "Memory")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .contents import MIB
from .measure import Measurement, Role
from .scenarios import Scenario

SLOPE = 0.05
"""Extra bytes for each byte more that still count as no growth."""
PER_ENTRY = 64
"""And for each entry more."""
BASE = 64 * MIB
"""What an implementation may need whatever the size, beside one unit of its level."""


@dataclass(frozen=True)
class Bound:
    """Whether one side keeps the bound of a scenario.

    Attributes:
        slope: the growth of the extra heap for each byte (or entry) more, None when there is but one size.
        resident_slope: the same of the resident set.
        holds: None when the measurements do not tell.
        reason: why it does not hold or cannot be told; "" when it holds.
    """

    scenario: Scenario
    side: Role
    measurements: Sequence[Measurement]
    slope: float | None
    resident_slope: float | None
    holds: bool | None
    reason: str = ""


def judge(scenario: Scenario, measurements: Iterable[Measurement]) -> list[Bound]:
    """The verdict for each side, over all sizes that were measured; a size may be there several times."""
    by_side: dict[Role, list[Measurement]] = defaultdict(list)
    for one in measurements:
        by_side[one.side].append(one)
    return [_judge(scenario, side, rows) for side, rows in by_side.items()]


def _judge(scenario: Scenario, side: Role, rows: list[Measurement]) -> Bound:
    quantities = [scenario.quantity(one.size) for one in rows]
    heaps = [one.extra_heap for one in rows]
    residents = [one.extra_resident for one in rows]
    slopes = slope(quantities, heaps), slope(quantities, residents)
    holds, reason = _verdict(scenario, quantities, (("heap", heaps), ("resident set", residents)))
    return Bound(scenario, side, rows, *slopes, holds, reason)


def _verdict(
    scenario: Scenario, quantities: list[int], meters: Iterable[tuple[str, list[int]]]
) -> tuple[bool | None, str]:
    limit, each = (PER_ENTRY, "entry") if scenario.per_entry else (SLOPE, "byte")
    effect = limit * (max(quantities) - min(quantities))
    for name, extras in meters:
        if min(extras) > BASE + scenario.unit:
            return False, f"the {name} needs {min(extras) / MIB:.0f} MiB beside the object at any size"
        found = slope(quantities, extras)
        if found is None:
            return None, "growth needs two sizes at least"
        spread = _spread(quantities, extras)
        if spread > effect:
            return (
                None,
                f"the {name} varies by {spread / MIB:.1f} MiB from run to run, growth begins at {effect / MIB:.1f}",
            )
        if found > limit:
            return (
                False,
                f"the {name} grows by {found:.3g} bytes for each {each} more, at most {limit} are allowed",
            )
    return True, ""


def slope(quantities: Sequence[int], extras: Sequence[int]) -> float | None:
    """Of the least-squares line; None when all quantities are the same."""
    mean, mean_extra = sum(quantities) / len(quantities), sum(extras) / len(extras)
    square = sum((quantity - mean) ** 2 for quantity in quantities)
    if not square:
        return None
    pairs = zip(quantities, extras, strict=True)
    return sum((quantity - mean) * (extra - mean_extra) for quantity, extra in pairs) / square


def _spread(quantities: Sequence[int], extras: Sequence[int]) -> int:
    """How far measurements of one size are apart, at most."""
    groups: dict[int, list[int]] = defaultdict(list)
    for quantity, extra in zip(quantities, extras, strict=True):
        groups[quantity].append(extra)
    return max(max(group) - min(group) for group in groups.values())
