"""The nvflare adapter: FLARE does the work, faults reach it, nothing is repaired and nothing leaks."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="the nvflare adapter needs objstream[flare]")

from objstream_conformance.adapters import nvflare_cell
from objstream_conformance.adapters.nvflare import NVFlareAdapter, NVFlareSite
from objstream_conformance.adapters.nvflare_cell import FobsRegistry
from objstream_conformance.contract import ROLES, Cut, Rejected

Fault = Callable[[bytes], list[bytes]]


class FaultyNetwork:
    """Applies `fault` to the messages from `source` whose numbers, counted from 0, are in `struck`."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.strike(lambda message: [message], "", set())

    def strike(self, fault: Fault, source: str, struck: set[int]) -> None:
        self.fault, self.source, self.struck, self.seen = fault, source, struck, 0

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        self.sizes.append(len(message))
        if source != self.source:
            return [message]
        self.seen += 1
        return self.fault(message) if self.seen - 1 in self.struck else [message]


class Pair:
    """Two sites of one federation."""

    def __init__(self, directory: Path, adapter: NVFlareAdapter) -> None:
        self.adapter = adapter
        self.network = FaultyNetwork()
        self.a, self.b = (self.open(directory, name) for name in ("a", "b"))

    def open(self, directory: Path, name: str) -> NVFlareSite:
        (directory / name).mkdir()
        return self.adapter.site(name, self.network, directory / name)

    def close(self) -> None:
        self.a.close()
        self.b.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    sites = Pair(tmp_path, NVFlareAdapter())
    yield sites
    sites.close()


def drop(message: bytes) -> list[bytes]:
    return []


def twice(message: bytes) -> list[bytes]:
    return [message, message]


def cut(message: bytes) -> list[bytes]:
    raise Cut("cut")


def flip(at: int) -> Fault:
    def corrupt(message: bytes) -> list[bytes]:
        altered = bytearray(message)
        altered[at] ^= 0xFF
        return [bytes(altered)]

    return corrupt


def test_it_says_what_it_is() -> None:
    description = NVFlareAdapter().describe()
    assert description.name == "nvflare"
    assert description.version[0].isdigit()
    assert description.roles == ROLES
    assert {"container", "file", "push", "pull", "multi-target"} <= description.capabilities
    assert "wire" not in description.capabilities


@pytest.mark.parametrize(
    "container", [{"w": [1, 2.5, (3,)], "v": None}, [1, "two"], {1, 2}], ids=["dict", "list", "set"]
)
def test_containers_are_pulled_and_pushed(pair: Pair, container: object) -> None:
    pair.a.add_container("c", container)
    assert pair.b.retrieve_container("a", "c", timeout=5) == container
    assert pair.a.send_container(["b"], container, timeout=5) == {"b": None}
    assert pair.b.received() == [container]
    assert pair.a.received() == []


def test_arrays_travel_as_copies(pair: Pair) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    pair.a.add_container("c", [array])
    arrived = pair.b.retrieve_container("a", "c", timeout=5)[0]  # type: ignore[index]
    np.testing.assert_array_equal(arrived, array)
    assert not np.shares_memory(arrived, array)


def test_tensors_use_the_decomposer_that_flare_has_for_them(pair: Pair) -> None:
    torch = pytest.importorskip("torch", reason="tensors need objstream[torch]")
    pair.a.add_container("c", [torch.arange(3.0)])
    assert torch.equal(pair.b.retrieve_container("a", "c", timeout=5)[0], torch.arange(3.0))  # type: ignore[index]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_files_are_pulled_and_pushed(pair: Pair, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * size)
    pair.a.add_file("sub/name", source)
    pulled = Path(pair.b.retrieve_file("a", "sub/name", timeout=5))
    assert pulled.parent == tmp_path / "b"
    assert pulled.read_bytes() == source.read_bytes()
    assert pair.a.send_file(["b"], source, timeout=5) == {"b": None}
    (pushed,) = pair.b.received()
    assert isinstance(pushed, Path)
    assert pushed.parent == tmp_path / "b"
    assert pushed.read_bytes() == source.read_bytes()
    assert max(pair.network.sizes) < (1 << 20) + 4096


def test_a_file_is_what_it_is_when_it_is_asked_for(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"first")
    pair.a.add_file("f", source)
    source.unlink()
    with pytest.raises(Rejected):
        pair.b.retrieve_file("a", "f", timeout=5)
    source.write_bytes(b"second")
    assert Path(pair.b.retrieve_file("a", "f", timeout=5)).read_bytes() == b"second"


def test_a_retrieval_ends_with_its_last_message(pair: Pair) -> None:
    pair.a.add_container("c", [1, 2, 3])
    counts = []
    for _ in range(20):
        before = len(pair.network.sizes)
        pair.b.retrieve_container("a", "c", timeout=5)
        counts.append(len(pair.network.sizes) - before)
    assert counts == [9] * 20  # request and entries with their replies, and the owner's farewell


def test_the_chunk_size_reaches_flare(tmp_path: Path) -> None:
    pair = Pair(tmp_path, NVFlareAdapter(chunk_size=1000))
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10_000)
    assert pair.a.send_file(["b"], source, timeout=5) == {"b": None}
    assert 1000 < max(pair.network.sizes) < 3000
    pair.close()


def test_return_codes_become_outcomes(pair: Pair) -> None:
    with pytest.raises(Rejected) as refusal:
        pair.b.retrieve_container("a", "missing", timeout=5)
    assert refusal.value.code == "BAD_REQUEST_DATA"
    with pytest.raises(Rejected, match="empty"):
        pair.a.send_container(["b"], [], timeout=5)
    verdicts = pair.a.send_file(["b", "nobody"], Path(__file__), timeout=5)
    assert {name: type(verdict) for name, verdict in verdicts.items()} == {"b": Rejected, "nobody": Rejected}


