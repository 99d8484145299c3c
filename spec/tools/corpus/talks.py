"""The conversations from which most vectors are made, and the frames that are put where they do not belong."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from objstream_conformance.cbor import Ref, ext
from objstream_conformance.frames import Step, Type, linked, step

from . import Talk, accept, file, received, spoken

ONE = hashlib.sha256(b"\x01").digest()
CHAIN_OF_ONE = linked(hashlib.sha256(b"list").digest(), Type.ENTRIES, 1, ONE)
"""The chain over the list [1]: its content is one byte, which nobody can cut."""

CHAIN_WITHOUT_DIGEST = linked(hashlib.sha256(b"list").digest(), Type.ENTRIES, 1, b"")


def served(role: str, request: Step) -> Talk:
    """The list [1] is sent: credit for its one byte comes after the REQUEST, DONE after END."""
    credit, done = step(Type.CREDIT, credit=1), step(Type.DONE, chain=CHAIN_OF_ONE)
    says = (("OPEN",), ("END",), ())
    return Talk(role, (request, credit, done), {"delivered": None}, says, value=[1])


LIST = accept("OSP-CTR-001", "a list of one entry", "the smallest session with content", received("list", 1))
BUFFERED = accept(
    "OSP-BUF-002",
    "a buffer in one frame",
    "a reference and the bytes it refers to",
    received("list", ext("bytearray", Ref(b"abcd"))),
)
FILE = accept(
    "OSP-FIL-001", "a file in two frames", "the content of a file is DATA alone", file(b"hello ", b"world")
)
PUSHED = accept(
    "OSP-SES-032",
    "a list that is offered",
    "an OFFER, then exactly a pull",
    received("list", 1, role="receiver"),
)
PULL = accept(
    "OSP-SES-031",
    "a list is sent to who asks for it",
    "REQUEST, CREDIT and DONE, each where it belongs",
    served("owner", step(Type.REQUEST, credit=0)),
)
PUSH = accept(
    "OSP-SES-041",
    "a list is sent to who takes the offer",
    "the REQUEST has the name and the kind of the OFFER",
    served("sender", step(Type.REQUEST, kind="list", credit=0)),
)


def _given_up(code: int, expected: str) -> Talk:
    """The sender gives up after OPEN."""
    whole = LIST.talk
    steps = (whole.steps[0], step(Type.RESET, code=code, message="the disk is gone"))
    return replace(whole, steps=steps, says=((), ()), expected={"failed": expected})


SENDER_RESET = accept(
    "OSP-SES-036",
    "the sender gives up",
    "the session has failed with the code of the RESET, and nothing is answered",
    _given_up(10, "SOURCE_FAILED"),
)
accept(
    "OSP-SES-039",
    "a code of a later version",
    "an unknown code is a failure all the same, reported as PROTOCOL",
    _given_up(4711, "PROTOCOL"),
    schema="meta",
)
accept(
    "OSP-SES-036",
    "the receiver gives up after END",
    "a RESET tells what has happened, so this is not UNCONFIRMED",
    replace(
        PULL.talk,
        steps=(*PULL.talk.steps[:2], step(Type.RESET, code=11, message="no room")),
        expected={"failed": "STORE_FAILED"},
    ),
)
accept(
    "OSP-SES-036",
    "the answer to a request is RESET",
    "the object is not there",
    spoken("requester", step(Type.RESET, code=4, message="no such object"), expected={"failed": "NOT_FOUND"}),
)

EACH = {
    Type.OFFER: PUSHED,
    Type.REQUEST: PULL,
    Type.OPEN: LIST,
    Type.ENTRIES: LIST,
    Type.DATA: BUFFERED,
    Type.END: LIST,
    Type.DONE: PULL,
    Type.CREDIT: PULL,
    Type.RESET: SENDER_RESET,
}
"""A good stream with each type of frame."""


def after_end(type_: Type, code: str) -> str:
    """The code of a fault in that frame of :data:`EACH`: DONE comes after END, when all faults are UNCONFIRMED."""
    return "UNCONFIRMED" if type_ is Type.DONE else code


STRAY = {
    Type.OFFER: step(Type.OFFER, kind="list"),
    Type.REQUEST: step(Type.REQUEST),
    Type.OPEN: step(Type.OPEN, kind="list"),
    Type.ENTRIES: step(Type.ENTRIES, data=b"\x01"),
    Type.DATA: step(Type.DATA, data=b"\x01"),
    Type.END: step(Type.END, size=1, count=1, chain=CHAIN_OF_ONE),
    Type.DONE: step(Type.DONE, chain=CHAIN_OF_ONE),
    Type.CREDIT: step(Type.CREDIT, credit=1 << 20),
}
"""A frame of each type that is good by itself."""
