"""Hypothesis strategies for the value model, for what it refuses, for files, and for misbehaving networks.

They are made for the tests of any streamer: nothing in them knows an implementation.
"""

from __future__ import annotations

from .arrays import arrays, large_arrays, numpy_scalars
from .containers import containers, elements, keys, shared, tied, values
from .refusals import Refusal, refused, refused_containers
from .scalars import byte_strings, complexes, datetimes, decimals, floats, integers, scalars, texts, times
from .tensors import HAVE_TORCH, tensors
from .transport import chunk_sizes, fault_plans, faults, files, limits, splits, windows

__all__ = [
    "HAVE_TORCH",
    "Refusal",
    "arrays",
    "byte_strings",
    "chunk_sizes",
    "complexes",
    "containers",
    "datetimes",
    "decimals",
    "elements",
    "fault_plans",
    "faults",
    "files",
    "floats",
    "integers",
    "keys",
    "large_arrays",
    "limits",
    "numpy_scalars",
    "refused",
    "refused_containers",
    "scalars",
    "shared",
    "splits",
    "tensors",
    "texts",
    "tied",
    "times",
    "values",
    "windows",
]