def test_a_crash_is_not_turned_into_a_rejection(pair: Pair) -> None:
    with pytest.raises(TypeError):
        pair.a.send_container(["b"], 5, timeout=5)


def test_names_reach_the_check_of_flare(pair: Pair, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"secret")
    pair.a.add_file("../outside", source)
    with pytest.raises(Rejected) as refusal:
        pair.b.retrieve_file("a", "../outside", timeout=5)
    assert refusal.value.code == "BAD_REQUEST_DATA"
    with pytest.raises(Rejected):
        pair.a.add_file("/outside", source)


def test_the_stand_in_answers_as_the_real_cell_does() -> None:
    program = Path(__file__).with_name("cell_answers.py")
    spec = importlib.util.spec_from_file_location("cell_answers", program)
    assert spec is not None
    assert spec.loader is not None
    shared = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shared)
    cells: dict[str, nvflare_cell.Cell] = {}
    for name in ("sender", "receiver"):
        cell = nvflare_cell.Cell(name, FaultyNetwork(), cells, shared.handle, lambda: None)
        cells[cell.fqcn] = cell
    sender, receiver = cells.values()
    real = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60
    )
    assert shared.answers(sender, receiver.fqcn) == json.loads(real.stdout)


def test_a_lost_message_is_a_timeout_at_once(pair: Pair) -> None:
    start = time.monotonic()
    pair.network.strike(drop, "b", {0})
    with pytest.raises(TimeoutError):
        pair.b.retrieve_container("a", "c", timeout=60)
    pair.network.strike(drop, "b", {1})
    pair.a.add_container("c", [1, 2, 3])
    with pytest.raises(Rejected) as refusal:  # the owner times out on the reply to an entry, and aborts
        pair.b.retrieve_container("a", "c", timeout=60)
    assert refusal.value.code == "TASK_ABORTED"
    assert time.monotonic() - start < 5


def test_a_cut_link_is_a_communication_error(pair: Pair) -> None:
    pair.network.strike(cut, "b", {0})
    with pytest.raises(Rejected) as refusal:
        pair.b.retrieve_container("a", "c", timeout=60)
    assert refusal.value.code == "COMMUNICATION_ERROR"


def test_a_closed_site_is_known_and_not_reached(pair: Pair) -> None:
    pair.b.close()
    assert isinstance(pair.a.send_container(["b"], [1], timeout=5)["b"], Rejected)
    with pytest.raises(Rejected) as refusal:
        pair.a.retrieve_container("b", "c", timeout=5)
    assert refusal.value.code == "COMMUNICATION_ERROR"


def test_a_duplicate_is_handled_twice(pair: Pair) -> None:
    pair.network.strike(twice, "a", {0})
    assert pair.a.send_container(["b"], ["one entry"], timeout=5) == {"b": None}
    assert pair.b.received() == [["one entry"], ["one entry"]]


def test_a_handler_that_never_returns_is_a_lost_reply(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvflare_cell, "PATIENCE", 0.2)
    pair.network.strike(twice, "a", {0})
    assert isinstance(pair.a.send_container(["b"], [1, 2], timeout=5)["b"], Rejected)
    monkeypatch.undo()
    pair.b._engine.object_streamer.tx_lock.release()  # which FLARE does not do


@pytest.mark.parametrize("at", range(0, 700, 7))
def test_corruption_of_any_byte_stays_inside_the_receiver(pair: Pair, at: int) -> None:
    pair.network.strike(flip(at), "a", {0})
    verdict = pair.a.send_container(["b"], [b"content" * 100, 2], timeout=5)["b"]
    assert verdict is None or isinstance(verdict, Rejected)
    assert pair.a.send_container(["b"], ["again"], timeout=5) == {"b": None}
    assert pair.b.received()[-1] == ["again"]


def test_a_false_success_is_passed_on(pair: Pair) -> None:
    assert pair.a.send_container(["b"], [frozenset({1})], timeout=5) == {"b": None}
    assert pair.b.received() == []


class Unregistered:
    """FOBS registers such a class by itself where it is encoded, and only there."""

    def __init__(self) -> None:
        self.field = 1


def test_sites_do_not_share_a_registry(pair: Pair) -> None:
    assert isinstance(pair.a.send_container(["b"], [Unregistered(), 2], timeout=5)["b"], Rejected)
    pair.b.send_container(["a"], [Unregistered(), 2], timeout=5)
    assert pair.a.received()[0][0].field == 1  # type: ignore[index]


def test_a_registry_starts_as_that_of_a_fresh_process() -> None:
    script = (
        "from nvflare.private.fed.utils.fed_utils import nvflare_fobs_initialize\n"
        "from nvflare.fuel.utils.fobs import fobs\n"
        "nvflare_fobs_initialize()\n"
        "fobs._register_decomposers()\n"
        "print(*sorted(fobs._decomposers))\n"
    )
    fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert FobsRegistry().names() == set(fresh.stdout.split())


def test_closing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    adapter = NVFlareAdapter()
    threads = set(threading.enumerate())
    pair = Pair(tmp_path, adapter)
    assert len(list(temporary.iterdir())) == 2
    pair.a.add_container("c", list(range(20_000)))
    with pytest.raises(TimeoutError):
        pair.b.retrieve_container("a", "c", timeout=0.1)  # its stream still runs
    pair.close()
    pair.close()
    assert set(threading.enumerate()) == threads
    assert list(temporary.iterdir()) == []
    assert adapter._federations == {}
