"""What is around the values: file contents, chunks and windows, splits of bytes, faults of a network."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..network import Fault, Kind
from .arrays import content, patterns

HARMLESS: tuple[Kind, ...] = ("duplicate", "delay")
DAMAGING: tuple[Kind, ...] = ("drop", "reorder", "corrupt", "truncate", "extend", "cut", "replay")


@st.composite
def files(draw: DrawFn, chunk: int = 1024, *, chunks: int = 3) -> bytes:
    """The content of a file whose size is at, just below or just above a multiple of the chunk, or any other."""
    edges = [max(0, number * chunk + step) for number in range(chunks + 1) for step in (-1, 0, 1)]
    size = draw(st.sampled_from(sorted(set(edges))) | st.integers(0, chunks * chunk + 1))
    return content(draw(patterns()), size)


def chunk_sizes(least: int = 1) -> SearchStrategy[int]:
    """Sizes of a chunk in bytes, up to more than any small object has."""
    return _sizes(least, [1, 2, 3, 7, 16, 64, 1000, 4096, 16_384, 1 << 20])


def windows(least: int = 1) -> SearchStrategy[int]:
    """Sizes of a window in bytes, up to more than any small object has."""
    return _sizes(least, [1, 2, 5, 64, 1000, 16_384, 1 << 24])


def _sizes(least: int, usual: list[int]) -> SearchStrategy[int]:
    return st.sampled_from([size for size in usual if size >= least]) | st.integers(least, least + 5000)


def limits() -> SearchStrategy[dict[str, int]]:
    """What a site accepts, by the names of the options of section 15: small limits, usual ones, each in some examples.

    A container of the model may be within them or not.
    """
    return st.fixed_dictionaries(
        {},
        optional={
            "max_bytes": _sizes(16, [64, 1000, 1 << 16, 1 << 30]),
            "max_frame": _sizes(8, [64, 1000, 1 << 24]),
            "max_items": _sizes(1, [4, 100, 1 << 28]),
            "max_depth": st.integers(1, 10) | st.just(128),
            "max_inline": _sizes(64, [64, 1 << 16]),
        },
    )


def splits(longest: int = 64, least: int = 1) -> SearchStrategy[list[int]]:
    """Lengths of the portions in which bytes arrive, to be used over and over."""
    return st.lists(st.integers(least, longest), min_size=1, max_size=6)


@st.composite
def faults(
    draw: DrawFn,
    sites: Sequence[str] = ("", ""),
    *,
    kinds: Sequence[Kind] = HARMLESS + DAMAGING,
    messages: int = 12,
) -> Fault:
    """One fault of a :class:`~..network.Network` between the first two of the sites, at one of the first messages.

    A replay repeats a message that the network was told to remember: number 0.
    """
    forth = draw(st.booleans())
    source, target = (sites[0], sites[1]) if forth else (sites[1], sites[0])
    return Fault(
        draw(st.sampled_from(list(kinds))),
        source=source,
        target=target,
        nth=draw(st.integers(0, messages - 1)),
        times=draw(st.sampled_from([1, 1, 1, 2, 0])),
        at=draw(st.integers(0, 80) | st.integers(-80, -1) | st.floats(0, 1)),
        mask=1 << draw(st.integers(0, 7)),
        amount=draw(st.integers(1, 40)),
        copy=0,
    )


def fault_plans(
    sites: Sequence[str] = ("", ""),
    *,
    kinds: Sequence[Kind] = HARMLESS + DAMAGING,
    messages: int = 12,
    most: int = 3,
) -> SearchStrategy[list[Fault]]:
    """Some faults together, for :meth:`~..network.Network.plan`; delays take no time."""
    return st.lists(faults(sites, kinds=kinds, messages=messages), max_size=most)
