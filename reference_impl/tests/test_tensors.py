from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

from objstream import Code, Limits, cbor
from objstream.values import Decoder, Piece, encode, measure

from .codec import decode_all, encode_all, fill, labelled, refused, roundtrip

torch = pytest.importorskip("torch")
tensors = pytest.importorskip("objstream.tensors")


def bits(tensor: Any) -> bytes:
    """All bits of the elements, in C order."""
    plain = torch.empty(tensor.shape, dtype=tensor.dtype)
    plain.copy_(tensor.detach().resolve_conj().resolve_neg())
    return bytes(plain.reshape(-1).view(torch.uint8).numpy())


def sample(dtype: Any, shape: tuple[int, ...] = (3, 5, 4)) -> Any:
    """Elements of random bits, NaNs with payloads among them."""
    value = torch.empty(shape, dtype=dtype)
    elements = value.view(-1).view(torch.uint8).numpy()
    high = 2 if dtype is torch.bool else 256
    elements[:] = np.random.default_rng(3).integers(0, high, elements.size, dtype=np.uint8)
    return value


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and bits(a) == bits(b)


@pytest.mark.parametrize("name", tensors.DTYPES)
def test_tensors_of_every_dtype_keep_each_bit(name: str) -> None:
    dtype = tensors.DTYPES[name]
    for shape in [(3, 5, 4), (), (0,), (0, 3), (1, 1), (50, 700)]:
        value = sample(dtype, shape)
        result = roundtrip(value)
        assert same(result, value)
        assert result.is_contiguous()
        assert not result.requires_grad
        assert same(roundtrip([value], step=1000, chunk=999)[0], value)


def test_every_dtype_of_the_table_is_known_to_this_torch() -> None:
    assert set(tensors.DTYPES) == set(tensors._TORCH_NAMES)


