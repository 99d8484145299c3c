"""Any `ObjectStreamer` through FLARE's own `StreamableEngine`: an `ObjectProducer` and the `ConsumerFactory` for it.

    engine.stream_objects(channel, topic, {}, targets, StreamerProducer(streamer), fl_ctx)
    engine.register_stream_processing(channel, topic, AssemblerFactory(make_assembler), stream_done_cb)

FLARE sends one message to all targets and waits for the reply of each before the next, so that no credit is needed and
OFFER, OPEN, content and END come from one session; each target has a receiver's session of its own, and its DONE comes
back in its last reply. This is the carrier for engines that have nothing but aux messages; it is several times slower
than `ContainerStreamer` and `FileStreamer` of this package.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.streaming import ConsumerFactory, ObjectConsumer, ObjectProducer, StreamContext

from ..engines.messages import SESSION_ID_BYTES, Recent
from ..errors import Code, TransferError
from ..frames import peek
from ..limits import MIB, Limits
from ..session import Connection, Receiver, Sender
from ..streamers import ObjectAssembler, ObjectStreamer
from .contexts import KEY_ERROR
from .results import Deliveries, return_code

FRAMES = "objstream.frames"
PROBLEM = "objstream.problem"
KEY_OBJECT = "objstream.object"
"""In the stream context of the receiving side: what the assembler has made of the stream."""
KEY_STREAM = "objstream.stream"
"""In the stream context: what tells a stream from every other of the same sender, so that none is taken twice."""
DIGEST = "sha-256"
"""All targets get the same frames, so that there is one digest for all: the one that everybody has."""
UNLIMITED = 1 << 62


class StreamerProducer(ObjectProducer):  # type: ignore[misc]
    """Produces the frames of a streamer's object.

    Args:
        streamer: the object; closed at the end.
        timeout: seconds that the targets have for each reply.
        batch: bytes of content in a message, about.

    Attributes:
        errors: for each target why it does not have the object, or None; complete when the stream has ended.
    """

    def __init__(self, streamer: ObjectStreamer, *, timeout: float = 60.0, batch: int = MIB) -> None:
        self.errors: dict[str, TransferError | None] = {}
        self._id = secrets.token_hex(SESSION_ID_BYTES)
        self._timeout = float(timeout)
        self._batch = batch
        self._session = Sender(streamer, name=streamer.name, accepted=(DIGEST,), deadline=UNLIMITED)
        self._connection = Connection(limits=Limits(), preface=False)
        self._connection.start(self._session)
        self._session.offer()
        self._confirmation: bytes | None = None

    def produce(self, stream_ctx: StreamContext, fl_ctx: FLContext) -> tuple[Shareable, float]:
        """The next message.

        Raises:
            ValueError: the object cannot be carried; nothing of it has been sent.
        """
        stream_ctx.setdefault(KEY_STREAM, self._id)
        first = self._session.request == {}
        frames = self._next_frames()
        if first and not self._session.finished:
            self._connection.feed([memoryview(_request(frames))])
            frames += self._next_frames()
        if first and self._session.error is not None:
            raise ValueError(str(self._session.error)) from self._session.error
        return Shareable({FRAMES: frames}), self._timeout

    def process_replies(
        self, replies: dict[str, Shareable], stream_ctx: StreamContext, fl_ctx: FLContext
    ) -> Deliveries | None:
        for target in replies.keys() | self.errors.keys():
            if self.errors.setdefault(target, None) is None:
                self.errors[target] = self._replied(target, replies.get(target))
        alive = [target for target, error in self.errors.items() if error is None]
        if self._session.error is not None:
            for target in alive:
                self.errors[target] = self._session.error
        if alive and not self._session.finished:
            return None
        self._session.cancel()
        self._connection.close()
        return Deliveries(self.errors or {"": TransferError(Code.LOST, "no target has answered")})

    def _next_frames(self) -> bytes:
        """What the session says next: as much as a message holds, or until it waits."""
        frames = bytearray()
        while len(frames) < self._batch:
            frame = self._connection.output()
            if frame is None:
                break
            for part in frame:
                frames += part
        return bytes(frames)

    def _replied(self, target: str, reply: object) -> TransferError | None:
        """What is wrong with a target, given its reply; the confirmations of all have to be the same."""
        if not isinstance(reply, Shareable):
            return TransferError(Code.LOST, f"{self._session.name}: {target} has not answered")
        problem = reply.get(PROBLEM)
        rc = reply.get_return_code(ReturnCode.OK)
        if problem is not None or rc != ReturnCode.OK:
            return _reported(problem, rc)
        done = reply.get(FRAMES)
        if done is None:
            return None
        if not isinstance(done, bytes):
            return TransferError(
                Code.PROTOCOL, f"{self._session.name}: the reply of {target} holds no frames"
            )
        if self._confirmation is None:
            self._connection.feed([memoryview(done)])
            if self._session.error is None:
                self._confirmation = done
            return self._session.error
        if done != self._confirmation:
            return TransferError(Code.UNCONFIRMED, f"{self._session.name}: {target} confirmed something else")
        return None


class AssemblerFactory(ConsumerFactory):  # type: ignore[misc]
    """Gives every stream a consumer.

    Args:
        make: makes the assembler for a stream.
        limits: what is accepted.
    """

    def __init__(self, make: Callable[[], ObjectAssembler], *, limits: Limits | None = None) -> None:
        self._make = make
        self._limits = limits or Limits()
        self._taken = Recent()

    def get_consumer(self, stream_ctx: StreamContext, fl_ctx: FLContext) -> ObjectConsumer:
        """The consumer of a stream. Raises ValueError for one that has been here before."""
        peer = fl_ctx.get_peer_context()
        key = peer.get_identity_name() if peer else "", str(stream_ctx.get(KEY_STREAM)).encode()
        if key in self._taken:
            raise ValueError("this stream has been here before")
        self._taken.add(key)
        return _Consumer(self._make, self._limits)


class _Consumer(ObjectConsumer):  # type: ignore[misc]
    """The receiver's session of one stream."""

    def __init__(self, make: Callable[[], ObjectAssembler], limits: Limits) -> None:
        self._make = make
        session = Receiver(limits=limits, offered=(DIGEST,), window=UNLIMITED, deadline=UNLIMITED)
        self._session = session
        self._connection = Connection(limits=limits, preface=False, incoming=lambda type_: session)

    def consume(
        self, shareable: Shareable, stream_ctx: StreamContext, fl_ctx: FLContext
    ) -> tuple[bool, Shareable]:
        frames = shareable.get(FRAMES)
        if not isinstance(frames, bytes) or not frames:
            self._connection.fail(TransferError(Code.PROTOCOL, "a message without frames"))
        else:
            self._take(memoryview(frames))
        session = self._session
        error = session.error or self._connection.problem
        if error is not None:
            stream_ctx[KEY_ERROR] = error
            reply = make_reply(return_code(error))
            reply[PROBLEM] = [int(error.code), error.message]
            return False, reply
        reply = make_reply(ReturnCode.OK)
        if session.finished:
            stream_ctx[KEY_OBJECT] = session.result
            reply[FRAMES] = b"".join(self._connection.output() or [])
        return not session.finished, reply

    def finalize(self, stream_ctx: StreamContext, fl_ctx: FLContext) -> None:
        self._session.cancel()
        self._connection.close()

    def _take(self, frames: memoryview) -> None:
        """Frames of the sender; the offer is accepted, and what a sender elsewhere would be asked stays here."""
        seen = peek(frames)
        if seen is not None and seen[1] < self._connection.expected:
            return  # FLARE has delivered a message twice
        if self._session.waiting or not self._session.offer:
            length = seen[2] if seen is not None else len(frames)
            self._connection.feed([frames[:length]])
            frames = frames[length:]
            if self._session.waiting:
                try:
                    self._session.accept(self._make())
                except TransferError as problem:
                    self._session.fail(problem)
                self._connection.output()
        self._connection.feed([frames])


class _Anything(ObjectAssembler):
    """Accepts what is offered, to have it asked for."""

    def accepts(self, kind: str) -> bool:
        return True

    def entry(self, value: object) -> None:
        raise NotImplementedError

    def result(self) -> object:
        raise NotImplementedError


def _request(offer: bytes) -> bytes:
    """The REQUEST with which every target's receiver answers this OFFER."""
    receiver = Receiver(offered=(DIGEST,), window=UNLIMITED)
    connection = Connection(limits=Limits(), preface=False, incoming=lambda type_: receiver)
    connection.feed([memoryview(offer)])
    receiver.accept(_Anything())
    return b"".join(connection.output() or [])


def _reported(problem: Any, rc: str) -> TransferError:
    """The error that a target's reply tells of."""
    try:
        number, message = problem
        return TransferError(Code(number), str(message), from_peer=True)
    except (TypeError, ValueError):
        code = Code.STALLED if rc == ReturnCode.TIMEOUT else Code.LOST
        return TransferError(code, f"the target answered {rc}", from_peer=True)
