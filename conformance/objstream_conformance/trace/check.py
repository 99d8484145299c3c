"""The rules that a log is held against: pure, and written from the specification alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..frames import CODES, IGNORABLE, Type, linked
from .metas import CONTENT, Found, digested, malformed, mislaid
from .record import Record

_FROM_SENDER = (Type.OFFER, Type.OPEN, Type.ENTRIES, Type.DATA, Type.END, Type.RESET)
_AT_END = ("OSP-INT-023", "OSP-INT-026", "OSP-INT-027")
"""What END says wrongly; that the content is incomplete, which a log does not show, comes before it as PROTOCOL."""

_CODES = {
    **dict.fromkeys(("OSP-FRM-004", "OSP-FRM-005"), "CORRUPT"),
    **dict.fromkeys(("OSP-INT-021", *_AT_END), "CORRUPT"),
    "OSP-INT-025": "UNCONFIRMED",
    **dict.fromkeys(("OSP-FRM-007", "OSP-FLW-008"), "TOO_LARGE"),
}
"""What a side reports that has received something of the kind; PROTOCOL where nothing is said."""

_CONTAINERS = ("dict", "list", "tuple", "set", "frozenset")
VERSION = 1


@dataclass(frozen=True)
class Violation:
    """A requirement that the side which wrote the log did not keep.

    Attributes:
        requirement: its id.
        text: what was seen.
        record: where: the index in the log.
    """

    requirement: str
    text: str
    connection: str = ""
    session: int = 0
    record: int = 0

    def __str__(self) -> str:
        return f"{self.requirement} (session {self.session}, record {self.record}): {self.text}"


def check(trace: Iterable[Record]) -> list[Violation]:
    """What the log shows to be against the specification, in the order of the log."""
    checkers: dict[tuple[str, int], _Session] = {}
    violations: list[Violation] = []
    for index, record in enumerate(trace):
        key = record.connection, record.session
        if key not in checkers:
            checkers[key] = _Session()
        violations += [
            Violation(requirement, text, *key, index) for requirement, text in checkers[key].take(record)
        ]
    return violations


class _Session:
    """One session as one side has seen it."""

    def __init__(self) -> None:
        self._role = ""
        self._deadline = 0.0
        self._next = {"sent": 0, "received": 0}
        self._seen: dict[int, Record] = {}
        self._credit = 0
        self._bytes = 0
        self._chain = b""
        self._spoken = False
        self._over = ""
        self._reset: Record | None = None
        self._moved = 0.0
        self._eof = False
        self._outcome: Record | None = None
        self._amiss: tuple[str, str] | None = None
        """What came from the peer that must end the session: requirement and text."""

    def take(self, record: Record) -> Found:
        if record.event == "begin":
            self._role, self._deadline, self._moved = record.role, record.deadline, record.time
        elif record.event == "eof":
            self._eof |= self._outcome is None
        elif record.event == "end":
            yield from self._ended(record)
        elif record.event == "closed":
            yield from self._closed()
        elif record.event == "sent":
            self._spoken = True
            yield from self._sent(record)
            self._moved = record.time if record.type in CONTENT else self._moved
        else:
            self._spoken |= not record.fault
            if self._outcome is None:
                if self._amiss is not None:
                    yield self._amiss[0], f"{self._amiss[1]}, and the session goes on"
                self._amiss = next(self._received(record), None)
            self._moved = record.time

    # -- what this side says

    def _sent(self, record: Record) -> Found:
        if record.seq != self._next["sent"]:
            yield "OSP-FRM-014", f"frame {self._next['sent']} was due, {record.name} has number {record.seq}"
        self._next["sent"] = record.seq + 1
        if self._over and self._role:
            yield "OSP-SES-037", f"{record.name} after {self._over}"
        if self._amiss is not None and self._outcome is None and record.type in set(Type) - {Type.RESET}:
            yield self._amiss[0], f"{self._amiss[1]}, and {record.name} follows"
        known = record.type in set(Type)
        if record.flags & ~IGNORABLE:
            yield "OSP-FRM-009", f"{record.name} with flags {record.flags:#x}"
        if not known:
            if not record.flags & IGNORABLE:
                yield "OSP-FRM-011", f"a frame of type {record.type} that is not ignorable"
            return
        for problem in (*mislaid(record), *malformed(record)):
            yield problem
            return
        if record.type == Type.RESET:
            yield from self._sent_reset(record)
        elif self._role == "sender":
            yield from self._sent_by_sender(record)
        elif self._role == "receiver":
            yield from self._sent_by_receiver(record)
        self._note(record)

    def _sent_reset(self, record: Record) -> Found:
        code = (record.meta or {})["code"]
        name = CODES[code - 1] if 1 <= code <= len(CODES) else str(code)
        if name == str(code) or name == "LOST" or (name == "UNCONFIRMED" and not self._doubtful):
            yield "OSP-SES-038", f"RESET with code {name}, which this side has no reason to send"
        self._over = "RESET was sent"

    def _sent_by_sender(self, record: Record) -> Found:
        request, opened = self._meta(Type.REQUEST), self._meta(Type.OPEN)
        if record.type not in _FROM_SENDER:
            yield "OSP-SES-030", f"a sender sends {record.name}"
        elif record.type == Type.OFFER:
            if self._seen:
                yield "OSP-SES-030", "OFFER is not the first frame"
        elif request is None:
            yield "OSP-FLW-001", f"{record.name} before a REQUEST was received"
        elif record.type == Type.OPEN:
            yield from self._sent_open(record, request)
        elif record.type in CONTENT and opened is not None:
            yield from self._sent_content(record, request, opened)
        elif record.type == Type.END and opened is not None:
            meta = record.meta or {}
            if meta["chain"] != self._chain:
                yield "OSP-INT-022", "the chain in END is not the chain of what was sent"
            if meta["size"] != self._bytes:
                yield "OSP-INT-022", f"END says {meta['size']} bytes, {self._bytes} were sent"
        else:
            yield "OSP-FLW-001", f"{record.name} before OPEN"

    def _sent_open(self, record: Record, request: dict[str, Any]) -> Found:
        meta = record.meta or {}
        if Type.OPEN in self._seen:
            yield "OSP-SES-030", "a second OPEN"
        if VERSION not in request["versions"] or meta["versions"] != VERSION:
            yield "OSP-VER-001", f"version {meta['versions']} of {request['versions']}"
        if meta.get("resume") != request.get("resume"):
            yield "OSP-RES-004", "OPEN does not have the resume point of the REQUEST"
        if meta["digests"] not in request["digests"]:
            yield "OSP-INT-029", f"digest {meta['digests']}, offered were {request['digests']}"
        if meta.get("size", 0) > request["max_bytes"]:
            yield "OSP-FLW-007", f"OPEN with {meta['size']} bytes, at most {request['max_bytes']} are taken"
        offer = self._meta(Type.OFFER)
        if offer is not None and (offer["name"], offer["kind"]) != (request["name"], request["kind"]):
            yield "OSP-SES-041", "OPEN in answer to a REQUEST for something else than was offered"

    def _sent_content(self, record: Record, request: dict[str, Any], opened: dict[str, Any]) -> Found:
        after = self._bytes + record.data
        if after > self._credit:
            yield "OSP-FLW-002", f"content up to byte {after}, the credit ends at {self._credit}"
        if record.data > request["max_frame"]:
            yield "OSP-FRM-021", f"{record.data} bytes in a frame, at most {request['max_frame']} are taken"
        if not digested(record, opened["digests"]):
            yield "OSP-INT-020", f"{record.name} without the digest of its data"
        if Type.END in self._seen:
            yield "OSP-SES-030", "content after END"

    def _sent_by_receiver(self, record: Record) -> Found:
        if record.type == Type.REQUEST:
            if Type.REQUEST in self._seen:
                yield "OSP-SES-030", "a second REQUEST"
        elif Type.REQUEST not in self._seen or record.type in _FROM_SENDER:
            yield "OSP-SES-030", f"a receiver sends {record.name} before or in place of REQUEST"
        elif record.type == Type.DONE:
            if Type.END not in self._seen:
                yield "OSP-SES-033", "DONE before END was received"
            elif (record.meta or {})["chain"] != self._chain:
                yield "OSP-INT-024", "the chain in DONE is not the chain of what was received"

    # -- what the peer says: the first thing that has to end the session, in the order of section 14.3

    def _received(self, record: Record) -> Found:
        if record.fault == "data":
            yield "OSP-INT-021", "data that does not match its digest"
            return
        expected, self._next["received"] = self._next["received"], self._next["received"] + 1
        if record.fault == "header":
            yield "OSP-FRM-004", "a damaged header"
            return
        yield from self._misheaded(record, expected)
        if record.fault:
            yield "OSP-FRM-005", "a damaged meta"
        if record.type not in set(Type):
            return
        yield from malformed(record)
        if record.type == Type.RESET:
            self._reset = record
            self._over = "RESET was received"
            return
        yield from (
            self._received_by_sender(record) if self._role == "sender" else self._received_by_receiver(record)
        )
        self._note(record)

    def _misheaded(self, record: Record, expected: int) -> Found:
        """What the header alone shows to be wrong."""
        known = record.type in set(Type)
        if record.flags & ~IGNORABLE:
            yield "OSP-FRM-009", f"{record.name} with flags {record.flags:#x}"
        if not known and not record.flags & IGNORABLE:
            yield "OSP-FRM-011", f"a frame of type {record.type} that is not ignorable"
        if known and record.flags & IGNORABLE:
            yield "OSP-FRM-012", f"{record.name} is marked ignorable"
        if record.seq != expected:
            yield "OSP-FRM-015", f"frame {expected} was due, {record.name} with number {record.seq} came"
        request = self._meta(Type.REQUEST) if self._role == "receiver" else None
        if request is not None and record.data > request["max_frame"]:
            yield "OSP-FRM-007", f"{record.data} bytes in a frame, at most {request['max_frame']} are taken"
        if known:
            yield from mislaid(record)

    def _received_by_sender(self, record: Record) -> Found:
        fits = {
            Type.REQUEST: Type.REQUEST not in self._seen,
            Type.CREDIT: Type.REQUEST in self._seen,
            Type.DONE: Type.END in self._seen,
        }
        if not fits.get(Type(record.type), False):
            yield "OSP-SES-031", f"{record.name} came out of place"
        elif record.type == Type.DONE and (record.meta or {})["chain"] != self._chain:
            yield "OSP-INT-025", "the receiver confirmed another chain"

    def _received_by_receiver(self, record: Record) -> Found:
        request, opened = self._meta(Type.REQUEST), self._meta(Type.OPEN)
        fits = {
            Type.OFFER: not self._seen,
            Type.OPEN: request is not None and opened is None,
            Type.ENTRIES: opened is not None and Type.END not in self._seen,
            Type.DATA: opened is not None and Type.END not in self._seen,
            Type.END: opened is not None and Type.END not in self._seen,
        }
        if not fits.get(Type(record.type), False):
            yield "OSP-SES-032", f"{record.name} came out of place"
        elif record.type == Type.OPEN and request is not None:
            yield from self._received_open(record, request)
        elif record.type in CONTENT and request is not None and opened is not None:
            yield from self._received_content(record, request, opened)
        elif record.type == Type.END and opened is not None:
            meta = record.meta or {}
            if meta["size"] != self._bytes or opened.get("size", self._bytes) != self._bytes:
                yield "OSP-INT-026", f"{self._bytes} bytes came, END says {meta['size']}"
            if opened.get("count", meta["count"]) != meta["count"]:
                yield "OSP-INT-027", f"OPEN says {opened['count']} entries, END {meta['count']}"
            if meta["chain"] != self._chain:
                yield "OSP-INT-023", "the chain in END is not the chain of what was received"

    def _received_open(self, record: Record, request: dict[str, Any]) -> Found:
        meta = record.meta or {}
        asked, kind = request["kind"], meta["kind"]
        if meta["versions"] not in request["versions"]:
            yield "OSP-VER-004", f"version {meta['versions']} was not offered"
        if meta.get("resume") != request.get("resume"):
            yield "OSP-RES-004", "an OPEN came without the resume point of the REQUEST, or with another one"
        if meta["digests"] not in request["digests"]:
            yield "OSP-INT-030", f"digest {meta['digests']} was not offered"
        if kind != asked and not (asked == "container" and kind in _CONTAINERS):
            yield "OSP-SES-040", f"a {kind} was opened, a {asked} was asked for"
        if meta.get("size", 0) > request["max_bytes"]:
            yield "OSP-FLW-008", f"OPEN with {meta['size']} bytes, at most {request['max_bytes']} are taken"

    def _received_content(self, record: Record, request: dict[str, Any], opened: dict[str, Any]) -> Found:
        after = self._bytes + record.data
        if after > opened.get("size", after):
            yield "OSP-INT-032", f"content up to byte {after}, announced were {opened['size']}"
        if "size" not in opened and after > request["max_bytes"]:
            yield "OSP-FLW-008", f"content up to byte {after}, at most {request['max_bytes']} are taken"
        if after > self._credit:
            yield "OSP-FLW-006", f"content up to byte {after}, the credit ends at {self._credit}"
        if opened["kind"] == "file" and record.type == Type.ENTRIES:
            yield "OSP-BUF-010", "ENTRIES of a file"
        if ("digest" in (record.meta or {})) != (opened["digests"] != "none"):
            yield "OSP-INT-020", f"{record.name} must have a digest unless the session's is none"

    # -- how it ends

    def _ended(self, record: Record) -> Found:
        self._outcome = record
        outcome = record.outcome
        if outcome == "delivered":
            if self._amiss is not None:
                yield self._amiss[0], f"{self._amiss[1]}, and the session ended as delivered"
            elif self._reset is not None:
                yield "OSP-SES-036", "a RESET was received, and the session ended as delivered"
            elif self._role == "sender" and Type.DONE not in self._seen:
                yield "OSP-SES-001", "delivered without a DONE"
            elif self._role == "receiver" and Type.END not in self._seen:
                yield "OSP-INT-023", "delivered without an END"
            return
        if self._amiss is not None:
            due = "UNCONFIRMED" if self._doubtful else _CODES.get(self._amiss[0], "PROTOCOL")
            if outcome != due and not (outcome == "PROTOCOL" and self._amiss[0] in _AT_END):
                yield self._amiss[0], f"{self._amiss[1]}; {outcome} is reported, {due} was due"
            return
        if self._reset is not None:
            code = (self._reset.meta or {})["code"]
            name = CODES[code - 1] if 1 <= code <= len(CODES) else "PROTOCOL"
            if outcome != name:
                yield "OSP-SES-036", f"a RESET with {name} was received, {outcome} is reported"
            return
        if self._doubtful and not record.from_peer and outcome != "UNCONFIRMED":
            yield "OSP-SES-034", f"after END and without DONE {outcome} is reported, not UNCONFIRMED"
        if outcome == "UNCONFIRMED" and not self._doubtful:
            yield "OSP-SES-034", "UNCONFIRMED is for the time between END and DONE"
        if outcome == "STALLED" and self._deadline and record.time < self._moved + self._deadline:
            waited = record.time - self._moved
            yield "OSP-TIM-006", f"STALLED after {waited:g} s, the deadline is {self._deadline:g} s"

    @property
    def _doubtful(self) -> bool:
        """END was sent and there is no answer."""
        return self._role == "sender" and Type.END in self._seen and Type.DONE not in self._seen

    def _closed(self) -> Found:
        record = self._outcome
        if record is None or record.outcome == "delivered" or self._eof or not self._spoken:
            return
        if self._reset is None and not self._over:
            yield "OSP-SES-035", f"the session ended with {record.outcome}, and no RESET was sent"

    def _meta(self, type_: Type) -> dict[str, Any] | None:
        record = self._seen.get(type_)
        return None if record is None else dict(record.meta or {})

    def _note(self, record: Record) -> None:
        """Take account of a frame, whoever sent it."""
        self._seen.setdefault(record.type, record)
        meta = record.meta or {}
        if record.type in (Type.REQUEST, Type.CREDIT):
            self._credit = max(self._credit, meta["credit"])
        elif record.type == Type.OPEN:
            self._chain = hashlib.sha256(meta["kind"].encode()).digest()
            match meta.get("resume"):
                case [int(), int() as size, bytes() as chain]:
                    self._bytes, self._chain = size, chain
        elif record.type in CONTENT:
            self._bytes += record.data
            self._chain = linked(self._chain, record.type, record.data, meta.get("digest", b""))
