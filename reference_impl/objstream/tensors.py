"""Torch tensors: carried through numpy views of their memory. The one module that imports torch."""

from __future__ import annotations

import numpy as np
import torch

from . import cbor
from .errors import Code, TransferError
from .values import arrays
from .values.buffers import MemorySink, Sink, Source
from .values.pages import prefer_huge_pages
from .values.paths import class_name

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
    """The head and the data of a tensor.

    Raises:
        TransferError: UNSUPPORTED, for a tensor that is more, or less, than elements in the memory of this process.
    """
    reason = _refusal(tensor)
    if reason:
        raise TransferError(Code.UNSUPPORTED, f"{reason} is not in the value model")
    name = NAMES[tensor.dtype]
    kind = "parameter" if type(tensor) is torch.nn.Parameter else "tensor"
    flag = bytes((cbor.TRUE if tensor.requires_grad else cbor.FALSE,))
    return arrays.head(kind, name, tensor.shape, flag), _source(tensor.detach(), name)


def _refusal(tensor: torch.Tensor) -> str:
    """What the tensor is that cannot be carried, "" when it can."""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return f"a tensor of class {class_name(type(tensor))}"
    if tensor.layout is not torch.strided:
        return f"a tensor of layout {tensor.layout}"
    if tensor.device.type != "cpu":
        return f"a tensor on device {tensor.device.type}"
    if tensor.dtype not in NAMES:
        return f"a tensor of {tensor.dtype}"
    if tensor.grad_fn is not None:
        return "a tensor with a gradient function"
    if tensor.dim() > arrays.MAX_DIMENSIONS:
        return f"a tensor of {tensor.dim()} dimensions"
    if tensor.is_nested or tensor._is_zerotensor() or _lacks_memory(tensor):
        return "a tensor without memory for all its elements"
    if (tensor.is_conj() or tensor.is_neg()) and NAMES[tensor.dtype] not in _SIGNED:
        return f"a lazily negated tensor of {tensor.dtype}"
    return ""


_SIGNED = frozenset({"F64", "F32", "F16", "C64", "C128"})


def _lacks_memory(tensor: torch.Tensor) -> bool:
    if not tensor.numel():
        return False
    extent = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride(), strict=True))
    end = (tensor.storage_offset() + extent + 1) * tensor.element_size()
    return bool(end > tensor.untyped_storage().nbytes())


def _source(tensor: torch.Tensor, name: str) -> Source:
    conjugated, negated = tensor.is_conj(), tensor.is_neg()
    if conjugated or negated:  # the memory below, without these lazy operations
        memory = tensor.untyped_storage()
        layout = (tensor.storage_offset(), tensor.size(), tensor.stride())
        tensor = torch.empty(0, dtype=tensor.dtype, device="cpu").set_(memory, *layout)

    def fix(part: arrays.Array) -> None:
        if conjugated:
            np.negative(part.imag, out=part.imag)
        if negated:
            np.negative(part, out=part)

    if name not in arrays.DTYPES:
        name, alias = ("I16", torch.int16) if tensor.element_size() == 2 else ("U8", torch.uint8)
        tensor = tensor.view(alias)
    if tensor.is_contiguous():
        tensor = tensor.view(-1)
    try:
        array = tensor.numpy()
    except ValueError:  # older numpy: at most 32 dimensions
        message = f"a scattered tensor of {tensor.dim()} dimensions cannot be read by this numpy"
        raise TransferError(Code.UNSUPPORTED, message) from None
    return arrays.source(array, name, fix if conjugated or negated else None)


def tensor_sink(kind: str, name: str, shape: list[int], requires_grad: object, destination: object) -> Sink:
    """Where the elements of a tensor land: `destination` itself where one is given, else a new tensor.

    Args:
        kind: "tensor" or "parameter".

    Raises:
        TransferError: PROTOCOL for a wrong gradient flag, UNSUPPORTED for a dtype that this torch lacks, MISMATCH
            when the destination does not fit, TOO_LARGE when torch cannot make the tensor.
    """
    dtype = DTYPES.get(name)
    if dtype is None:
        raise TransferError(Code.UNSUPPORTED, f"this torch has no tensors of {name}")
    if type(requires_grad) is not bool or (
        requires_grad and not (dtype.is_floating_point or dtype.is_complex)
    ):
        raise TransferError(Code.PROTOCOL, f"the gradient flag of a {kind} of {name} is wrong")
    with torch.inference_mode(False):
        tensor = _new(shape, dtype) if destination is None else _fitting(destination, shape, dtype)
        elements = tensor.detach().as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy()

    def finish() -> torch.Tensor:
        arrays.check_elements(elements, name)
        if destination is not None:
            return tensor
        with torch.inference_mode(False):
            if kind == "parameter":
                return torch.nn.Parameter(tensor, requires_grad)
            return tensor.requires_grad_(requires_grad)

    return MemorySink(arrays.flat_bytes(elements), finish)


def _new(shape: list[int], dtype: torch.dtype) -> torch.Tensor:
    try:
        tensor = torch.empty(shape, dtype=dtype, device="cpu")
    except RuntimeError as error:
        message = f"torch cannot make a tensor of shape {tuple(shape)}"
        raise TransferError(Code.TOO_LARGE, message, local=str(error).partition("\n")[0]) from None
    prefer_huge_pages(tensor.data_ptr(), tensor.nbytes)
    return tensor


def _fitting(destination: object, shape: list[int], dtype: torch.dtype) -> torch.Tensor:
    if not isinstance(destination, torch.Tensor):
        raise arrays.mismatch(f"a tensor of {dtype}", shape, f"a {class_name(type(destination))}")
    if destination.dtype != dtype or list(destination.shape) != shape:
        raise arrays.mismatch(str(dtype), shape, f"{destination.dtype} {tuple(destination.shape)}")
    reason = _refusal(destination)
    if not reason and (not destination.is_contiguous() or destination.is_conj() or destination.is_neg()):
        reason = "a tensor that is not contiguous"
    if reason:
        raise arrays.mismatch(str(dtype), shape, reason)
    return destination
