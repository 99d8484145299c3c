"""Many sessions one after another, and what to do with one that breaks a promise."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..trace import Record, check, recording
from .oracle import GRAVEST, Problem, delivered, judge
from .plan import Plan, make_plan
from .world import Bench, Play, play

TRACED = 4
"""One session in so many is traced."""


@dataclass(frozen=True)
class Finding:
    """A seed that breaks a promise, the smallest plan that still does, and how."""

    seed: int
    plan: Plan
    problems: list[Problem]


@dataclass(frozen=True)
class Examined:
    """A play, what is wrong with it, and the logs of both sides."""

    play: Play
    problems: list[Problem]
    trace: list[Record]


@dataclass
class Campaign:
    """The counts of many sessions.

    Attributes:
        outcomes: how often each pair of outcomes came about, sender first.
        findings: the seeds that broke a promise, shrunk.
    """

    sessions: int = 0
    steps: int = 0
    seconds: float = 0.0
    virtual: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def examine(plan: Plan, bench: Bench | None = None, *, traced: bool = True) -> Examined:
    """Play one plan and judge it; with a trace, that is held against the specification as well."""
    bench = bench or Bench()
    trace: list[Record] = []
    connect = recording(trace.append, bench.connection, hashing=True) if traced else None
    with _quiet():
        played = play(plan, bench, connect)
    problems = judge(played)
    problems += [Problem("trace", str(violation)) for violation in check(trace)]
    return Examined(played, problems, trace)


@contextmanager
def _quiet() -> Iterator[None]:
    """The applications that are simulated make mistakes by the thousand, which the library logs."""
    logger = logging.getLogger("objstream")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def simulate_many(
    seeds: Iterable[int],
    bench: Bench | None = None,
    *,
    most: int = 1,
    traced: int = TRACED,
    told: Callable[[int], None] = lambda seed: None,
) -> Campaign:
    """Play the plans of these seeds, up to so many findings; every so many of them are traced."""
    campaign = Campaign()
    started = time.perf_counter()
    for seed in seeds:
        plan = make_plan(seed)
        examined = examine(plan, bench, traced=seed % traced == 0)
        _count(campaign, examined.play)
        if examined.problems:
            campaign.findings.append(shrink(plan, examined.problems, bench))
            if len(campaign.findings) >= most:
                break
        told(seed)
    campaign.seconds = time.perf_counter() - started
    return campaign


def _count(campaign: Campaign, played: Play) -> None:
    campaign.sessions += 1
    campaign.steps += played.steps
    campaign.virtual += played.now
    campaign.faults.update(fault.kind for fault in played.plan.faults)
    first = played.sessions[0]
    outcomes = []
    for session in (first.sender, first.receiver):
        if session is None:
            outcomes.append("never began")
        elif delivered(session):
            outcomes.append("delivered")
        else:
            outcomes.append("killed" if session.error is None else session.error.code.name)
    campaign.outcomes[outcomes[0], outcomes[1]] += 1


_ODDITIES = (
    *("ponder", "capacity", "portion", "latency", "deadlines", "max_bytes", "max_frame", "window", "chunk"),
    *("inline", "offered", "accepted"),
)


def shrink(plan: Plan, problems: list[Problem], bench: Bench | None = None) -> Finding:
    """The plan with as few faults and oddities as still break the same promise, the gravest."""
    gravest = min((problem.promise for problem in problems), key=GRAVEST.index)
    plain = Plan(plan.seed)

    def attempt(smaller: Plan) -> bool:
        nonlocal plan, problems
        if smaller == plan:
            return False
        found = examine(smaller, bench).problems
        if all(problem.promise != gravest for problem in found):
            return False
        plan, problems = smaller, found
        return True

    again = True
    while again:
        again = False
        for index in reversed(range(len(plan.faults))):
            again |= attempt(plan.without(index))
        for oddity in _ODDITIES:
            again |= attempt(replace(plan, **{oddity: getattr(plain, oddity)}))
        if len(plan.kinds) > 1:
            again |= attempt(replace(plan, kinds=plan.kinds[:1]))
        for index, fault in enumerate(plan.faults):
            for at in {0, fault.at // 2, fault.at - 1} - {-1, fault.at}:
                faults = (*plan.faults[:index], replace(fault, at=at), *plan.faults[index + 1 :])
                if attempt(replace(plan, faults=faults)):
                    again = True
                    break
    return Finding(plan.seed, plan, problems)
