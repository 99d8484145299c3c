"""What is announced costs nothing, what changes is noticed, and garbage is refused: the edges of memory and disk."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objstream import (
    FileRetriever,
    Limits,
    MemoryNetwork,
    Options,
    Registry,
)
from objstream.engines.memory import SESSION_ID_BYTES
from objstream.session import State
from objstream.values import Piece
from objstream_conformance import strategies
from objstream_conformance.cbor import ARRAY, BYTES, MAP, TAG, TEXT, UINT, head
from objstream_conformance.compare import difference

from .helpers import Setting, attempt, decoded, encoded, outcome

MIB = 1 << 20
SMALL = Limits(max_bytes=MIB, max_items=1000)
HUGE = st.sampled_from([1 << power for power in range(4, 64)]) | st.integers(0, (1 << 64) - 1)

TEXTS = st.sampled_from(
    ["ndarray", "tuple", "frozenset", "bytes", "str", "bytearray", "tensor", "app", "F64", "U8"]
)
TOKENS = st.one_of(
    st.builds(head, st.sampled_from([ARRAY, MAP, UINT, TEXT, BYTES]), HUGE),
    st.builds(lambda text: head(TEXT, len(text)) + text.encode(), TEXTS),
    st.builds(
        lambda name, count: head(TAG, 27) + head(ARRAY, count) + head(TEXT, len(name)) + name.encode(),
        TEXTS,
        HUGE | st.integers(1, 5),
    ),
    st.just(head(TAG, 258) + head(ARRAY, 1 << 50)),
    st.sampled_from([b"\xf5", b"\xf6", b"\x81", b"\x82", b"\x83", b"\xa1", b"\x00", b"\x01"]),
)


@given(st.lists(TOKENS, max_size=12), st.sampled_from(["dict", "list", "set"]))
def test_announcements_take_no_memory(tokens: list[bytes], kind: str) -> None:
    parts = [(Piece.ENTRIES, b"".join(tokens))]
    tracemalloc.start()
    try:
        _, problem = attempt(lambda: decoded(kind, parts, [1 << 20], SMALL))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * MIB, peak
    assert problem is None or problem.code.name in ("PROTOCOL", "TOO_LARGE", "UNSUPPORTED"), problem


@given(strategies.containers(), strategies.limits())
def test_what_is_taken_stays_within_the_limits(container: Any, limits: dict[str, int]) -> None:
    parts = encoded(container)
    within = Limits(**{"max_bytes": 1 << 30, **limits})
    tracemalloc.start()
    try:
        got, problem = attempt(lambda: decoded(type(container).__name__, parts, [1 << 20], within))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = sum(len(data) for _, data in parts)
    assert peak < MIB + 40 * min(size, within.max_bytes), (peak, size)
    if problem is None:
        assert size <= within.max_bytes
        assert difference(container, got) == ""
    else:
        assert limits
        assert problem.code.name == "TOO_LARGE", problem


@given(
    st.binary(max_size=300),
    st.sampled_from(["pull", "push"]),
    st.booleans(),
    st.booleans(),
    strategies.splits(),
)
def test_garbage_ends_the_session(
    garbage: bytes, way: Any, sender: bool, preface: bool, lengths: list[int]
) -> None:
    setting = Setting([1, "two", {3: 4.0}], way=way)
    end = setting.sender() if sender else setting.receiver()
    setting.drain(end)
    setting.feed(end, (b"\x89OSP\r\n\x1a\n" if preface else b"") + garbage, lengths)
    end.eof()
    setting.drain(end)
    assert outcome(end) != "delivered"
    assert end.session is None or end.session.state is State.FAILED


@dataclass(frozen=True)
class Point:
    x: Any
    label: str


def points() -> Registry:
    registry = Registry()
    registry.register(Point, "point@1", lambda point: [point.x, point.label], lambda parts: Point(*parts))
    return registry


@given(
    st.recursive(
        st.builds(Point, strategies.values(large=False), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=3) | st.builds(Point, inner, st.just("")),
        max_leaves=4,
    ),
    strategies.chunk_sizes(),
    strategies.splits(),
)
def test_registered_types_arrive_anywhere(value: Any, chunk: int, lengths: list[int]) -> None:
    parts = encoded([value], chunk, registry=points())
    (got,) = decoded("list", parts, lengths, registry=points())
    assert difference(bared(value), bared(got)) == ""
    _, problem = attempt(lambda: decoded("list", parts, lengths))
    assert (problem is None) == (not has_points(value))
    assert problem is None or problem.code.name == "UNSUPPORTED"


def bared(value: Any) -> Any:
    if isinstance(value, Point):
        return ("point", bared(value.x), value.label)
    return [bared(item) for item in value] if type(value) is list else value


def has_points(value: Any) -> bool:
    return isinstance(value, Point) or (type(value) is list and any(map(has_points, value)))


CHANGES = st.sampled_from(["append", "truncate", "overwrite", "replace", "remove", "touch nothing"])


@given(
    strategies.files(1000).filter(lambda content: len(content) > 10),
    CHANGES,
    st.integers(0, 6),
    st.sampled_from([64, 1000, 1 << 20]),
    st.booleans(),
)
@settings(max_examples=30)
def test_a_file_that_changes_is_never_delivered_mixed(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, what: str, at: int, chunk: int, hold: bool
) -> None:
    directory = tmp_path_factory.mktemp("changing")
    source, target = directory / "source", directory / "target"
    source.write_bytes(content)
    seen = 0

    def carry(sender: str, receiver: str, message: bytes) -> list[bytes]:
        nonlocal seen
        if sender == "owner":
            if seen == at:
                change(source, what, content)
            seen += 1
        return [message] if message[SESSION_ID_BYTES] else []

    network = MemoryNetwork(carry)
    owner, requester = network.site("owner"), network.site("requester")
    FileRetriever(owner, chunk=chunk).add_file("it", source)
    if hold:
        target.write_bytes(b"what was there before")
    options = Options(window=700)
    _, problem = attempt(
        lambda: FileRetriever(requester).retrieve_file("owner", "it", to=target, options=options)
    )
    if problem is None:
        assert target.read_bytes() == content
    else:
        assert problem.code.name in ("SOURCE_CHANGED", "SOURCE_FAILED"), problem
        assert target.exists() == hold
        assert not hold or target.read_bytes() == b"what was there before"
    left = {path.name for path in directory.iterdir()} - {"source", "target", "other"}
    assert left == set()
    if what == "touch nothing":
        assert problem is None


def change(path: Path, what: str, content: bytes) -> None:
    if what == "append":
        with path.open("ab") as file:
            file.write(b"more")
    elif what == "truncate":
        os.truncate(path, len(content) - 5)
    elif what == "overwrite":
        with path.open("r+b") as file:
            file.seek(len(content) // 2)
            file.write(bytes((content[len(content) // 2] ^ 1,)))
    elif what == "replace":
        other = path.with_name("other")
        other.write_bytes(content[::-1])
        other.replace(path)
    elif what == "remove":
        path.unlink()
