"""Model files: what other libraries write is read, what is written they read; nothing half, nothing twice in memory."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from objstream import Code, Limits, TransferError
from objstream.engines.memory import MemoryNetwork
from objstream.models import (
    ModelAssembler,
    ModelError,
    ModelFile,
    ModelStreamer,
    atomic,
    is_model,
    load_model,
    save_model,
    transfer,
)
from objstream.models.files import Model
from objstream.retrievers import ContainerRetriever
from objstream.site import Request
from objstream.streamers import ContainerStreamer

ARRAYS: dict[str, Any] = {
    "f4": np.arange(12, dtype="f4").reshape(3, 4),
    "three bytes": np.array([True, False, True]),
    "f8": np.linspace(0, 1, 7),
    "empty": np.empty((0, 3), "i2"),
    "scalar": np.array(-5, "i8"),
    "fortran": np.asfortranarray(np.arange(6, dtype="u2").reshape(2, 3)),
    "reversed": np.arange(5, dtype="f2")[::-1],
    "big-endian": np.arange(3, dtype=">i4"),
    "é ☃": np.zeros((2, 0, 2), "c8"),
    "large": np.arange(400_000, dtype="f4"),
}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, expected in one.items():
        found = np.asarray(other[name])
        assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("="), name
        assert found.shape == expected.shape, name
        assert np.array_equal(found, expected), name


def left_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


class TestSafetensors:
    def test_what_is_written_can_be_read_here(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        save_model(ARRAYS, path, metadata={"format": "np", "ü": "ö"})
        container, metadata = load_model(path, torch=False)
        same(ARRAYS, container)
        assert metadata == {"format": "np", "ü": "ö"}
        assert left_in(tmp_path) == ["model.safetensors"]

    def test_the_safetensors_package_reads_it(self, tmp_path: Path) -> None:
        library = pytest.importorskip("safetensors.numpy")
        path = tmp_path / "model.safetensors"
        save_model(ARRAYS, path)
        same(ARRAYS, library.load_file(path))

    def test_what_the_safetensors_package_writes_is_read(self, tmp_path: Path) -> None:
        library = pytest.importorskip("safetensors.numpy")
        path = tmp_path / "model.safetensors"
        native = {
            name: np.ascontiguousarray(array, array.dtype.newbyteorder("=")) for name, array in ARRAYS.items()
        }
        native["scalar"] = native["scalar"].reshape(())
        library.save_file(native, path, metadata={"a": "b"})
        container, metadata = load_model(path, torch=False)
        same(ARRAYS, container)
        assert metadata == {"a": "b"}

    def test_torch_dtypes(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        library = pytest.importorskip("safetensors.torch")
        bits = torch.arange(256, dtype=torch.uint8)
        tensors = {
            "bf16": bits.view(torch.bfloat16),
            "odd": bits.view(torch.bfloat16)[:3].clone(),
            "f8": bits.view(torch.float8_e4m3fn),
            "scalar": torch.tensor(1.5, dtype=torch.bfloat16),
            "empty": torch.empty((3, 0), dtype=torch.bfloat16),
            "parameter": torch.nn.Parameter(torch.ones(3)),
            "transposed": torch.arange(6.0).reshape(2, 3).t(),
        }
        path = tmp_path / "model.safetensors"
        save_model(tensors, path)
        for found in (load_model(path).container, library.load_file(path)):
            assert found.keys() == tensors.keys()
            for name, tensor in tensors.items():
                assert found[name].dtype == tensor.dtype
                assert found[name].shape == tensor.shape
                flat = tensor.detach().contiguous().reshape(-1)
                assert torch.equal(found[name].reshape(-1).view(torch.uint8), flat.view(torch.uint8)), name

    def test_without_torch_what_only_torch_has_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        header = {"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
        path.write_bytes(safetensors(header, b"\0\0"))
        with pytest.raises(ModelError, match=r"tensor 'w' is BF16.*install objstream\[torch\]"):
            load_model(path, torch=False)

    def test_every_tensor_lies_at_a_multiple_of_its_item_size(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        mixed = {
            f"{n}{dtype}": np.arange(n).astype(dtype) for n in (1, 3, 5) for dtype in ("?", "f2", "f4", "f8")
        }
        save_model(mixed, path)
        header, start, size = parse(path)
        assert start % 8 == 0
        ends = 0
        for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            assert told["data_offsets"][0] % mixed[name].itemsize == 0
            assert told["data_offsets"][0] == ends
            ends = told["data_offsets"][1]
        assert start + ends == size
        same(mixed, load_model(path, torch=False).container)

    def test_a_header_with_too_little_room_is_given_more(self, tmp_path: Path) -> None:
        names = [f"{number}{'n' * 3000}" for number in range(5)]
        arrays = {name: np.full(500_000, number, "f4") for number, name in enumerate(names)}
        path = tmp_path / "model.safetensors"
        save_model(arrays, path)
        same(arrays, load_model(path, torch=False).container)
        _, start, size = parse(path)
        assert size == start + 5 * 2_000_000

    @pytest.mark.parametrize(
        ("container", "reason"),
        [
            ({1: np.ones(1)}, r"\[1\]: safetensors holds names that are texts, not int"),
            ({"a": {"b": np.ones(1)}}, r"\['a'\]: safetensors holds arrays and tensors, not dict"),
            ({"a": 1.5}, r"\['a'\]: safetensors holds arrays and tensors, not float"),
            ({"a": np.ones(1, "c16")}, r"\['a'\]: safetensors does not hold C128"),
            ({"a": np.array(["x"])}, r"\['a'\]: .* not in the value model"),
            ({"__metadata__": np.ones(1)}, r"\['__metadata__'\]: .*keeps one for metadata"),
        ],
    )
    def test_what_it_does_not_hold_is_refused(self, tmp_path: Path, container: Any, reason: str) -> None:
        with pytest.raises(TransferError, match=reason) as caught:
            save_model({"fine": np.ones(3)} | container, tmp_path / "model.safetensors")
        assert caught.value.code is Code.UNSUPPORTED
        assert left_in(tmp_path) == []

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "the file is empty"),
            (b"short", "too short"),
            (struct.pack("<Q", 1 << 40) + b"{}", "its header would be longer"),
            (struct.pack("<Q", 20) + b"{}", "its header would be longer"),
            (struct.pack("<Q", 4) + b"\0\xff\0\0", "its header is no JSON"),
            (struct.pack("<Q", 2) + b"[]", "no JSON object"),
            (struct.pack("<Q", 200_000) + b"[" * 200_000, "its header is no JSON"),
        ],
    )
    def test_what_is_no_safetensors_file(self, tmp_path: Path, content: bytes, reason: str) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=reason) as caught:
            load_model(path, torch=False)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize(
        "told",
        [
            7,
            {},
            {"dtype": "F32", "shape": [1]},
            {"dtype": "F32", "shape": [1], "data_offsets": [0]},
            {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]},
            {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]},
            {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
            {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
            {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]},
            {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
            {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]},
            {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 0]},
            {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]},
            {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]},
        ],
    )
    def test_a_header_that_does_not_fit_the_data(self, tmp_path: Path, told: Any) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(safetensors({"w": told}, b"\0" * 8))
        with pytest.raises(ModelError, match="tensor 'w'"):
            load_model(path, torch=False)

    def test_metadata_must_be_texts(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(safetensors({"__metadata__": {"a": 1}}, b""))
        with pytest.raises(ModelError, match="metadata"):
            load_model(path, torch=False)

    def test_it_is_mapped_not_copied(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        save_model({"w": np.ones(16 << 20, "f4")}, path)
        code = (
            "import re, sys; from objstream.models import load_model\n"
            "def anonymous(): return int(re.search(r'RssAnon:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
            "before = anonymous(); w = load_model(sys.argv[1], torch=False).container['w']\n"
            "assert w.sum() == 16 << 20; print(anonymous() - before)"
        )
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert int(done.stdout) < 4096, "KiB of memory for a model of 64 MiB"

    def test_writing_to_what_was_loaded_leaves_the_file_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        save_model({"w": np.ones(4)}, path)
        load_model(path, torch=False).container["w"][:] = 7
        assert load_model(path, torch=False).container["w"].tolist() == [1] * 4


def safetensors(header: Any, data: bytes) -> bytes:
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


def parse(path: Path) -> tuple[dict[str, Any], int, int]:
    """Header, where the data starts, and the size of the file."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length]), 8 + length, len(content)