LAYOUTS = {
    "transposed": lambda t: t.permute(2, 0, 1),
    "strided": lambda t: t[::2, :, ::3],
    "slice": lambda t: t[:, 1:3],
    "offset": lambda t: t[1],
    "expanded": lambda t: t[0, 0].expand(9, t.shape[2]),
    "unfolded": lambda t: t.unfold(1, 3, 1),
    "channels last": lambda t: t[None].contiguous(memory_format=torch.channels_last),
    "diagonal": lambda t: t[0].diagonal(),
    "empty strided": lambda t: t[:, :0, ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["F32", "BF16", "F8_E4M3", "I64", "BOOL", "C128", "U16"])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_tensors_of_any_layout_arrive_in_c_order(layout: str, name: str, chunk: int) -> None:
    shape = (3, 5, 4) if chunk < 1 << 20 else (20, 90, 30)
    value = LAYOUTS[layout](sample(tensors.DTYPES[name], shape))
    assert same(roundtrip(value, chunk=chunk), value)


LAZY = {
    "conjugate": lambda t: t.conj(),
    "negative": lambda t: t.conj().imag,
    "conjugate of a transposed": lambda t: t.permute(2, 0, 1).conj(),
    "transposed conjugate": lambda t: t.conj().permute(2, 0, 1),
    "negated conjugate": lambda t: torch._neg_view(t.conj()),
    "adjoint": lambda t: t[0].mH,
}


@pytest.mark.parametrize("lazy", LAZY)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_lazy_views_arrive_as_the_numbers_they_show(lazy: str, dtype: Any, chunk: int) -> None:
    shape = (3, 5, 4) if chunk < 1 << 20 else (10, 90, 30)
    source = torch.randn(shape, dtype=dtype)  # no NaN: torch does not keep the payload of one that it negates
    if lazy != "negated conjugate":  # torch itself loses the sign of a complex zero that it negates
        source[0, 0] = complex(0.0, -0.0)
    source[-1, -1] = complex(float("-inf"), 1.0)
    before = bits(source)
    value = LAZY[lazy](source)
    assert value.is_conj() or value.is_neg()
    result = roundtrip(value, chunk=chunk)
    assert not result.is_conj()
    assert not result.is_neg()
    assert same(result, value.resolve_conj().resolve_neg())
    assert bits(source) == before


@pytest.mark.parametrize("flag", [True, False])
def test_the_gradient_flag_and_the_class_are_kept(flag: bool) -> None:
    for name in ("F32", "BF16", "C64", "F8_E5M2"):
        data = sample(tensors.DTYPES[name], (2, 3))
        tensor = data.clone().requires_grad_(flag)
        parameter = torch.nn.Parameter(data.clone(), requires_grad=flag)
        for value in (tensor, parameter):
            result = roundtrip(value)
            assert same(result, value)
            assert result.requires_grad is flag
            assert result.is_leaf
    integers = roundtrip(torch.nn.Parameter(torch.arange(3), requires_grad=False))
    assert type(integers) is torch.nn.Parameter


def test_tied_tensors_arrive_equal_and_independent() -> None:
    weight = torch.nn.Parameter(torch.randn(200, 100))
    first, second, view = roundtrip([weight, weight, weight.detach()[:2]])
    assert same(first, weight)
    assert same(second, weight)
    assert first.data_ptr() != second.data_ptr()
    assert view.untyped_storage().nbytes() == view.numel() * 4


class Sub(torch.Tensor):
    pass


def freed() -> Any:
    tensor = torch.zeros(100)
    tensor.untyped_storage().resize_(0)
    return tensor


REFUSED: dict[str, Any] = {
    "sparse": lambda: torch.zeros(3, 3).to_sparse(),
    "sparse csr": lambda: torch.zeros(3, 3).to_sparse_csr(),
    "quantized": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    "meta": lambda: torch.zeros(3, device="meta"),
    "subclass": lambda: torch.zeros(3).as_subclass(Sub),
    "buffer that is not initialized": lambda: torch.nn.UninitializedBuffer(),
    "parameter that is not initialized": lambda: torch.nn.UninitializedParameter(),
    "result of a gradient graph": lambda: torch.zeros(3, requires_grad=True) * 2,
    "view in a gradient graph": lambda: torch.zeros(3, requires_grad=True)[:2],
    "complex of halves": lambda: torch.zeros(3, dtype=torch.complex32),
    "bits": lambda: torch.zeros(3, dtype=torch.uint8).view(torch.bits8),
    "zero tensor": lambda: torch._efficientzerotensor(3),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    "freed": freed,
    "bools that are none": lambda: torch.tensor([2], dtype=torch.uint8).view(torch.bool),
    "lazily negated bfloat16": lambda: torch._neg_view(torch.zeros(3, dtype=torch.bfloat16)),
    "many dimensions": lambda: torch.zeros((1,) * 65),
    "size": lambda: torch.zeros(3).size(),
    "dtype": lambda: torch.float32,
    "storage": lambda: torch.zeros(3).untyped_storage(),
    "module": lambda: torch.nn.Linear(1, 1),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_more_or_less_than_elements_is_refused(name: str) -> None:
    value = REFUSED[name]()
    for action in (
        lambda: encode_all([{"head": [value]}]),
        lambda: measure(labelled([{"head": [value]}]), limits=Limits()),
    ):
        error = refused(action)
        assert error.code is Code.UNSUPPORTED
        assert error.message.startswith("m[0]['head'][0]: ")


def test_tensors_are_no_keys_or_elements() -> None:
    value = torch.zeros(3)
    assert refused(lambda: encode_all([{value: 1}])).code is Code.UNSUPPORTED
    assert refused(lambda: encode_all([{value}])).code is Code.UNSUPPORTED
    ((_, data),) = encode_all([value])
    for opening in (b"\xa1", b"\xd9\x01\x02\x81"):
        parts = [(Piece.ENTRIES, opening + data + b"\xf6")]
        assert refused(lambda parts=parts: decode_all(parts)).code is Code.PROTOCOL


@pytest.mark.parametrize("name", ["F32", "BF16", "BOOL", "C64", "F8_E4M3"])
@pytest.mark.parametrize("size", [3, 50_000])
def test_a_tensor_is_filled_in_place(name: str, size: int) -> None:
    value = sample(tensors.DTYPES[name], (size,))
    target = torch.zeros(size, dtype=value.dtype)
    pointer = target.data_ptr()
    result = dict(
        decode_all(encode_all(["w", [value]], pairs=True), pairs=True, destination=lambda _: target)
    )
    assert result["w"][0] is target
    assert target.data_ptr() == pointer
    assert bits(target) == bits(value)


def test_parameters_and_tensors_are_places_for_each_other() -> None:
    for value in (torch.nn.Parameter(torch.randn(3)), torch.randn(3)):
        for target in (
            torch.nn.Parameter(torch.zeros(3)),
            torch.zeros(3, requires_grad=True),
            torch.zeros(3),
        ):
            flag = target.requires_grad
            (result,) = decode_all(encode_all([value]), destination=lambda _, target=target: target)
            assert result is target
            assert result.requires_grad is flag
            assert bits(result) == bits(value)


UNFIT: dict[str, Any] = {
    "other dtype": lambda: torch.zeros(2, 3, dtype=torch.float64),
    "other shape": lambda: torch.zeros(3, 2),
    "transposed": lambda: torch.zeros(3, 2).T,
    "meta": lambda: torch.zeros(2, 3, device="meta"),
    "subclass": lambda: torch.zeros(2, 3).as_subclass(Sub),
    "array": lambda: np.zeros((2, 3), np.float32),
    "graph": lambda: torch.zeros(2, 3, requires_grad=True) * 2,
    "lazily negated": lambda: torch._neg_view(torch.zeros(2, 3)),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.uint8])
def test_one_element_of_a_strided_tensor_is_sent_and_filled(dtype: torch.dtype) -> None:
    value, target = (torch.ones(2, 4, dtype=dtype)[:1, ::4] for _ in range(2))
    assert value.is_contiguous()
    target.zero_()
    (pair,) = decode_all(encode_all(["w", value], pairs=True), pairs=True, destination=lambda _: target)
    assert pair[1] is target
    assert target.tolist() == value.tolist()


@pytest.mark.parametrize("name", UNFIT)
def test_a_destination_that_does_not_fit_is_refused(name: str) -> None:
    value, target = torch.ones(2, 3), UNFIT[name]()
    error = refused(
        lambda: decode_all(encode_all(["w", value], pairs=True), pairs=True, destination=lambda _: target)
    )
    assert error.code is Code.MISMATCH
    assert error.message.startswith("['w']: ")


def test_an_array_does_not_go_into_a_tensor() -> None:
    error = refused(lambda: decode_all(encode_all([np.zeros(3)]), destination=lambda _: torch.zeros(3)))
    assert error.code is Code.MISMATCH


def test_a_tensor_of_inference_mode_is_sent_and_one_received_there_is_normal() -> None:
    with torch.inference_mode():
        value = torch.randn(3)
        result = roundtrip(value)
    assert bits(result) == bits(value)
    assert not result.is_inference()


def test_a_default_device_does_not_matter() -> None:
    with torch.device("meta"):
        result = roundtrip(torch.ones(3, device="cpu"))
    assert result.device.type == "cpu"


def test_a_dtype_that_this_torch_lacks_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = encode_all([torch.zeros(3, dtype=torch.float8_e8m0fnu)])
    monkeypatch.delitem(tensors.DTYPES, "F8_E8M0")
    assert refused(lambda: decode_all(parts)).code is Code.UNSUPPORTED


def test_a_tensor_that_does_not_fit_into_memory_is_too_large() -> None:
    data = (
        cbor.extension("tensor", 4)
        + cbor.text("U8")
        + b"\x81"
        + cbor.integer(1 << 60)
        + b"\xf4"
        + cbor.integer(1 << 60)
    )
    error = refused(lambda: decode_all([(Piece.ENTRIES, data)], limits=Limits(max_bytes=1 << 62)))
    assert error.code is Code.TOO_LARGE


def test_a_contiguous_tensor_is_sent_from_its_own_memory() -> None:
    for value in (torch.randn(100_000), torch.randn(200_000).bfloat16()[50_000:]):
        data = [p for p in encode(labelled([value]), limits=Limits(), chunk=1 << 16) if p.kind == Piece.DATA]
        addresses = [np.frombuffer(piece.view, np.uint8).ctypes.data for piece in data]
        assert addresses == [value.data_ptr() + (i << 16) for i in range(len(addresses))]


SCATTERED = {
    "transposed": lambda: torch.zeros(1024, 4096).T,
    "bfloat16": lambda: torch.zeros(2048, 4096, dtype=torch.bfloat16).T,
    "conjugate": lambda: torch.zeros(1024, 2048, dtype=torch.complex64).conj(),
    "negative": lambda: torch.zeros(1024, 2048, dtype=torch.complex64).conj().imag,
}


@pytest.mark.parametrize("name", SCATTERED)
def test_a_sender_needs_no_more_than_a_chunk(name: str) -> None:
    value = SCATTERED[name]()
    chunk = 1 << 18
    gc.collect()
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1])
    tracemalloc.start()
    try:
        for _ in encode([("m", value)], limits=Limits(), chunk=chunk):
            pass
        assert tracemalloc.get_traced_memory()[1] < 1.3 * chunk + 65536
    finally:
        tracemalloc.stop()
    with open("/proc/self/statm") as file:
        assert (int(file.read().split()[1]) - before) * resource.getpagesize() < 8 << 20


