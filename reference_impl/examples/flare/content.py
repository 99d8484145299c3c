"""Digests of what is sent and of what has arrived: equal when it is the same, bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BLOCK = 1 << 20


def of_file(path: str | Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def of_container(container: Mapping[str, Any]) -> str:
    """Names in their order, types, shapes and every byte; a tensor at a time, so that no second model exists."""
    digest = hashlib.sha256()
    for name, value in container.items():
        digest.update(repr((name, _kind(value))).encode())
        digest.update(_bytes(value))
    return digest.hexdigest()


def weight_of(container: Mapping[str, Any]) -> dict[str, int]:
    """Bytes of the tensors and arrays in it, for the report: they take as much of the memory of a receiver."""
    size = sum(getattr(value, "nbytes", 0) for value in container.values())
    return {"bytes": size, "bytes_in_memory": size}


def _kind(value: Any) -> object:
    return type(value).__name__, str(getattr(value, "dtype", "")), tuple(getattr(value, "shape", ()))


def _bytes(value: Any) -> Any:
    if hasattr(value, "data_ptr"):
        import torch

        return value.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return value.tobytes() if hasattr(value, "tobytes") else repr(value).encode()
