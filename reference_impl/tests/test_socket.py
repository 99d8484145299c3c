"""Sites over tcp and unix sockets: transfers, peers that vanish, stall or speak otherwise, and the end of a site."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileStreamer,
    Limits,
    Options,
    Outcome,
    Request,
    SocketSite,
    TransferError,
)
from objstream.engines import address as addresses
from objstream.engines import socket as engine
from objstream.engines.address import Address, parse

from .helpers import (
    DONE,
    PREFACE,
    REQUEST,
    RESET,
    Heard,
    failure,
    frame,
    meta,
    names,
    request,
)
from .helpers import parse as frames_of

VALUE = {"w": np.arange(300_000), "long": b"x" * 500_000, "n": [1, "text", None]}
LONG = 20.0
"""Seconds after which a test that hangs fails; nothing waits so long otherwise."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LINGER", LONG)  # ends as soon as the peer has closed
    monkeypatch.setattr(engine, "_TIMEVAL", struct.pack("@ll", 0, 50_000))


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """After each test no thread of a site and no descriptor is left."""
    before = os.listdir("/proc/self/fd")
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("objstream")]
    for thread in left:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in left)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.fixture(params=["tcp", "unix"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a site may listen."""
    return "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/socket"


class Server:
    """A site that serves VALUE as "m" and takes whatever it is offered; what it reports, when it does."""

    def __init__(self, url: str = "tcp://127.0.0.1:0", **options: Any) -> None:
        self.site = SocketSite(url, Options(**({"deadline": LONG} | options)))
        self.address = self.site.address
        self.reports: list[tuple[Request, Outcome]] = []
        self._reported = threading.Condition()
        ContainerRetriever(self.site).add_container("m", VALUE)
        self.site.accept(lambda offer: ContainerAssembler())
        self.site.watch(self._watch)

    def _watch(self, request: Request, outcome: Outcome) -> None:
        with self._reported:
            self.reports.append((request, outcome))
            self._reported.notify()

    def wait(self, count: int) -> None:
        """Until so many transfers have been reported."""
        with self._reported:
            assert self._reported.wait_for(lambda: len(self.reports) >= count, LONG)

    def code(self) -> Code:
        """The code of the first transfer, which has failed."""
        self.wait(1)
        error = self.reports[0][1].error
        assert error is not None
        return error.code

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.site.close()


class Raw:
    """A peer whose bytes are written by hand."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        connected.settimeout(LONG)

    @staticmethod
    def to(address: str) -> Raw:
        where = parse(address)
        if where.scheme == "tcp":
            return Raw(socket.create_connection((where.host, where.port)))
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(where.path)
        return Raw(connected)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self, *last: str) -> list[Heard]:
        """Frames until one of these names comes, or, without names, until the end."""
        heard: list[Heard] = []
        while not heard or heard[-1].name not in last:
            head = self._exactly(24)
            if len(head) < 24:
                assert not last
                assert head == b""
                break
            _, _, meta_length, length, *_ = struct.unpack(">BBHIQII", head)
            heard += frames_of(head + self._exactly(meta_length + length))
        return heard

    def preface(self) -> bytes:
        return self._exactly(8)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            with contextlib.suppress(ConnectionResetError):
                part = self.socket.recv(count - len(data))
            if not part:
                break
            data += part
        return data

    def ended(self) -> bool:
        """The other side has closed."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def close(self, *, hard: bool = False) -> None:
        if hard:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextlib.contextmanager
def peer(serve: Callable[[Raw], object]) -> Iterator[str]:
    """The address of a peer that treats each connection so, and then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = listener.accept()
                with Raw(connected) as raw:
                    serve(raw)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(LONG)


def silent(raw: Raw) -> None:
    """Accepts, reads, and says nothing."""
    raw.ended()


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def pull(site: SocketSite, address: str, **options: Any) -> Any:
    return ContainerRetriever(site).retrieve_container(address, "m", options=Options(**options))


def push(site: SocketSite, *targets: str, **options: Any) -> dict[str, Code | None]:
    """The code for each target, None for delivered."""
    outcomes = site.push(targets, ContainerStreamer(VALUE, name="m"), Options(**options))
    return {peer: outcome.error and outcome.error.code for peer, outcome in outcomes.items()}


def same(value: Any) -> bool:
    return bool(list(value) == list(VALUE) and (value["w"] == VALUE["w"]).all()) and all(
        value[key] == VALUE[key] for key in ("long", "n")
    )


@pytest.mark.parametrize("digest", ["sha-256", "blake3", "none"])
def test_a_pull_and_a_push_deliver(url: str, digest: str) -> None:
    with Server(url, digests=("none", "sha-256", "blake3")) as server, SocketSite() as client:
        assert same(pull(client, server.address, digests=(digest,)))
        server.wait(1)
        assert push(client, server.address, digests=(digest,)) == {server.address: None}
        server.wait(2)
    (asked, given), (offer, taken) = server.reports
    assert (asked.kind, asked.name, given.delivered) == ("container", "m", True)
    assert (offer.kind, offer.offered, taken.delivered) == ("dict", True, True)
    assert same(taken.result)
    assert asked.peer.startswith("unix:" if url.startswith("unix") else "tcp://127.0.0.1:")


def test_a_small_window_and_small_chunks_deliver_too(url: str) -> None:
    with Server(url) as server, SocketSite() as client:
        assert same(pull(client, server.address, window=10_000))


def test_arrays_are_received_in_place(url: str) -> None:
    into = {"w": np.zeros(300_000, np.int64), "long": b"", "n": []}
    array = into["w"]
    with Server(url) as server, SocketSite() as client:
        ContainerRetriever(client).retrieve_container(server.address, "m", into=into)
    assert into["w"] is array
    assert same(into)


def test_a_file_is_pushed_through(url: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(1_500_001))
    with SocketSite(url) as server, SocketSite() as client:
        server.accept(lambda offer: FileAssembler(target))
        (outcome,) = client.push([server.address], FileStreamer(source, chunk=100_000)).values()
        assert outcome.delivered
    assert target.read_bytes() == source.read_bytes()


def test_an_error_of_the_server_comes_as_the_servers_words(url: str) -> None:
    with Server(url) as server, SocketSite() as client:
        problem = failure(lambda: ContainerRetriever(client).retrieve_container(server.address, "other"))
    assert str(problem) == "NOT_FOUND: peer: no container is called 'other' here"


def test_several_sessions_run_on_one_connection(url: str) -> None:
    with Server(url) as server, Raw.to(server.address) as raw:
        raw.say(PREFACE)
        assert raw.preface() == PREFACE
        for _ in range(3):
            raw.say(frame(REQUEST, request()))
            heard = raw.hear("END")
            assert [frame.seq for frame in heard] == list(range(len(heard)))
            raw.say(frame(DONE, meta(chain=heard[-1].chain), seq=1))
        raw.say(frame(REQUEST, request(name="other")))
        assert names(raw.hear()) == ["RESET"]
        assert raw.ended()
        server.wait(4)
    assert [outcome.delivered for _, outcome in server.reports] == [True, True, True, False]


def test_bytes_that_trickle_in_make_the_same_session(url: str) -> None:
    with Server(url) as server, Raw.to(server.address) as raw:
        for byte in PREFACE + frame(REQUEST, request(name="other")):
            raw.say(bytes([byte]))
        assert raw.preface() == PREFACE
        assert raw.hear()[0].code == Code.NOT_FOUND


def test_a_foreign_protocol_is_told_so_and_the_site_goes_on(url: str) -> None:
    with Server(url) as server, SocketSite() as client:
        with Raw.to(server.address) as raw:
            raw.say(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
            assert raw.preface() == PREFACE
            (reset,) = raw.hear()
            assert (reset.name, reset.code) == ("RESET", Code.PROTOCOL)
            assert raw.ended()
        assert same(pull(client, server.address))


def test_a_peer_that_speaks_another_protocol_is_an_error_of_protocol() -> None:
    def serve(raw: Raw) -> None:
        raw.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raw.ended()

    with peer(serve) as address, SocketSite() as client:
        assert failure(lambda: pull(client, address)).code is Code.PROTOCOL


@pytest.mark.parametrize("said", [b"", PREFACE[:3], PREFACE, PREFACE + frame(REQUEST, request())[:10]])
def test_a_peer_that_begins_nothing_is_let_go_after_the_deadline(url: str, said: bytes) -> None:
    with Server(url, deadline=0.3) as server, Raw.to(server.address) as raw:
        raw.say(said)
        assert raw.preface() == PREFACE
        assert raw.ended()
    assert server.reports == []


def test_a_peer_that_begins_nothing_after_its_session_is_let_go_too(url: str) -> None:
    with Server(url, deadline=0.5) as server, Raw.to(server.address) as raw:
        server.site.provide(lambda asked: ContainerStreamer([]))
        raw.say(PREFACE + frame(REQUEST, request(name="empty")))
        raw.preface()
        raw.say(frame(DONE, meta(chain=raw.hear("END")[-1].chain), seq=1))
        assert raw.ended()
    assert [outcome.delivered for _, outcome in server.reports] == [True]


def test_a_port_where_nobody_listens_is_found_out_at_once(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    dead = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    with SocketSite() as client:
        for address in (dead, f"unix://{tmp_path}/nothing"):
            problem = failure(lambda address=address: pull(client, address))
            assert problem.code is Code.LOST
            assert problem.message == f"nobody answers at {address}"
            assert problem.local
            assert push(client, address) == {address: Code.LOST}


@pytest.mark.parametrize("address", ["nowhere", "tcp://", "http://host:80", ""])
def test_what_is_no_address_is_not_found_and_explained(address: str) -> None:
    with SocketSite() as client:
        problem = failure(lambda: pull(client, address))
    assert problem.code is Code.NOT_FOUND
    assert "tcp://HOST:PORT or unix:///PATH" in problem.message


def test_a_source_that_fails_before_the_connection_fails_with_its_own_error(tmp_path: Path) -> None:
    with SocketSite() as client:
        (outcome,) = client.push(["tcp://127.0.0.1:1"], FileStreamer(tmp_path / "missing")).values()
    assert outcome.error is not None
    assert outcome.error.code is Code.NOT_FOUND


@pytest.mark.parametrize("hard", [False, True])
def test_an_owner_that_vanishes_in_the_middle_loses_the_transfer(hard: bool) -> None:
    def serve(raw: Raw) -> None:
        raw.say(PREFACE + frame(3, meta(versions=1, digests="sha-256", kind="list")))
        raw.preface()
        raw.hear("REQUEST")
        raw.close(hard=hard)

    with peer(serve) as address, SocketSite() as client:
        problem = failure(lambda: pull(client, address))
    assert problem.code is Code.LOST
    assert "the connection ended inside the session" in problem.message


@pytest.mark.parametrize("hard", [False, True])
def test_an_asker_that_vanishes_in_the_middle_is_noticed(url: str, hard: bool) -> None:
    with Server(url) as server:
        raw = Raw.to(server.address)
        raw.say(PREFACE + frame(REQUEST, request(credit=1000)))
        raw.preface()
        raw.hear("ENTRIES")
        raw.close(hard=hard)
        assert server.code() is Code.LOST


def test_an_asker_that_vanishes_while_the_owner_is_sending_is_noticed(url: str) -> None:
    with Server(url) as server:
        server.site.provide(lambda asked: ContainerStreamer([b"x" * 30_000_000]))
        raw = Raw.to(server.address)
        raw.say(PREFACE + frame(REQUEST, request(name="large", credit=1 << 40)))
        raw.preface()
        raw.hear("DATA")
        raw.close(hard=True)
        assert server.code() is Code.LOST


def test_a_receiver_that_vanishes_after_the_end_leaves_the_sender_unconfirmed() -> None:
    def serve(raw: Raw) -> None:
        raw.say(PREFACE)
        raw.preface()
        offer = raw.hear("OFFER")[0]
        raw.say(frame(REQUEST, request(name="m", kind=offer.kind)))
        raw.hear("END")

    with peer(serve) as address, SocketSite() as client:
        assert push(client, address) == {address: Code.UNCONFIRMED}


def test_a_receiver_that_fails_while_it_is_sent_to_is_heard(tmp_path: Path) -> None:
    class Full(FileAssembler):
        def filled(self, count: int) -> None:
            raise OSError(28, "no space left")

    source = tmp_path / "source"
    source.write_bytes(bytes(20_000_000))
    with SocketSite("tcp://127.0.0.1:0") as server, SocketSite() as client:
        server.accept(lambda offer: Full(tmp_path / "target"))
        (outcome,) = client.push(
            [server.address], FileStreamer(source), Options(digests=("none", "sha-256"))
        ).values()
    assert outcome.error is not None
    assert outcome.error.code is Code.STORE_FAILED
    assert outcome.error.from_peer
    assert not tmp_path.joinpath("target").exists()


def test_a_peer_that_says_nothing_stalls_the_transfer() -> None:
    with peer(silent) as address, SocketSite() as client:
        assert failure(lambda: pull(client, address, deadline=0.3)).code is Code.STALLED
        assert push(client, address, deadline=0.3) == {address: Code.STALLED}


def test_a_peer_that_does_not_read_stalls_the_transfer(url: str) -> None:
    with Server(url, deadline=0.5) as server, Raw.to(server.address) as raw:
        server.site.provide(lambda asked: ContainerStreamer([b"x" * 30_000_000]))
        raw.say(PREFACE + frame(REQUEST, request(name="large", credit=1 << 40)))
        assert server.code() is Code.STALLED


def test_several_targets_have_verdicts_of_their_own_and_do_not_wait_for_each_other() -> None:
    order: list[str] = []
    with Server() as good, Server() as other, peer(silent) as hole, SocketSite() as client:
        other.site.options = Options(limits=Limits(max_bytes=1000))
        good.site.watch(lambda offer, outcome: order.append("good"))
        codes = push(client, hole, good.address, other.address, "tcp://127.0.0.1:1", deadline=2.0)
        order.append("all")
        assert list(codes.values()) == [Code.STALLED, None, Code.TOO_LARGE, Code.LOST]
    assert order == ["good", "all"]


def while_waiting(client: SocketSite, act: Callable[[], object], **options: Any) -> TransferError:
    """The error of a pull from a peer that says nothing, when this is done meanwhile."""
    asked = threading.Event()

    def serve(raw: Raw) -> None:
        raw.preface()
        raw.hear("REQUEST")
        asked.set()
        raw.ended()

    with peer(serve) as address:
        problems: list[TransferError] = []
        options = {"deadline": LONG} | options
        thread = threading.Thread(
            target=lambda: problems.append(failure(lambda: pull(client, address, **options)))
        )
        thread.start()
        assert asked.wait(LONG)
        act()
        thread.join(LONG / 2)
        assert not thread.is_alive()
        return problems[0]


def test_an_event_cancels_a_transfer_from_another_thread() -> None:
    event = threading.Event()
    with SocketSite() as client:
        assert while_waiting(client, event.set, cancel=event).code is Code.CANCELLED


def test_a_site_cancels_what_it_does_and_goes_on() -> None:
    with Server() as server, SocketSite() as client:
        assert while_waiting(client, client.cancel).code is Code.CANCELLED
        assert same(pull(client, server.address))
        client.cancel()
        assert same(pull(client, server.address))


def test_a_site_cancels_what_others_began() -> None:
    with Server() as server, Raw.to(server.address) as raw:
        raw.say(PREFACE + frame(REQUEST, request(credit=1000)))
        raw.preface()
        raw.hear("ENTRIES")
        server.site.cancel()
        assert raw.hear()[-1].code == Code.CANCELLED
        assert server.code() is Code.CANCELLED
        with SocketSite() as client:
            assert same(pull(client, server.address))


def test_a_cancel_from_inside_of_the_transfer_ends_it() -> None:
    with Server() as server, SocketSite() as client:
        problem = failure(lambda: pull(client, server.address, progress=lambda now: client.cancel()))
        assert problem.code is Code.CANCELLED
        assert server.code() in (Code.CANCELLED, Code.UNCONFIRMED)


def test_closing_a_site_ends_its_own_transfers() -> None:
    client = SocketSite()
    assert while_waiting(client, client.close).code is Code.CANCELLED


def test_closing_a_site_ends_what_others_began_and_tells_them(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LINGER", 0.2)  # nobody reads while it closes
    server = Server(url)
    raws = [Raw.to(server.address) for _ in range(3)]
    for raw in raws:
        raw.say(PREFACE + frame(REQUEST, request(credit=1000)))
        raw.preface()
        raw.hear("ENTRIES")
    idle = Raw.to(server.address)
    server.site.close()
    server.site.close()
    assert idle.ended()
    for raw in raws:
        assert raw.hear()[-1].code == Code.CANCELLED
        raw.close()
    idle.close()
    with pytest.raises(OSError, match=r"refused|No such file"):
        Raw.to(server.address)
    with SocketSite() as client:
        assert push(client, server.address) == {server.address: Code.LOST}


@contextlib.contextmanager
def being_let_in(address: str, monkeypatch: pytest.MonkeyPatch, slow: str) -> Iterator[Raw]:
    """A peer whose thread takes its time at this step."""
    begun = threading.Event()

    def slowly(thread: threading.Thread, *args: Any, **kwargs: Any) -> None:
        begun.set()
        time.sleep(0.5)
        promptly(thread, *args, **kwargs)

    promptly = getattr(threading.Thread, slow)
    monkeypatch.setattr(threading.Thread, slow, slowly)
    with Raw.to(address) as raw:
        assert begun.wait(LONG)
        monkeypatch.setattr(threading.Thread, slow, promptly)
        yield raw


def test_a_thread_that_has_not_begun_does_not_disturb_the_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    with being_let_in(server.address, monkeypatch, "start") as raw:
        monkeypatch.setattr(engine, "LINGER", -0.95)  # each thread is waited for 50 ms
        server.site.close()
        assert raw.ended()


def test_closing_a_site_waits_for_a_peer_that_is_being_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    with being_let_in(server.address, monkeypatch, "__init__") as raw:
        monkeypatch.setattr(addresses, "prepare", lambda connected: time.sleep(0.2))
        server.site.close()
        assert not [one for one in threading.enumerate() if one.name == f"objstream {server.address}"]
        assert raw.ended()


def test_a_peer_for_whom_there_is_no_thread_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server, SocketSite() as client:

        def no_more(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_more)
            with Raw.to(server.address) as raw:
                assert raw.ended()
        assert same(pull(client, server.address))


def test_a_closed_site_transfers_nothing() -> None:
    with Server() as server:
        client = SocketSite()
        client.close()
        assert failure(lambda: pull(client, server.address)).code is Code.CANCELLED


def test_a_watcher_may_close_its_site(url: str) -> None:
    server = Server(url)
    closed = threading.Event()
    server.site.watch(lambda request, outcome: (server.site.close(), closed.set()))
    with SocketSite() as client:
        assert same(pull(client, server.address))
    assert closed.wait(LONG)


def test_a_site_with_as_many_connections_as_it_takes_is_busy(url: str) -> None:
    with Server(url, limits=Limits(max_sessions=1)) as server, SocketSite() as client:
        with Raw.to(server.address) as raw:
            assert raw.preface() == PREFACE
            problem = failure(lambda: pull(client, server.address))
            assert (problem.code, problem.from_peer) == (Code.BUSY, True)
            raw.say(PREFACE)
            raw.say(frame(RESET, meta(code=12, message="")))
            assert raw.ended()
        until(lambda: not server.site._lines)
        assert same(pull(client, server.address))


@pytest.mark.parametrize("what", ["pull", "push"])
def test_an_interrupt_ends_the_transfer_and_is_told_to_the_peer(what: str) -> None:
    class Interrupted(KeyboardInterrupt):
        pass

    def interrupt(now: object) -> None:
        raise Interrupted

    with Server() as server, peer(silent) as hole, SocketSite() as client:
        targets = [server.address] if what == "pull" else [server.address, hole]
        transfer = pull if what == "pull" else push
        with pytest.raises(Interrupted):
            transfer(client, *targets, progress=interrupt, deadline=LONG)
        assert server.code() in (Code.CANCELLED, Code.UNCONFIRMED)


CHILD = """
import sys
from objstream import ContainerAssembler, ContainerRetriever, SocketSite
site = SocketSite("tcp://127.0.0.1:0")
ContainerRetriever(site).add_container("m", [bytes(10_000_000)])
site.accept(lambda offer: ContainerAssembler())
print(site.address, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("what", ["pull", "push"])
def test_a_process_that_is_killed_loses_the_transfer(what: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    address = child.stdout.readline().strip()
    options = Options(window=1000, deadline=LONG, progress=lambda now: os.kill(child.pid, signal.SIGKILL))
    streamer = ContainerStreamer([bytes(20_000_000)], name="m", chunk=10_000)
    try:
        with SocketSite() as client:
            if what == "push":
                error = client.push([address], streamer, options)[address].error
            else:
                retriever = ContainerRetriever(client)
                error = failure(lambda: retriever.retrieve_container(address, "m", options=options))
        assert error is not None
        assert error.code is Code.LOST
    finally:
        child.kill()
        child.communicate()


def test_a_stale_unix_socket_is_replaced_and_gone_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    assert path.exists()
    with Server(f"unix://{path}") as server, SocketSite() as client:
        assert server.address == f"unix://{path}"
        assert same(pull(client, server.address))
    assert not path.exists()


def test_a_unix_socket_that_is_in_use_and_a_file_are_not_touched(tmp_path: Path) -> None:
    used, file = tmp_path / "used", tmp_path / "file"
    file.write_text("content")
    with Server(f"unix://{used}") as server, SocketSite() as client:
        for path in (used, file):
            with pytest.raises(OSError, match="in use"):
                SocketSite(f"unix://{path}")
        assert same(pull(client, server.address))
    assert file.read_text() == "content"


def test_a_port_that_is_in_use_is_an_error() -> None:
    with Server() as server, pytest.raises(OSError, match="in use"):
        SocketSite(server.address)
    with pytest.raises(ValueError, match="is no address"):
        SocketSite("127.0.0.1:8000")


def test_a_site_that_runs_out_of_descriptors_goes_on_when_there_are_some_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Poor:
        """A listening socket that fails at first."""

        def __init__(self, listener: socket.socket) -> None:
            self._listener = listener
            self._failures = 2

        def accept(self) -> Any:
            if self._failures:
                self._failures -= 1
                raise OSError(24, "Too many open files")
            return self._listener.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._listener, name)

    def listen(address: Address) -> Any:
        listener, where = real(address)
        return Poor(listener), where

    real = addresses.listen
    monkeypatch.setattr(addresses, "listen", listen)
    monkeypatch.setattr(engine, "SLICE", 0.01)
    with Server() as server, SocketSite() as client:
        assert same(pull(client, server.address))


def test_a_connection_that_is_gone_before_it_is_looked_at_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(connected: socket.socket) -> str:
        names.append(peer_name(connected))
        if len(names) == 1:
            raise OSError(107, "not connected")
        return names[-1]

    names: list[str] = []
    peer_name = addresses.peer_name
    monkeypatch.setattr(addresses, "peer_name", gone)
    with Server() as server, SocketSite() as client:
        assert failure(lambda: pull(client, server.address)).code is Code.LOST
        assert same(pull(client, server.address))
