"""What goes wrong between the cells of a job: each side gets a clear code in time, and the next transfer works."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="the binding needs objstream[flare]")

from nvflare.apis.fl_constant import ReturnCode
from nvflare.fuel.f3.message import Message

from objstream import Code, Limits, TransferError
from objstream.engines.messages import SESSION_ID_BYTES
from objstream.flare import ContainerRetriever, ContainerStreamer, FileRetriever, FlareOptions
from objstream.flare.cells import CHANNEL, HEAD, SESSION, dispatcher_of
from objstream.flare.job import site_of
from objstream.flare.line import Line
from objstream.frames import FrameType, FrameWriter
from objstream.meta import Key
from objstream.session import Connection

from .flare_job import Engine, Job, running, start
from .test_flare_streams import Inbox, listen, push, until_true

MODEL = {f"{number}": np.full(500_000, number, np.int32) for number in range(6)}
SHORT = 0.5


@pytest.fixture
def job() -> Iterator[Job]:
    with running() as found:
        yield found


class Pair:
    """An owner on the server, and who asks on a client."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.served: list[TransferError | None] = []
        self.owner = ContainerRetriever(entry_timeout=SHORT)
        self.asker = ContainerRetriever()
        self.owner.set_served_cb(lambda site, name, error: self.served.append(error))
        self.owner.add_container("model", MODEL)
        start(job.server, self.owner)
        start(job.one, self.asker)

    def get(self, timeout: float = SHORT, **options: Any) -> Any:
        return self.asker.retrieve_container(
            "server", self.job.one.new_context(), timeout, "model", **options
        )

    def works(self) -> None:
        """The next transfer succeeds, and nothing is left of those before."""
        rc, got = self.get(5.0)
        assert rc == ReturnCode.OK
        assert all(np.array_equal(got[key], MODEL[key]) for key in MODEL)
        for engine in (self.job.server, self.job.one):
            site = site_of(engine.new_context(), "ContainerRetriever:ContainerRetriever")
            until_true(lambda: not site._lines and not site._threads)  # noqa: B023


@pytest.fixture
def pair(job: Job) -> Pair:
    return Pair(job)


class Filter:
    """Loses messages that arrive at a process, by FLARE's own means; once it has lost `count` of them, no more."""

    def __init__(self, engine: Engine, loses: Callable[[Message], bool], count: int = 1 << 30) -> None:
        self._loses = loses
        self._left = count
        engine.cell.core_cell.add_incoming_filter(CHANNEL, "*", self.look)

    def look(self, message: Message) -> Message | None:
        if self._left > 0 and self._loses(message):
            self._left -= 1
            return Message()
        return None

    def heal(self) -> None:
        self._left = 0


def holds(*types: FrameType) -> Callable[[Message], bool]:
    return lambda message: (message.get_header(HEAD) or b"\0")[0] in types


def everything(message: Message) -> bool:
    return True


def test_the_owner_hears_nothing(pair: Pair) -> None:
    deaf = Filter(pair.job.server, everything)
    began = time.monotonic()
    assert pair.get() == (ReturnCode.TIMEOUT, None)
    assert time.monotonic() - began < SHORT + 2
    deaf.heal()
    pair.works()


@pytest.mark.parametrize("lost", [FrameType.OPEN, FrameType.DATA, FrameType.END], ids=str)
def test_the_requester_hears_not_everything(pair: Pair, lost: FrameType) -> None:
    Filter(pair.job.one, holds(lost), 1)
    assert pair.get() == (ReturnCode.TIMEOUT, None)
    until_true(lambda: len(pair.served) == 1)
    assert pair.served[0] is not None
    assert pair.served[0].code in (Code.STALLED, Code.UNCONFIRMED)
    pair.works()


def test_a_lost_confirmation_is_a_doubt_and_no_success(pair: Pair) -> None:
    Filter(pair.job.server, holds(FrameType.DONE), 1)
    assert pair.get()[0] == ReturnCode.OK
    until_true(lambda: len(pair.served) == 1)
    assert pair.served[0] is not None
    assert pair.served[0].code is Code.UNCONFIRMED
    pair.works()


