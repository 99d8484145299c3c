"""Mutants that are wrong about arrays, numpy scalars and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from objstream import ContainerAssembler
from objstream.values import arrays
from objstream.values.encode import _Encoder

from .kit import assign, instead, mutant


@mutant("OSP-VAL-023", r"\['f[248]'\]: element \d+ differs")
def nans_in_arrays_are_one() -> None:
    """Every NaN in a small array arrives as the same NaN."""

    @instead(arrays, "array_sink")
    def sink(original: Any, name: str, shape: Any, destination: object) -> Any:
        found = original(name, shape, destination)
        finish = found._finish

        def finished() -> Any:
            array = finish()
            if array.dtype.kind == "f" and array.size < 1 << 17:
                array[np.isnan(array)] = np.nan
            return array

        found._finish = finished
        return found


@mutant("OSP-VAL-024", r"(transposed|fortran).*element \d+ differs")
def columns_are_sent_first() -> None:
    """An array in Fortran order is sent as its memory lies."""

    @instead(arrays, "source")
    def source(original: Any, array: Any, name: str, fix: Any = None) -> Any:
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        return original(array.T if fortran else array, name, fix)


@mutant("OSP-VAL-025", r"shape \(\) was sent, \(1,\) arrived")
def points_become_rows() -> None:
    """An array of no dimension arrives with one."""

    @instead(arrays, "encode_array")
    def encode(original: Any, array: Any) -> Any:
        return original(np.atleast_1d(array))


@mutant("OSP-VAL-026", "a numpy.*was sent, a (float|int|bool|complex) arrived")
def scalars_become_plain() -> None:
    """A numpy scalar arrives as the plain Python value."""

    @instead(arrays, "decode_scalar")
    def decode(original: Any, name: Any, data: object) -> Any:
        return original(name, data).item()


@mutant("OSP-VAL-027", "dtype datetime64.*to be refused.*it ended well")
def times_are_integers() -> None:
    """Arrays of times are sent as arrays of integers."""

    @instead(arrays, "encode_array")
    def encode(original: Any, array: Any) -> Any:
        return original(array.view(np.int64) if array.dtype.kind in "mM" else array)


@mutant("OSP-VAL-028", "to be refused.*it ended well")
def array_subclasses_are_coerced() -> None:
    """An instance of a subclass of ndarray is sent as an array."""

    @instead(_Encoder, "_foreign")
    def foreign(original: Any, self: Any, cls: type, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return self._other(np.ndarray, np.asarray(value))
        return original(self, cls, value)


@mutant("OSP-VAL-029", "bytes of .* differ", tensors=True)
def nans_in_tensors_are_one() -> None:
    """Every NaN in a tensor of float32 arrives as the same NaN."""
    from objstream import tensors

    @instead(tensors, "tensor_sink")
    def sink(original: Any, kind: str, name: str, *rest: Any) -> Any:
        found = original(kind, name, *rest)
        finish = found._finish

        def finished() -> Any:
            tensor = finish()
            if name == "F32":
                tensor.data[tensor.isnan()] = float("nan")
            return tensor

        found._finish = finished
        return found


@mutant("OSP-VAL-030", "dtype torch.float8_e5m2 was sent, torch.float8_e4m3fn arrived", tensors=True)
def short_floats_are_mixed_up() -> None:
    """Tensors of one kind of 8-bit floats arrive as the other."""
    from objstream import tensors

    assign(tensors.DTYPES, "F8_E5M2", tensors.DTYPES["F8_E4M3"])


@mutant("OSP-VAL-031", "conjugate.*bytes of .* differ", tensors=True)
def lazy_signs_are_ignored() -> None:
    """Conjugate and negative views are sent as their memory lies."""

    @instead(arrays, "source")
    def source(original: Any, array: Any, name: str, fix: Any = None) -> Any:
        return original(array, name)


@mutant("OSP-VAL-032", r"shape torch.Size\(\[\]\) was sent, torch.Size\(\[1\]\) arrived", tensors=True)
def point_tensors_become_rows() -> None:
    """A tensor of no dimension arrives with one."""
    from objstream import tensors

    @instead(tensors, "encode_tensor")
    def encode(original: Any, tensor: Any) -> Any:
        return original(tensor if tensor.dim() else tensor.detach().reshape(1))


@mutant("OSP-VAL-033", "requires_grad True was sent, False arrived", tensors=True)
def gradients_are_forgotten() -> None:
    """A plain tensor arrives without requires_grad."""
    from objstream import tensors

    @instead(tensors, "tensor_sink")
    def sink(original: Any, kind: str, name: str, shape: Any, flag: object, place: object) -> Any:
        return original(kind, name, shape, flag and kind == "parameter", place)


@mutant("OSP-VAL-034", "Parameter was sent, a torch.Tensor arrived", tensors=True)
def parameters_become_tensors() -> None:
    """A Parameter arrives as a tensor."""
    from objstream import tensors

    @instead(tensors, "tensor_sink")
    def sink(original: Any, kind: str, *rest: Any) -> Any:
        return original("tensor", *rest)


@mutant("OSP-VAL-035", "gradient graph to be refused.*it ended well", tensors=True)
def graphs_are_cut() -> None:
    """A tensor that is part of a graph is sent without it."""
    from objstream import tensors

    @instead(tensors, "encode_tensor")
    def encode(original: Any, tensor: Any) -> Any:
        return original(tensor if tensor.grad_fn is None else tensor.detach())


@mutant("OSP-VAL-040", "memory of its own for each tensor", tensors=True)
def equal_tensors_are_one() -> None:
    """Equal tensors among the values of a dict arrive as one."""
    import torch

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> Any:
        value = original(self)
        seen: list[Any] = []
        for key, item in value.items() if type(value) is dict else ():
            if type(item) is torch.Tensor:
                same = (one for one in seen if _alike(one, item) and torch.equal(one, item))
                value[key] = next(same, item)
                seen.append(item)
        return value


def _alike(one: Any, other: Any) -> bool:
    return (one.dtype, one.requires_grad) == (other.dtype, other.requires_grad)
