"""The commands as people run them: processes over sockets, one clear line for each error, no half of a file."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from objstream import Code, TransferError
from objstream.cli import main
from objstream.engines.socket import SocketSite
from objstream.limits import MIB
from objstream.models import load_model, save_model
from objstream.retrievers import FileRetriever
from objstream.site import Options, Outcome, Request
from objstream.streamers import FileStreamer
from objstream.values import Piece

pytest.importorskip("click")
pytest.importorskip("rich")

COMMAND = [sys.executable, "-m", "objstream.cli"]
ARRAYS: dict[str, Any] = {
    "w": np.arange(100_000, dtype="f4"),
    "empty": np.empty((0, 2), "i8"),
    "scalar": np.array(2.5),
    "mask": np.array([True, False, True]),
}
NOISE = np.random.default_rng(7).bytes(3 * MIB + 5)


class Ran(NamedTuple):
    status: int
    out: str
    err: str


def run(*arguments: object, **options: Any) -> Ran:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False, **options
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def left_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def one_line(text: str, pattern: str) -> None:
    """The text is one line, it begins as all errors do and goes on like this."""
    assert re.fullmatch(rf"objstream: {pattern}\n", text), text


class Server:
    """`objstream serve` in a process of its own."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()
        self.url = self.first.removeprefix("serving at ").split(": ", 1)[0]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self, number: int = signal.SIGTERM) -> Ran:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return Ran(self.process.returncode, out, err)


