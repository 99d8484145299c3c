"""Frames made without the code under test, a peer whose lines are written by hand, and two ends joined back to back."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import cbor2

from objstream import Code, ContainerAssembler, ContainerStreamer, Limits, ObjectStreamer, TransferError
from objstream.meta import Key
from objstream.session import AnySession, Connection, Receiver, Sender

PREFACE = bytes.fromhex("894f53500d0a1a0a")
HEADER = struct.Struct(">BBHIQII")
OFFER, REQUEST, OPEN, ENTRIES, DATA, END, DONE, CREDIT, RESET = range(1, 10)
SIGN_OF_LIFE = 255
IGNORABLE = 1
NAMES = {
    OFFER: "OFFER",
    REQUEST: "REQUEST",
    OPEN: "OPEN",
    ENTRIES: "ENTRIES",
    DATA: "DATA",
    END: "END",
    DONE: "DONE",
    CREDIT: "CREDIT",
    RESET: "RESET",
    SIGN_OF_LIFE: "ALIVE",
}

Meta = dict[int, Any]


def meta(**fields: Any) -> Meta:
    """A meta map by the names of its keys; fields that are None are left out."""
    return {int(Key[name.upper()]): value for name, value in fields.items() if value is not None}


def request(**changed: Any) -> Meta:
    """The meta of an ordinary REQUEST, but for what is changed (None: left out)."""
    fields: dict[str, Any] = {
        "versions": [1],
        "digests": ["sha-256"],
        "name": "m",
        "kind": "container",
        "max_bytes": 1 << 30,
        "credit": 1 << 24,
        "max_frame": 1 << 20,
    }
    return meta(**(fields | changed))


def opened(**changed: Any) -> Meta:
    """The meta of an ordinary OPEN, but for what is changed (None: left out)."""
    return meta(**({"versions": 1, "digests": "sha-256", "kind": "list"} | changed))


def frame(
    type_: int,
    meta: Meta | bytes = b"",
    data: bytes = b"",
    *,
    seq: int = 0,
    flags: int = 0,
    meta_length: int | None = None,
    length: int | None = None,
    meta_crc: int | None = None,
    header_crc: int | None = None,
) -> bytes:
    """One frame, or what pretends to be one: each field can be given a value of its own."""
    encoded = meta if isinstance(meta, bytes) else cbor2.dumps(meta)
    head = HEADER.pack(
        type_,
        flags,
        len(encoded) if meta_length is None else meta_length,
        len(data) if length is None else length,
        seq,
        crc32(encoded) if meta_crc is None else meta_crc,
        0,
    )[:-4]
    return head + struct.pack(">I", crc32(head) if header_crc is None else header_crc) + encoded + data


@dataclass(frozen=True)
class Heard:
    """One frame as it was on the wire."""

    type: int
    flags: int
    seq: int
    meta: Meta
    data: bytes

    @property
    def name(self) -> str:
        return NAMES[self.type]

    def __getattr__(self, key: str) -> Any:
        try:
            return self.meta[int(Key[key.upper()])]
        except KeyError:
            raise AttributeError(key) from None


def parse(stream: bytes) -> list[Heard]:
    """The frames of a stream without preface; both CRCs must fit, and nothing may be left."""
    heard = []
    while stream:
        type_, flags, meta_length, length, seq, meta_crc, header_crc = HEADER.unpack(stream[:24])
        assert crc32(stream[:20]) == header_crc
        encoded, rest = stream[24 : 24 + meta_length], stream[24 + meta_length :]
        assert len(encoded) == meta_length
        assert crc32(encoded) == meta_crc
        assert len(rest) >= length
        heard.append(Heard(type_, flags, seq, cbor2.loads(encoded) if encoded else {}, rest[:length]))
        stream = rest[length:]
    return heard


def names(heard: Iterable[Heard]) -> list[str]:
    return [frame.name for frame in heard]


def put(connection: Connection, data: bytes, step: int = 1 << 30) -> int:
    """Let bytes arrive, at most `step` at a time; returns how many were taken before the connection closed."""
    view = memoryview(data)
    while len(view) and not connection.closing:
        place = connection.want()
        assert len(place) > 0
        count = min(len(place), len(view), step)
        place[:count] = view[:count]
        connection.received(count)
        view = view[count:]
    return len(data) - len(view)


def drain(connection: Connection) -> bytes:
    """Everything that the connection has to send now."""
    sent = bytearray()
    while (buffers := connection.output()) is not None:
        for buffer in buffers:
            sent += buffer
    return bytes(sent)


class Talk:
    """A session under test, and a peer whose lines are written by hand; numbers of frames are right unless given."""

    def __init__(
        self,
        session: AnySession | None = None,
        *,
        incoming: Callable[[Any], AnySession] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.connection = Connection(limits=limits or Limits(), preface=False, incoming=incoming)
        if session is not None:
            self.connection.start(session)
        self.seq = 0

    def say(self, type_: int, meta: Meta | bytes = b"", data: bytes = b"", **fields: Any) -> list[Heard]:
        """One frame of the peer; returns the frames that answer it."""
        raw = frame(type_, meta, data, **({"seq": self.seq} | fields))
        self.seq += 1
        put(self.connection, raw)
        return self.hear()

    def hear(self) -> list[Heard]:
        return parse(drain(self.connection))


class Joined:
    """The connections of a receiver and of a sender, back to back.

    Attributes:
        said: what each of the two has said so far.
        between: what becomes of it on the way: given who said it and the bytes, the bytes that arrive.
    """

    def __init__(
        self,
        receiver: Receiver | None,
        sender: Sender | None,
        *,
        incoming: Callable[[Any], AnySession] | None = None,
        answer: Callable[[Any], object] = lambda session: None,
        between: Callable[[str, bytes], bytes] = lambda who, said: said,
        preface: bool = True,
        limits: Limits | None = None,
        step: int = 1 << 30,
    ) -> None:
        limits = limits or Limits()
        self.receiving = Connection(limits=limits, preface=preface, incoming=None if receiver else incoming)
        self.sending = Connection(limits=limits, preface=preface, incoming=None if sender else incoming)
        if receiver is not None:
            self.receiving.start(receiver)
        if sender is not None:
            self.sending.start(sender)
        self.between = between
        self.said = {"receiver": b"", "sender": b""}
        self._answer = answer
        self._step = step

    def pass_on(self) -> bool:
        """Let each side say one thing; False when both are silent."""
        return self._say("receiver", self.receiving, self.sending) | self._say(
            "sender", self.sending, self.receiving
        )

    def _say(self, who: str, source: Connection, target: Connection) -> bool:
        buffers = source.output()
        said = b"".join(buffers or [])
        self.said[who] += said
        put(target, self.between(who, said), self._step)
        if target.session is not None and target.session.waiting:
            self._answer(target.session)
        return buffers is not None

    def run(self) -> Joined:
        while self.pass_on():
            pass
        return self

    def eof(self) -> None:
        """Both hear no more of each other."""
        self.receiving.eof()
        self.sending.eof()

    def tick(self, now: float) -> None:
        self.receiving.tick(now)
        self.sending.tick(now)

    def heard_from(self, who: str) -> list[Heard]:
        return parse(self.said[who].removeprefix(PREFACE))


def joined_pull(
    value: object, *, receiver: Receiver | None = None, sender: Sender | None = None, **options: Any
) -> tuple[Receiver, Sender, Joined]:
    """A pull of a container called "m", ready to run."""
    chunk = options.pop("chunk", 1 << 20)
    receiver = receiver or Receiver(ContainerAssembler(), name="m")
    sender = sender or Sender()
    receiver.ask("container")
    joined = Joined(
        receiver,
        None,
        incoming=lambda _: sender,
        answer=lambda session: session.open(ContainerStreamer(value, name="m", chunk=chunk)),
        **options,
    )
    return receiver, sender, joined


def joined_push(
    value: object, *, receiver: Receiver | None = None, sender: Sender | None = None, **options: Any
) -> tuple[Receiver, Sender, Joined]:
    """A push of a container called "m", ready to run."""
    chunk = options.pop("chunk", 1 << 20)
    receiver = receiver or Receiver()
    sender = sender or Sender(ContainerStreamer(value, name="m", chunk=chunk), name="m")
    sender.offer()
    joined = Joined(
        None,
        sender,
        incoming=lambda _: receiver,
        answer=lambda session: session.accept(ContainerAssembler()),
        **options,
    )
    return receiver, sender, joined


def code_of(problem: TransferError | None) -> Code | None:
    return None if problem is None else problem.code


def failure(action: Callable[[], object]) -> TransferError:
    """The TransferError that the action must raise."""
    try:
        action()
    except TransferError as problem:
        return problem
    raise AssertionError("it succeeded")


def asked(
    streamer: ObjectStreamer,
    *,
    accepted: tuple[str, ...] = ("sha-256",),
    limits: Limits | None = None,
    **changed: Any,
) -> tuple[Talk, Sender, list[Heard]]:
    """A sender that was asked for this object, and what it answered."""
    sender = Sender(accepted=accepted, limits=limits)
    talk = Talk(incoming=lambda _: sender)
    answer = talk.say(REQUEST, request(**changed))
    if sender.waiting:
        sender.open(streamer)
        answer += talk.hear()
    return talk, sender, answer


def offered(streamer: ObjectStreamer, **options: Any) -> tuple[Talk, Sender, list[Heard]]:
    """A sender that offers this object, and its offer."""
    sender = Sender(streamer, name="m", **options)
    sender.offer()
    talk = Talk(sender)
    return talk, sender, talk.hear()


def confirm(talk: Talk, sent: list[Heard]) -> list[Heard]:
    return talk.say(DONE, meta(chain=sent[-1].chain))


def reset_of(heard: list[Heard]) -> tuple[Code, str]:
    """Code and message of the RESET, which is the only frame."""
    assert names(heard) == ["RESET"]
    return Code(heard[0].code), heard[0].message


def drain_session(session: AnySession, most: int = 1 << 30) -> list[Heard]:
    """The next frames of a session without a connection, at most so many."""
    heard: list[Heard] = []
    while len(heard) < most and (buffers := session.output()) is not None:
        heard += parse(b"".join(buffers))
    return heard
