"""A stand-in for FLARE's Cell below a real AuxRunner: messages cross the suite's network as SFM frames.

FLARE's own are the FOBS encoding, the frame layout and all that handles a message above the Cell. Replaced is
the transport, and with it time: a reply that does not arrive is a time-out at once. Arrays and tensors travel
inside the message, where a real Cell would have the receiver download them in a second exchange.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgpack
from nvflare.fuel.f3.cellnet.defs import CellChannel, MessageHeaderKey, MessageType, ReturnCode
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.fuel.f3.cellnet.utils import decode_payload, encode_payload, make_reply
from nvflare.fuel.f3.message import AppIds, Message
from nvflare.fuel.f3.sfm.constants import Types
from nvflare.fuel.f3.sfm.prefix import PREFIX_LEN, Prefix
from nvflare.fuel.f3.streaming.stream_const import StreamHeaderKey
from nvflare.fuel.utils.fobs import fobs
from nvflare.private.fed.utils import fed_utils

from ..contract import Cut, Network

JOB_ID = "job"
PATIENCE = 2.0
"""How long FLARE's handlers may work on a request, in seconds of the clock; after that it has no reply.

They wait for nothing, but a duplicate of a stream's first message makes ObjectStreamer lock itself out.
"""

_log = logging.getLogger(__name__)
_fobs_lock = threading.Lock()
_ROUTING = (
    MessageHeaderKey.ORIGIN,
    MessageHeaderKey.DESTINATION,
    MessageHeaderKey.MSG_TYPE,
    StreamHeaderKey.CHANNEL,
    StreamHeaderKey.TOPIC,
)
_FOBS_STATE = ("_decomposers", "_dot_handlers", "_type_name_whitelist", "_decomposers_registered")


def _swap_fobs_state(state: dict[str, Any]) -> dict[str, Any]:
    outside = {name: getattr(fobs, name) for name in _FOBS_STATE}
    for name, value in state.items():
        setattr(fobs, name, value)
    return outside


def _fresh_fobs_state() -> dict[str, Any]:
    """What FOBS knows in a job process that has just started."""
    fed_utils.nvflare_fobs_initialize()
    builtin_types = set(fobs.BUILTIN_TYPES)
    outside = _swap_fobs_state(dict(zip(_FOBS_STATE, ({}, {}, builtin_types, False), strict=True)))
    try:
        for module in (
            fed_utils.flare_decomposers,
            fed_utils.common_decomposers,
            fed_utils.private_decomposers,
        ):
            module.register.registered = False
        fed_utils.nvflare_fobs_initialize()
        fobs._register_decomposers()
    finally:
        fresh = _swap_fobs_state(outside)
    return fresh


class FobsRegistry:
    """The FOBS registry of one site. FLARE keeps one per process; sites in one process would share it."""

    _fresh: dict[str, Any] | None = None

    def __init__(self) -> None:
        with _fobs_lock:
            if FobsRegistry._fresh is None:
                FobsRegistry._fresh = _fresh_fobs_state()
            decomposers, dots, types, registered = (FobsRegistry._fresh[name] for name in _FOBS_STATE)
        values = (dict(decomposers), dict(dots), set(types), registered)
        self._state = dict(zip(_FOBS_STATE, values, strict=True))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let FOBS use this registry, in one thread at a time."""
        with _fobs_lock:
            outside = _swap_fobs_state(self._state)
            try:
                yield
            finally:
                self._state = _swap_fobs_state(outside)

    def names(self) -> set[str]:
        """The types with a decomposer."""
        return set(self._state["_decomposers"])


