"""The codec alone: what was encoded is decoded, however it is cut and split; cbor2 reads the same in it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import cbor2
from hypothesis import given
from hypothesis import strategies as st

from objstream import ContainerStreamer, Limits
from objstream.values import Piece, measure
from objstream_conformance import strategies
from objstream_conformance.compare import difference

from .helpers import LIMITS, NAME, attempt, decoded, encoded
from .oracle import read_all

SMALL = st.tuples(strategies.containers(large=False), strategies.chunk_sizes())
LARGE = st.tuples(strategies.containers(), strategies.chunk_sizes(least=500))
CUT = SMALL | LARGE
"""Containers with the chunks to cut them into: from one byte on where they are small."""


@given(st.tuples(SMALL, strategies.splits()) | st.tuples(LARGE, strategies.splits(5000, least=300)))
def test_what_was_encoded_is_decoded(case: tuple[tuple[Any, int], list[int]]) -> None:
    (container, chunk), lengths = case
    parts = encoded(container, chunk)
    assert all(0 < len(data) <= chunk for _, data in parts)
    assert difference(container, decoded(type(container).__name__, parts, lengths)) == ""


@given(strategies.containers(large=False), strategies.chunk_sizes(), strategies.splits(8))
def test_short_values_may_be_buffers_too(container: Any, chunk: int, lengths: list[int]) -> None:
    limits = dataclasses.replace(LIMITS, max_inline=64)
    parts, problem = attempt(lambda: encoded(container, chunk, limits))
    if problem is not None:
        assert (problem.code.name, "an int of more than 64 bytes" in problem.message) == ("TOO_LARGE", True)
        return
    assert difference(container, decoded(type(container).__name__, parts, lengths)) == ""


@given(CUT)
def test_encoding_is_repeatable_and_changes_nothing(cut: tuple[Any, int]) -> None:
    container, chunk = cut
    before = copy.deepcopy(container)
    parts = encoded(container, chunk)
    assert encoded(container, chunk) == parts
    assert difference(before, container) == ""


@given(CUT)
def test_the_chunk_decides_only_about_the_cuts(cut: tuple[Any, int]) -> None:
    container, chunk = cut
    assert _joined(encoded(container, chunk)) == _joined(encoded(container))


@given(CUT)
def test_measuring_counts_what_encoding_yields(cut: tuple[Any, int]) -> None:
    container, chunk = cut
    kind = type(container)
    entries = ContainerStreamer(container, name=NAME).entries()
    size = measure(entries, limits=LIMITS, pairs=kind is dict, elements=kind in (set, frozenset))
    assert size == sum(len(data) for _, data in encoded(container, chunk))


@given(strategies.containers(large=False))
def test_cbor2_reads_the_same_values(container: Any) -> None:
    parts = encoded(container)
    if any(kind == Piece.DATA for kind, _ in parts):
        return  # buffers are not CBOR; `test_short_values_may_be_buffers_too` is about them
    items = read_all(b"".join(data for _, data in parts))
    assert difference(_entries(container), items) == ""


PLAIN_KEYS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.binary(max_size=8))
PLAIN = st.recursive(
    PLAIN_KEYS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(PLAIN_KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(PLAIN, max_size=5))
def test_cbor2_writes_the_same_bytes(items: list[Any]) -> None:
    assert _joined(encoded(items)) == [(Piece.ENTRIES, b"".join(map(cbor2.dumps, items)))][: len(items)]


@given(st.lists(PLAIN, max_size=5), strategies.splits())
def test_what_cbor2_writes_is_read(items: list[Any], lengths: list[int]) -> None:
    written = [(Piece.ENTRIES, b"".join(map(cbor2.dumps, items)))]
    assert difference(items, decoded("list", written, lengths)) == ""


@given(strategies.containers(large=False), st.data())
def test_damaged_skeletons_are_refused_or_read_as_cbor2_reads_them(
    container: Any, data: st.DataObject
) -> None:
    skeleton = bytearray(b"".join(part for kind, part in encoded(container) if kind == Piece.ENTRIES))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, 1 << 30)) % (len(skeleton) + 1)
        what = data.draw(st.sampled_from(["flip", "insert", "remove"]))
        if what == "insert":
            skeleton[at:at] = data.draw(st.binary(min_size=1, max_size=3))
        elif what == "remove":
            del skeleton[at : at + data.draw(st.integers(1, 3))]
        elif at < len(skeleton):
            skeleton[at] ^= data.draw(st.integers(1, 255))
    limits = Limits(max_bytes=1 << 20, max_items=10_000)
    items, problem = attempt(lambda: decoded("list", [(Piece.ENTRIES, bytes(skeleton))], [1 << 20], limits))
    if problem is not None:
        assert problem.code.name in ("PROTOCOL", "TOO_LARGE", "UNSUPPORTED"), problem
        return
    assert difference(read_all(bytes(skeleton)), items) == ""


@given(st.binary(max_size=200), st.sampled_from(["dict", "list", "set"]), strategies.splits(8))
def test_garbage_yields_values_or_the_documented_error(
    garbage: bytes, kind: str, lengths: Sequence[int]
) -> None:
    limits = Limits(max_bytes=1 << 16, max_items=10_000)
    _, problem = attempt(lambda: decoded(kind, [(Piece.ENTRIES, garbage)], lengths, limits))
    assert problem is None or problem.code.name in ("PROTOCOL", "TOO_LARGE", "UNSUPPORTED"), problem


@given(strategies.containers(), st.integers(0, 1 << 30))
def test_a_part_of_the_skeleton_is_never_a_whole(container: Any, place: int) -> None:
    parts = encoded(container)
    total = sum(len(data) for _, data in parts)
    if not total:
        return
    left = place % total
    cut = []
    for kind, data in parts:
        cut.append((kind, data[:left]))
        left -= len(data)
        if left <= 0:
            break
    kept = [part for part in cut if part[1]]
    got, problem = attempt(lambda: decoded(type(container).__name__, kept, [1 << 30]))
    assert problem.code.name == "PROTOCOL" if problem else len(got) < len(container)


def _joined(parts: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbours of one kind as one."""
    joined: list[tuple[int, bytes]] = []
    for kind, data in parts:
        if joined and joined[-1][0] == kind:
            joined[-1] = kind, joined[-1][1] + data
        else:
            joined.append((kind, data))
    return joined


def _entries(container: Any) -> list[Any]:
    if type(container) is dict:
        return [part for item in container.items() for part in item]
    return list(container)
