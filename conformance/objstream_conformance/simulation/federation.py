"""Several sites at once under one clock: each has objects under names, asks others for theirs, crashes and returns.

A federation is some errands, each one object's way from its owner to another site: a world of its own, with its own
plan. What they share is the time, the sites and the objects: what happens to one must not matter to the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from objstream import ObjectAssembler, ObjectRetriever, ObjectStreamer, Request, Site
from objstream.session import AnySession, Connection

from . import objects
from .objects import Subject
from .plan import Plan, Side, make_plan
from .world import STEPS, Bench, Play, Played, World

KINDS = ("container", "file", "x-sim")
NAMES = ("model", "weights", "log")
DEADLINES = (10.0, 10.0)
DOWN = {"LOST", "STALLED", "UNCONFIRMED"}
"""Codes with which an errand may end when one of its sites crashes."""


@dataclass(frozen=True)
class Errand:
    """One object on its way.

    Attributes:
        owner, requester: the numbers of the sites.
        name: of the object, in the table of its owner.
        at: when it begins, in seconds.
        plan: how it goes.
    """

    owner: int
    requester: int
    name: str
    at: float
    plan: Plan

    def __str__(self) -> str:
        way = "is pushed" if self.plan.push else "is pulled"
        return f"at {self.at:g} {self.name} of site {self.owner} {way} to site {self.requester}"


@dataclass(frozen=True)
class Happening:
    """Something that happens to a site.

    Attributes:
        kind: "crash", "add" (also in the place of what had the name) or "remove".
        lasting: seconds until the site returns after a crash.
    """

    kind: str
    site: int
    at: float
    name: str = ""
    lasting: float = 0.0

    def __str__(self) -> str:
        what = f"for {self.lasting:g} s" if self.kind == "crash" else self.name
        return f"at {self.at:g} site {self.site}: {self.kind} {what}"


@dataclass(frozen=True)
class FederationPlan:
    """A federation before it begins."""

    seed: int
    sites: int
    errands: tuple[Errand, ...]
    happenings: tuple[Happening, ...]


def make_federation(seed: int) -> FederationPlan:
    """The federation of this seed."""
    rng = random.Random(seed ^ 0xFEDE7A7E)
    sites = rng.randint(2, 4)
    errands = [_errand(rng, sites) for _ in range(rng.randint(2, 6))]
    happenings = [_happening(rng, sites) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))]
    for crash in (one for one in happenings if one.kind == "crash"):
        for errand in [one for one in errands if crash.site in (one.owner, one.requester)][:2]:
            again = crash.at + crash.lasting + 30.0  # when every deadline has passed
            errands.append(replace(errand, at=again, plan=errand.plan.having(())))
    return FederationPlan(seed, sites, tuple(errands), tuple(happenings))


def _errand(rng: random.Random, sites: int) -> Errand:
    owner, requester = rng.sample(range(sites), 2)
    plan = make_plan(rng.getrandbits(40))
    faults = plan.faults if rng.random() < 0.4 else ()
    plan = replace(plan, kinds=plan.kinds[:1], deadlines=DEADLINES, faults=faults)
    if plan.of("changed"):
        plan = plan.having(())  # the objects are those of the sites
    return Errand(owner, requester, rng.choice(NAMES), rng.choice((0.0, 0.0, 0.01, 0.3, 1.0)), plan)


def _happening(rng: random.Random, sites: int) -> Happening:
    kind = rng.choice(("crash", "crash", "add", "remove"))
    at = rng.choice((0.0, 0.005, 0.05, 0.3, 1.0, 3.0))
    return Happening(
        kind,
        rng.randrange(sites),
        at,
        rng.choice(NAMES),
        rng.choice((0.0, 0.2, 5.0, 20.0)) * (kind == "crash"),
    )


class Station(Site):
    """A site of the simulation: the tables of its retrievers, and whether it is up."""

    def __init__(self, number: int, retriever: Callable[..., ObjectRetriever]) -> None:
        super().__init__(f"site {number}")
        self.up = True
        self.table: dict[str, Subject] = {}
        self.asked: Way | None = None
        for kind in KINDS:
            retriever(self, kind)
        self.accept(lambda request: self.asked.taken() if self.asked is not None else None)

    def _run(self, sessions: Mapping[str, AnySession], options: object) -> None:
        raise AssertionError("the world runs the sessions")

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


class Retriever(ObjectRetriever):
    """Gives a station's objects of one kind."""

    site: Station

    def __init__(self, site: Station, kind: str) -> None:
        self.kind = kind
        super().__init__(site)

    def find(self, name: str) -> Subject | None:
        return self.site.table.get(name)

    def streamer(self, request: Request) -> ObjectStreamer | None:
        subject = self.find(request.name)
        asked = self.site.asked
        return None if subject is None or subject.kind != self.kind or asked is None else asked.given(subject)