def test_a_peer_that_has_forgotten_the_session_is_found_out_before_the_deadline(pair: Pair) -> None:
    """Its last word is lost: it says that it knows of nothing when it is asked."""
    pair.owner.add_container("bad", {"f": print})
    Filter(pair.job.one, holds(FrameType.RESET), 1)
    began = time.monotonic()
    got = pair.asker.retrieve_container("server", pair.job.one.new_context(), 60.0, "bad")
    assert got[0] == ReturnCode.COMMUNICATION_ERROR
    assert "does not know of the session" in str(got.error)
    assert time.monotonic() - began < 10
    pair.works()


def test_a_cell_that_is_gone(pair: Pair) -> None:
    from nvflare.fuel.f3.cellnet.core_cell import CoreCell

    gone = CoreCell.ALL_CELLS.pop("server.job")
    got = pair.get(60.0)
    assert (got[0], got.error.code) == (ReturnCode.COMMUNICATION_ERROR, Code.LOST)
    CoreCell.ALL_CELLS["server.job"] = gone
    pair.works()


@pytest.mark.parametrize("side", ["owner", "requester"])
def test_the_job_is_aborted(pair: Pair, side: str) -> None:
    engine = pair.job.server if side == "owner" else pair.job.one
    began = threading.Event()

    def progress(_: object) -> None:
        began.set()
        time.sleep(0.02)

    def abort() -> None:
        began.wait(5)
        engine.abort.trigger("enough")

    thread = threading.Thread(target=abort)
    thread.start()
    pair.owner.add_container("model", {f"{i}": bytes(1 << 20) for i in range(100)})
    got = pair.get(30.0, progress=progress)
    thread.join()
    assert (got[0], got.error.code) == (ReturnCode.TASK_ABORTED, Code.CANCELLED)
    until_true(lambda: len(pair.served) == 1)
    assert pair.served[0] is not None
    assert pair.served[0].code is Code.CANCELLED


def test_a_retrieval_is_cancelled(pair: Pair) -> None:
    cancel = threading.Event()
    got = pair.get(30.0, cancel=cancel, progress=lambda _: cancel.set())
    assert (got[0], got.error.code) == (ReturnCode.TASK_ABORTED, Code.CANCELLED)
    pair.works()


def test_progress_that_raises_cancels(pair: Pair) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("no more")

    got = pair.get(30.0, progress=refuse)
    assert (got[0], got.error.code) == (ReturnCode.TASK_ABORTED, Code.CANCELLED)
    pair.works()


def test_a_slow_transfer_is_no_stalled_one(pair: Pair) -> None:
    """It takes several times the deadline, and something moves all the time."""
    began = time.monotonic()
    slow = ContainerRetriever(window=1 << 20)
    context = pair.job.two.new_context()
    rc, got = slow.retrieve_container("server", context, SHORT, "model", progress=lambda _: time.sleep(0.15))
    assert rc == ReturnCode.OK
    assert len(got) == len(MODEL)
    assert time.monotonic() - began > 2 * SHORT


@pytest.mark.parametrize("how", ["progress", "cancel"])
def test_a_receiver_gives_a_push_up(job: Job, how: str) -> None:
    inbox = Inbox()
    cancel = threading.Event()
    seen: list[object] = []

    def progress(each: object) -> None:
        seen.append(each)
        cancel.set()
        if how == "progress":
            raise RuntimeError("enough")

    options = FlareOptions(progress=progress, cancel=cancel if how == "cancel" else None, window=1 << 20)
    listen(job.one, inbox, transfer_options=options)
    result = push(job.server, ["site-1"], MODEL)
    assert (result[0], result.error.code) == (ReturnCode.TASK_ABORTED, Code.CANCELLED)
    assert seen
    until_true(lambda: len(inbox.streams) == 1)
    assert ContainerStreamer.get_rc(inbox.streams[0][0]) == ReturnCode.TASK_ABORTED


