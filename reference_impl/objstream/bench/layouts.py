"""What is transferred: state dicts of given layouts, made of shapes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LAYOUTS = ("gpt", "blob", "small")
SMALL_ENTRIES = 10_000

_LAYERS = 12
_CONTEXT = 1024
_VOCABULARY = 64
_ITEM = 4

Shapes = dict[str, tuple[int, ...]]


def shapes(layout: str, size: int) -> Shapes:
    """Names and shapes of float32 arrays, about `size` bytes in all.

    "gpt" is a language model of twelve layers whose width follows from the size, "blob" one array, "small" nothing:
    then the `SMALL_ENTRIES` integers, which are measured with the others too, are all there is.
    """
    if layout == "gpt":
        return _gpt(size)
    return {"blob": (max(1, size // _ITEM),)} if layout == "blob" else {}


def _gpt(size: int) -> Shapes:
    count = size // _ITEM
    square, line = _VOCABULARY + 12 * _LAYERS, _CONTEXT + 13 * _LAYERS + 2
    exact = (math.sqrt(line * line + 4 * square * count) - line) / (2 * square)
    width = max(16, round(exact / 16) * 16)
    model: Shapes = {"wte.weight": (_VOCABULARY * width, width), "wpe.weight": (_CONTEXT, width)}
    for layer in range(_LAYERS):
        for name, shape in _BLOCK.items():
            model[f"h.{layer}.{name}"] = tuple(factor * width for factor in shape)
    return model | {"ln_f.weight": (width,), "ln_f.bias": (width,)}


_BLOCK: Shapes = {
    "ln_1.weight": (1,),
    "ln_1.bias": (1,),
    "attn.c_attn.weight": (1, 3),
    "attn.c_attn.bias": (3,),
    "attn.c_proj.weight": (1, 1),
    "attn.c_proj.bias": (1,),
    "ln_2.weight": (1,),
    "ln_2.bias": (1,),
    "mlp.c_fc.weight": (1, 4),
    "mlp.c_fc.bias": (4,),
    "mlp.c_proj.weight": (4, 1),
    "mlp.c_proj.bias": (1,),
}


def build(model: Shapes, *, torch: bool, sent: bool) -> dict[str, Any]:
    """The arrays (with `torch`: tensors), each of its pages written to: numbered from 1 as they are sent, else zero."""
    state = {name: new(shape, torch=torch) for name, shape in model.items()}
    for number, array in enumerate(state.values(), 1):
        array[...] = number if sent else 0
    return state


def new(shape: tuple[int, ...], *, torch: bool) -> Any:
    """An array or tensor in new memory, whose pages have not been written to."""
    if not torch:
        return np.empty(shape, "<f4")
    from torch import empty, float32

    return empty(shape, dtype=float32)


def arrived(container: Mapping[str, Any]) -> bool:
    """Whether these are arrays as they were sent, by the first and the last element of each."""
    flat = ((number, value.reshape(-1)) for number, value in enumerate(container.values(), 1))
    return all(float(array[0]) == float(array[-1]) == number for number, array in flat)
