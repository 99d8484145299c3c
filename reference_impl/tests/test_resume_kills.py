"""Resume between real processes, either of which is killed at any moment (SIGKILL: nothing is tidied up)."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from objstream import ContainerRetriever, FileRetriever, SocketSite

MIB = 1 << 20
SIZE = 24 * MIB
PIECES = 24

OWNER = """
import os, signal, sys, time
import numpy as np
from objstream import ContainerRetriever, ContainerStreamer, FileRetriever, FileStreamer, SocketSite

url, path, last, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

def watched(pieces):
    def counted(self, chunk):
        for number, piece in enumerate(pieces(self, chunk)):
            if number == last:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(pause)
            yield piece
    return counted

FileStreamer.pieces = watched(FileStreamer.pieces)
data = np.fromfile(path, np.uint8)
with SocketSite(url) as site:
    FileRetriever(site).add_file("f", path)
    ContainerRetriever(site).add_container("c", {str(n): part for n, part in enumerate(np.split(data, 24))})
    print("ready", flush=True)
    time.sleep(600)
"""

REQUESTER = """
import os, signal, sys
from objstream import ContainerRetriever, FileRetriever, Options, SocketSite, TransferError

url, kind, place, last = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
first = []

def progress(now):
    if not first:
        print(now.bytes, flush=True)
    first.append(now.bytes)
    if now.bytes >= last:
        os.kill(os.getpid(), signal.SIGKILL)

with SocketSite() as site:
    options = Options(progress=progress, digests=["sha-256"])
    try:
        if kind == "f":
            FileRetriever(site).retrieve_file(url, "f", to=place, resume=True, options=options)
        else:
            got = ContainerRetriever(site).retrieve_container(url, "c", resume=place + ".kept", options=options)
            with open(place + ".new", "wb") as out:
                for name, part in got.items():
                    assert name == str(out.tell() // len(part))
                    out.write(part)
            os.replace(place + ".new", place)
    except TransferError as problem:
        sys.exit(problem.code.name)
print("done", flush=True)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(random.Random(7).randbytes(SIZE))
    os.utime(path, (1, 1))
    return path


@pytest.fixture
def url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


class Owner:
    """A process that offers the source as a file "f" and as a container "c"."""

    def __init__(self, url: str, source: Path, last: int = -1, pause: float = 0.0) -> None:
        command = [sys.executable, "-c", OWNER, url, str(source), str(last), str(pause)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def requester(url: str, kind: str, place: Path, last: int = 1 << 40) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", REQUESTER, url, kind, str(place), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status, and what it said."""
    out, err = process.communicate(timeout=120)
    return process.returncode, (out + err).strip()


def same(place: Path, source: Path) -> bool:
    return hashlib.sha256(place.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()


def nothing_else(place: Path) -> bool:
    return [path.name for path in place.parent.iterdir()] == [place.name]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return tmp_path / "there" / "got"


@pytest.mark.parametrize("kind", ["f", "c"])
def test_a_receiver_that_is_killed_goes_on(kind: str, url: str, source: Path, place: Path) -> None:
    with Owner(url, source):
        for last in (5 * MIB, 15 * MIB):
            assert ended(requester(url, kind, place, last))[0] == -signal.SIGKILL
            assert not place.exists()
        status, first = ended(requester(url, kind, place))
    assert status == 0, first
    assert 13 * MIB <= int(first.split()[0]) <= 17 * MIB
    assert same(place, source)
    assert nothing_else(place)


def test_a_sender_that_is_killed_is_gone_on_with(url: str, source: Path, place: Path) -> None:
    for last in (5, 15):
        with Owner(url, source, last):
            status, said = ended(requester(url, "f", place))
            assert status == 1
            assert said.endswith("LOST")
    with Owner(url, source):
        status, first = ended(requester(url, "f", place))
    assert status == 0, first
    assert int(first.split()[0]) >= 13 * MIB
    assert same(place, source)
    assert nothing_else(place)


@pytest.mark.parametrize("kind", ["f", "c"])
def test_kills_at_any_moment(kind: str, url: str, source: Path, place: Path) -> None:
    chance = random.Random(3)
    outcomes = []
    with Owner(url, source, pause=0.002):
        while not place.exists() and len(outcomes) < 100:
            child = os.fork()
            if child == 0:
                try:
                    retrieve(url, kind, place)
                finally:
                    os._exit(1)
            time.sleep(chance.uniform(0, 0.02 * len(outcomes)))
            os.kill(child, signal.SIGKILL)
            outcomes.append(os.WTERMSIG(os.waitpid(child, 0)[1]))
        assert outcomes.count(signal.SIGKILL) > 3
        assert same(place, source)
        retrieve(url, kind, place)
    assert same(place, source)
    assert nothing_else(place)


def retrieve(url: str, kind: str, place: Path) -> None:
    """Retrieve into this place."""
    with SocketSite() as site:
        if kind == "f":
            FileRetriever(site).retrieve_file(url, "f", to=place, resume=True)
        else:
            kept = place.parent / "kept"
            got = ContainerRetriever(site).retrieve_container(url, "c", resume=kept)
            place.with_suffix(".new").write_bytes(b"".join(got.values()))
            place.with_suffix(".new").replace(place)
