"""Values to content and back, held against the vectors."""

from __future__ import annotations

import json

import pytest

from objstream_conformance import vectors
from objstream_conformance.compare import difference
from objstream_conformance.frames import Type
from objstream_conformance.notation import build
from objstream_conformance.skeleton import put_together, taken_apart
from objstream_conformance.vectors import Vector

HELD = [
    vector
    for vector in vectors.load().values()
    if vector.good and vector.expected.get("delivered") is not None and "file" not in vector.needs
]


@pytest.mark.parametrize("vector", HELD, ids=lambda vector: vector.path)
def test_what_a_vector_delivers_is_taken_apart_and_put_together(vector: Vector) -> None:
    if "tensors" in vector.needs:
        pytest.importorskip("torch", reason="the vector has tensors")
    value = build(vector.expected["delivered"])
    kind, content = taken_apart(value)
    assert not difference(value, put_together(kind, content))
    assert kind == next(frame.get("kind") for frame in vector.frames if frame.type == Type.OPEN)
    carried = {
        out: b"".join(frame.data for frame in vector.frames if frame.type == type_)
        for out, type_ in ((False, Type.ENTRIES), (True, Type.DATA))
    }
    has_buffers = carried[True] or any(out for out, _ in content)
    if not has_buffers and "set" not in json.dumps(vector.expected):  # then there is one form, and one order
        assert b"".join(data for _, data in content) == carried[False]


def test_most_vectors_have_the_one_form_without_buffers() -> None:
    inline = [vector for vector in HELD if all(frame.type != Type.DATA for frame in vector.frames)]
    assert len(inline) > len(HELD) / 2 > 20


def test_long_strings_and_arrays_are_in_buffers() -> None:
    value = ["é" * 3000, bytes(5000), bytearray(5000), {b"k" * 4096: "short"}]
    kind, content = taken_apart(value)
    assert [len(data) for out, data in content if out] == [6000, 5000, 5000, 4096]
    assert not difference(value, put_together(kind, content))


@pytest.mark.parametrize("value", [5, object(), [object()], {"k": [1, {2: print}]}])
def test_what_is_no_value_of_the_model(value: object) -> None:
    with pytest.raises(TypeError, match=r"no container|no value of the model"):
        taken_apart(value)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("file", [(True, b"x")]),
        ("list", [(False, b"\x82\x01")]),
        ("list", [(False, b"\x18\x01")]),
        ("list", [(True, b"x")]),
        ("dict", [(False, b"\x01")]),
        ("dict", [(False, b"\x80\x01")]),
        ("list", [(False, b"\xd8\x1b\x81\x67mystery")]),
        ("list", [(False, b"\xd9\x01\x02\x81\x80")]),
    ],
    ids=[
        "a file",
        "ends early",
        "a long head",
        "no reference",
        "no value",
        "a list as key",
        "mystery",
        "in a set",
    ],
)
def test_what_is_no_content(kind: str, content: list[tuple[bool, bytes]]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        put_together(kind, content)
