"""Arrays, numpy scalars and tensors (chapter 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..case import Case
from ..cases import requirement

DTYPES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "c8", "c16")
"""The dtypes of the value table that numpy has."""


def patterns(t: Case, dtype: str, count: int) -> Any:
    """An array of random bits, so that floats include NaNs with payloads, infinities and subnormals."""
    if dtype == "?":
        return np.frombuffer(t.random.randbytes(count), np.uint8) % 2 == 1
    raw = bytearray(t.random.randbytes(count * np.dtype(dtype).itemsize))
    return np.frombuffer(raw, dtype)


@requirement("OSP-VAL-023", needs=["container", "numpy"])
def arrays(t: Case) -> None:
    """Arrays of every dtype with random bits, small and of several hundred KiB, arrive bit for bit."""
    for count in (6, 70_000):
        t.carries({dtype: patterns(t, dtype, count).reshape(2, -1) for dtype in DTYPES}, timeout=3.0)


@requirement("OSP-VAL-024", needs=["container", "numpy", "sites"])
def layouts(t: Case) -> None:
    """Strided, transposed, reversed, broadcast, big-endian and read-only arrays arrive with their values."""
    base = np.arange(240_000, dtype=np.float32).reshape(400, 600)
    frozen = base[:10].copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"x" + base[:4].tobytes(), np.uint8)[1:].view(np.float32)
    container = {
        "strided": base[::3, 1::2],
        "transposed": base.T,
        "fortran": np.asfortranarray(base),
        "reversed": base[::-1, ::-1],
        "broadcast": np.broadcast_to(base[:1], (50, 600)),
        "big-endian": base.astype(">f4"),
        "read-only": frozen,
        "unaligned": unaligned,
        "big-endian strided": base.astype(">f4")[::2].T,
    }
    t.carries(container, timeout=3.0, check="convert to C order and little-endian, at most a chunk at a time")


@requirement("OSP-VAL-025", needs=["container", "numpy"])
def odd_shapes(t: Case) -> None:
    """Arrays of zero dimensions and with dimensions of length zero keep shape and dtype."""
    shapes = ((), (0,), (0, 3), (3, 0, 2), (1,), (1, 1, 1), (2,) * 16)
    t.carries([np.ones(shape, dtype) for shape in shapes for dtype in ("f4", "i8", "?")])


@requirement("OSP-VAL-026", needs=["container", "numpy"])
def scalars(t: Case) -> None:
    """Numpy scalars of every dtype with random bits stay numpy scalars, as elements of a set too."""
    values = [patterns(t, dtype, 3)[1] for dtype in DTYPES]
    t.carries([*values, np.float32(0.1), np.bool_(True), {np.int16(3), np.float64(2.5)}])


@requirement("OSP-VAL-027", needs=["container", "numpy", "sites"])
def other_dtypes(t: Case) -> None:
    """Arrays and scalars of object, text, bytes, structured, time and long-double dtypes are refused."""
    odd: list[Any] = [
        np.array([1, "a"], object),
        np.array(["a", "bc"]),
        np.array([b"a", b"bc"]),
        np.zeros(2, [("x", "f4"), ("y", "i4")]),
        np.array(["2026-01-01"], "datetime64[D]"),
        np.array([1], "timedelta64[s]"),
        np.datetime64("2026-01-01"),
        np.str_("text"),
        np.bytes_(b"bytes"),
        np.zeros(2, np.dtype("f4", metadata={"unit": "m"})),
    ]
    if np.dtype(np.longdouble).itemsize > 8:
        odd += [np.ones(2, np.longdouble), np.longdouble(1), np.ones(2, np.clongdouble)]
    for value in odd:
        what = f"{type(value).__name__} of dtype {value.dtype}"
        t.refuses({"fine": 1, "odd": value}, f"a {what} to be refused")


class Tagged(np.ndarray):
    """An array with state beside its elements."""


@requirement("OSP-VAL-028", needs=["container", "numpy", "sites"])
def array_subclasses(t: Case) -> None:
    """Masked arrays, records, memory maps and subclasses of the user's are refused."""
    mapped = np.memmap(t.file(b"12345678"), np.uint8, "r")
    records = np.zeros(2, "f4").view(np.recarray)
    for value in (np.ma.masked_array([1, 2], [False, True]), np.zeros(2).view(Tagged), mapped, records):
        t.refuses({"fine": 1, "odd": value}, f"a {type(value).__name__} to be refused")


# -- tensors; torch is imported only when an implementation declares the capability


