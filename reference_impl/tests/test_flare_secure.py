"""Transfers that FLARE encrypts from cell to cell, with certificates as it provisions them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="the binding needs objstream[flare]")

from nvflare.apis.fl_constant import ReturnCode
from nvflare.fuel.f3.drivers.driver_params import DriverParams
from nvflare.fuel.f3.drivers.socket_conn import SocketConnection
from nvflare.lighter.utils import Identity, generate_cert, generate_keys, serialize_cert, serialize_pri_key

from objstream.flare import ContainerRetriever, ContainerStreamer, FileStreamer

from .flare_job import CLIENTS, Job, running, start
from .test_flare_streams import VALUE, Inbox, listen, push, same

MARK = b"not to be read on the way"


def provisioned(directory: Path) -> dict[str, dict[str, str]]:
    """Certificates of one authority for each site of the job."""
    authority = Identity("authority")
    key, public = generate_keys()
    root = directory / "root.crt"
    root.write_bytes(serialize_cert(generate_cert(authority, authority, key, public, ca=True)))
    found = {}
    for name in ("server", *CLIENTS):
        own, own_public = generate_keys()
        certificate, private = directory / f"{name}.crt", directory / f"{name}.key"
        certificate.write_bytes(serialize_cert(generate_cert(Identity(name), authority, key, own_public)))
        private.write_bytes(serialize_pri_key(own))
        server = name == "server"
        found[name] = {
            DriverParams.CA_CERT.value: str(root),
            (DriverParams.SERVER_CERT if server else DriverParams.CLIENT_CERT).value: str(certificate),
            (DriverParams.SERVER_KEY if server else DriverParams.CLIENT_KEY).value: str(private),
        }
    return found


@pytest.fixture
def credentials(tmp_path: Path) -> dict[str, dict[str, str]]:
    return provisioned(tmp_path)


def test_containers_and_files_arrive(credentials: dict[str, dict[str, str]], tmp_path: Path) -> None:
    inbox, files = Inbox(), Inbox()
    source, there = tmp_path / "source", tmp_path / "in"
    source.write_bytes(MARK * 100_000)
    there.mkdir()
    with running(credentials) as job:
        listen(job.server, inbox)
        FileStreamer.register_stream_processing(
            job.two.new_context(), "ch", "files", str(there), stream_done_cb=files.done
        )
        assert push(job.one, ["server"], secure=True)[0] == ReturnCode.OK
        context = job.server.new_context()
        rc, _ = FileStreamer.stream_file("ch", "files", {}, ["site-2"], str(source), context, secure=True)
        assert rc == ReturnCode.OK
    same(VALUE, ContainerStreamer.get_result(inbox.streams[0][0]))
    assert Path(FileStreamer.get_file_location(files.streams[0][0])).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("secure", [True, False])
def test_nobody_reads_it_on_the_way(
    credentials: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    """Two processes, and what the owner sends from one to the other."""
    wire: list[bytes] = []
    send = SocketConnection.send_frame

    def recorded(self: SocketConnection, frame: bytes) -> None:
        wire.append(bytes(frame))
        send(self, frame)

    monkeypatch.setattr(SocketConnection, "send_frame", recorded)
    job = Job((), credentials if secure else None)
    owner = ContainerRetriever()
    owner.add_container("model", {"mark": MARK, "w": np.frombuffer(MARK * 100_000, np.uint8)})
    start(job.server, owner)
    arguments = [job.url, "0", *([json.dumps(credentials["site-1"])] if secure else [])]
    try:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("flare_asker.py")), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        )
    finally:
        job.close()
    assert done.stdout.endswith("OK\n")
    assert sum(map(len, wire)) > 100_000 * len(MARK)
    assert any(MARK in frame for frame in wire) != secure
