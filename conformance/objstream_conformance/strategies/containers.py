"""Nested values, and the containers that are streamed entry by entry."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .arrays import arrays, large_arrays, numpy_scalars
from .scalars import element_scalars, key_scalars, scalars
from .tensors import tensors

SMALL = 5
"""Entries of one container, at most; what goes wrong with many goes wrong with tiny chunks too."""


@st.composite
def keys(draw: DrawFn) -> Any:
    """Keys of a dict, of every kind that may be one, tuples and frozensets of them included."""
    return draw(_keys())


@st.composite
def elements(draw: DrawFn) -> Any:
    """Elements of a set, of every kind that may be one."""
    return draw(_elements())


@st.composite
def values(draw: DrawFn, *, large: bool = True) -> Any:
    """Any value of the model, nested; with `large` some parts are longer than ten kilobytes."""
    return draw(_values(large))


@st.composite
def containers(draw: DrawFn, *, large: bool = True) -> Any:
    """Any container of the model, of any content: dict, list, tuple, set or frozenset."""
    inner = _values(large)
    return draw(st.one_of(_containers(inner), shared(inner), tied()))


def tied() -> SearchStrategy[Any]:
    """A state dict with tied tensors: one under two names, and views of its memory; nothing without torch."""

    def names(tensor: Any) -> dict[str, Any]:
        state = {"embedding": tensor, "head": tensor, "flat": tensor.detach().reshape(-1)}
        return {**state, "rows": tensor.detach()[:1]} if tensor.dim() else state

    return tensors().map(names)


def shared(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """A container in which one value occurs several times."""

    def twice(value: Any) -> list[Any]:
        return [value, {"again": value, "apart": (value,)}]

    return inner.map(twice)


@lru_cache
def _keys() -> SearchStrategy[Any]:
    return _hashable(key_scalars())


@lru_cache
def _elements() -> SearchStrategy[Any]:
    return _hashable(element_scalars() | numpy_scalars())


@lru_cache
def _values(large: bool) -> SearchStrategy[Any]:
    leaves = st.one_of(scalars(long=large), numpy_scalars(), arrays(), tensors())
    if large:
        leaves |= large_arrays()
    return st.recursive(leaves, lambda inner: _containers(inner) | shared(inner), max_leaves=8)


def _hashable(scalar: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.recursive(
        scalar,
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
        max_leaves=4,
    )


def _containers(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(
        st.dictionaries(_keys(), inner, max_size=SMALL),
        st.lists(inner, max_size=SMALL),
        st.lists(inner, max_size=SMALL).map(tuple),
        st.sets(_elements(), max_size=SMALL),
        st.frozensets(_elements(), max_size=SMALL),
    )
