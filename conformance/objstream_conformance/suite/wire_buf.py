"""Buffers: references, and the bytes that follow them (chapter 8)."""

from __future__ import annotations

import struct

import numpy as np

from ..case import Case
from ..cases import requirement
from ..cbor import Ref, Tag
from ..frames import items
from ..peer import WIRE, gives, play, roles


@requirement("OSP-BUF-001", needs=WIRE)
def reference_ends_frame(t: Case) -> None:
    """Two buffers in one list arrive; a byte after a reference in its frame: PROTOCOL."""
    play(t, "OSP-BUF-001")


@requirement("OSP-BUF-002", needs=WIRE)
def data_needs_reference(t: Case) -> None:
    """DATA where none is expected, before any reference and after a buffer is complete: PROTOCOL."""
    play(t, "OSP-BUF-002")


@requirement("OSP-BUF-003", needs=WIRE)
def buffer_first(t: Case) -> None:
    """ENTRIES before a buffer and in the middle of it: PROTOCOL."""
    play(t, "OSP-BUF-003")


@requirement("OSP-BUF-004", needs=WIRE)
def no_overrun(t: Case) -> None:
    """DATA a byte longer than its buffer, or than what is missing of it: PROTOCOL, before its data is read."""
    play(t, "OSP-BUF-004")


@requirement("OSP-BUF-005", needs=WIRE)
def shape_and_length(t: Case) -> None:
    """Arrays whose shape and length differ either way, in buffers and inline: PROTOCOL, at the reference."""
    play(t, "OSP-BUF-005")


@requirement("OSP-BUF-006", needs=WIRE)
def no_overflow(t: Case) -> None:
    """Shapes whose product is 0 or small in 64 bits and is not: PROTOCOL."""
    play(t, "OSP-BUF-006")


@requirement("OSP-BUF-007", needs=WIRE)
def end_inside(t: Case) -> None:
    """END in place of a buffer, in the middle of one and inside of items: PROTOCOL, whatever END says."""
    play(t, "OSP-BUF-007")


@requirement("OSP-BUF-008", needs=WIRE)
def reference_to_nothing(t: Case) -> None:
    """A reference of length 0: PROTOCOL."""
    play(t, "OSP-BUF-008")


@requirement("OSP-BUF-009", needs=[*WIRE, "numpy", "sites"])
def byte_order(t: Case) -> None:
    """Big-endian, Fortran-ordered and strided arrays, small and large, are sent little-endian in C order."""
    numbers = [-1.5, 2.0, 1e-40, 7.25, 0.0, 3.0]
    grid = np.array(numbers, "<f4").reshape(2, 3)
    large = np.arange(30_000, dtype="<i4").reshape(100, 300)
    sent = {
        "big-endian": (grid.astype(">f4"), struct.pack("<6f", *numbers)),
        "Fortran order": (np.asfortranarray(grid), struct.pack("<6f", *numbers)),
        "reversed": (grid[::-1, ::-1], struct.pack("<6f", *reversed(numbers))),
        "every other column": (grid[:, ::2], struct.pack("<4f", -1.5, 1e-40, 7.25, 3.0)),
        "large and big-endian": (large.astype(">i4"), struct.pack("<30000i", *range(30_000))),
        "large and transposed": (large.T, large.T.copy().tobytes()),
    }
    for role in roles(t, "owner", "sender"):
        peer = gives(t, role, [array for array, _ in sent.values()])
        peer.delivered()
        for item, (what, (array, expected)) in zip(items(peer.content), sent.items(), strict=True):
            t.exercised(isinstance(item, Tag), "an extension value")
            _, dtype, shape, data = item.item
            data = data.buffer if isinstance(data, Ref) else data
            t.expect(shape == list(array.shape), f"{what}: the shape {array.shape}", f"{dtype} {shape}")
            t.expect(data == expected, f"{what}: little-endian in C order", f"{data[:24].hex()}")


@requirement("OSP-BUF-010", needs=["wire", "file"])
def no_skeleton_in_files(t: Case) -> None:
    """ENTRIES in a session of kind file: PROTOCOL; files of DATA alone, and empty ones, arrive."""
    play(t, "OSP-BUF-010")


@requirement("OSP-BUF-011", needs=WIRE)
def buffer_fits(t: Case) -> None:
    """A buffer that fills max_bytes arrives; references a byte and a terabyte beyond it: TOO_LARGE at once."""
    play(t, "OSP-BUF-011")


@requirement("OSP-BUF-012", needs=[*WIRE, "numpy"])
def booleans(t: Case) -> None:
    """Bytes 2, 3 and 255 as elements of BOOL, in an array, a buffer, a scalar, a tensor: PROTOCOL."""
    play(t, "OSP-BUF-012")
