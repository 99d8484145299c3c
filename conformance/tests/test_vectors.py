"""The vectors: what the script writes, read by the reference in any portions, by the schema and by another decoder."""

from __future__ import annotations

import contextlib
import io
import json
import random
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest

from objstream_conformance import cases, peer, registry, schema, vectors
from objstream_conformance.adapters.reference import ReferenceAdapter
from objstream_conformance.case import Case
from objstream_conformance.cbor import Map, Ref, Tag, cbor, ext, read_all, set_of
from objstream_conformance.frames import (
    CODES,
    PREFACE,
    Author,
    Frame,
    Type,
    content,
    items,
    step,
    with_buffers,
)
from objstream_conformance.notation import container, render
from objstream_conformance.peer import Peer
from objstream_conformance.vectors import Vector

VECTORS = vectors.load()
GOOD = [vector for vector in VECTORS.values() if vector.good]
BAD = [vector for vector in VECTORS.values() if not vector.good]
TEXT = registry.spec_path().joinpath("osp.cddl").read_text("utf-8")
RULES = {type_: "content" if type_ in (Type.ENTRIES, Type.DATA) else type_.name.lower() for type_ in Type}
SCHEMAS = {type_: pycddl.Schema(f"start = {rule}\n{TEXT}") for type_, rule in RULES.items()}


# -- the collection


def test_the_script_writes_what_is_there() -> None:
    script = registry.spec_path() / "tools" / "make_vectors.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True, timeout=60)


def test_there_are_enough() -> None:
    assert len(VECTORS) >= 150
    assert len(BAD) >= len(VECTORS) / 2


def test_every_vector_is_about_a_requirement_and_says_why() -> None:
    known = registry.load()
    for vector in VECTORS.values():
        assert vector.id in known
        assert vector.title
        assert vector.why
        assert "\n" not in vector.why


def test_every_vector_is_played_by_a_case() -> None:
    """By that of its requirement; good ones also as twins, or where content is cut anew (OSP-ENC-017)."""
    sources = "".join(path.read_text() for path in Path(cases.__file__).with_name("suite").glob("wire_*.py"))
    played = {id_ for id_ in registry.load() if f'play(t, "{id_}")' in sources}
    twins = {vector.twin for vector in BAD}
    assert {vector.id for vector in BAD} <= played
    for vector in GOOD:
        recut = vector.role == "requester" and "delivered" in vector.expected and not vector.options
        assert vector.id in played or vector.path in twins or recut, vector.path


def test_every_type_of_frame_is_in_good_ones_and_at_fault_in_bad_ones() -> None:
    for chosen in (GOOD, BAD):
        last = [vector.frames[-1:] if not vector.good else vector.frames for vector in chosen]
        assert {frame.type for found in last for frame in found} >= set(Type)


TYPES = {
    *(
        "null",
        "bool",
        "int",
        "float",
        "text",
        "bytes",
        "tuple",
        "frozenset",
        "list",
        "dict",
        "set",
        "bytearray",
    ),
    *("complex", "datetime", "date", "time", "timedelta", "decimal", "uuid", "ndarray", "scalar", "tensor"),
    *("parameter", "app"),
}


def test_every_type_of_value_arrives() -> None:
    arriving = {name for vector in GOOD for name in _types(vector.expected.get("delivered"))}
    assert arriving >= TYPES


def test_every_type_of_value_is_at_fault() -> None:
    """The item of the twin that a bad one has spoilt is of that type."""
    spoilt: Counter[str] = Counter()
    for vector in BAD:
        if vector.id[4:7] in ("ENC", "BUF") and vector.differs == "data":
            spoilt.update(_types(_spoilt(vector), 1))
    assert spoilt.keys() >= TYPES


def _spoilt(vector: Vector) -> Any:
    """The item of the twin in which the skeleton of a bad vector begins to differ."""
    skeletons = [
        b"".join(frame.data for frame in one.frames if frame.type == Type.ENTRIES)
        for one in (vector, VECTORS[vector.twin])
    ]
    same = next((at for at, pair in enumerate(zip(*skeletons, strict=False)) if len(set(pair)) == 2), 1 << 16)
    at = 0
    for item in items(VECTORS[vector.twin].frames):
        at += len(cbor(item))
        if at > same:
            return render(item)
    return render(item)


def _types(value: Any, levels: int = 100) -> Iterator[str]:
    """The types of a value in the notation of the vectors, and of what is in it, so many levels deep."""
    if isinstance(value, list):
        name, inner = "list", value
    elif isinstance(value, dict):
        ((name, inner),) = value.items()
    else:
        name, inner = {type(None): "null", bool: "bool", int: "int", str: "text"}[type(value)], []
    yield name
    if name in ("list", "dict", "set", "tuple", "frozenset", "app") and levels > 1:
        for item in inner:
            yield from _types(item, levels - 1)


def test_the_codes_are_those_of_the_chapter() -> None:
    rows = registry.spec_path().joinpath("14-errors.md").read_text("utf-8").split("| code |")[1].splitlines()
    assert [row.split("|")[2].strip() for row in rows if row[2:3].isdigit()] == list(CODES)


