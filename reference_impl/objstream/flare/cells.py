"""Frames as messages between FLARE cells (spec section "NVIDIA FLARE").

A message is a plain message of the cell: fire and forget, no blob and no stream of FLARE's around it. Session id and
frame header travel among its headers, the data of the frame is its payload, so that nothing is joined or encoded.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Any, Protocol

from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.message import Message

from ..engines.messages import SESSION_ID_BYTES
from ..session import Buffers

CHANNEL = "objstream"
SESSION = "objstream.session"
HEAD = "objstream.head"
HEARD = "objstream.heard"
"""In the reply to a question: whether the session in it is served there."""


@dataclass(frozen=True)
class Envelope:
    """What has arrived: a frame of a session, or nothing but a question about it."""

    origin: str
    session_id: bytes
    frame: Buffers
    secure: bool


class Service(Protocol):
    """What a topic leads to."""

    def receive(self, envelope: Envelope) -> bool:
        """Take a message; whether its session is served. Called from FLARE's threads: it does not wait."""


class Unreachable(Exception):
    """A message could not be sent, or certainly did not arrive."""


class NobodyServes(Exception):
    """The cell was reached, and nothing there serves the topic."""


class Dispatcher:
    """The messages of one cell, handed to the services behind its topics.

    Args:
        cell: FLARE's `CoreCell`.

    Attributes:
        lock: held while a topic is looked at and perhaps led to a new service.
    """

    def __init__(self, cell: Any) -> None:
        self._cell = weakref.ref(cell)
        self.lock = threading.RLock()
        self._services: dict[str, Service] = {}
        cell.register_request_cb(channel=CHANNEL, topic="*", cb=self._receive)

    @property
    def cell(self) -> Any:
        cell = self._cell()
        if cell is None:
            raise Unreachable("the cell of this site is gone")
        return cell

    @property
    def name(self) -> str:
        """The fully qualified name of the cell."""
        return str(self.cell.get_fqcn())

    def add(self, topic: str, service: Service) -> None:
        """Lead a topic to a service.

        Raises:
            ValueError: it leads to another one already.
        """
        with self.lock:
            if self._services.setdefault(topic, service) is not service:
                raise ValueError(f"the topic {topic!r} is served already")

    def find(self, topic: str) -> Any:
        """The service behind a topic, None where there is none."""
        with self.lock:
            return self._services.get(topic)

    def remove(self, topic: str, service: object) -> None:
        with self.lock:
            if self._services.get(topic) is service:
                del self._services[topic]

    def post(self, target: str, topic: str, session_id: bytes, frame: Buffers, secure: bool) -> None:
        """Send a frame.

        Raises:
            Unreachable: it could not be handed to the next cell on the way. One that is lost later is lost silently.
        """
        message = _message(session_id, frame, secure)
        try:
            errors = self.cell.fire_and_forget(CHANNEL, topic, target, message, secure=secure, optional=True)
        except RuntimeError as problem:
            raise Unreachable(str(problem)) from problem
        error = (errors or {}).get(target)
        if error:
            raise Unreachable(str(error))

    def ask(
        self, target: str, topic: str, session_id: bytes, frame: Buffers, secure: bool, timeout: float
    ) -> bool | None:
        """Ask whether a session is served, and send a frame with the question if there is one.

        Returns:
            the answer; None when it has not come.

        Raises:
            Unreachable: some cell on the way says that the target cannot be reached.
            NobodyServes: the target says that it serves nothing of the kind.
        """
        message = _message(session_id, frame, secure)
        try:
            reply = self.cell.send_request(CHANNEL, topic, target, message, timeout, secure, True)
        except RuntimeError as problem:
            raise Unreachable(str(problem)) from problem
        code = reply.get_header(MessageHeaderKey.RETURN_CODE, ReturnCode.OK)
        if code == ReturnCode.TIMEOUT:
            return None
        if code == ReturnCode.PROCESS_EXCEPTION:
            raise NobodyServes
        if code != ReturnCode.OK:
            raise Unreachable(str(code))
        heard = reply.get_header(HEARD)
        if heard is None:
            raise NobodyServes
        return bool(heard)

    def _receive(self, message: Message) -> Message:
        topic = message.get_header(MessageHeaderKey.TOPIC)
        service = self.find(topic)
        if service is None:
            return Message()
        envelope = _opened(message)
        return Message({HEARD: envelope is not None and service.receive(envelope)})


def _message(session_id: bytes, frame: Buffers, secure: bool) -> Message:
    """FLARE encrypts payloads only: where it is to, everything is payload."""
    if secure:
        return Message({SESSION: session_id}, b"".join(frame))
    headers = {SESSION: session_id, HEAD: bytes(frame[0])} if frame else {SESSION: session_id}
    return Message(headers, frame[1] if len(frame) > 1 else None)


def _opened(message: Message) -> Envelope | None:
    """The contents of a message; None when it is none of ours."""
    origin = message.get_header(MessageHeaderKey.ORIGIN)
    session_id, head, payload = message.get_header(SESSION), message.get_header(HEAD), message.payload
    if type(origin) is not str or type(session_id) is not bytes or len(session_id) != SESSION_ID_BYTES:
        return None
    if type(head) not in (bytes, type(None)) or not isinstance(
        payload, (bytes, bytearray, memoryview, type(None))
    ):
        return None
    if isinstance(payload, memoryview):  # of the sender, in this very process: it will not stay as it is
        payload = bytes(payload)
    frame = [memoryview(part) for part in (head, payload) if part]
    return Envelope(origin, session_id, frame, bool(message.get_header(MessageHeaderKey.SECURE, False)))


_dispatchers: weakref.WeakKeyDictionary[Any, Dispatcher] = weakref.WeakKeyDictionary()
_dispatchers_lock = threading.Lock()


def dispatcher_of(cell: Any) -> Dispatcher:
    """The one dispatcher of a `CoreCell`."""
    with _dispatchers_lock:
        if cell not in _dispatchers:
            _dispatchers[cell] = Dispatcher(cell)
        return _dispatchers[cell]
