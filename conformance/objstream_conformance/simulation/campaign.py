"""Many sessions one after another, and what to do with one that breaks a promise."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..trace import Record, check, recording
from .federation import FederationPlan, FederationPlay, make_federation, play_federation
from .oracle import GRAVEST, Problem, delivered, judge
from .plan import Plan, make_plan
from .world import Bench, Play, play

TRACED = 4
"""One session in so many is traced."""


@dataclass(frozen=True)
class Finding:
    """A seed that breaks a promise, the smallest plan that still does, and how."""

    seed: int
    plan: Plan | FederationPlan
    problems: list[Problem]


@dataclass(frozen=True)
class Examined:
    """The plays of one plan, what is wrong with them, and the logs of all sides."""

    plays: list[Play]
    problems: list[Problem]
    trace: list[Record]


@dataclass
class Campaign:
    """The counts of many sessions.

    Attributes:
        sessions: plays of two sides; a federation has several.
        seconds, worked: by the clock, and of CPU time.
        outcomes: how often each pair of outcomes came about, sender first.
        findings: the seeds that broke a promise, shrunk.
    """

    sessions: int = 0
    steps: int = 0
    seconds: float = 0.0
    worked: float = 0.0
    virtual: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def examine(plan: Plan | FederationPlan, bench: Bench | None = None, *, traced: bool = True) -> Examined:
    """Play one plan and judge it; with a trace, that is held against the specification as well."""
    bench = bench or Bench()
    trace: list[Record] = []
    connect = recording(trace.append, bench.connection, hashing=True) if traced else None
    with quiet():
        if isinstance(plan, Plan):
            plays = [play(plan, bench, connect)]
            problems = judge(plays[0])
        else:
            federation = play_federation(plan, bench, connect)
            plays = [played for _, played, _ in federation.plays]
            problems = _judged(federation)
    problems += [Problem("trace", str(violation)) for violation in check(trace)]
    return Examined(plays, problems, trace)


def _judged(federation: FederationPlay) -> list[Problem]:
    return [
        Problem(problem.promise, f"{errand}: {problem.detail}")
        for errand, played, excused in federation.plays
        for problem in judge(played, excused)
    ]


@contextmanager
def quiet() -> Iterator[None]:
    """Without the log of the library: what is simulated here goes wrong by the thousand."""
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
    federations: bool = False,
    most: int = 1,
    traced: int = TRACED,
    told: Callable[[int], None] = lambda seed: None,
) -> Campaign:
    """Play the plans of these seeds, up to so many findings; every so many of them are traced."""
    make: Callable[[int], Plan | FederationPlan] = make_federation if federations else make_plan
    campaign = Campaign()
    started, worked = time.perf_counter(), time.process_time()
    for seed in seeds:
        plan = make(seed)
        examined = examine(plan, bench, traced=seed % traced == 0)
        for played in examined.plays:
            _count(campaign, played)
        if examined.problems:
            campaign.findings.append(shrink(plan, examined.problems, bench))
            if len(campaign.findings) >= most:
                break
        told(seed)
    campaign.seconds = time.perf_counter() - started
    campaign.worked = time.process_time() - worked
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


def shrink(plan: Plan | FederationPlan, problems: list[Problem], bench: Bench | None = None) -> Finding:
    """The plan with as few faults and oddities as still break the same promise, the gravest."""
    gravest = min((problem.promise for problem in problems), key=GRAVEST.index)
    again = True
    while again:
        again = False
        for smaller in _smaller(plan):
            found = examine(smaller, bench).problems
            if any(problem.promise == gravest for problem in found):
                plan, problems, again = smaller, found, True
                break
    return Finding(plan.seed, plan, problems)


def _smaller(plan: Plan | FederationPlan) -> Iterator[Plan | FederationPlan]:
    """Plans with one thing less, the most promising first."""
    if isinstance(plan, Plan):
        yield from _simpler(plan)
        return
    for index in range(len(plan.errands)):
        yield replace(plan, errands=plan.errands[:index] + plan.errands[index + 1 :])
    for index in range(len(plan.happenings)):
        yield replace(plan, happenings=plan.happenings[:index] + plan.happenings[index + 1 :])
    for index, errand in enumerate(plan.errands):
        for simpler in _simpler(errand.plan):
            errands = (*plan.errands[:index], replace(errand, plan=simpler), *plan.errands[index + 1 :])
            yield replace(plan, errands=errands)


def _simpler(plan: Plan) -> Iterator[Plan]:
    plain = Plan(plan.seed)
    for index in reversed(range(len(plan.faults))):
        yield plan.without(index)
    for oddity in _ODDITIES:
        if getattr(plan, oddity) != getattr(plain, oddity):
            yield replace(plan, **{oddity: getattr(plain, oddity)})
    if len(plan.kinds) > 1:
        yield replace(plan, kinds=plan.kinds[:1])
    for index, fault in enumerate(plan.faults):
        for at in sorted({0, fault.at // 2, fault.at - 1} - {-1, fault.at}):
            yield plan.having((*plan.faults[:index], replace(fault, at=at), *plan.faults[index + 1 :]))