class TestNpz:
    def test_numpy_reads_what_is_written(self, tmp_path: Path) -> None:
        path = tmp_path / "model.npz"
        save_model(ARRAYS | {"a/b": np.ones(2), "c.npy": np.ones(1)}, path)
        with np.load(path, allow_pickle=False) as archive:
            same(ARRAYS | {"a/b": np.ones(2), "c.npy": np.ones(1)}, dict(archive))

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_what_numpy_writes_is_read(self, tmp_path: Path, save: Callable[..., None]) -> None:
        path = tmp_path / "model.npz"
        save(path, **ARRAYS)
        same(ARRAYS, load_model(path).container)

    def test_uncompressed_arrays_are_mapped(self, tmp_path: Path) -> None:
        path = tmp_path / "model.npz"
        np.savez(path, w=np.ones(1000))
        w = load_model(path).container["w"]
        assert not w.flags.owndata
        assert w.flags.writeable

    def test_tensors_become_arrays(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        path = tmp_path / "model.npz"
        save_model({"w": torch.arange(5), "s": torch.tensor(True)}, path)
        same({"w": np.arange(5), "s": np.array(True)}, load_model(path).container)

    def test_what_numpy_does_not_have_is_refused(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        with pytest.raises(TransferError, match=r"\['b'\]: npz does not hold BF16"):
            save_model({"a": torch.ones(2), "b": torch.ones(2).bfloat16()}, tmp_path / "model.npz")
        assert left_in(tmp_path) == []

    def test_a_name_with_a_nul_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TransferError, match="none with a NUL"):
            save_model({"a\0b": np.ones(1)}, tmp_path / "model.npz")
        assert left_in(tmp_path) == []

    def test_what_is_no_npz_file_of_arrays(self, tmp_path: Path) -> None:
        path = tmp_path / "model.npz"
        path.write_bytes(b"PK\3\4 no zip")
        with pytest.raises(ModelError, match="not an npz file"):
            load_model(path)
        np.savez(path, w=np.array([None], object))
        with pytest.raises(ModelError, match="Python objects"):
            load_model(path)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "text")
        with pytest.raises(ModelError, match=r"'notes.txt' is not an array"):
            load_model(path)
        npy = io.BytesIO()
        np.save(npy, np.ones(100_000))
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("w.npy", npy.getvalue()[:5000])
        with pytest.raises(ModelError, match="cut short"):
            load_model(path)


