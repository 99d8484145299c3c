"""The world of one simulated session: two ends, two links between them, and a clock that jumps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from objstream import Code, ObjectAssembler, ObjectRetriever, ObjectStreamer, TransferError
from objstream.session import AnySession, Connection, Receiver, Sender

from . import application
from .application import Account, Disk, Trouble
from .end import End
from .link import Link
from .objects import Subject, make_object
from .plan import Fault, Plan, Side

STEPS = 200_000
"""Turns after which a session is taken to go on for ever."""


@dataclass(frozen=True)
class Bench:
    """What is put to the test.

    Attributes:
        sender, receiver, connection: classes in the places of `Sender`, `Receiver` and `Connection`.
        retriever: a class in the place of that by which the sites of a federation give their objects.
    """

    sender: type[Sender] = Sender
    receiver: type[Receiver] = Receiver
    connection: type[Connection] = Connection
    retriever: type[ObjectRetriever] | None = None


@dataclass
class Played:
    """One session after the play: what each side came to. A side may never have heard of it."""

    kind: str
    subject: Subject
    sender: Sender | None = None
    receiver: Receiver | None = None
    source: Account | None = None
    store: Account | None = None


@dataclass
class Play:
    """All that happened."""

    plan: Plan
    sessions: list[Played]
    disk: Disk
    dead: set[Side] = field(default_factory=set)
    crashes: list[str] = field(default_factory=list)
    hung: str = ""
    steps: int = 0
    now: float = 0.0


class World:
    """Two ends and what is between them.

    Attributes:
        steps: turns that have been given to the ends.
    """

    name = "object"

    def __init__(self, plan: Plan, bench: Bench, connect: Callable[..., Connection]) -> None:
        self.plan = plan
        self.bench = bench
        self.connect = connect
        self.rng = random.Random(plan.seed ^ 0x5EED)
        self.steps = 0
        self.play = Play(plan, self.subjects(), Disk())
        self._source_trouble = Trouble(plan.of("source"))
        self._store_trouble = Trouble(plan.of("store"))
        forth, back = Link(plan, "sender"), Link(plan, "receiver")
        self.ends: dict[Side, End] = {}
        self._due: dict[int, list[Fault]] = {}
        for fault in plan.of("cancel", "crash", "vanish", "pause", "changed"):
            self._due.setdefault(fault.at, []).append(fault)
        self.ends["sender"] = End("sender", self, back, forth)
        self.ends["receiver"] = End("receiver", self, forth, back)

    def subjects(self) -> list[Played]:
        """The sessions to come, each with its object."""
        changing = bool(self.plan.of("changed"))
        return [
            Played(kind, Subject(kind, make_object(kind, self.rng, self.plan.size), changing))
            for kind in self.plan.kinds
        ]

    def run(self) -> Play:
        now = 0.0
        while self.steps < STEPS:
            if self.step(now):
                continue
            moment = self.waits_until(now)
            if moment is None:
                break
            now = max(now, moment)
        self.over(now)
        return self.play

    def step(self, now: float) -> bool:
        """A turn for one of the ends; False when neither has anything to do."""
        if self.steps in self._due:
            self._strike(self.steps, now)
        self.steps += 1
        sender, receiver = self.ends["sender"], self.ends["receiver"]
        first, second = (sender, receiver) if self.rng.random() < 0.5 else (receiver, sender)
        return self._turn(first, now) or self._turn(second, now)

    def waits_until(self, now: float) -> float | None:
        """When something happens that needs no turn; None when nothing ever will."""
        moments = [moment for end in self.ends.values() if (moment := end.waits_until(now)) is not None]
        if not moments and not any(at >= self.steps for at in self._due):
            return None
        return min(moments, default=now)

    def over(self, now: float) -> None:
        """Nothing happens any more."""
        self.play.steps, self.play.now = self.steps, now
        if self.steps >= STEPS:
            self.play.hung = f"no end after {STEPS} steps"
            return
        for end in self.ends.values():
            if end.alive:
                for session in end.unfinished():
                    self.play.hung = f"the {end.side} waits for ever in state {session.state.value}"

    def kill(self, side: Side, now: float, *, unnoticed: bool) -> None:
        """The process of that side is gone."""
        end = self.ends[side]
        if end.alive:
            end.die(now, unnoticed=unnoticed)
            self.play.dead.add(side)

    def _turn(self, end: End, now: float) -> bool:
        try:
            return end.turn(now)
        except Exception as problem:
            self.play.crashes.append(f"{end.side}: {type(problem).__name__}: {problem}")
            end.die(now, unnoticed=False)
            self.play.dead.add(end.side)
            return True

    def _strike(self, step: int, now: float) -> None:
        for fault in self._due[step]:
            end = self.ends[fault.side]
            if fault.kind == "changed":
                self.play.sessions[int(fault.amount) % len(self.play.sessions)].subject.change(
                    random.Random(int(fault.amount))
                )
            elif fault.kind == "pause":
                end.asleep_until = max(end.asleep_until, now + fault.amount)
            elif fault.kind == "cancel" and end.alive:
                end.cancel()
            elif fault.kind in ("crash", "vanish"):
                self.kill(fault.side, now, unnoticed=fault.kind == "vanish")

    def session(self, side: Side, number: int) -> AnySession:
        """A new session of that side; what a peer begins may be one that nobody planned."""
        plan = self.plan
        if number >= len(self.play.sessions):
            raise TransferError(Code.REFUSED, "one session more than there are objects")
        played = self.play.sessions[number]
        observer = (lambda progress: self.ends[side].observe(progress)) if plan.of("observer") else None
        if side == "sender":
            sender = self.bench.sender(
                self.source(played) if plan.push else None,
                name=self.name,
                limits=plan.sender_limits,
                accepted=plan.accepted,
                deadline=plan.deadlines[0],
                progress=observer,
            )
            played.sender = sender
            if plan.push:
                sender.offer()
            return sender
        receiver = self.bench.receiver(
            None if plan.push else self.store(played),
            name=self.name,
            limits=plan.receiver_limits,
            offered=plan.offered,
            window=plan.window,
            deadline=plan.deadlines[1],
            progress=observer,
        )
        played.receiver = receiver
        if not plan.push:
            receiver.ask(played.kind)
        return receiver

    def answer(self, session: AnySession) -> None:
        """Be the application of a session that waits."""
        for played in self.play.sessions:
            if played.sender is session:
                played.sender.open(self.source(played))
            elif played.receiver is session:
                played.receiver.accept(self.store(played))

    def announced(self, number: int, end: End) -> None:
        """The sender announces its object: what it is from now on may not be delivered."""
        if end.side == "sender":
            for played in self.play.sessions:
                if played.sender is not None and not played.sender.finished and played.subject.pinned is None:
                    played.subject.pinned = len(played.subject.states)

    def source(self, played: Played) -> ObjectStreamer:
        make = application.SOURCES[played.kind]
        source = make(played.subject, self.plan, self._source_trouble)
        played.source = source.account
        return source

    def store(self, played: Played) -> ObjectAssembler:
        store: application.ContainerStore | application.FileStore | application.EntriesStore
        if played.kind == "file":
            name = f"file {self.play.sessions.index(played)}"
            store = application.FileStore(self.play.disk, name, self._store_trouble)
        elif played.kind == "x-sim":
            store = application.EntriesStore(self._store_trouble)
        else:
            store = application.ContainerStore(self._store_trouble)
        played.store = store.account
        return store


def play(plan: Plan, bench: Bench | None = None, connect: Callable[..., Connection] | None = None) -> Play:
    """Play the plan to its end; `connect` makes the connections, where they are not simply the bench's."""
    bench = bench or Bench()
    return World(plan, bench, connect or bench.connection).run()
