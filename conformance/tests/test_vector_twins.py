"""Each bad vector beside its twin: apart from what follows from it, they differ in one field."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from objstream_conformance import vectors
from objstream_conformance.cbor import Map, cbor, plain, read_all
from objstream_conformance.frames import HEADER, KEYS, PREFACE, Frame, Type, linked
from objstream_conformance.vectors import Vector

VECTORS = vectors.load()
BAD = [vector for vector in VECTORS.values() if not vector.good]


@pytest.mark.parametrize("vector", BAD, ids=lambda one: one.path)
def test_a_bad_one_differs_from_a_good_one_in_one_field(vector: Vector) -> None:
    twin = VECTORS[vector.twin]
    assert twin.good
    assert (vector.role, vector.value, vector.name, vector.options) == (
        twin.role,
        twin.value,
        twin.name,
        twin.options,
    )
    before = len(vector.lines) - 1
    if vector.differs == "preface":
        assert before == 0
        assert vector.lines[0] != PREFACE
    elif vector.differs == "end":
        assert vector.eof
        assert b"".join(twin.lines).startswith(b"".join(vector.lines))
        assert len(b"".join(vector.lines)) < len(b"".join(twin.lines))
    elif vector.differs in ("inserted", "left out"):
        assert vector.lines[:before] == twin.lines[:before]
        assert vector.lines[before] not in twin.lines[before : before + 1]
        assert all(vector.frames[-1].crcs)
        if vector.differs == "left out":
            assert vector.frames[-1].type == twin.frames[before].type
    else:
        assert vector.lines[0] == PREFACE
        pairs = zip(facts(vector.frames), facts(twin.frames), strict=False)
        found = [field for one, other in pairs for field in differing(one, other)]
        assert found == ["meta" if vector.differs == "extra" else vector.differs]


@dataclass
class Facts:
    """What a frame says, without what follows from the rest of it or from the frames before."""

    head: dict[str, object]
    lengths: dict[str, int]
    meta: bytes | None
    keys: dict[Any, Any]
    data: bytes | None


def facts(frames: Iterable[Frame]) -> Iterator[Facts]:
    chain, size, none = b"", 0, False
    for number, frame in enumerate(frames):
        _, _, meta_len, data_len, *_ = HEADER.unpack(frame.header)
        sound, intact = frame.crcs
        has_meta, has_data = len(frame.meta) == meta_len, len(frame.data) == data_len
        if frame.type == Type.OPEN:
            chain = hashlib.sha256(str(frame.get("kind")).encode()).digest()
            none = frame.get("digests") == "none"
        digest = b"" if none else hashlib.sha256(frame.data).digest()
        if frame.is_content:
            chain, size = linked(chain, frame.type, data_len, digest), size + data_len
        head: dict[str, object] = {
            "type": frame.type,
            "flags": frame.flags,
            "seq": frame.seq - number,
            "header_crc": sound,
        }
        if has_meta:
            head["meta_crc"] = intact
        keys = dict(frame.keys)
        for key, right in {"digest": digest, "chain": chain, "size": size}.items():
            there = keys.get(KEYS.index(key))
            if frame.type in (Type.ENTRIES, Type.DATA, Type.END) and there == right:
                keys[KEYS.index(key)] = "right"
        yield Facts(
            head,
            {"meta_len": meta_len, "data_len": data_len},
            frame.meta if has_meta else None,
            keys,
            frame.data if has_data else None,
        )


def differing(one: Facts, other: Facts) -> Iterator[str]:
    """The names of the fields that differ; of the first, the end may be missing."""
    yield from (field for field, value in one.head.items() if value != other.head[field])
    if one.meta is None:
        yield from (field for field, length in one.lengths.items() if length != other.lengths[field])
        return
    if one.data is None:
        altered = one.lengths["data_len"] != other.lengths["data_len"]
        if altered or one.keys.get(11) == hashlib.sha256(other.data or b"").digest():
            one.keys[11] = other.keys[11]
    else:
        altered = one.data != other.data
    if altered:
        yield "data"
    if one.meta != other.meta and not in_one_form(one.meta):
        yield "meta"
        return
    for key in sorted(one.keys.keys() | other.keys.keys(), key=str):
        if cbor(one.keys.get(key, "absent")) != cbor(other.keys.get(key, "absent")):
            yield KEYS[key] if key in range(len(KEYS)) else "meta"


def in_one_form(meta: bytes) -> bool:
    """Whether the meta is a map that occurs in this form only."""
    try:
        item = plain(read_all(meta)[0])
    except (ValueError, IndexError):
        return False
    keys = [key for key, _ in item.pairs] if isinstance(item, Map) else [None, None]
    return cbor(item) == meta and len(set(keys)) == len(keys)