def _bits(t: Case, dtype: Any, *shape: int) -> Any:
    """A tensor of random bits."""
    import torch

    size = int(np.prod(shape)) * dtype.itemsize
    raw = torch.frombuffer(bytearray(t.random.randbytes(size)), dtype=torch.uint8)
    return (raw % 2 == 1 if dtype is torch.bool else raw.view(dtype)).reshape(shape)


@requirement("OSP-VAL-029", needs=["container", "tensors"])
def tensors(t: Case) -> None:
    """Tensors of every dtype that numpy also has, with random bits, arrive bit for bit."""
    import torch

    names = [
        "float64",
        "float32",
        "float16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint8",
        "bool",
        "complex64",
        "complex128",
    ]
    for columns in (3, 30_000):
        container = {name: _bits(t, getattr(torch, name), 2, columns) for name in names}
        t.carries(container, timeout=3.0)


@requirement("OSP-VAL-030", needs=["container", "tensors"])
def short_floats(t: Case) -> None:
    """Tensors of bfloat16 and of the 8-bit floats, every bit pattern, arrive bit for bit."""
    import torch

    every = torch.arange(65_536, dtype=torch.int32).to(torch.uint16)
    container = {"bfloat16": every.view(torch.bfloat16), "large": _bits(t, torch.bfloat16, 1000, 300)}
    for name in ("float8_e4m3fn", "float8_e5m2"):
        container[name] = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(getattr(torch, name))
    t.carries(container, timeout=3.0)


@requirement("OSP-VAL-031", needs=["container", "tensors", "sites"])
def tensor_layouts(t: Case) -> None:
    """Strided, transposed, expanded, offset, conjugate and negative views arrive with their values."""
    import torch

    base = torch.arange(60_000, dtype=torch.float32).reshape(200, 300)
    numbers = torch.complex(base, -base)
    t.carries(
        {
            "strided": base[::3, 1::2],
            "transposed": base.T,
            "expanded": base[:1].expand(50, 300),
            "offset": base[7:9],
            "conjugate": numbers.conj(),
            "negative": numbers.conj().imag,
            "channels last": base.reshape(2, 5, 60, 100).contiguous(memory_format=torch.channels_last),
        },
        timeout=3.0,
    )


@requirement("OSP-VAL-032", needs=["container", "tensors"])
def tensor_shapes(t: Case) -> None:
    """Tensors of zero dimensions and with dimensions of length zero keep shape and dtype."""
    import torch

    shapes: tuple[tuple[int, ...], ...] = ((), (0,), (0, 3), (3, 0, 2), (1,), (1, 1))
    dtypes = (torch.float32, torch.int64, torch.bool, torch.bfloat16)
    t.carries([torch.ones(shape, dtype=dtype) for shape in shapes for dtype in dtypes])


@requirement("OSP-VAL-033", needs=["container", "tensors"])
def requires_grad(t: Case) -> None:
    """Leaf tensors with and without requires_grad keep the flag."""
    import torch

    t.carries({flag: torch.ones(3, requires_grad=flag) for flag in (True, False)})


@requirement("OSP-VAL-034", needs=["container", "tensors"])
def parameters(t: Case) -> None:
    """Parameters, frozen or not, arrive as Parameters."""
    import torch

    t.carries([torch.nn.Parameter(torch.ones(2, 3), requires_grad=flag) for flag in (True, False)])


def _uncarriable() -> Iterator[tuple[str, Any]]:
    import torch

    yield "sparse tensor", torch.eye(3).to_sparse()
    yield "meta tensor", torch.ones(2, device="meta")
    yield "tensor of a gradient graph", torch.ones(2, requires_grad=True) * 2
    yield "subclass of Tensor", torch.ones(2).as_subclass(type("Tagged", (torch.Tensor,), {}))


@requirement("OSP-VAL-035", needs=["container", "tensors", "sites"])
def uncarriable_tensors(t: Case) -> None:
    """Sparse, meta, non-leaf and subclass tensors are refused."""
    for what, value in _uncarriable():
        t.refuses({"fine": 1, "odd": value}, f"a {what} to be refused")


@requirement("OSP-VAL-040", needs=["container", "tensors", "sites"])
def tied_tensors(t: Case) -> None:
    """Tied tensors and views of one storage arrive with their own values in memory of their own."""
    import torch

    shared = torch.arange(4000, dtype=torch.float32)
    container = {"embedding": shared, "head": shared, "view": shared[10:20], "rest": shared.reshape(40, 100)}
    start = len(t.network.log)
    got = t.carries(container)
    carried = t.network.since(start).bytes()
    t.expect(carried < 80_000, "a view to be sent as its own elements only", f"{carried} bytes were carried")
    places = {tensor.untyped_storage().data_ptr() for tensor in got.values()}
    t.expect(len(places) == 4, "memory of its own for each tensor", f"{len(places)} places for 4 tensors")