def test_a_tensor_is_received_in_place() -> None:
    out: list[Any] = []
    decoder = Decoder(out.append, limits=Limits())
    ((_, head), *_) = encode_all([torch.zeros(100_000)])
    decoder.feed(head)
    window = decoder.buffer()
    assert window is not None
    address = np.frombuffer(window, np.uint8).ctypes.data
    fill(decoder, bytes(400_000))
    assert out[0].data_ptr() == address


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return result.stdout.strip()


def test_torch_is_imported_only_when_a_tensor_arrives() -> None:
    data = encode_all([torch.zeros(1)])[0][1].hex()
    code = f"""
import sys
from objstream import Limits
from objstream.values import Decoder, encode
list(encode([("m", [1])], limits=Limits()))
try:
    list(encode([("m", object())], limits=Limits()))
except Exception as error:
    print(error.code.name, "torch" in sys.modules)
decoder = Decoder(lambda value: print(type(value).__name__), limits=Limits())
decoder.feed(bytes.fromhex("{data}"))
print("torch" in sys.modules)
"""
    assert run(code).split() == ["UNSUPPORTED", "False", "Tensor", "True"]


def test_without_torch_a_tensor_is_unsupported() -> None:
    data = encode_all([torch.zeros(1)])[0][1].hex()
    code = f"""
import sys
sys.modules["torch"] = None
from objstream import Limits, TransferError
from objstream.values import Decoder, encode
try:
    list(encode([("m", object())], limits=Limits()))
except TransferError as error:
    print(error.code.name)
try:
    Decoder(print, limits=Limits()).feed(bytes.fromhex("{data}"))
except TransferError as error:
    print(error.code.name, "objstream[torch]" in error.message)
"""
    assert run(code).split() == ["UNSUPPORTED", "UNSUPPORTED", "True"]