class TestCheckpoints:
    def test_state_dicts_and_nested_ones(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        module = torch.nn.BatchNorm1d(3)
        path = tmp_path / "model.pt"
        torch.save({"model": module.state_dict(), "step": 7, "rates": [0.5, (1, None)]}, path)
        container = load_model(path).container
        assert type(container) is dict
        assert type(container["model"]) is dict
        assert container["step"] == 7
        assert container["rates"] == [0.5, (1, None)]
        other = torch.nn.BatchNorm1d(3)
        other.load_state_dict(container["model"])

    def test_the_format_before_1_6(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        path = tmp_path / "model.pth"
        torch.save(OrderedDict(w=torch.ones(2)), path, _use_new_zipfile_serialization=False)
        assert load_model(path).container["w"].tolist() == [1, 1]

    def test_arrays_become_tensors(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        path = tmp_path / "model.pt"
        save_model({"w": np.arange(3), "deep": [({"x": np.ones(2)},)]}, path)
        loaded = torch.load(path)
        assert loaded["w"].tolist() == [0, 1, 2]
        assert loaded["deep"][0][0]["x"].tolist() == [1, 1]

    def test_no_code_is_run(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        path = tmp_path / "model.pt"
        torch.save({"w": torch.nn.Linear(1, 1)}, path)
        with pytest.raises(ModelError, match="more than tensors and plain values"):
            load_model(path)

    def test_what_is_no_checkpoint(self, tmp_path: Path) -> None:
        pytest.importorskip("torch")
        path = tmp_path / "model.pt"
        for content in (b"", b"nothing of the kind"):
            path.write_bytes(content)
            with pytest.raises(ModelError, match="not a checkpoint"):
                load_model(path)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            load_model(path)

    def test_without_torch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(ModelError, match=r"install objstream\[torch\]"):
            load_model(tmp_path / "model.pt")
        with pytest.raises(TransferError, match=r"install objstream\[torch\]"):
            save_model({}, tmp_path / "model.pt")
        assert left_in(tmp_path) == []


def test_the_suffix_chooses_the_format(tmp_path: Path) -> None:
    assert all(map(is_model, ("a.safetensors", "b.NPZ", "c/d.pt", Path("e.pth"))))
    assert not any(map(is_model, ("a.bin", "safetensors", ".npz", "x.pt.gz")))
    with pytest.raises(ModelError, match="model files end in"):
        load_model(tmp_path / "model.bin")
    with pytest.raises(ModelError, match="model files end in"):
        ModelAssembler(tmp_path / "model.bin")


class TestTransfer:
    """A model on its way between two sites of a network in memory."""

    def transfer(self, model: Model, path: Path, **options: Any) -> object:
        network = MemoryNetwork()
        owner, asker = network.site("owner"), network.site("asker")

        def provide(request: Request) -> ContainerStreamer:
            return ModelStreamer(model, name=request.name)

        owner.provide(provide)
        ended = []
        owner.watch(lambda request, outcome: ended.append(outcome))
        try:
            return ContainerRetriever(asker).retrieve("owner", "m", ModelAssembler(path, **options))
        finally:
            assert len(ended) == 1
            self.outcome = ended[0]

    @pytest.mark.parametrize("sync", [False, True])
    @pytest.mark.parametrize("name", ["m.safetensors", "m.npz"])
    def test_arrives_in_a_file(self, tmp_path: Path, name: str, sync: bool) -> None:
        path = tmp_path / name
        assert self.transfer(Model(ARRAYS, {}), path, sync=sync) == path
        same(ARRAYS, load_model(path, torch=False).container)
        assert left_in(tmp_path) == [name]
        assert self.outcome.delivered

    def test_arrives_in_a_checkpoint(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        path = tmp_path / "m.pt"
        self.transfer(Model([{"w": torch.ones(3), "n": 5}, ("x", None)], {}), path)
        loaded = torch.load(path)
        assert loaded[0]["w"].tolist() == [1, 1, 1]
        assert loaded[1] == ("x", None)
        assert left_in(tmp_path) == ["m.pt"]

    def test_metadata_arrives_too(self, tmp_path: Path) -> None:
        path = tmp_path / "m.safetensors"
        self.transfer(Model(ARRAYS, {"format": "pt", "ä": "ß"}), path)
        assert load_model(path, torch=False).metadata == {"format": "pt", "ä": "ß"}

    def test_metadata_that_is_too_large_stays_behind(self, tmp_path: Path) -> None:
        path = tmp_path / "m.safetensors"
        self.transfer(Model({"w": np.ones(2)}, {"long": "x" * 5000}), path)
        assert load_model(path, torch=False) == ({"w": pytest.approx(np.ones(2))}, {})

    def test_a_list_does_not_become_a_dict_of_arrays(self, tmp_path: Path) -> None:
        with pytest.raises(TransferError, match="a list arrives") as caught:
            self.transfer(Model([np.ones(2)], {}), tmp_path / "m.npz")
        assert caught.value.code is Code.MISMATCH
        assert not self.outcome.delivered
        assert left_in(tmp_path) == []

    @pytest.mark.parametrize("name", ["m.safetensors", "m.npz"])
    def test_an_entry_that_the_format_does_not_hold_fails_both_sides(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(b"old")
        with pytest.raises(TransferError, match=r"\['last'\].*holds arrays") as caught:
            self.transfer(Model(ARRAYS | {"last": "text"}, {}), tmp_path / name)
        assert caught.value.code is Code.UNSUPPORTED
        assert self.outcome.error.code is Code.UNSUPPORTED
        assert left_in(tmp_path) == [name]
        assert (tmp_path / name).read_bytes() == b"old"

    @pytest.mark.parametrize("name", ["m.safetensors", "m.npz", "m.pt"])
    @pytest.mark.parametrize("at", ["write", "close"])
    def test_a_full_disk_fails_both_sides(
        self, tmp_path: Path, name: str, at: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if name.endswith(".pt"):
            pytest.importorskip("torch")

        class Full(io.FileIO):
            def write(self, data: Any) -> int:
                if at == "write" and self.tell() > 100_000:
                    raise OSError(28, "No space left on device")
                return super().write(data)

            def close(self) -> None:
                closed = self.closed
                super().close()
                if at == "close" and not closed:
                    raise OSError(28, "No space left on device")

        def full(path: Path, mode: str) -> io.BufferedRandom:
            return io.BufferedRandom(Full(path, "x+"))

        monkeypatch.setattr(atomic, "open", full, raising=False)
        with pytest.raises(TransferError, match="No space left") as caught:
            self.transfer(Model(ARRAYS, {}), tmp_path / name)
        assert caught.value.code is Code.STORE_FAILED
        assert "No space" not in caught.value.message, "local details stay here"
        assert self.outcome.error.code is Code.STORE_FAILED
        assert self.outcome.error.from_peer
        assert left_in(tmp_path) == []

    def test_what_the_disk_has_no_room_for_is_refused_before_it_is_sent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fields = list(os.statvfs(tmp_path))
        fields[4] = 100  # f_bavail
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(fields))
        with pytest.raises(TransferError, match=r"\d+ bytes announced, the disk has \d+ left") as caught:
            self.transfer(Model(ARRAYS, {}), tmp_path / "m.npz")
        assert caught.value.code is Code.STORE_FAILED
        assert left_in(tmp_path) == []

    def test_a_checkpoint_must_fit_into_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("torch")
        monkeypatch.setattr(transfer, "Limits", lambda: Limits(max_bytes=1 << 20))
        with pytest.raises(TransferError) as caught:
            self.transfer(Model({"w": np.ones(1 << 18)}, {}), tmp_path / "m.pt")
        assert caught.value.code is Code.TOO_LARGE
        assert left_in(tmp_path) == []


class TestModelFile:
    def test_is_loaded_once_and_again_when_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "m.npz"
        save_model({"w": np.ones(2)}, path)
        file = ModelFile(path)
        first = file.model()
        assert file.model() is first
        save_model({"w": np.zeros(3)}, path)
        assert file.model().container["w"].tolist() == [0, 0, 0]
        assert first.container["w"].tolist() == [1, 1], "a transfer that has begun goes on with the old one"
        os.unlink(path)
        with pytest.raises(FileNotFoundError):
            file.model()

    def test_what_cannot_be_read_is_said_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "m.npz").write_bytes(b"no")
        with pytest.raises(ModelError):
            ModelFile(tmp_path / "m.npz")
