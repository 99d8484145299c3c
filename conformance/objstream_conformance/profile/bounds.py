"""From measurements to verdicts: a bound is a statement about growth (spec chapter "Memory")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .contents import MIB
from .meters import Measurement
from .scenarios import Level, Role, Scenario

A: Final = 64 * MIB
"""Of `peak_extra <= A + K * unit`: what an implementation may need whatever it transfers."""
K: Final = 4
"""And how many chunks, or entries, at a time: one made, one on its way, one taken in, one to spare."""
SLOPE: Final = 0.05
"""Extra bytes for each byte more that still count as no growth."""
PER_ENTRY: Final = 64
"""And for each entry more."""
BOTH_PROCESSES: Final = 300_000_000
"""Bytes that two processes may have besides the object that each of them holds, interpreters and libraries included."""
LEVELS: Final[tuple[Level, ...]] = ("Bounded-chunk", "Bounded-entry", "unbounded")
"""The best first."""


@dataclass(frozen=True)
class Bound:
    """Whether one side keeps the bound of a scenario.

    Attributes:
        level: the best level that the measurements show, None when they do not tell.
        slope: the growth of the extra memory, of the heap where it was measured, for each byte (or entry) more; None
            when there is but one size.
        resident_slope: the same of the resident set.
        holds: the level is the scenario's or a better one; None when the measurements do not tell.
        reason: why it does not hold or cannot be told; "" when it holds.
    """

    scenario: Scenario
    side: Role
    measurements: Sequence[Measurement]
    level: Level | None
    slope: float | None
    resident_slope: float | None
    holds: bool | None
    reason: str = ""

    def unit(self, size: int) -> int:
        """Bytes of the unit of the level that it shows, at a size; where it shows none, of the one it is asked for."""
        shown = self.level if self.level not in (None, "unbounded") else self.scenario.level
        return self.scenario.unit(shown, size) or self.scenario.chunk


@dataclass(frozen=True)
class Whole:
    """What the processes of a transfer need together, all that they have included.

    Attributes:
        before: bytes resident before the transfer, by side.
        peaks: and at most, until its end.
        most: what both together may need.
    """

    scenario: Scenario
    before: dict[Role, int]
    peaks: dict[Role, int]
    most: int

    @property
    def total(self) -> int:
        return sum(self.peaks.values())

    @property
    def holds(self) -> bool:
        return self.total <= self.most


def whole(bounds: Sequence[Bound]) -> Whole:
    """Of the bounds of a scenario of a fixed size: twice the object and a little are for both processes."""
    scenario = bounds[0].scenario
    readings = {bound.side: bound.measurements[0].resident for bound in bounds}
    before = {side: one.before for side, one in readings.items()}
    peaks = {side: one.before + one.peak for side, one in readings.items()}
    return Whole(scenario, before, peaks, 2 * scenario.fixed + BOTH_PROCESSES)


def judge(scenario: Scenario, measurements: Iterable[Measurement]) -> list[Bound]:
    """The verdict for each side, over all sizes that were measured; a size may be there several times."""
    by_side: dict[Role, list[Measurement]] = defaultdict(list)
    for one in measurements:
        by_side[one.side].append(one)
    return [_judge(scenario, side, rows) for side, rows in by_side.items()]


def _judge(scenario: Scenario, side: Role, rows: list[Measurement]) -> Bound:
    evidence = _Evidence(scenario, rows)
    growth = slope(evidence.quantities, [one.extra for one in rows])
    resident_growth = slope(evidence.quantities, [one.extra_resident for one in rows])
    doubt = evidence.doubt()
    if doubt:
        return Bound(scenario, side, rows, None, growth, resident_growth, None, doubt)
    against = {level: evidence.against(level) for level in LEVELS}
    level = next(one for one in LEVELS if not against[one])
    holds = LEVELS.index(level) <= LEVELS.index(scenario.level)
    reason = "" if holds else against[scenario.level]
    return Bound(scenario, side, rows, level, growth, resident_growth, holds, reason)


class _Evidence:
    """What the measurements of one side say for and against a level."""

    def __init__(self, scenario: Scenario, rows: Sequence[Measurement]) -> None:
        self._scenario = scenario
        self._sizes = [one.size for one in rows]
        self.quantities = [scenario.quantity(size) for size in self._sizes]
        self._meters = {"resident set": [one.extra_resident for one in rows]}
        if all(one.heap for one in rows):
            self._meters = {"heap": [one.extra for one in rows], **self._meters}
        self._limit: float = PER_ENTRY if scenario.per_entry else SLOPE
        self._each = "entry" if scenario.per_entry else "byte"

    def doubt(self) -> str:
        """Why nothing can be said; "" when something can."""
        if len(set(self.quantities)) < 2 and not self._scenario.fixed:
            return "growth needs two sizes at least"
        distance = max(self.quantities) - min(self.quantities)
        effect = self._limit * distance
        chance = 0 if self._scenario.per_entry else self._scenario.targets * self._scenario.chunk
        for name, extras in self._meters.items():
            spread = _spread(self.quantities, extras)
            if spread > effect:
                return (
                    f"the {name} varies by {spread / MIB:.1f} MiB from run to run, "
                    f"growth begins at {effect / MIB:.1f}"
                )
            growth = (slope(self.quantities, extras) or 0) * distance
            if effect < growth <= chance:
                return (
                    f"the {name} needs {growth / MIB:.1f} MiB more for the largest object, and {chance / MIB:.3g} may "
                    f"be a chunk on its way that was not at another time: measure sizes further apart"
                )
        return ""

    def against(self, level: Level) -> str:
        """Why this is not the level, or a better one, of these measurements; "" when it is."""
        return "" if level == "unbounded" else next(self._objections(level), "")

    def _objections(self, level: Level) -> Iterator[str]:
        units = [self._scenario.unit(level, size) for size in self._sizes]
        known = [unit for unit in units if unit is not None]
        if len(known) < len(units):
            yield "there are no entries"
            return
        allowed = self._limit + K * (slope(self.quantities, known) or 0)
        for name, extras in self._meters.items():
            found = slope(self.quantities, extras) or 0
            if found > allowed:
                yield (
                    f"the {name} grows by {found:.3g} bytes for each {self._each} more, "
                    f"at most {allowed:.3g} are allowed"
                )
            for size, extra, unit in zip(self._sizes, extras, known, strict=True):
                if extra > A + K * unit:
                    yield (
                        f"the {name} needs {extra / MIB:.0f} MiB beside an object of {size / MIB:.0f} MiB, "
                        f"{A / MIB:.0f} MiB and {K} times {unit / MIB:.3g} MiB are allowed"
                    )
        yield from self._an_entry(level)

    def _an_entry(self, level: Level) -> Iterator[str]:
        """Where entries do not grow, growth does not tell whether one of them is held: its size does."""
        entries = {self._scenario.unit("Bounded-entry", size) or 0 for size in self._sizes}
        entry, most = max(entries), max(next(iter(self._meters.values())))
        if level == "Bounded-chunk" and len(entries) == 1 and entry > self._scenario.chunk and most >= entry:
            yield f"{most / MIB:.1f} MiB are needed: an entry of {entry / MIB:.0f} MiB may be among them"


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
