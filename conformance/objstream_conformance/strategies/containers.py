"""Nested values, and the containers that are streamed entry by entry."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .arrays import arrays, large_arrays, numpy_scalars
from .scalars import element_scalars, key_scalars, scalars
from .tensors import tensors

SMALL = 5
"""Entries of one container, at most; what goes wrong with many goes wrong with tiny chunks too."""


def keys() -> SearchStrategy[Any]:
    """Keys of a dict, of every kind that may be one, tuples and frozensets of them included."""
    return st.recursive(
        key_scalars(),
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
        max_leaves=4,
    )


def elements() -> SearchStrategy[Any]:
    """Elements of a set, of every kind that may be one."""
    return st.recursive(
        element_scalars() | numpy_scalars(),
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
        max_leaves=4,
    )


def leaves(*, large: bool = True) -> SearchStrategy[Any]:
    """Values without parts, arrays and tensors; with `large` some of more than ten kilobytes."""
    small = st.one_of(scalars(), numpy_scalars(), arrays(), tensors())
    return small | large_arrays() if large else small


def _containers(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(
        st.dictionaries(keys(), inner, max_size=SMALL),
        st.lists(inner, max_size=SMALL),
        st.lists(inner, max_size=SMALL).map(tuple),
        st.sets(elements(), max_size=SMALL),
        st.frozensets(elements(), max_size=SMALL),
    )


def values(*, large: bool = True) -> SearchStrategy[Any]:
    """Any value of the model, nested."""
    return st.recursive(leaves(large=large), lambda inner: _containers(inner) | shared(inner), max_leaves=8)


def shared(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """A container in which one value occurs several times."""

    def twice(value: Any) -> list[Any]:
        return [value, {"again": value, "apart": (value,)}]

    return inner.map(twice)


def containers(*, large: bool = True) -> SearchStrategy[Any]:
    """Any container of the model, of any content: dict, list, tuple, set or frozenset."""
    return _containers(values(large=large)) | shared(values(large=large))