def test_the_writer_makes_the_worked_example() -> None:
    """Two programs that know nothing of each other, and the text that both were written from."""
    script = registry.spec_path() / "tools" / "worked_example.py"
    told = {
        side: subprocess.run([sys.executable, str(script), "--bytes", side], check=True, capture_output=True)
        for side in ("owner", "requester")
    }
    weights = struct.pack("<4f", 1.0, 2.0, 3.0, -0.5)
    owner, requester = Author(), Author()
    sent = PREFACE + b"".join(
        owner.write(one)
        for one in (
            step(Type.OPEN, kind="dict", size=40, count=2),
            *content("a", 1, "w", ext("ndarray", "F32", [2, 2], Ref(weights))),
            step(Type.END, count=2),
        )
    )
    assert sent == told["owner"].stdout
    request = step(Type.REQUEST, name="model", max_bytes=1 << 20, credit=1 << 14)
    asked = requester.write(request) + requester.write(step(Type.DONE, chain=owner.chain))
    assert PREFACE + asked == told["requester"].stdout


# -- played


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    adapter = ReferenceAdapter()
    return Case(adapter, adapter.describe(), tmp_path_factory.mktemp("case"), "0")


def whole(end: Peer, lines: Iterable[bytes]) -> None:
    end.feed(b"".join(lines))


def bytewise(end: Peer, lines: Iterable[bytes]) -> None:
    for byte in b"".join(lines):
        end.feed(bytes([byte]))


def at_random(end: Peer, lines: Iterable[bytes]) -> None:
    data = b"".join(lines)
    seeded = random.Random(data)
    while data:
        size = seeded.choice((1, 2, 3, 7, 23, 24, 25, 100, 1000))
        end.feed(data[:size])
        data = data[size:]


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_reference(vector: Vector, case: Case) -> None:
    if not peer.playable(case, vector):
        pytest.skip(f"needs {vector.needs}")
    for feed in (None, whole, bytewise, at_random):
        peer.judge(case, vector, feed)


# -- the schema


def fits(frame: Frame) -> bool:
    """Whether the meta is what the schema says, for the suite's matcher and for pycddl.

    pycddl does not look at the type of what has a `.size` or a `.regexp`.
    """
    matched = schema.fits(RULES[Type(frame.type)], read_all(frame.meta)[0])
    sized = {"name": str, "kind": str, "message": str, "digest": bytes, "chain": bytes}
    if all(type(frame.get(key)) in (kind, type(None)) for key, kind in sized.items()):
        assert accepted_by_pycddl(frame) == matched
    return matched


def accepted_by_pycddl(frame: Frame) -> bool:
    try:
        SCHEMAS[Type(frame.type)].validate_cbor(frame.meta)
    except pycddl.ValidationError:
        return False
    return True


def is_parsed(frame: Frame) -> bool:
    """The meta of a frame of a known type is there, and sound."""
    return frame.type in set(Type) and not frame.flags and all(frame.crcs)


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_schema_shows_what_the_vector_says(vector: Vector) -> None:
    parsed = [frame for frame in vector.frames if is_parsed(frame)]
    at_fault = parsed[-1:] if vector.schema == "meta" or vector.id == "OSP-FRM-018" else []
    assert all(map(fits, parsed[: len(parsed) - len(at_fault)]))
    if vector.schema == "meta":
        assert not fits(parsed[-1])
    skeleton = b"".join(frame.data for frame in vector.frames if frame.type == Type.ENTRIES)
    try:
        shown = not all(schema.fits("entry", node) for node in read_all(skeleton))
    except (ValueError, RecursionError):
        shown = True  # it ends early, has thousands of levels, or is of a form that has no place here
    if vector.good or vector.schema == "value":
        assert shown == (vector.schema == "value")


# -- an independent decoder


@pytest.mark.parametrize(
    "vector", [one for one in GOOD if one.expected.get("delivered")], ids=lambda one: one.path
)
def test_another_decoder_reads_the_same_values(vector: Vector) -> None:
    parsed = vector.frames
    skeleton = io.BytesIO(b"".join(frame.data for frame in parsed if frame.type == Type.ENTRIES))
    data = b"".join(frame.data for frame in parsed if frame.type == Type.DATA)
    kind = next(frame.get("kind") for frame in parsed if frame.type == Type.OPEN)
    if kind == "file":
        assert vector.expected["delivered"] == {"file": data.hex()}
        return
    decoder, buffers, found = cbor2.CBORDecoder(skeleton), io.BytesIO(data), []
    with contextlib.suppress(cbor2.CBORDecodeEOF):
        while True:
            found.append(with_buffers(neutral(decoder.decode()), buffers))
    assert not buffers.read()
    assert unordered(render(container(kind, found))) == unordered(vector.expected["delivered"])


def neutral(value: Any) -> Any:
    """What the other decoder makes of an item, as the suite writes it."""
    if isinstance(value, cbor2.CBORTag):
        return Tag(value.tag, neutral(value.value))
    if isinstance(value, (list, tuple)):
        return [neutral(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return set_of(*map(neutral, value))
    if isinstance(value, Mapping):
        return Map(tuple((neutral(key), neutral(item)) for key, item in value.items()))
    return value


def unordered(value: Any) -> Any:
    """A value in the notation of the vectors, elements of sets in some fixed order."""
    if isinstance(value, list):
        return [unordered(item) for item in value]
    if isinstance(value, dict):
        ((name, arguments),) = value.items()
        inner = unordered(arguments)
        return {name: sorted(inner, key=json.dumps) if name in ("set", "frozenset") else inner}
    return value
