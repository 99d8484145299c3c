"""One end of a simulated session: what an engine does, in turns that the world gives to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from zlib import crc32

from objstream import Code, TransferError
from objstream.frames import FrameType
from objstream.session import AnySession, Connection, Progress

from ..frames import HEADER
from .application import Trouble
from .link import Link
from .plan import Fault, Plan, Side

_ANNOUNCING = (FrameType.OFFER, FrameType.OPEN)
_BEGINNING = ((FrameType.OFFER, 0), (FrameType.REQUEST, 0))


class Surroundings(Protocol):
    """What an end needs to know of the world."""

    plan: Plan
    connect: Callable[..., Connection]

    def session(self, side: Side, number: int) -> AnySession: ...

    def answer(self, session: AnySession) -> None: ...

    def announced(self, number: int, end: End) -> None: ...


class End:
    """One side: its connection, or on a message carrier one for each session, its application and its engine."""

    def __init__(self, side: Side, world: Surroundings, inward: Link, outward: Link) -> None:
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
            self._live[0].feed([rest[:count]])
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
        connection.feed([memoryview(data)])

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


def _seen(data: bytes) -> tuple[int, int, int] | None:
    """Type, number and length of the frame that a message begins with; None when that cannot be told."""
    if len(data) < HEADER.size:
        return None
    type_, _, meta, length, seq, _, crc = HEADER.unpack_from(data)
    return (type_, seq, HEADER.size + meta + length) if crc32(data[:20]) == crc else None
