"""The model that travels: random weights in the layout of GPT-2, or real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from objstream.bench.layouts import shapes

SEED = 7


def build(model: str = "", size: int = 0, entries: int = 0) -> dict[str, Any]:
    """A state dict.

    Args:
        model: a file (.safetensors, .npz, .pt), or what transformers knows: a name, or a directory. When a directory
            has a configuration only, the weights are random. Without it, the layout is that of GPT-2.
        size: bytes of the weights, about, when there is no `model`.
        entries: that many integers and no weights at all, when it is not 0.
    """
    if entries:
        return {f"entry-{number}": number for number in range(entries)}
    if not model:
        return _random(size)
    path = Path(model)
    if path.is_file():
        from objstream.models import load_model

        return dict(load_model(path, torch=True).container)
    return _transformers(model)


def _random(size: int) -> dict[str, Any]:
    import torch

    generator = torch.Generator().manual_seed(SEED)
    return {
        name: torch.empty(shape, dtype=torch.float32).uniform_(-1, 1, generator=generator)
        for name, shape in shapes("gpt", size).items()
    }


def _transformers(model: str) -> dict[str, Any]:
    try:
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError as problem:
        raise RuntimeError(f"--model {model} needs transformers: pip install transformers") from problem
    weights = ("*.safetensors", "*.bin", "*.index.json")
    directory = Path(model)
    if directory.is_dir() and not any(found for pattern in weights for found in directory.glob(pattern)):
        loaded = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model))
    else:
        loaded = AutoModelForCausalLM.from_pretrained(model)
    return dict(loaded.state_dict())
