"""The world of one simulated session: two ends, two links between them, and a clock that jumps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

from objstream import Code, ObjectAssembler, ObjectRetriever, ObjectStreamer, TransferError
from objstream.frames import FrameType
from objstream.session import AnySession, Connection, Progress, Receiver, Sender

from ..frames import HEADER
from . import objects
from .link import Link
from .objects import Account, Disk, Subject, Trouble
from .plan import Fault, Plan, Side

STEPS = 200_000
"""Turns after which a session is taken to go on for ever."""

_ANNOUNCING = (FrameType.OFFER, FrameType.OPEN)
_BEGINNING = ((FrameType.OFFER, 0), (FrameType.REQUEST, 0))


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


class End:
    """One side: its connection, or on a message carrier one for each session, its application and its engine."""

    def __init__(self, side: Side, world: World, inward: Link, outward: Link) -> None:
        plan = world.plan
        self.side = side
        self.alive = True
        self.asleep_until = 0.0
        self._world = world
        self._in = inward
        self._out = outward
        self._begins = (side == "sender") == plan.push
        self._live: dict[int, Connection] = {}
        self._ended: set[int] = set()
        self._begun = 0
        self._parting = False
        self._rest: memoryview | None = None
        self._decides_at: float | None = None
        self._refusals = Trouble(
            [Fault("refuse", side, 0, f.amount) for f in plan.of("refuse") if f.side == side]
        )
        self._observer = Trouble([f for f in plan.of("observer") if f.side == side])
        if self._begins:
            self._begin()
        elif not plan.messages:
            self._live[0] = self._connection(0)

    # -- what the world wants to know

    def waits_until(self, now: float) -> float | None:
        """When something happens here by itself."""
        if not self.alive:
            return None
        if now < self.asleep_until:
            return self.asleep_until
        moments = [connection.expires for connection in self._live.values()]
        moments.append(self._in.next_arrival)
        moments.append(self._decides_at)
        return min((moment for moment in moments if moment is not None), default=None)

    def unfinished(self) -> list[AnySession]:
        sessions = (connection.session for connection in self._live.values())
        return [session for session in sessions if session is not None and not session.finished]

    # -- what happens

    def die(self, now: float, *, unnoticed: bool) -> None:
        self.alive = False
        if not unnoticed and not self._world.plan.messages:
            self._out.end(now)
        self._in.cut = not unnoticed

    def cancel(self) -> None:
        for connection in self._live.values():
            connection.cancel()

    def turn(self, now: float) -> bool:
        """Read once, decide, write once; False when there was nothing to do."""
        if not self.alive or now < self.asleep_until or (not self._live and not len(self._in)):
            return False
        for connection in self._live.values():
            connection.tick(now)
        moved = self._read(now)
        for number, connection in list(self._live.items()):
            moved |= self._decide(now, connection.session)
            moved |= self._write(now, number, connection)
        return moved

    def _read(self, now: float) -> bool:
        if self._rest is not None:
            self._portion()
            return True
        arrived = self._in.take(now)
        if arrived is None:
            return False
        number, data = arrived
        if self._world.plan.messages:
            if data is not None:
                self._message(number, data)
        elif data is not None:
            self._rest = memoryview(data)
            self._portion()
        else:
            for connection in self._live.values():
                connection.eof()
        return True

    def _portion(self) -> None:
        """The next bytes of the stream, as many as are read at a time."""
        rest = self._rest
        assert rest is not None
        count = self._world.plan.portion or len(rest)
        if self._live:
            _feed(self._live[0], rest[:count])
        self._rest = rest[count:] if count < len(rest) else None

    def _message(self, number: int, data: bytes) -> None:
        """A message, as section 18.2 has it."""
        seen = _seen(data)
        connection = self._live.get(number)
        if connection is None:
            if self._begins or number in self._ended or seen is None or seen[:2] not in _BEGINNING:
                return
            connection = self._live[number] = self._connection(number)
        elif connection.finished or (seen is not None and seen[1] < connection.expected):
            return
        if seen is None or seen[2] != len(data):
            connection.fail(TransferError(Code.CORRUPT, "a message does not hold one whole frame"))
        _feed(connection, memoryview(data))

    def _decide(self, now: float, session: AnySession | None) -> bool:
        if session is None or not session.waiting:
            self._decides_at = None
            return False
        if self._decides_at is None:
            self._decides_at = now + self._world.plan.ponder
        if now < self._decides_at:
            return False
        self._decides_at = None
        try:
            self._refusals.use()
            self._world.answer(session)
        except TransferError as problem:
            session.fail(problem)
        except Exception as problem:
            session.fail(TransferError(Code.REFUSED, local=repr(problem)))
        return True

    def _write(self, now: float, number: int, connection: Connection) -> bool:
        plan = self._world.plan
        if self._parting:
            return self._part(now, number)
        if plan.capacity and len(self._out) >= plan.capacity and not self._out.cut:
            return False
        buffers = connection.output()
        if buffers is None:
            if not (connection.finished if connection.session is not None else connection.closing):
                return False
            if plan.messages or connection.closing or self._begins:
                return self._over(now, number, connection)
            return False
        if buffers:
            data = b"".join(buffers)
            if data[0] in _ANNOUNCING:
                self._world.announced(number, self)
            try:
                self._out.write(now, number, data)
            except ConnectionError as problem:
                self._lost(now, connection, str(problem))
        return True

    def _lost(self, now: float, connection: Connection, detail: str) -> None:
        """The link is cut: on a stream both directions are, on messages the engine says so."""
        connection.eof(detail)
        if not self._world.plan.messages and not self._in.cut:
            self._in.cut = True
            self._out.end(now)

    def _over(self, now: float, number: int, connection: Connection) -> bool:
        """The session, or the whole conversation, has ended and all is said."""
        if self._world.plan.messages:
            session = connection.session
            del self._live[number]
            self._ended.add(number)
            connection.close()
            if self._begins and session is not None and session.error is None:
                self._begin()
            return True
        if not connection.closing and self._begun < len(self._world.plan.kinds):
            self._begin()
            return True
        self._parting = True
        return True

    def _part(self, now: float, number: int) -> bool:
        """Hang up; what still comes is thrown away."""
        self._live.pop(number).close()
        self._rest = None
        if not self._out.cut:
            self._out.end(now)
        return True

    def _begin(self) -> None:
        number = self._begun
        if number == len(self._world.plan.kinds):
            return
        self._begun += 1
        session = self._world.session(self.side, number)
        key = number if self._world.plan.messages else 0
        connection = self._live.get(key) or self._connection(number)
        self._live[key] = connection
        connection.start(session)

    def _connection(self, number: int) -> Connection:
        plan = self._world.plan
        limits = plan.sender_limits if self.side == "sender" else plan.receiver_limits

        def incoming(type_: FrameType) -> AnySession:
            if (type_ is FrameType.REQUEST) != (self.side == "sender"):
                raise TransferError(Code.REFUSED, "this side does not do that")
            self._begun += 1
            return self._world.session(self.side, number if plan.messages else self._begun - 1)

        return self._world.connect(
            limits=limits, preface=not plan.messages, incoming=None if self._begins else incoming
        )

    def observe(self, progress: Progress) -> None:
        self._observer.use()


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
            Played(kind, Subject(kind, objects.make_object(kind, self.rng, self.plan.size), changing))
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
        make = objects.SOURCES[played.kind]
        source = make(played.subject, self.plan, self._source_trouble)
        played.source = source.account
        return source

    def store(self, played: Played) -> ObjectAssembler:
        store: objects.ContainerStore | objects.FileStore | objects.EntriesStore
        if played.kind == "file":
            name = f"file {self.play.sessions.index(played)}"
            store = objects.FileStore(self.play.disk, name, self._store_trouble)
        elif played.kind == "x-sim":
            store = objects.EntriesStore(self._store_trouble)
        else:
            store = objects.ContainerStore(self._store_trouble)
        played.store = store.account
        return store


def play(plan: Plan, bench: Bench | None = None, connect: Callable[..., Connection] | None = None) -> Play:
    """Play the plan to its end; `connect` makes the connections, where they are not simply the bench's."""
    bench = bench or Bench()
    return World(plan, bench, connect or bench.connection).run()


def _seen(data: bytes) -> tuple[int, int, int] | None:
    """Type, number and length of the frame that a message begins with; None when that cannot be told."""
    if len(data) < HEADER.size:
        return None
    type_, _, meta, length, seq, _, crc = HEADER.unpack_from(data)
    return (type_, seq, HEADER.size + meta + length) if crc32(data[:20]) == crc else None


def _feed(connection: Connection, data: memoryview) -> None:
    while len(data) and not connection.closing:
        place = connection.want()
        count = min(len(place), len(data))
        place[:count] = data[:count]
        connection.received(count)
        data = data[count:]
