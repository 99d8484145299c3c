"""Frames as chapter 8 lays them out, written and read by the suite itself: any frame, right or wrong.

The writer fills in what follows from the rest (numbers, lengths, checksums, digests, the chain) unless it is told
otherwise. The reader takes frames apart without judging them: that is for the cases to do.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, BinaryIO, Final
from zlib import crc32

from .cbor import EXTENSION, Map, Ref, Tag, cbor, pieces, plain, read, read_all

PREFACE: Final = b"\x89OSP\r\n\x1a\n"
HEADER: Final = struct.Struct(">BBHIQII")
IGNORABLE: Final = 1
SIGN_OF_LIFE: Final = 255

KEYS: Final = (
    *("versions", "digests", "name", "kind", "size", "count", "max_bytes", "credit", "max_frame", "resume"),
    *("validator", "digest", "chain", "code", "message", "attributes"),
)
"""The names of the meta keys, in the order of their numbers."""

CODES: Final = (
    *("PROTOCOL", "VERSION", "DIGEST", "NOT_FOUND", "REFUSED", "UNSUPPORTED", "TOO_LARGE", "CORRUPT"),
    *("SOURCE_CHANGED", "SOURCE_FAILED", "STORE_FAILED", "CANCELLED", "STALLED", "LOST", "UNCONFIRMED"),
    *("MISMATCH", "BUSY"),
)
"""The error codes, in the order of their numbers, which begin with 1."""

ABSENT: Final = object()
"""In the place of a field that would otherwise be filled in: the field is left out."""

NAME: Final = "object"


class Type(IntEnum):
    OFFER = 1
    REQUEST = 2
    OPEN = 3
    ENTRIES = 4
    DATA = 5
    END = 6
    DONE = 7
    CREDIT = 8
    RESET = 9


_USUAL: Final[Mapping[int, Mapping[str, object]]] = {
    Type.OFFER: {"name": NAME},
    Type.REQUEST: {
        "versions": [1],
        "digests": ["sha-256"],
        "name": NAME,
        "kind": "container",
        "max_bytes": 1 << 30,
        "credit": 1 << 30,
        "max_frame": 1 << 16,
    },
    Type.OPEN: {"versions": 1, "digests": "sha-256"},
    Type.RESET: {"message": ""},
}


@dataclass(frozen=True)
class Step:
    """A frame to be written, by its fields.

    The fields are the keys of meta by their names, and `type`, `flags`, `seq`, `data`; `meta` is encoded meta instead
    of keys, `extra` holds further keys of meta; `meta_len`, `data_len`, `meta_crc`, `header_crc` replace what would be
    right. `cut` ends the bytes after the "header" or the "meta".
    """

    fields: Mapping[str, Any]

    def but(self, **changes: object) -> Step:
        """The same frame with other fields."""
        return Step({**self.fields, **changes})


def step(type_: int, **fields: object) -> Step:
    """A frame with the usual fields of its type, unless others are given."""
    return Step({"type": type_, **_USUAL.get(type_, {}), **fields})


def content(*items: object) -> list[Step]:
    """The content of a container, a frame for each piece of skeleton and for each buffer."""
    return [step(Type.DATA if out else Type.ENTRIES, data=data) for out, data in pieces(*items)]


class Author:
    """Writes the frames of one side of one session."""

    def __init__(self) -> None:
        self.seq = 0
        self.size = 0
        self.chain = b""
        self.digest = "sha-256"

    def write(self, frame: Step) -> bytes:
        given = dict(frame.fields)
        type_, data = given["type"], given.get("data", b"")
        meta = given.get("meta", cbor(self._meta(type_, data, given)))
        seq = given.get("seq", self.seq)
        self.seq += 1
        lengths = given.get("meta_len", len(meta)), given.get("data_len", len(data))
        crc = given.get("meta_crc", crc32(meta))
        head = struct.pack(">BBHIQI", type_, given.get("flags", 0), *lengths, seq, crc)
        head += struct.pack(">I", given.get("header_crc", crc32(head)))
        after: bytes = {"header": b"", "meta": meta}.get(given.get("cut", ""), meta + data)
        return head + after

    def _meta(self, type_: int, data: bytes, given: Mapping[str, Any]) -> dict[object, object]:
        known: dict[str, object] = {}
        if type_ == Type.OPEN:
            self.chain = hashlib.sha256(str(given["kind"]).encode()).digest()
            self.digest = given["digests"]
        elif type_ in (Type.ENTRIES, Type.DATA):
            digest = b"" if self.digest == "none" else hashlib.sha256(data).digest()
            known = {"digest": digest or ABSENT}
            self.size += len(data)
            self.chain = linked(self.chain, type_, len(data), digest)
        elif type_ == Type.END:
            known = {"size": self.size, "chain": self.chain}
        known |= {name: value for name, value in given.items() if name in KEYS}
        numbered = {KEYS.index(name): known[name] for name in KEYS if known.get(name, ABSENT) is not ABSENT}
        return {**numbered, **given.get("extra", {})}


def linked(chain: bytes, type_: int, length: int, digest: bytes) -> bytes:
    """The next value of the chain (section 10.3)."""
    return hashlib.sha256(chain + struct.pack(">BI", type_, length) + digest).digest()


def chain_of(kind: str, frames: Iterable[Frame], digest: str = "sha-256") -> bytes:
    """The chain over the content among these frames, with the digest "sha-256" or "none"."""
    chain = hashlib.sha256(kind.encode()).digest()
    for frame in frames:
        if frame.is_content:
            told = b"" if digest == "none" else hashlib.sha256(frame.data).digest()
            chain = linked(chain, frame.type, len(frame.data), told)
    return chain


@dataclass(frozen=True)
class Frame:
    """A frame that was read, as it is."""

    type: int
    flags: int
    seq: int
    meta: bytes
    data: bytes
    header: bytes = field(repr=False)

    @property
    def name(self) -> str:
        return Type(self.type).name if self.type in set(Type) else f"type {self.type}"

    @property
    def is_content(self) -> bool:
        return self.type in (Type.ENTRIES, Type.DATA)

    @property
    def keys(self) -> dict[Any, Any]:
        """The map of meta; empty when it is none."""
        try:
            item = plain(read(self.meta)[0])
            return dict(item.pairs) if isinstance(item, Map) else {}
        except (ValueError, TypeError):
            return {}

    def get(self, key: str) -> Any:
        """The value of a key of meta, by its name; None when it is not there."""
        return self.keys.get(KEYS.index(key))

    @property
    def crcs(self) -> tuple[bool, bool]:
        """Whether the checksums of header and meta are right."""
        *_, meta_crc, header_crc = HEADER.unpack(self.header)
        return crc32(self.header[:20]) == header_crc, crc32(self.meta) == meta_crc


def split(stream: bytes) -> tuple[list[Frame], bytes]:
    """The frames at the beginning of these bytes, which follow the preface, and the rest."""
    frames, at = [], 0
    while len(stream) - at >= HEADER.size:
        header = stream[at : at + HEADER.size]
        type_, flags, meta_len, data_len, seq, _, _ = HEADER.unpack(header)
        start = at + HEADER.size
        end = start + meta_len + data_len
        if end > len(stream):
            break
        meta, data = stream[start : start + meta_len], stream[start + meta_len : end]
        frames.append(Frame(type_, flags, seq, meta, data, header))
        at = end
    return frames, stream[at:]


_REFERRING: Final = {"str": 1, "bytes": 1, "bytearray": 1, "ndarray": 3, "tensor": 4, "parameter": 4}
"""The extension values that may end with a reference, and how many arguments they have."""


def items(frames: Iterable[Frame]) -> list[Any]:
    """The items that content frames carry, references with their buffers.

    Raises:
        ValueError: they are not in the one form, or the buffers are not those that are referred to.
    """
    carried = _merged(frames)
    skeleton = b"".join(data for out, data in carried if not out)
    buffers = io.BytesIO(b"".join(data for out, data in carried if out))
    found = [with_buffers(plain(node), buffers) for node in read_all(skeleton)]
    if pieces(*found) != carried:
        raise ValueError("an item in another form than its one form, or a buffer that is not where it is due")
    return found


def _merged(frames: Iterable[Frame]) -> list[tuple[bool, bytes]]:
    """The pieces of content, whatever the frames into which they were cut."""
    merged: list[tuple[bool, bytes]] = []
    for frame in frames:
        if frame.is_content:
            out = frame.type == Type.DATA
            if merged and merged[-1][0] == out:
                merged[-1] = out, merged[-1][1] + frame.data
            else:
                merged.append((out, frame.data))
    return merged


def with_buffers(item: Any, buffers: BinaryIO) -> Any:
    """The item with its references followed: each takes its bytes from those that come next."""
    if isinstance(item, list):
        return [with_buffers(element, buffers) for element in item]
    if isinstance(item, Map):
        pairs = ((with_buffers(key, buffers), with_buffers(value, buffers)) for key, value in item.pairs)
        return Map(tuple(pairs))
    if isinstance(item, Tag) and isinstance(item.item, list):
        name, *arguments = item.item or [None]
        if item.number == EXTENSION and _REFERRING.get(name) == len(arguments) and type(arguments[-1]) is int:
            return Tag(EXTENSION, [name, *arguments[:-1], Ref(buffers.read(arguments[-1]))])
        return Tag(item.number, with_buffers(item.item, buffers))
    return item