def test_files_that_fail_leave_nothing(job: Job, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "f").write_bytes(bytes(3 << 20))
    owner, asker = FileRetriever(str(tmp_path)), FileRetriever("", dest_dir=str(tmp_path / "in"))
    start(job.server, owner)
    start(job.one, asker)
    Filter(job.one, holds(FrameType.END), 1)
    context = job.one.new_context()
    assert asker.retrieve_file("server", context, SHORT, "f") == (ReturnCode.TIMEOUT, None)
    assert asker.retrieve_file("server", context, SHORT, "none") == (ReturnCode.BAD_REQUEST_DATA, None)
    assert list((tmp_path / "in").iterdir()) == []
    assert asker.retrieve_file("server", context, 5.0, "f")[0] == ReturnCode.OK


def test_a_push_that_fails_is_told_once_on_either_side(job: Job) -> None:
    inbox = Inbox()
    listen(job.one, inbox, transfer_options=FlareOptions(deadline=SHORT))
    Filter(job.one, holds(FrameType.END), 1)
    result = push(job.server, ["site-1"], MODEL, entry_timeout=SHORT)
    assert result[0] in (ReturnCode.COMMUNICATION_ERROR, ReturnCode.TIMEOUT)
    until_true(lambda: len(inbox.streams) == 1)
    rc = ContainerStreamer.get_rc(inbox.streams[0][0])
    assert rc in (ReturnCode.COMMUNICATION_ERROR, ReturnCode.TIMEOUT)
    assert push(job.server, ["site-1"])[0] == ReturnCode.OK
    assert len(inbox.streams) == 2


def test_more_than_the_limits_allow_is_refused(job: Job) -> None:
    listen(job.one, Inbox(), transfer_options=FlareOptions(limits=Limits(max_bytes=1000)))
    result = push(job.server, ["site-1"], MODEL)
    assert result.error is not None
    assert result.error.code is Code.TOO_LARGE


def test_peers_cannot_set_what_is_the_receivers(job: Job) -> None:
    inbox = Inbox()
    listen(job.one, inbox)
    ctx = {"FileStreamer.file_location": "/etc/passwd", "__RC__": "OK", "__topic__": "other", "fine": 1}
    ContainerStreamer.stream_container("ch", "tp", ctx, ["site-1"], [1], job.server.new_context())
    ((got, _, _),) = inbox.streams
    assert "FileStreamer.file_location" not in got
    assert (got["__topic__"], got["fine"]) == ("tp", 1)


def test_only_cells_of_the_job_are_heard(job: Job, pair: Pair) -> None:
    stranger = Engine("site-1", job.cell("site-1.other"))
    stranger_cell = stranger.cell.core_cell
    dispatcher = dispatcher_of(stranger_cell)
    frame = FrameWriter().encode(FrameType.REQUEST, _request("model"))
    topic = "ContainerRetriever:ContainerRetriever"
    known = dispatcher.ask("server.job", topic, b"s" * SESSION_ID_BYTES, [memoryview(frame)], False, 2.0)
    assert known is False
    assert pair.served == []


def test_a_session_is_its_peers(pair: Pair) -> None:
    """A site that knows the id of another's session cannot speak in it."""
    ids: list[bytes] = []
    forged: list[bool | None] = []
    intruder = dispatcher_of(pair.job.two.cell.core_cell)

    def forge(message: Message) -> bool:
        if holds(FrameType.DATA)(message) and not ids:
            ids.append(message.get_header(SESSION))
            reset = FrameWriter().encode(FrameType.RESET, {Key.CODE: 12, Key.MESSAGE: "forged"})
            topic = "ContainerRetriever:ContainerRetriever"
            answer = intruder.ask("site-1.job", topic, ids[0], [memoryview(reset)], False, 2.0)
            forged.append(answer)
        return False

    Filter(pair.job.one, forge)
    assert pair.get(5.0)[0] == ReturnCode.OK
    assert forged == [False]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {SESSION: b"short"},
        {SESSION: "x" * 16},
        {SESSION: b"x" * 16, HEAD: 7},
        {SESSION: b"x" * 16, HEAD: b""},
    ],
    ids=["none", "short id", "text id", "number", "no frame"],
)
def test_messages_that_are_none_of_ours_are_dropped(pair: Pair, headers: dict[str, Any]) -> None:
    cell = pair.job.one.cell.core_cell
    topic = "ContainerRetriever:ContainerRetriever"
    reply = cell.send_request(CHANNEL, topic, "server.job", Message(dict(headers), b"data"), 2.0)
    assert reply.get_header("objstream.heard") is False
    pair.works()
    assert len(pair.served) == 1


