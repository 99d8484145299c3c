"""What is transferred when memory is measured: containers and files of a given size, every page of them touched.

The same size gives the same content in every process, so that a receiver can check what it received.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

KIB = 1 << 10
MIB = 1 << 20

EQUAL_ENTRY = 4 * MIB
SMALL_ENTRY = 640
"""Bytes of memory that a small entry takes, roughly."""
LAYERS = 12
BLOCK = 8 * KIB

Entries = Iterator[tuple[Any, Any]]


def huge(size: int) -> Entries:
    """One entry with everything in it."""
    yield "embedding", _array(size, 0)


def equal(size: int) -> Entries:
    """Entries of 4 MiB."""
    for index in range(max(1, size // EQUAL_ENTRY)):
        yield f"layer.{index}", _array(min(size, EQUAL_ENTRY), index)


def small(size: int) -> Entries:
    """Metrics and the like: numbers and short texts."""
    for index in range(size // SMALL_ENTRY):
        yield f"metric.{index:012d}", [index * 1000, index / 7, f"{index:0350d}"]


def nested(size: int) -> Entries:
    """Containers in containers, some of whose entries hold many small arrays and some a large one."""
    share = max(64 * KIB, size // 8)
    for index in range(8):
        deep: Any = {"large": _array(share // 2, index)}
        for level in range(20):
            deep = {"level": level, "inside": [deep, (level, None, "text")]}
        yield index, (deep, [{"small": _array(32 * KIB, part)} for part in range(share // 2 // (32 * KIB))])


def long_bytes(size: int) -> Entries:
    yield "blob", bytes(range(256)) * (size // 256)


def long_text(size: int) -> Entries:
    """A text of two bytes per character, both in UTF-8 and in memory."""
    yield "text", "λόγος·" * (size // 12)


def gpt(size: int) -> Entries:
    """The float32 state dict of a GPT of 12 layers, 0.3 of it in the embedding, in torch tensors."""
    return _gpt(size, "float32")


def gpt_bf16(size: int) -> Entries:
    """The same in bfloat16."""
    return _gpt(size, "bfloat16")


def gpt_neo(size: int) -> Entries:
    """The float32 state dict of GPT-Neo-1.3B, in numpy; when that is too much, its arrays of at most `size` bytes."""
    for index, (name, shape) in enumerate(_gpt_neo_shapes()):
        if math.prod(shape) * 4 <= size:
            yield name, _array(math.prod(shape) * 4, index).reshape(shape)


CONTENTS: dict[str, Callable[[int], Entries]] = {
    one.__name__.replace("_", "-"): one
    for one in (huge, equal, small, nested, long_bytes, long_text, gpt, gpt_bf16, gpt_neo)
}


def largest(content: str, size: int) -> int:
    """Bytes of the largest entry, roughly, of the container of that content and size."""
    match content:
        case "equal":
            return min(size, EQUAL_ENTRY)
        case "small":
            return SMALL_ENTRY
        case "nested":
            return max(64 * KIB, size // 8)
        case "gpt" | "gpt-bf16":
            return size * 3 // 10
        case "gpt-neo":
            return max(math.prod(shape) for _, shape in _gpt_neo_shapes()) * 4
    return size


def container(content: str, size: int) -> dict[Any, Any]:
    """The container of that content with about `size` bytes."""
    return dict(CONTENTS[content](size))


def write_file(path: Path, size: int) -> None:
    """A file of exactly `size` bytes."""
    with path.open("wb") as file:
        for index, start in enumerate(range(0, size, MIB)):
            file.write(_array(MIB, index).tobytes()[: size - start])


def file_difference(path: Path, size: int) -> str:
    """Where the file differs from the one that `write_file` makes; empty when it does not."""
    with path.open("rb") as file:
        for index, start in enumerate(range(0, size, MIB)):
            if file.read(MIB) != _array(MIB, index).tobytes()[: size - start]:
                return f"the file differs within the MiB at {start}"
        return "the file is too long" if file.read(1) else ""


def _array(size: int, index: int) -> np.ndarray[Any, Any]:
    """float32 of `size` bytes, with all bit patterns that come along, NaNs among them."""
    array = np.empty(size // 4, np.float32)
    _fill(array.view(np.uint32), index)
    return array


def _fill(elements: np.ndarray[Any, Any], start: int) -> None:
    """Count upwards from `start`, without temporaries whose memory the process would keep."""
    for at in range(0, elements.size, BLOCK):
        part = elements[at : at + BLOCK]
        part[:] = np.arange(start + at, start + at + part.size, dtype=np.int64)


def _gpt(size: int, kind: str) -> Entries:
    import torch

    dtype = getattr(torch, kind)
    elements = size // dtype.itemsize
    hidden = max(8, int((elements * 0.7 / 12 / LAYERS) ** 0.5) // 8 * 8)
    vocabulary = elements * 3 // 10 // hidden
    for index, (name, shape) in enumerate(_gpt_shapes(vocabulary, hidden)):
        tensor = torch.empty(shape, dtype=dtype)
        bits = np.uint32 if dtype.itemsize == 4 else np.uint16
        _fill(tensor.view(-1).view(torch.uint8).numpy().view(bits), index)
        yield name, tensor


def _gpt_shapes(vocabulary: int, hidden: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "wte.weight", (vocabulary, hidden)
    yield "wpe.weight", (hidden, hidden)
    for layer in range(LAYERS):
        for name, shape in (
            ("ln_1.weight", (hidden,)),
            ("ln_1.bias", (hidden,)),
            ("attn.c_attn.weight", (hidden, 3 * hidden)),
            ("attn.c_attn.bias", (3 * hidden,)),
            ("attn.c_proj.weight", (hidden, hidden)),
            ("attn.c_proj.bias", (hidden,)),
            ("ln_2.weight", (hidden,)),
            ("ln_2.bias", (hidden,)),
            ("mlp.c_fc.weight", (hidden, 4 * hidden)),
            ("mlp.c_fc.bias", (4 * hidden,)),
            ("mlp.c_proj.weight", (4 * hidden, hidden)),
            ("mlp.c_proj.bias", (hidden,)),
        ):
            yield f"h.{layer}.{name}", shape
    yield "ln_f.weight", (hidden,)
    yield "ln_f.bias", (hidden,)


def _gpt_neo_shapes(
    vocabulary: int = 50257, hidden: int = 2048, layers: int = 24, positions: int = 2048
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of all parameters of GPT-Neo; the head is tied to the embedding of words, and none of them."""
    yield "transformer.wte.weight", (vocabulary, hidden)
    yield "transformer.wpe.weight", (positions, hidden)
    for layer in range(layers):
        for name, shape in (
            ("ln_1.weight", (hidden,)),
            ("ln_1.bias", (hidden,)),
            ("attn.attention.k_proj.weight", (hidden, hidden)),
            ("attn.attention.v_proj.weight", (hidden, hidden)),
            ("attn.attention.q_proj.weight", (hidden, hidden)),
            ("attn.attention.out_proj.weight", (hidden, hidden)),
            ("attn.attention.out_proj.bias", (hidden,)),
            ("ln_2.weight", (hidden,)),
            ("ln_2.bias", (hidden,)),
            ("mlp.c_fc.weight", (4 * hidden, hidden)),
            ("mlp.c_fc.bias", (4 * hidden,)),
            ("mlp.c_proj.weight", (hidden, 4 * hidden)),
            ("mlp.c_proj.bias", (hidden,)),
        ):
            yield f"transformer.h.{layer}.{name}", shape
    yield "transformer.ln_f.weight", (hidden,)
    yield "transformer.ln_f.bias", (hidden,)


GPT_NEO = sum(math.prod(shape) for _, shape in _gpt_neo_shapes()) * 4
"""Bytes of GPT-Neo-1.3B."""
