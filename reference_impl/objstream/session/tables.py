"""The state tables of sender and receiver, as data (spec chapter "Session", where the same tables are printed).

1. A session carries one object and starts in IDLE; DELIVERED and FAILED are final.
2. A table says for each state which events may happen and which state follows. Whatever is not listed must not happen:
   a frame that comes unlisted is the peer's protocol error and ends in FAILED, a local step that is not listed is a
   mistake in the program.
3. A push is a pull that the sender asks for: after OFFER both sides go on exactly as after a REQUEST of their own.
4. Only DONE makes a sender DELIVERED, and only a verified and stored object makes a receiver so.
5. In every state that is not final a session can end: the peer's RESET, a local fault, a cancellation, silence beyond
   the deadline and the end of input all lead to FAILED. In a final state nothing has an effect any more.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    IDLE = "idle"
    OFFERED = "offered"
    REQUESTED = "requested"
    STREAMING = "streaming"
    RECEIVING = "receiving"
    ENDED = "ended"
    VERIFYING = "verifying"
    DELIVERED = "delivered"
    FAILED = "failed"


class Event(Enum):
    SEND_OFFER = "send OFFER"
    SEND_REQUEST = "send REQUEST"
    SEND_OPEN = "send OPEN"
    SEND_CONTENT = "send content"
    SEND_END = "send END"
    STORED = "verified and stored"
    RECV_OFFER = "receive OFFER"
    RECV_REQUEST = "receive REQUEST"
    RECV_OPEN = "receive OPEN"
    RECV_CONTENT = "receive content"
    RECV_END = "receive END"
    RECV_DONE = "receive DONE"
    RECV_CREDIT = "receive CREDIT"
    RECV_RESET = "receive RESET"
    FAULT = "local fault"
    CANCEL = "cancelled"
    TIMEOUT = "deadline passed"
    EOF = "end of input"


Table = dict[State, dict[Event, State]]

_ENDINGS = {
    Event.RECV_RESET: State.FAILED,
    Event.FAULT: State.FAILED,
    Event.CANCEL: State.FAILED,
    Event.TIMEOUT: State.FAILED,
    Event.EOF: State.FAILED,
}

SENDER: Table = {
    State.IDLE: {Event.SEND_OFFER: State.OFFERED, Event.RECV_REQUEST: State.REQUESTED, **_ENDINGS},
    State.OFFERED: {Event.RECV_REQUEST: State.REQUESTED, **_ENDINGS},
    State.REQUESTED: {Event.SEND_OPEN: State.STREAMING, Event.RECV_CREDIT: State.REQUESTED, **_ENDINGS},
    State.STREAMING: {
        Event.SEND_CONTENT: State.STREAMING,
        Event.SEND_END: State.ENDED,
        Event.RECV_CREDIT: State.STREAMING,
        **_ENDINGS,
    },
    State.ENDED: {Event.RECV_CREDIT: State.ENDED, Event.RECV_DONE: State.DELIVERED, **_ENDINGS},
    State.DELIVERED: {},
    State.FAILED: {},
}

RECEIVER: Table = {
    State.IDLE: {Event.RECV_OFFER: State.OFFERED, Event.SEND_REQUEST: State.REQUESTED, **_ENDINGS},
    State.OFFERED: {Event.SEND_REQUEST: State.REQUESTED, **_ENDINGS},
    State.REQUESTED: {Event.RECV_OPEN: State.RECEIVING, **_ENDINGS},
    State.RECEIVING: {
        Event.RECV_CONTENT: State.RECEIVING,
        Event.RECV_END: State.VERIFYING,
        **_ENDINGS,
    },
    State.VERIFYING: {Event.STORED: State.DELIVERED, **_ENDINGS},
    State.DELIVERED: {},
    State.FAILED: {},
}

FINAL = (State.DELIVERED, State.FAILED)
