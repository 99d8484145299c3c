"""What a fuzzer's bytes mean to an end of a session: frames whose sums are right unless it is said that they are not.

A fuzzer alone never finds the CRC of a header, nor a digest, and so never gets behind them. In a script each frame is
noted without what follows from the rest, as `type, how, length of meta, length of data`, then meta and data; 32 bytes
`HERE` in a meta stand for the digest or the chain that is due there. Any bytes are a script: lengths end at its end.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from objstream_conformance.frames import HEADER, Type, linked
from objstream_conformance.trace.recorder import named

RECORD = struct.Struct(">BBHH")
HERE = b"\xdd" * 32

IGNORABLE, UNDEFINED, MISNUMBERED, BAD_HEADER, BAD_META, UNPACED, LONGER, LITERAL = (
    1 << bit for bit in range(8)
)
"""How a frame is written: two flags of the header; a wrong number, wrong checksums; before the end had its turn; with
more data announced than follow; with `HERE` as it is."""

ACTIONS = {0xE0: "work", 0xE1: "cancel", 0xE2: "wait", 0xE3: "expire", 0xE4: "refuse"}
"""Types in whose place something else happens than a frame."""

_CONTENT = (Type.ENTRIES, Type.DATA)


class Record(NamedTuple):
    """One frame of a script, or one action."""

    type: int
    how: int
    meta: bytes
    data: bytes

    def dump(self) -> bytes:
        return RECORD.pack(self.type, self.how, len(self.meta), len(self.data)) + self.meta + self.data


def records(script: bytes) -> Iterator[Record]:
    """The records of a script; what is left at its end is no record."""
    at = 0
    while at + RECORD.size <= len(script):
        type_, how, meta_length, length = RECORD.unpack_from(script, at)
        at += RECORD.size
        meta = script[at : at + meta_length]
        at += len(meta)
        data = script[at : at + length]
        at += len(data)
        yield Record(type_, how, meta, data)


class Writer:
    """Writes the frames of a script, those of one session."""

    def __init__(self) -> None:
        self.seq = 0
        self.chain = b""

    def write(self, record: Record, chain: bytes | None = None) -> bytes:
        """The frame as it goes out; `chain` is the one that DONE has to confirm."""
        type_, how, meta, data = record
        if type_ in _CONTENT:
            digest = hashlib.sha256(data).digest()
            self.chain = linked(self.chain, type_, len(data), digest)
            meta = meta if how & LITERAL else meta.replace(HERE, digest)
        elif HERE in meta and not how & LITERAL:
            meta = meta.replace(HERE, self.chain if chain is None else chain)
        if type_ == Type.OPEN:
            self.chain = hashlib.sha256(_kind(meta)).digest()
        length = len(data) + (how & LONGER and 1)
        seq = self.seq + (how & MISNUMBERED)
        self.seq += 1
        head = HEADER.pack(type_, how & 3, len(meta), length, seq, crc32(meta) ^ (how & BAD_META), 0)[:-4]
        return head + struct.pack(">I", crc32(head) ^ (how & BAD_HEADER)) + meta + data


def noted(frame: bytes) -> Record:
    """The record of a whole frame."""
    type_, flags, meta_length, length, _, meta_crc, _ = HEADER.unpack_from(frame)
    meta = frame[HEADER.size : HEADER.size + meta_length]
    data = frame[HEADER.size + meta_length :]
    how = flags & 3 | (LONGER if length != len(data) else 0) | (BAD_META if crc32(meta) != meta_crc else 0)
    digest = hashlib.sha256(data).digest()
    if type_ in _CONTENT and digest in meta:
        meta = meta.replace(digest, HERE)
    elif type_ in (Type.END, Type.DONE):
        chain = (named(meta) or {}).get("chain")
        meta = meta.replace(chain, HERE) if type(chain) is bytes and len(chain) == len(HERE) else meta
    return Record(type_, how, meta, data)


def _kind(meta: bytes) -> bytes:
    return str((named(meta) or {}).get("kind", "")).encode()