@contextlib.contextmanager
def serving(*arguments: object) -> Iterator[Server]:
    server = Server(*arguments)
    try:
        yield server
    finally:
        ended = server.stop()
        assert ended.err == ""
        assert ended.status == 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with models, files, and room for what is put."""
    directory = tmp_path_factory.mktemp("shop")
    (directory / "tree" / "sub").mkdir(parents=True)
    (directory / "taken").mkdir()
    (directory / "tree" / "sub" / "noise").write_bytes(NOISE)
    (directory / "empty.bin").write_bytes(b"")
    save_model(ARRAYS, directory / "m.safetensors", metadata={"format": "np"})
    save_model(ARRAYS, directory / "m.npz")
    (directory / "m.bin").write_bytes((directory / "m.npz").read_bytes())
    offers = ["--container", f"m={directory / 'm.safetensors'}", "--container", directory / "m.npz"]
    files = ["--file", f"noise={directory / 'tree' / 'sub' / 'noise'}", "--file", directory / "empty.bin"]
    root = ["--root", directory / "tree", "--accept", directory / "taken", "--numpy"]
    with serving("tcp://127.0.0.1:0", *offers, *files, *root) as server:
        yield server


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class SlowStreamer(FileStreamer):
    """A file of 64 MiB that takes its time once a few have been sent."""

    def pieces(self, chunk: int) -> Iterator[Piece]:
        for number, piece in enumerate(super().pieces(chunk)):
            time.sleep(0.2 if number > 3 else 0)
            yield piece


class SlowSite:
    """A site in this process that offers the slow file, and remembers how transfers ended."""

    def __init__(self, directory: Path, options: Options | None = None) -> None:
        path = directory / "slow"
        with path.open("wb") as file:
            file.truncate(64 * MIB)
        self.ended: list[Outcome] = []
        self.over = threading.Event()
        self.site = SocketSite("tcp://127.0.0.1:0", options)
        self.site.provide(lambda request: SlowStreamer(path, name=request.name))
        self.site.watch(self._finished)

    def _finished(self, request: Request, outcome: Outcome) -> None:
        self.ended.append(outcome)
        self.over.set()


@pytest.fixture
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowSite]:
    slow = SlowSite(tmp_path_factory.mktemp("slow"))
    with slow.site:
        yield slow


@contextlib.contextmanager
def interrupting(url: str) -> Iterator[str]:
    """The address of a proxy for one connection, which is cut when 5/2 MiB have come from there."""
    host, port = url.removeprefix("tcp://").rsplit(":", 1)

    def proxy() -> None:
        asking, _ = listener.accept()
        with asking, socket.create_connection((host, int(port))) as asked:
            left = 5 * MIB // 2
            while left > 0:
                for ready in select.select([asking, asked], [], [], 20)[0]:
                    data = ready.recv(min(left, 1 << 16))
                    (asked if ready is asking else asking).sendall(data)
                    left -= len(data) if ready is asked else 0

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=proxy, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(20)


def until_something_is_there(directory: Path) -> None:
    give_up = time.monotonic() + 10
    while not any(path.stat().st_size for path in directory.iterdir()):
        assert time.monotonic() < give_up
        time.sleep(0.02)


class TestGet:
    @pytest.mark.parametrize("name", ["m.safetensors", "f.bin"])
    def test_what_was_cut_is_resumed(self, name: str, here: Path) -> None:
        (here / "there").mkdir()
        (here / "here").mkdir()
        source, output = here / "there" / name, here / "here" / name
        save_model({str(n): np.full(MIB, n, "u1") for n in range(4)}, here / "there" / "m.safetensors")
        (here / "there" / "f.bin").write_bytes(NOISE)
        offer = "--container" if name.startswith("m") else "--file"
        with serving("tcp://127.0.0.1:0", offer, source) as server:
            with interrupting(server.url) as url:
                cut = run("get", url, name, "-o", output, "--resume")
            assert cut.status == 1
            assert "bytes are kept in" in cut.err
            assert left_in(output.parent) == [f".{name}.resume"]
            assert run("get", server.url, name, "-o", output, "--resume").status == 0
        assert left_in(output.parent) == [name]
        assert output.read_bytes() == source.read_bytes()

    def test_a_source_that_has_changed_since_is_said(self, here: Path) -> None:
        (here / "there").mkdir()
        file = here / "there" / "it"
        file.write_bytes(NOISE)
        (here / "here").mkdir()
        output = here / "here" / "o"
        with serving("tcp://127.0.0.1:0", "--file", file) as server:
            with interrupting(server.url) as url:
                run("get", url, "it", "-o", output, "--resume")
            file.write_bytes(NOISE[::-1])
            failed = run("get", server.url, "it", "-o", output, "--resume")
            assert failed.status == 1
            assert "has changed since the transfer that was to be resumed" in failed.err
            assert "what was kept is removed: ask again to start from the beginning" in failed.err
            assert left_in(output.parent) == []
            assert run("get", server.url, "it", "-o", output, "--resume").status == 0
        assert output.read_bytes() == NOISE[::-1]

    @pytest.mark.parametrize("source", ["m", "m.npz"])
    @pytest.mark.parametrize("output", ["o.safetensors", "o.npz"])
    def test_a_model_in_either_format(
        self, shop: Server, here: Path, source: str, output: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["get", shop.url, source, "-o", output]) == 0
        out, err = capfd.readouterr()
        assert re.fullmatch(rf"{output}: \d+\.\d KiB in \d+\.\d\d s\n", out)
        assert err == "", "no progress bar where there is no terminal"
        container, metadata = load_model(output, torch=False)
        assert container.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            assert container[name].dtype == array.dtype
            assert container[name].shape == array.shape
            assert np.array_equal(container[name], array)
        assert metadata == ({"format": "np"} if (source, output) == ("m", "o.safetensors") else {})
        assert left_in(here) == [output]

    def test_torch_models(
        self, here: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
    ) -> None:
        torch = pytest.importorskip("torch")
        tensors = {
            "bf16": torch.arange(256, dtype=torch.uint8).view(torch.bfloat16).reshape(2, 64),
            "f8": torch.ones(5).to(torch.float8_e5m2),
            "empty": torch.empty((0, 3), dtype=torch.bfloat16),
            "scalar": torch.tensor(3.5),
        }
        directory = tmp_path_factory.mktemp("torch")
        save_model(tensors, directory / "m.safetensors")
        torch.save({"model": tensors, "step": 3}, directory / "c.pt")
        with serving(
            "tcp://127.0.0.1:0",
            "--container",
            f"m={directory / 'm.safetensors'}",
            "--container",
            f"c={directory / 'c.pt'}",
        ) as server:
            assert main(["get", server.url, "m", "-o", "o.safetensors"]) == 0
            assert main(["get", server.url, "m", "-o", "o.pt"]) == 0
            assert main(["get", server.url, "c", "-o", "c.pth"]) == 0
            capfd.readouterr()
            assert main(["get", server.url, "m", "-o", "o.npz"]) == 1
            one_line(capfd.readouterr().err, r"UNSUPPORTED: \['bf16'\]: npz does not hold BF16")
        nested = torch.load("c.pth")
        assert nested["step"] == 3
        for found in (load_model("o.safetensors").container, torch.load("o.pt"), nested["model"]):
            for name, tensor in tensors.items():
                assert found[name].dtype == tensor.dtype
                assert found[name].shape == tensor.shape
                assert torch.equal(
                    found[name].reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8)
                )
        assert left_in(here) == ["c.pth", "o.pt", "o.safetensors"]

    @pytest.mark.parametrize("name", ["noise", "sub/noise"])
    def test_a_file(self, shop: Server, here: Path, name: str) -> None:
        done = run("get", shop.url, name)
        assert done.status == 0, done.err
        assert (here / "noise").read_bytes() == NOISE
        assert left_in(here) == ["noise"]

    def test_an_empty_file(self, shop: Server, here: Path) -> None:
        assert main(["get", shop.url, "empty.bin", "--sync"]) == 0
        assert (here / "empty.bin").read_bytes() == b""

    def test_a_file_with_the_suffix_of_a_model(self, shop: Server, here: Path) -> None:
        assert main(["get", shop.url, "noise", "-o", "noise.npz", "--file"]) == 0
        assert (here / "noise.npz").read_bytes() == NOISE

    @pytest.mark.parametrize("digest", ["sha-256", "blake3", "xxh3-128"])
    def test_the_digest_that_is_asked_for(self, shop: Server, here: Path, digest: str) -> None:
        assert main(["get", shop.url, "noise", "--digest", digest]) == 0
        assert (here / "noise").read_bytes() == NOISE

    def test_what_is_there_is_replaced_only_by_what_is_complete(self, shop: Server, here: Path) -> None:
        (here / "o").write_bytes(b"old")
        assert main(["get", shop.url, "nothing", "-o", "o"]) == 1
        assert (here / "o").read_bytes() == b"old"
        assert main(["get", shop.url, "noise", "-o", "o"]) == 0
        assert (here / "o").read_bytes() == NOISE

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nothing"], "NOT_FOUND: peer: no file is called 'nothing' here"),
            (["nothing.npz"], "NOT_FOUND: peer: no container is called 'nothing.npz' here"),
            (["../m.npz", "--file"], r"NOT_FOUND: peer: no file is called '\.\./m\.npz' here"),
            (["noise", "--digest", "none"], "DIGEST: peer: no digest in common.*"),
        ],
    )
    def test_what_the_site_does_not_give(
        self, shop: Server, here: Path, arguments: Sequence[str], message: str
    ) -> None:
        done = run("get", shop.url, *arguments)
        assert done.status == 1
        assert done.out == ""
        one_line(done.err, message)
        assert left_in(here) == []

    def test_nobody_is_there(self, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["get", "tcp://127.0.0.1:1", "x"]) == 1
        one_line(capfd.readouterr().err, r"LOST: nobody answers at tcp://127\.0\.0\.1:1 \(.*refused\)")
        assert main(["get", f"unix://{here}/none", "x"]) == 1
        one_line(capfd.readouterr().err, r"LOST: nobody answers at unix://.*/none \(.*No such file.*\)")
        assert left_in(here) == []

    @pytest.mark.parametrize(
        "arguments",
        [
            ["get"],
            ["get", "127.0.0.1:80", "x"],
            ["get", "tcp://127.0.0.1:1", "x", "-o", "no/where"],
            ["get", "tcp://127.0.0.1:1", "x/"],
            ["get", "tcp://127.0.0.1:1", "x", "--deadline", "0"],
            ["get", "tcp://127.0.0.1:1", "x", "--digest", "md5"],
            ["put", "tcp://127.0.0.1:1", "/no/such/file"],
            ["serve", "tcp://127.0.0.1:0", "--container", "m=/no/such/file"],
            ["serve", "tcp://127.0.0.1:0", "--accept", "/no/such/directory"],
            ["serve", "tcp://127.0.0.1:0", "--max-size", "big"],
            ["bench", "--size", "0"],
            ["nonsense"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage(self, here: Path, arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
        assert main(arguments) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("Usage: objstream")
        assert "Error: " in err
        assert left_in(here) == []

    @pytest.mark.parametrize("name", ["noise", "m.npz", "m.safetensors"])
    def test_a_full_disk(self, shop: Server, here: Path, name: str) -> None:
        def little_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        source = "m" if name == "m.safetensors" else name
        done = run("get", shop.url, source, "-o", name, preexec_fn=little_room)
        assert done.status == 1
        one_line(
            done.err,
            r"STORE_FAILED: .*: the (object could not be stored|file cannot be written).*File too large\)",
        )
        assert left_in(here) == []

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_cancels_on_both_sides(
        self, slow: SlowSite, here: Path, number: int, status: int
    ) -> None:
        process = subprocess.Popen(
            [*COMMAND, "get", slow.site.address, "slow"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until_something_is_there(here)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == status
        assert out == ""
        one_line(err, "CANCELLED: slow: cancelled; .* bytes received")
        assert left_in(here) == []
        assert slow.over.wait(10)
        assert slow.ended[0].error is not None
        assert slow.ended[0].error.code is Code.CANCELLED
        assert slow.ended[0].error.from_peer

    def test_a_peer_that_stalls(self, tmp_path_factory: pytest.TempPathFactory, here: Path) -> None:
        class Stalled(FileStreamer):
            def pieces(self, chunk: int) -> Iterator[Piece]:
                yield next(super().pieces(chunk))
                time.sleep(2.5)

        path = tmp_path_factory.mktemp("stalled") / "s"
        path.write_bytes(NOISE)
        with SocketSite("tcp://127.0.0.1:0") as site:
            site.provide(lambda request: Stalled(path))
            done = run("get", site.address, "s", "--deadline", "1")
        assert done.status == 1
        one_line(done.err, r"STALLED: s: nothing moved for 1 s; \d+ of \d+ bytes received")
        assert left_in(here) == []

    def test_a_progress_bar_on_a_terminal(self, slow: SlowSite, here: Path) -> None:
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, "get", slow.site.address, "slow"],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
        )
        os.close(terminal)
        until_something_is_there(here)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal ends
            while part := os.read(controller, 65536):
                shown += part
        os.close(controller)
        process.communicate(timeout=20)
        assert process.returncode == 130
        assert b"/64.0 MiB" in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown)
        assert b"objstream: CANCELLED" in shown


class TestPut:
    def put(self, shop: Server, *arguments: object) -> Path:
        """Run it; the file that has come into being."""
        directory = Path(shop.first.rsplit(" in ", 1)[1].strip())
        before = set(directory.iterdir())
        done = run("put", shop.url, *arguments)
        assert done.status == 0, done.err
        assert re.fullmatch(r".* delivered in \d+\.\d\d s\n", done.out)
        (new,) = set(directory.iterdir()) - before
        return new

    def test_a_file(self, shop: Server, here: Path) -> None:
        (here / "noise.bin").write_bytes(NOISE)
        new = self.put(shop, "noise.bin")
        assert re.fullmatch(r"noise-[0-9a-f]{8}\.bin", new.name)
        assert new.read_bytes() == NOISE

    def test_a_model_keeps_its_format_or_takes_that_of_its_name(self, shop: Server, here: Path) -> None:
        save_model(ARRAYS, here / "m.npz")
        for name, form in (
            ("m.npz", r"m-[0-9a-f]{8}\.npz"),
            ("other", r"other-[0-9a-f]{8}\.npz"),
            ("x.safetensors", r"x-[0-9a-f]{8}\.safetensors"),
        ):
            new = self.put(shop, "m.npz", "--name", name)
            assert re.fullmatch(form, new.name)
            found = load_model(new, torch=False).container
            assert all(np.array_equal(found[key], array) for key, array in ARRAYS.items())

    @pytest.mark.parametrize(
        ("name", "form"),
        [
            ("../../etc/passwd", r"passwd-[0-9a-f]{8}"),
            ("..", r"object-[0-9a-f]{8}"),
            (".hidden", r"hidden-[0-9a-f]{8}"),
            ("a/", r"object-[0-9a-f]{8}"),
            ("é\n\x1b[31m☃.bin", r"31m_-[0-9a-f]{8}\.bin"),
            ("n" * 900, r"n{100}-[0-9a-f]{8}"),
        ],
    )
    def test_no_name_becomes_a_path(self, shop: Server, here: Path, name: str, form: str) -> None:
        (here / "f").write_bytes(b"content")
        new = self.put(shop, "f", "--name", name)
        assert re.fullmatch(form, new.name)
        assert new.read_bytes() == b"content"

    def test_a_site_that_takes_nothing(self, here: Path) -> None:
        (here / "f").write_bytes(b"content")
        with SocketSite("tcp://127.0.0.1:0") as site:
            done = run("put", site.address, "f")
        assert done.status == 1
        one_line(done.err, "REFUSED: peer: no offer of kind 'file' is taken here")

    def test_more_than_is_taken(self, here: Path) -> None:
        (here / "taken").mkdir()
        (here / "f").write_bytes(NOISE)
        with serving("tcp://127.0.0.1:0", "--accept", here / "taken", "--max-size", "1MiB") as server:
            done = run("put", server.url, "f")
            one_line(done.err, "TOO_LARGE: peer: .*")
            assert done.status == 1
            assert left_in(here / "taken") == []

    def test_a_model_that_cannot_be_read(self, here: Path) -> None:
        (here / "m.npz").write_bytes(b"no")
        done = run("put", "tcp://127.0.0.1:1", "m.npz")
        assert done.status == 1
        one_line(done.err, r"m\.npz: not an npz file of plain arrays: .*")


class TestServe:
    def test_says_what_is_offered(self, shop: Server) -> None:
        assert re.fullmatch(
            r"serving at tcp://127\.0\.0\.1:\d+: container m \(4 entries, [\d.]+ KiB\), "
            r"container m\.npz \(4 entries, [\d.]+ KiB\), file noise \(3\.0 MiB\), file empty\.bin \(0 B\), "
            r"the files below .*/tree, room for what is put, in .*/taken\n",
            shop.first,
        )

    def test_a_line_for_each_transfer(self, here: Path) -> None:
        (here / "noise").write_bytes(NOISE)
        (here / "taken").mkdir()
        peer = r"tcp://127\.0\.0\.1:\d+"
        with serving("tcp://127.0.0.1:0", "--file", "noise", "--accept", "taken") as server:
            for arguments, pattern in (
                (
                    ["get", server.url, "noise", "-o", "n"],
                    rf"sent 'noise', {peer}: 3\.0 MiB in [\d.]+ s, .*B/s",
                ),
                (["get", server.url, "no"], rf"failed 'no', {peer}: NOT_FOUND: no file is called 'no' here"),
                (
                    ["put", server.url, "noise"],
                    rf"received 'noise', {peer}: 3\.0 MiB in [\d.]+ s, .*B/s, as noise-[0-9a-f]{{8}}",
                ),
                (
                    ["get", server.url, "x\x1b[2J\ny", "-o", "n"],
                    rf"failed 'x\\x1b\[2J\\ny', {peer}: NOT_FOUND: .*",
                ),
            ):
                main(arguments)
                assert re.fullmatch(rf"\d\d:\d\d:\d\d {pattern}\n", server.line())

    def test_metadata_that_stays_behind_is_mentioned(
        self, here: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        save_model(ARRAYS, here / "m.safetensors", metadata={"long": "x" * 5000})
        with serving("tcp://127.0.0.1:0", "--numpy", "--container", "m.safetensors") as server:
            assert "without its metadata, which is too large)" in server.first
        assert main(["put", "tcp://127.0.0.1:1", "m.safetensors"]) == 1
        lines = capfd.readouterr().err.splitlines()
        assert lines[0] == "objstream: m.safetensors: its metadata is too large to be sent along"

    def test_a_unix_socket(self, here: Path) -> None:
        (here / "noise").write_bytes(NOISE)
        with serving(f"unix://{here}/socket", "--file", "noise") as server:
            assert server.url == f"unix://{here}/socket"
            assert main(["get", server.url, "noise", "-o", "n"]) == 0
        assert (here / "n").read_bytes() == NOISE
        assert left_in(here) == ["n", "noise"]

    def test_the_model_of_a_file_that_was_replaced(self, here: Path) -> None:
        save_model({"w": np.ones(3)}, here / "m.npz")
        with serving("tcp://127.0.0.1:0", "--container", "m.npz") as server:
            save_model({"w": np.zeros(5)}, here / "m.npz")
            assert main(["get", server.url, "m.npz", "-o", "o.npz"]) == 0
            (here / "m.npz").unlink()
            gone = run("get", server.url, "m.npz", "-o", "p.npz")
        assert load_model("o.npz").container["w"].shape == (5,)
        one_line(gone.err, r"SOURCE_FAILED: peer: m\.npz: the model cannot be read")
        assert left_in(here) == ["o.npz"]

    def test_ctrl_c_ends_it_cleanly_and_the_transfers_with_it(
        self, here: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        source = tmp_path_factory.mktemp("source") / "large"
        with source.open("wb") as file:
            file.truncate(256 * MIB)
        server = Server("tcp://127.0.0.1:0", "--file", source)
        begun, goon = threading.Event(), threading.Event()

        def wait(progress: object) -> None:
            begun.set()
            goon.wait(10)

        caught = []

        def retrieve() -> None:
            with SocketSite() as site:
                try:
                    FileRetriever(site, directory=here).retrieve_file(
                        server.url, "large", options=Options(progress=wait)
                    )
                except TransferError as problem:
                    caught.append(problem)

        thread = threading.Thread(target=retrieve)
        thread.start()
        assert begun.wait(10)
        server.process.send_signal(signal.SIGINT)
        goon.set()
        out, err = server.process.communicate(timeout=20)
        thread.join(20)
        assert server.process.returncode == 0
        assert err == ""
        assert re.search(r"failed 'large', .*: CANCELLED: large: cancelled; \d+ of \d+ bytes sent", out)
        assert caught[0].code is Code.CANCELLED
        assert caught[0].from_peer
        assert left_in(here) == []

    def test_an_address_that_is_taken(self, shop: Server) -> None:
        done = run("serve", shop.url)
        assert done.status == 1
        one_line(done.err, ".*Address already in use.*")

    def test_a_model_that_cannot_be_read(self, here: Path) -> None:
        (here / "m.safetensors").write_bytes(b"no")
        done = run("serve", "tcp://127.0.0.1:0", "--container", "m.safetensors")
        assert done.status == 1
        one_line(done.err, r"m\.safetensors: too short for a safetensors file")


class TestCommands:
    def test_help_names_them_all(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        out, _ = capfd.readouterr()
        for command in ("serve", "get", "put", "bench", "check", "requirements"):
            assert re.search(rf"^  {command}  +\w", out, re.MULTILINE)
        assert main(["--version"]) == 0

    @pytest.mark.parametrize("command", ["serve", "get", "put", "bench"])
    def test_help_of_each(self, command: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert main([command, "--help"]) == 0
        assert capfd.readouterr().out.startswith(f"Usage: objstream {command} ")

    def test_what_is_not_installed_is_named(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "objstream_conformance.command", None)
        assert main(["check", "reference"]) == 2
        one_line(capfd.readouterr().err, r"check needs .*: install objstream\[conformance\]")
        for name in [name for name in sys.modules if name.startswith("objstream.cli.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "click", None)
        assert main(["get"]) == 2
        one_line(capfd.readouterr().err, r"the commands need click: install objstream\[cli\]")

    def test_the_debug_switch_shows_the_trace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OBJSTREAM_DEBUG", "1")
        with pytest.raises(TransferError):
            main(["get", "tcp://127.0.0.1:1", "x"])
