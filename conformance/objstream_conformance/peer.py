"""The suite as the peer of one end of a session: says frames, hears frames, and judges how the session ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import notation, vectors
from .case import Case
from .compare import difference, show
from .contract import Role, Unsupported, WireEnd
from .frames import CODES, NAME, PREFACE, Author, Frame, Step, Type, content, split, step
from .outcomes import AdapterError, NotApplicable, Unexercised
from .sites import guard
from .vectors import Vector

WIRE = ("wire", "container")
"""What most cases of the wire layer need: content is a container."""

ANY: Any = object()
"""In the place of a value: whatever it may be."""

_AT_LIBERTY = {Type.ENTRIES, Type.DATA, Type.CREDIT}


class Peer:
    """One session with an end of the implementation, whose bytes are in our hands.

    Attributes:
        author: writes our frames.
        heard: all frames that the end has sent.
        preface: the bytes that came before them.
        rest: the bytes that came after them and are no whole frame.
    """

    def __init__(
        self,
        t: Case,
        role: Role,
        value: object = None,
        *,
        name: str = NAME,
        preface: bytes = PREFACE,
        **options: object,
    ) -> None:
        if role not in t.description.roles:
            raise NotApplicable(f"the role {role}", "it is not declared")
        self._t = t
        self._end = _opened(t, role, name, value, options)
        self.rest = b""
        self.author = Author()
        self.heard: list[Frame] = []
        self.preface = b""
        self._hear(guard("start", self._end.start))
        if preface:
            self.feed(preface)

    # -- what we do

    def feed(self, data: bytes) -> list[Frame]:
        """Send bytes; returns the frames that come back."""
        return self._hear(guard("feed", lambda: self._end.feed(data)))

    def say(self, *steps: Step) -> list[Frame]:
        """Send frames one after another; returns the frames that come back."""
        return [frame for step in steps for frame in self.feed(self.author.write(step))]

    def eof(self) -> list[Frame]:
        return self._hear(guard("eof", self._end.eof))

    def advance(self, seconds: float) -> list[Frame]:
        return self._hear(guard("advance", lambda: self._end.advance(seconds)))

    def next_session(self) -> None:
        """What follows belongs to the next session on the connection; of the last one, we forget what we heard."""
        self.author = Author()
        self.heard = []

    # -- what we know

    @property
    def outcome(self) -> Any:
        return guard("outcome", self._end.outcome)

    @property
    def types(self) -> list[str]:
        """The types of the frames heard that are the same in every implementation."""
        return [frame.name for frame in self.heard if frame.type in set(Type) - _AT_LIBERTY]

    def first(self, type_: Type) -> Frame:
        """The first frame of a type; a session that has none shows nothing."""
        frame = next((frame for frame in self.heard if frame.type == type_), None)
        if frame is None:
            raise Unexercised(f"{type_.name} from the end", f"it sent {self.types}, and {show(self.outcome)}")
        return frame

    @property
    def content(self) -> list[Frame]:
        return [frame for frame in self.heard if frame.is_content]

    @property
    def sent(self) -> int:
        """The number of content bytes that the end has sent."""
        return sum(len(frame.data) for frame in self.content)

    def _hear(self, data: object) -> list[Frame]:
        if not isinstance(data, (bytes, bytearray)):
            raise AdapterError("an end of a session to return bytes", f"it returned a {type(data).__name__}")
        self.rest += data
        if len(self.preface) < len(PREFACE):
            missing = len(PREFACE) - len(self.preface)
            self.preface += self.rest[:missing]
            self.rest = self.rest[missing:]
        frames, self.rest = split(self.rest)
        self.heard += frames
        return frames

    # -- what we assert

    def running(self, what: str = "the session to go on") -> None:
        self._t.expect(self.outcome is None, what, f"{show(self.outcome)}; it sent {self.types}")

    def delivered(self, value: Any = ANY, what: str = "a good stream to be delivered") -> None:
        """The session has succeeded, and has delivered this value (of a file: these bytes)."""
        outcome = self.outcome
        good = isinstance(outcome, tuple) and outcome[0] == "delivered"
        self._t.expect(good, what, f"{show(outcome)}; it sent {self.types}{self._reason()}")
        if value is not ANY:
            got = Path(outcome[1]).read_bytes() if isinstance(value, File) else outcome[1]
            found = difference(bytes(value) if isinstance(value, File) else value, got)
            self._t.expect(not found, f"{what}, as it was sent", found)

    def failed(self, code: str, what: str = "the session to fail", *, told: bool = True) -> None:
        """The session has failed with that code, and one RESET with it was the last frame; none if not `told`."""
        expected = f"{what}: the outcome {code}"
        self._t.expect(
            self.outcome == ("failed", code),
            expected,
            f"{show(self.outcome)}; it sent {self.types}{self._reason()}",
        )
        resets = [frame for frame in self.heard if frame.type == Type.RESET]
        if not told:
            self._t.expect(not resets, f"{what}, without a RESET", f"it sent {self.types}")
            return
        right = (
            len(resets) == 1
            and self.heard[-1] is resets[0]
            and resets[0].get("code") == CODES.index(code) + 1
        )
        observed = f"{[frame.get('code') for frame in resets]} in {self.types}"
        self._t.expect(right, f"{what}: exactly one RESET with {code}, as the last frame", observed)
        self._t.expect("DONE" not in self.types, f"{what}, and no DONE", f"it sent {self.types}")

    def _reason(self) -> str:
        """What the end has said about why it gives up."""
        resets = [frame for frame in self.heard if frame.type == Type.RESET]
        return f" ({show(resets[0].get('message'), 200)})" if resets else ""


class File(bytes):
    """What a received file shall hold."""


def _opened(t: Case, role: Role, name: str, value: object, options: dict[str, object]) -> WireEnd:
    try:
        return t.wire(role, name, value, **options)
    except Unsupported as refusal:
        raise AdapterError(
            f"wire() to open the {role} with {options or 'no options'}", str(refusal)
        ) from refusal


def roles(t: Case, *wanted: Role) -> list[Role]:
    """Those of the roles that the implementation has."""
    found = [role for role in wanted if role in t.description.roles]
    if not found:
        raise NotApplicable(f"one of the roles {', '.join(wanted)}", "none is declared")
    return found


# -- good sessions


def takes(t: Case, role: Role, *items: object, kind: str = "list", **options: Any) -> Peer:
    """A session in which the end receives a container of these items; it has been told everything."""
    peer = Peer(t, role, **options)
    if role == "receiver":
        peer.say(step(Type.OFFER, kind=kind))
    count = len(items) // 2 if kind == "dict" else len(items)
    peer.say(step(Type.OPEN, kind=kind), *content(*items), step(Type.END, count=count))
    return peer


def gives(t: Case, role: Role, value: object, **request: object) -> Peer:
    """A session in which the end sends a value; it has been asked for it and has been told that it is stored."""
    peer = asks(Peer(t, role, value), **request)
    peer.say(step(Type.DONE, chain=peer.first(Type.END).get("chain")))
    return peer


def asks(peer: Peer, **request: object) -> Peer:
    """The peer of a sender, after its REQUEST, which answers the OFFER if there is one."""
    offers = [frame.get("kind") for frame in peer.heard if frame.type == Type.OFFER]
    peer.say(step(Type.REQUEST, **{"kind": [*offers, "container"][0], **request}))
    return peer


# -- vectors


def playable(t: Case, vector: Vector) -> bool:
    """Whether a vector says something about this implementation."""
    return vector.role in t.description.roles and all(map(t.has, vector.needs))


def opened(t: Case, vector: Vector) -> Peer:
    """The end of a vector, to which nothing has been said."""
    value = notation.build(vector.value) if vector.value is not None else None
    return Peer(t, vector.role, value, name=vector.name, preface=b"", **vector.options)


def judge(t: Case, vector: Vector, feed: Callable[[Peer, Iterable[bytes]], None] | None = None) -> None:
    """Play a vector, frame by frame unless `feed` says otherwise, and hold the end to what it says."""
    peer = opened(t, vector)
    if feed is None:
        for line in vector.lines:
            peer.feed(line)
    else:
        feed(peer, vector.lines)
    if vector.eof:
        peer.eof()
    what = f"{vector.path} ({vector.why})"
    if vector.code:
        peer.failed(vector.code, what, told=vector.answer[-1:] == ("RESET",))
    elif vector.role in ("requester", "receiver"):
        stated = vector.expected["delivered"]
        value = notation.build(stated)
        peer.delivered(File(value) if isinstance(stated, dict) and "file" in stated else value, what)
    else:
        peer.delivered(what=what)
    t.expect(peer.types == list(vector.answer), f"{what}: the frames {list(vector.answer)}", f"{peer.types}")


def play(t: Case, id_: str) -> None:
    """Every vector of a requirement: good streams are taken and bad ones refused, each bad one after its twin."""
    chosen = [vector for vector in vectors.of(id_) if playable(t, vector)]
    if not chosen:
        raise NotApplicable(f"what the vectors of {id_} need", "it is not declared")
    proven: set[str] = set()
    for vector in chosen:
        for one in ([vectors.load()[vector.twin]] if vector.twin else []) + [vector]:
            if one.path not in proven:
                judge(t, one)
                proven.add(one.path)
