"""Torch tensors of every dtype of the model, in every layout; nothing where torch is not installed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .arrays import content, patterns, shapes

try:
    import torch
except ImportError:
    torch = None

HAVE_TORCH = torch is not None
"""Whether there are tensors: without torch `tensors()` has no examples."""

_DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16",
    "uint8", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
    "float8_e5m2fnuz", "float8_e8m0fnu",
)  # fmt: skip


def _strided(tensor: Any) -> Any:
    if not tensor.dim():
        return tensor
    wide = torch.zeros((*tensor.shape[:-1], tensor.shape[-1] * 2), dtype=tensor.dtype)
    wide[..., ::2] = tensor
    return wide[..., ::2]


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.permute(tuple(reversed(range(tensor.dim())))),
    "strided": _strided,
    "expanded": lambda tensor: tensor.expand(3, *tensor.shape),
    "offset": lambda tensor: tensor[1:] if tensor.dim() and tensor.shape[0] else tensor,
}
COMPLEX_LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "conjugated": lambda tensor: tensor.conj(),
    "negated": lambda tensor: tensor.conj().imag,
}


@st.composite
def _tensors(draw: DrawFn) -> Any:
    dtype = getattr(torch, draw(st.sampled_from([name for name in _DTYPES if hasattr(torch, name)])))
    shape = draw(shapes())
    raw = bytearray(content(draw(patterns()), math.prod(shape) * dtype.itemsize))
    elements = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0, dtype=torch.uint8)
    if dtype is torch.bool:
        elements &= 1
    tensor = elements.clone().view(dtype).reshape(shape)
    layouts = LAYOUTS | (COMPLEX_LAYOUTS if dtype.is_complex else {})
    tensor = layouts[draw(st.sampled_from(list(layouts)))](tensor)
    if dtype.is_floating_point or dtype.is_complex:
        tensor.requires_grad_(draw(st.booleans()))
    return torch.nn.Parameter(tensor.detach(), tensor.requires_grad) if draw(st.booleans()) else tensor


def tensors() -> SearchStrategy[Any]:
    """Tensors and Parameters of any dtype, shape, layout and gradient flag; lazily conjugated and negated ones too."""
    return _tensors() if HAVE_TORCH else st.nothing()
