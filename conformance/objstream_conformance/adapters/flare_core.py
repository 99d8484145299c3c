"""A stand-in for FLARE's CoreCell: plain messages cross the suite's network in FLARE's own frame layout.

Replaced is the transport below, and with it the wait for a reply: one that does not arrive is a time-out at once.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import msgpack
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, MessageType, ReturnCode
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.fuel.f3.cellnet.utils import decode_payload, encode_payload, make_reply
from nvflare.fuel.f3.message import Message
from nvflare.fuel.f3.sfm.prefix import PREFIX_LEN, Prefix

from ..contract import Cut, Network
from .nvflare_cell import JOB_ID, framed

_log = logging.getLogger(__name__)

Handler = Callable[[Message], "Message | None"]


class CoreCell:
    """What a service on plain messages needs of a CoreCell; `cells` are those that can be reached, by their names."""

    def __init__(self, name: str, network: Network, cells: dict[str, CoreCell]) -> None:
        self.name = name
        self._fqcn: str = FQCN.join([name, JOB_ID])
        self._network = network
        self._cells = cells
        self._handlers: dict[str, Handler] = {}
        cells[self._fqcn] = self

    def get_fqcn(self) -> str:
        return self._fqcn

    def register_request_cb(self, channel: str, topic: str, cb: Handler) -> None:
        """Have all messages of a channel handled; a topic of its own is not needed here."""
        assert topic == "*"
        self._handlers[channel] = cb

    def fire_and_forget(
        self,
        channel: str,
        topic: str,
        targets: str,
        message: Message,
        secure: bool = False,
        optional: bool = False,
    ) -> dict[str, str]:
        """Send a message; what is returned is not whether it arrived, but whether it could be sent."""
        try:
            self._send(targets, channel, topic, message, None)
        except Cut:
            return {targets: ReturnCode.TARGET_UNREACHABLE}
        return {targets: ""}

    def send_request(
        self,
        channel: str,
        topic: str,
        target: str,
        request: Message,
        timeout: float,
        secure: bool = False,
        optional: bool = False,
    ) -> Message:
        """Send a message and return the reply to it, or one that says what went wrong."""
        request_id = str(uuid.uuid4())
        try:
            replies = self._send(target, channel, topic, request, request_id)
        except Cut:
            return make_reply(ReturnCode.TARGET_UNREACHABLE)
        for reply in replies:
            if reply.get_header(MessageHeaderKey.REQ_ID) == request_id:
                return reply
        return make_reply(ReturnCode.TIMEOUT)

    def leave(self) -> None:
        """The process of this cell has ended."""
        self._cells.pop(self._fqcn, None)

    def _send(
        self, target: str, channel: str, topic: str, message: Message, request_id: str | None
    ) -> list[Message]:
        """Carry a message, have it handled where it arrives, and carry the replies back."""
        peer = self._cells.get(target)
        if peer is None:
            raise Cut(f"no path to {target}")
        headers = {
            MessageHeaderKey.CHANNEL: channel,
            MessageHeaderKey.TOPIC: topic,
            MessageHeaderKey.ORIGIN: self._fqcn,
            MessageHeaderKey.DESTINATION: target,
            MessageHeaderKey.MSG_TYPE: MessageType.REQ,
            MessageHeaderKey.REQ_ID: request_id,
        }
        replies = []
        for arrived in self._network.carry(self.name, peer.name, _encoded(message, headers)):
            reply = peer._handle(arrived, self._fqcn)
            if reply is not None and request_id is not None:
                replies += self._returned(peer, reply, request_id)
        return replies

    def _returned(self, peer: CoreCell, reply: Message, request_id: str) -> list[Message]:
        frame = _encoded(
            reply, {MessageHeaderKey.REQ_ID: request_id, MessageHeaderKey.RETURN_CODE: ReturnCode.OK}
        )
        try:
            arrived = self._network.carry(peer.name, self.name, frame)
        except Cut:
            return []
        return [message for each in arrived if (message := _decoded(each)) is not None]

    def _handle(self, frame: bytes, sender: str) -> Message | None:
        """Take a frame; FLARE's server lets none pass whose origin is not the cell of the client that sent it."""
        message = _decoded(frame)
        if message is None or message.get_header(MessageHeaderKey.DESTINATION) != self._fqcn:
            return None
        if message.get_header(MessageHeaderKey.ORIGIN) != sender:
            return None
        handler = self._handlers.get(message.get_header(MessageHeaderKey.CHANNEL))
        return make_reply(ReturnCode.PROCESS_EXCEPTION) if handler is None else handler(message)


def _encoded(message: Message, headers: dict[str, Any]) -> bytes:
    encode_payload(message)
    return framed({**(message.headers or {}), **headers}, [bytes(message.payload or b"")])


def _decoded(frame: bytes) -> Message | None:
    """The message in a frame; one that cannot be parsed is dropped, as in FLARE."""
    try:
        prefix = Prefix.from_bytes(frame)
        start = PREFIX_LEN + prefix.header_len
        headers = msgpack.unpackb(frame[PREFIX_LEN:start])
        if prefix.length != len(frame) or not isinstance(headers, dict):
            return None
        message = Message(headers, bytearray(frame[start:]) or None)
        decode_payload(message)
    except Exception as problem:
        _log.error("frame dropped: %s", problem)
        return None
    return message
