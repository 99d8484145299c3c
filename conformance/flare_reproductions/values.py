"""Values: what arrives as something else, or not at all. Usage: python values.py [NAME ...]"""

from __future__ import annotations

import datetime
import decimal
import enum
import struct
import subprocess
import sys
import uuid
from typing import Any

import numpy as np
from harness import federation, main, reproduction
from nvflare.fuel.utils import fobs


def arrivals(*values: object) -> list[Any] | None:
    """The values after one push, or None when it failed."""
    a, b = federation("a", "b")
    rc, _ = a.push([*values, "last"], "b")
    return b.received[0][1][:-1] if rc == "OK" else None


@reproduction
def refused_values() -> str | None:
    """Each of these is of a type that the value model has, and fails the transfer without a name or a path."""
    values = [
        2**64,
        1j,
        frozenset({1}),
        decimal.Decimal("1.1"),
        uuid.uuid4(),
        datetime.date(2020, 1, 1),
        datetime.time(1),
        datetime.timedelta(1),
        np.float16(1),
        np.uint8(1),
        np.bool_(True),
        np.complex64(1),
    ]
    refused = []
    for value in values:
        try:
            fobs.dumps(value)
        except RuntimeError:
            refused.append(type(value).__name__)
    return f"{len(refused)} of {len(values)}: {', '.join(refused)}" if refused else None


@reproduction
def bytearray_becomes_bytes() -> str | None:
    arrived = arrivals(bytearray(b"x"))
    return f"arrived: {arrived}" if arrived == [b"x"] and type(arrived[0]) is bytes else None


@reproduction
def datetime_loses_fold_and_zone_name() -> str | None:
    zone = datetime.timezone(datetime.timedelta(hours=1), "CET")
    sent = datetime.datetime(2020, 10, 25, 2, 30, tzinfo=zone, fold=1)
    arrived = arrivals(sent)
    if arrived and (arrived[0].fold, arrived[0].tzname()) != (sent.fold, sent.tzname()):
        return f"sent fold {sent.fold} in {sent.tzname()}; arrived fold {arrived[0].fold} in {arrived[0].tzname()}"
    return None


@reproduction
def float32_scalar_changes_nan_bits() -> str | None:
    sent = np.frombuffer(struct.pack("<I", 0xFF800123), dtype="<f4")[0]
    arrived = arrivals(sent)
    if arrived and arrived[0].tobytes() != sent.tobytes():
        return f"sent bits {sent.tobytes().hex()}, arrived {arrived[0].tobytes().hex()}"
    return None


@reproduction
def dict_that_looks_like_a_marker() -> str | None:
    sent = {"__fobs_type__": "tuple", "__fobs_data__": [1, 2]}
    arrived = arrivals(sent)
    return f"sent {sent}, arrived {arrived[0]!r}" if arrived and arrived != [sent] else None


@reproduction
def shared_array_arrives_aliased() -> str | None:
    array = np.arange(3)
    arrived = arrivals([array, array])
    return "two occurrences arrive as one object" if arrived and arrived[0][0] is arrived[0][1] else None


class Colour(enum.Enum):
    RED = 1


@reproduction
def enum_refused_where_it_is_not_registered() -> str | None:
    """Encoding registers the class by itself; a receiver that has not encoded one refuses it."""
    script = (
        "import sys\n"
        "from nvflare.fuel.utils import fobs\n"
        "from nvflare.private.fed.utils.fed_utils import nvflare_fobs_initialize\n"
        "nvflare_fobs_initialize()\n"
        "fobs.loads(sys.stdin.buffer.read())\n"
    )
    fresh = subprocess.run([sys.executable, "-c", script], input=fobs.dumps(Colour.RED), capture_output=True)
    reason = fresh.stderr.decode().strip().splitlines()
    return f"in a fresh process: {reason[-1][:80]}" if fresh.returncode else None


@reproduction
def tensor_arrives_empty() -> str | None:
    """Without TensorDecomposer FOBS takes a tensor for a data class; so does a receiver that has sent one itself."""
    import torch

    arrived = arrivals(torch.arange(3.0))
    return f"sent tensor([0., 1., 2.]), arrived {arrived[0]}" if arrived and not arrived[0].numel() else None


def with_tensor_decomposer() -> Any:
    import torch
    from nvflare.app_opt.pt.decomposers import TensorDecomposer

    fobs.register(TensorDecomposer)
    return torch


@reproduction
def parameter_arrives_empty() -> str | None:
    """As for tensors, but TensorDecomposer does not help: it is for the exact type torch.Tensor."""
    torch = with_tensor_decomposer()
    arrived = arrivals(torch.nn.Parameter(torch.arange(3.0)))
    return f"arrived: {arrived[0]!r}".replace("\n", " ") if arrived and not arrived[0].numel() else None


@reproduction
def tensor_loses_requires_grad() -> str | None:
    torch = with_tensor_decomposer()
    arrived = arrivals(torch.ones(2, requires_grad=True))
    return f"arrived: {arrived[0]!r}" if arrived and not arrived[0].requires_grad else None


@reproduction
def conjugate_view_arrives_wrong() -> str | None:
    torch = with_tensor_decomposer()
    sent = torch.tensor([1 + 2j]).conj()
    arrived = arrivals(sent, sent.imag)
    if arrived and not torch.equal(arrived[0], sent):
        return f"sent {sent.tolist()} and {sent.imag.tolist()}, arrived {[each.tolist() for each in arrived]}"
    return None


@reproduction
def tensor_refused() -> str | None:
    torch = with_tensor_decomposer()
    tensors = {
        "transposed": torch.arange(6.0).reshape(2, 3).t(),
        "expanded": torch.ones(1).expand(3),
        "complex128": torch.ones(1, dtype=torch.complex128),
    }
    a, _ = federation("a", "b")
    refused = [name for name, tensor in tensors.items() if a.push([tensor, "last"], "b")[0] != "OK"]
    return f"{', '.join(refused)}" if refused else None


if __name__ == "__main__":
    main()