class Cell:
    """What AuxRunner needs of a Cell, and the receiving end of it.

    `cells` are those that can be reached, by fully qualified name; `handle` is called with each request for
    the aux channel; `prepare` is called before FOBS encodes or decodes, with the site's registry in force.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        cells: dict[str, Cell],
        handle: Callable[[Message], Message],
        prepare: Callable[[], None],
    ) -> None:
        self.name = name
        self.fqcn: str = FQCN.join([name, JOB_ID])
        self.registry = FobsRegistry()
        self._network = network
        self._cells = cells
        self._handle = handle
        self._prepare = prepare
        self._replies: dict[str, Message | None] = {}
        self._unanswered: dict[int, threading.Event] = {}

    def broadcast_request(
        self, *, channel: str, topic: str, request: Message, targets: list[str], timeout: float, **_: object
    ) -> dict[str, Message]:
        """Send a request to all targets at once and return the reply of each."""
        self._encode(request)

        def ask(target: str) -> Message:
            return self._request(target, channel, topic, request)

        if len(targets) == 1:
            return {targets[0]: ask(targets[0])}
        with ThreadPoolExecutor(max_workers=len(targets)) as pool:  # no targets: ValueError, as in FLARE
            return dict(zip(targets, pool.map(ask, targets), strict=True))

    def fire_and_forget(
        self, *, channel: str, topic: str, message: Message, targets: list[str], **_: object
    ) -> dict[str, str]:
        """Send a message to every target."""
        self._encode(message)
        for target in targets:
            self._send(target, channel, topic, message, {})
        return dict.fromkeys(targets, "")

    def receive(self, frame: bytes) -> None:
        """Take a frame that has arrived; one that cannot be parsed is dropped, as in FLARE."""
        try:
            message = _parse(frame)
        except Exception as error:
            _log.error("frame dropped: %s", error)
            return
        if message.get_header(MessageHeaderKey.MSG_TYPE) == MessageType.REQ:
            self._serve(message)
            return
        request_id = message.get_header(StreamHeaderKey.STREAM_REQ_ID)
        if self._replies.get(request_id, message) is None:
            self._replies[request_id] = message

    def wait_until_answered(self, payload: object, seconds: float) -> None:
        """Wait until the request with this payload has been answered."""
        answered = self._unanswered.get(id(payload))
        if answered:
            answered.wait(seconds)

    def _request(self, target: str, channel: str, topic: str, request: Message) -> Message:
        request_id = str(uuid.uuid4())
        self._replies[request_id] = None
        try:
            if not self._send(target, channel, topic, request, {StreamHeaderKey.STREAM_REQ_ID: request_id}):
                return make_reply(ReturnCode.COMM_ERROR)
            reply = self._replies[request_id]
        finally:
            del self._replies[request_id]
        if reply is None:
            return make_reply(ReturnCode.TIMEOUT)
        error = reply.get_header(StreamHeaderKey.ERROR_MSG)
        if error:
            return make_reply(ReturnCode.COMM_ERROR, error=error)
        try:
            self._decode(reply)
        except Exception as failure:  # the real Cell takes a reply that it cannot decode for a time-out
            _log.error("reply from %s cannot be decoded: %s", target, failure)
            return make_reply(ReturnCode.TIMEOUT)
        return reply

    def _serve(self, request: Message) -> None:
        answered = threading.Event()
        try:
            self._answer(request, answered)
        finally:
            self._unanswered.pop(id(request.payload), None)
            answered.set()

    def _answer(self, request: Message, answered: threading.Event) -> None:
        channel = request.get_header(StreamHeaderKey.CHANNEL)
        topic = request.get_header(StreamHeaderKey.TOPIC)
        request_id = request.get_header(StreamHeaderKey.STREAM_REQ_ID)
        headers = {StreamHeaderKey.STREAM_REQ_ID: request_id}
        try:
            if channel != CellChannel.AUX_COMMUNICATION:
                raise LookupError(f"no callback for {channel}")
            self._decode(request)
            request.set_header(MessageHeaderKey.TOPIC, topic)
            self._unanswered[id(request.payload)] = answered
            reply = _handled(self._handle, request)
            if reply and request_id:
                self._encode(reply)
        except Exception as error:  # FLARE's blob handler reports whatever its callback raises to the sender
            _log.error("request refused: %s", error)
            reply = Message()
            headers[StreamHeaderKey.ERROR_MSG] = f"blob_cb threw {type(error).__name__}: {error}"
        if reply and request_id:
            origin = request.get_header(MessageHeaderKey.ORIGIN)
            self._send(origin, CellChannel.RETURN_ONLY, f"{channel}:{topic}", reply, headers)

    def _send(self, target: str, channel: str, topic: str, message: Message, headers: dict[str, Any]) -> bool:
        """Put a message on the wire; whether it could be sent is returned, not whether it arrived."""
        peer = self._cells.get(target)
        kind = MessageType.REPLY if channel == CellChannel.RETURN_ONLY else MessageType.REQ
        routing = dict(zip(_ROUTING, (self.fqcn, target, kind, channel, topic), strict=True))
        frame = framed({**(message.headers or {}), **routing, **headers}, message.payload or [])
        try:
            arrived = self._network.carry(self.name, FQCN.split(target)[0], frame)
        except Cut:
            return False
        if peer is None:
            return False
        for each in arrived:
            peer.receive(each)
        return True

    def _encode(self, message: Message) -> None:
        with self.registry.in_force():
            self._prepare()
            encode_payload(message, StreamHeaderKey.PAYLOAD_ENCODING, fobs_ctx={})

    def _decode(self, message: Message) -> None:
        with self.registry.in_force():
            self._prepare()
            decode_payload(message, StreamHeaderKey.PAYLOAD_ENCODING, fobs_ctx={})


def _handled(handle: Callable[[Message], Message], request: Message) -> Message | None:
    """The reply of a handler, called in a thread of its own as FLARE does; None when it does not return."""
    outcome: list[Message | BaseException] = []

    def run() -> None:
        try:
            outcome.append(handle(request))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="nvflare-handler", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    result = outcome[0] if outcome else None
    if isinstance(result, Exception):
        raise result
    return result if isinstance(result, Message) else None


def framed(headers: dict[str, Any], payload: list[bytes]) -> bytes:
    packed = msgpack.packb(headers)
    length = PREFIX_LEN + len(packed) + sum(map(len, payload))
    prefix = bytearray(PREFIX_LEN)
    Prefix(length, len(packed), Types.DATA, app_id=AppIds.CELL_NET).to_buffer(prefix, 0)
    return b"".join([prefix, packed, *payload])


def _parse(frame: bytes) -> Message:
    prefix = Prefix.from_bytes(frame)
    if prefix.length != len(frame) or prefix.type != Types.DATA or prefix.app_id != AppIds.CELL_NET:
        raise ValueError(f"bad prefix {prefix}")
    start = PREFIX_LEN + prefix.header_len
    headers = msgpack.unpackb(frame[PREFIX_LEN:start])
    if not all(isinstance(headers[key], str) for key in _ROUTING):
        raise ValueError("bad routing headers")
    if not isinstance(headers.get(StreamHeaderKey.STREAM_REQ_ID), str | None):
        raise ValueError("bad request id")
    return Message(headers, frame[start:])