def test_too_many_sessions_are_busy(job: Job) -> None:
    inbox = Inbox()
    listen(job.one, inbox, transfer_options=FlareOptions(limits=Limits(max_sessions=0)))
    result = push(job.server, ["site-1"])
    assert (result[0], result.error.code) == (ReturnCode.SERVICE_UNAVAILABLE, Code.BUSY)


def line(window: int = 1 << 20) -> Line:
    connection = Connection(limits=Limits(), preface=False, incoming=lambda _: pytest.fail("begun"))
    return Line(("cell", b"id"), "peer", connection, served=True, secure=False, held=window, stops=())


def _request(name: str) -> dict[int, Any]:
    return {0: [1], 1: ["sha-256"], 2: name, 3: "container", 6: 1 << 30, 7: 1 << 20, 8: 1 << 20}


def test_frames_are_put_in_order() -> None:
    from objstream.session import Sender

    connection = Connection(limits=Limits(), preface=False, incoming=lambda _: Sender())
    waiting = Line(("c", b"i"), "p", connection, served=True, secure=False, held=100, stops=())
    writer = FrameWriter()
    frames = [writer.encode(FrameType.REQUEST, _request("x"))]
    frames += [writer.encode(FrameType.CREDIT, {Key.CREDIT: (1 << 20) + number}) for number in range(5)]
    for number in (3, 1, 1, 0, 2, 0, 5, 4):
        waiting.put([memoryview(frames[number])])
    taken = 0
    while waiting.take(0):
        taken += 1
    assert taken == len(frames)
    assert connection.expected == len(frames)


@pytest.mark.parametrize("frame", [b"", b"x", bytes(28), b"x" * 100], ids=len)
def test_what_is_no_frame_ends_the_session(frame: bytes) -> None:
    waiting = line()
    waiting.put([memoryview(frame)] if frame else [])
    assert not waiting.take(0)
    assert waiting.connection.problem is not None
    assert waiting.connection.problem.code is Code.CORRUPT


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["many", "large"])
def test_a_flood_of_frames_is_bounded(size: int) -> None:
    """A peer sends without end, and never the frame whose turn it is."""
    waiting = line()
    writer = FrameWriter()
    writer.seq = 1
    data = memoryview(bytes(size))
    for _ in range(20_000 if size == 1 else 20):
        waiting.put([memoryview(writer.encode(FrameType.DATA, {}, size)), data])
    assert not waiting.take(0)
    assert waiting.connection.problem is not None
    assert waiting.connection.problem.code is Code.PROTOCOL
    assert len(waiting._waiting) < 20_000


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_process_that_is_gone_is_noticed(how: str) -> None:
    """Two processes over TCP: the client is killed, or stands still, in the middle; the owner learns of it."""
    job = Job(())
    served: list[TransferError | None] = []
    owner = ContainerRetriever(entry_timeout=5.0)
    owner.set_served_cb(lambda site, name, error: served.append(error))
    owner.add_container("model", {f"{i}": bytes(1 << 20) for i in range(64)})
    start(job.server, owner)
    command = [sys.executable, str(Path(__file__).with_name("flare_asker.py")), job.url, "0.2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "going on\n"
        process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        began = time.monotonic()
        until_true(lambda: len(served) == 1, 12)
        assert served[0] is not None
        assert served[0].code in ((Code.LOST, Code.STALLED) if how == "killed" else (Code.STALLED,))
        assert time.monotonic() - began < 10
    finally:
        process.kill()
        process.communicate()
        job.close()
