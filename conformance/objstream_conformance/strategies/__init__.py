"""Hypothesis strategies for the value model, for what it refuses, for files, and for misbehaving networks.

They are made for the tests of any streamer: nothing in them knows an implementation.
"""

from __future__ import annotations

from .arrays import arrays, large_arrays, numpy_scalars
from .containers import containers, elements, keys, shared, values
from .refusals import Refusal, refused, refused_containers
from .scalars import scalars
from .tensors import HAVE_TORCH, tensors
from .transport import chunk_sizes, fault_plans, faults, files, splits, windows

__all__ = [
    "HAVE_TORCH",
    "Refusal",
    "arrays",
    "chunk_sizes",
    "containers",
    "elements",
    "fault_plans",
    "faults",
    "files",
    "keys",
    "large_arrays",
    "numpy_scalars",
    "refused",
    "refused_containers",
    "scalars",
    "shared",
    "splits",
    "tensors",
    "values",
    "windows",
]
