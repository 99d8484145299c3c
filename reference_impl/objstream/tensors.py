"""Torch tensors: carried through numpy views of their memory. The one module that imports torch."""

from __future__ import annotations

import torch

from .errors import Code, TransferError
from .values.buffers import Sink, Source

_TORCH_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
    "C128": "complex128",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, attribute) for name, attribute in _TORCH_NAMES.items() if hasattr(torch, attribute)
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def is_tensor(value: object) -> bool:
    """Whether it is a tensor of any class; `encode_tensor` refuses those that are not carried."""
    return isinstance(value, torch.Tensor)


def encode_tensor(tensor: torch.Tensor) -> tuple[bytes, Source]:
    raise TransferError(Code.UNSUPPORTED, "tensors are not carried yet")


def tensor_sink(kind: str, name: str, shape: list[int], requires_grad: object, destination: object) -> Sink:
    raise TransferError(Code.UNSUPPORTED, "tensors are not carried yet")