class Way(World):
    """The world of one errand; its application is that of the sites."""

    def __init__(
        self,
        errand: Errand,
        stations: tuple[Station, Station],
        bench: Bench,
        connect: Callable[..., Connection],
    ) -> None:
        self.errand = errand
        self.name = errand.name
        self.stations: dict[Side, Station] = dict(zip(("sender", "receiver"), stations, strict=True))
        super().__init__(errand.plan, bench, connect)

    def subjects(self) -> list[Played]:
        (kind,) = self.plan.kinds
        return [Played(kind, self.stations["sender"].table.get(self.name) or Subject(kind, None, False))]

    def answer(self, session: AnySession) -> None:
        (played,) = self.play.sessions
        side: Side = "sender" if played.sender is session else "receiver"
        station = self.stations[side]
        station.asked = self
        try:
            station.answer(session, self.stations["receiver" if side == "sender" else "sender"].name)
        finally:
            station.asked = None

    def given(self, subject: Subject) -> ObjectStreamer:
        """The retriever gives this object, which has to be what has the name now."""
        (played,) = self.play.sessions
        played.subject = self.stations["sender"].table.get(self.name) or Subject(subject.kind, None, False)
        lent = Played(subject.kind, subject)
        source = self.source(lent)
        played.source = lent.source
        return source

    def taken(self) -> ObjectAssembler:
        return self.store(self.play.sessions[0])


@dataclass
class FederationPlay:
    """All that happened.

    Attributes:
        plays: of the errands that began, each with the codes that what happened around it explains.
    """

    plan: FederationPlan
    plays: list[tuple[Errand, Play, set[str]]] = field(default_factory=list)
    now: float = 0.0


class Federation:
    """The sites, the errands under way, and the clock."""

    def __init__(self, plan: FederationPlan, bench: Bench, connect: Callable[..., Connection]) -> None:
        self._plan = plan
        self._bench = bench
        self._connect = connect
        self._rng = random.Random(plan.seed ^ 0xC10C)
        self._stations = [Station(number, bench.retriever or Retriever) for number in range(plan.sites)]
        for station in self._stations:
            for name in NAMES:
                self._add(station, name)
        self._going: list[Way] = []
        self._excused: dict[Errand, set[str]] = {errand: set() for errand in plan.errands}
        self._agenda: list[tuple[float, int, Errand | Happening | Station]] = []
        events: list[Errand | Happening] = [*plan.errands, *plan.happenings]
        for event in events:
            self._enter(event.at, event)

    def run(self) -> FederationPlay:
        played = FederationPlay(self._plan)
        now = 0.0
        while self._going or self._agenda:
            while self._agenda and self._agenda[0][0] <= now:
                self._happen(self._agenda.pop(0)[2], now)
            self._rng.shuffle(self._going)
            if any(way.step(now) for way in self._going):
                continue
            waiting = [(way, way.waits_until(now)) for way in self._going]
            for way in [way for way, moment in waiting if moment is None or way.steps >= STEPS]:
                self._going.remove(way)
                way.over(now)
                played.plays.append((way.errand, way.play, self._excused[way.errand]))
            moments = [moment for _, moment in waiting if moment is not None]
            moments += [self._agenda[0][0]] if self._agenda else []
            now = max(now, min(moments, default=now))
        played.now = now
        return played

    def _enter(self, at: float, event: Errand | Happening | Station) -> None:
        self._agenda.append((at, len(self._agenda), event))
        self._agenda.sort(key=lambda entry: entry[:2])

    def _happen(self, event: Errand | Happening | Station, now: float) -> None:
        if isinstance(event, Station):
            event.up = True
        elif isinstance(event, Errand):
            self._begin(event, now)
        elif event.kind == "crash":
            self._crash(self._stations[event.site], event.lasting, now)
        else:
            station = self._stations[event.site]
            station.table.pop(event.name, None)
            if event.kind == "add":
                self._add(station, event.name)
            for way in self._going:  # which may not have been answered yet
                if way.stations["sender"] is station and way.name == event.name:
                    self._excused[way.errand].add("NOT_FOUND")

    def _add(self, station: Station, name: str) -> None:
        kind = self._rng.choice(("container", "container", "file", "x-sim"))
        value = objects.make_object(kind, self._rng, self._rng.choice((0, 2, 4)))
        station.table[name] = Subject(kind, value, False)

    def _begin(self, errand: Errand, now: float) -> None:
        owner, requester = self._stations[errand.owner], self._stations[errand.requester]
        subject = owner.table.get(errand.name)
        if subject is None and errand.plan.push:
            return  # there is nothing to push
        if subject is None:
            self._excused[errand].add("NOT_FOUND")
        plan = errand.plan if subject is None else replace(errand.plan, kinds=(subject.kind,))
        way = Way(replace(errand, plan=plan), (owner, requester), self._bench, self._connect)
        way.errand = errand
        self._going.append(way)
        for side, station in way.stations.items():
            if not station.up:
                self._kill(way, side, now)

    def _crash(self, station: Station, lasting: float, now: float) -> None:
        station.up = False
        self._enter(now + lasting, station)
        for way in self._going:
            for side, one in way.stations.items():
                if one is station:
                    self._kill(way, side, now)

    def _kill(self, way: Way, side: Side, now: float) -> None:
        way.kill(side, now, unnoticed=self._rng.random() < 0.5)
        self._excused[way.errand] |= DOWN


def play_federation(
    plan: FederationPlan, bench: Bench | None = None, connect: Callable[..., Connection] | None = None
) -> FederationPlay:
    """Play the plan to its end."""
    bench = bench or Bench()
    return Federation(plan, bench, connect or bench.connection).run()
