"""Streams and retrievals between the cells of a job."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="the binding needs objstream[flare]")

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable

from objstream import Code, Progress
from objstream.flare import (
    ContainerRetriever,
    ContainerStreamer,
    FileRetriever,
    FileStreamer,
    FlareOptions,
)

from .flare_job import Engine, Job, running, start

VALUE = {"w": np.arange(600_000, dtype=np.float32), "n": [1, "text", None], "empty": {}}


@pytest.fixture
def job() -> Iterator[Job]:
    with running() as found:
        yield found


class Inbox:
    """A receiving component: what its callbacks were told."""

    def __init__(self, **answer: Any) -> None:
        self.streams: list[tuple[dict[Any, Any], FLContext, dict[str, Any]]] = []
        self.pieces: list[bool] = []
        self.entries: list[Any] = []
        self.failure: Exception | None = None

    def done(self, stream_ctx: dict[Any, Any], fl_ctx: FLContext, **kwargs: Any) -> None:
        self.streams.append((stream_ctx, fl_ctx, kwargs))
        if self.failure is not None:
            raise self.failure

    def consumed(self, answer: tuple[bool, Shareable], stream_ctx: Any, fl_ctx: Any, **kwargs: Any) -> None:
        more, reply = answer
        assert reply.get_return_code() == ReturnCode.OK
        self.pieces.append(more)

    def refuse(self, *arguments: Any, **kwargs: Any) -> None:
        raise RuntimeError("not this one")

    def entry(self, entry: Any, stream_ctx: Any, fl_ctx: Any, **kwargs: Any) -> None:
        self.entries.append(entry)


def same(sent: Any, got: Any) -> None:
    assert type(got) is type(sent)
    assert list(got) == list(sent)
    for key in sent:
        assert np.array_equal(got[key], sent[key]) if key == "w" else got[key] == sent[key]


def push(engine: Engine, targets: list[str] | None, container: Any = VALUE, **options: Any) -> Any:
    return ContainerStreamer.stream_container(
        "ch", "tp", {"round": 3, "rate": 0.5}, targets, container, engine.new_context(), **options
    )


def listen(engine: Engine, inbox: Inbox, **options: Any) -> None:
    ContainerStreamer.register_stream_processing(
        engine.new_context(), "ch", "tp", stream_done_cb=inbox.done, **options
    )


def test_a_container_is_pushed(job: Job) -> None:
    inbox = Inbox()
    listen(job.server, inbox, consumed_cb=inbox.consumed, entry_cb=inbox.entry, extra="of mine")
    rc, deliveries = push(job.one, ["server"])
    (ctx, fl_ctx, kwargs), *more = inbox.streams  # told before the sender is
    assert (rc, bool(deliveries), more, kwargs) == (ReturnCode.OK, True, [], {"extra": "of mine"})
    assert deliveries["server"].get_return_code() == ReturnCode.OK
    same(VALUE, ContainerStreamer.get_result(ctx))
    assert (ctx["round"], ctx["rate"]) == (3, 0.5)
    assert (ContainerStreamer.get_channel(ctx), ContainerStreamer.get_topic(ctx)) == ("ch", "tp")
    assert (ContainerStreamer.get_rc(ctx), ContainerStreamer.get_error(ctx)) == (ReturnCode.OK, None)
    assert fl_ctx.get_peer_context().get_identity_name() == "site-1"
    assert fl_ctx.get_identity_name() == "server"
    assert inbox.pieces == [True, True, False]
    assert [key for key, _ in inbox.entries] == list(VALUE)


def test_a_file_is_pushed(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(bytes(range(256)) * 100)
    (tmp_path / "in").mkdir()
    inbox = Inbox()
    FileStreamer.register_stream_processing(
        job.one.new_context(),
        "ch",
        "files",
        dest_dir=str(tmp_path / "in"),
        stream_done_cb=inbox.done,
        chunk_consumed_cb=inbox.consumed,
    )
    ctx: dict[Any, Any] = {"why": "test"}
    rc, deliveries = FileStreamer.stream_file(
        "ch", "files", ctx, ["site-1"], str(path), job.server.new_context(), chunk_size=10_000
    )
    assert (rc, list(deliveries)) == (ReturnCode.OK, ["site-1"])
    assert (FileStreamer.get_file_name(ctx), FileStreamer.get_file_size(ctx)) == ("model.bin", 25_600)
    ((got, fl_ctx, _),) = inbox.streams
    assert (FileStreamer.get_file_name(got), FileStreamer.get_file_size(got)) == ("model.bin", 25_600)
    location = Path(FileStreamer.get_file_location(got))
    assert location.parent == tmp_path / "in"
    assert location.read_bytes() == path.read_bytes()
    assert (got["why"], fl_ctx.get_peer_context().get_identity_name()) == ("test", "server")
    assert inbox.pieces == [True, True, False]


def test_an_empty_file_is_one_piece(job: Job, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    inbox = Inbox()
    FileStreamer.register_stream_processing(
        job.one.new_context(), "ch", "f", str(tmp_path), inbox.done, inbox.consumed
    )
    rc, _ = FileStreamer.stream_file(
        "ch", "f", {}, ["site-1"], str(tmp_path / "empty"), job.server.new_context()
    )
    assert (rc, inbox.pieces) == (ReturnCode.OK, [False])


def test_each_target_has_a_result_of_its_own(job: Job) -> None:
    inboxes = [Inbox(), Inbox()]
    listen(job.one, inboxes[0])
    listen(job.two, inboxes[1], consumed_cb=inboxes[1].refuse)
    rc, deliveries = push(job.server, ["site-1", "site-2", "nobody"])
    assert (rc, bool(deliveries)) == (ReturnCode.ERROR, False)
    assert deliveries.errors["site-1"] is None
    assert deliveries.errors["site-2"].code is Code.STORE_FAILED
    assert "'nobody'" in deliveries.errors["nobody"].message
    codes = {target: reply.get_return_code() for target, reply in deliveries.items()}
    assert codes == {
        "site-1": ReturnCode.OK,
        "site-2": ReturnCode.EXECUTION_EXCEPTION,
        "nobody": ReturnCode.BAD_REQUEST_DATA,
    }
    same(VALUE, ContainerStreamer.get_result(inboxes[0].streams[0][0]))
    ((failed, _, _),) = inboxes[1].streams
    assert ContainerStreamer.get_rc(failed) == ReturnCode.EXECUTION_EXCEPTION
    assert ContainerStreamer.get_result(failed) is None
    assert "not this one" in str(ContainerStreamer.get_error(failed))


def test_no_targets_means_everybody_and_an_empty_list_is_a_mistake(job: Job) -> None:
    inbox = Inbox()
    for engine in (job.server, job.one, job.two):
        listen(engine, inbox)
    assert list(push(job.server, None)[1]) == ["site-1", "site-2"]
    assert list(push(job.two, None)[1]) == ["server"]
    inbox.streams.clear()
    result = push(job.server, [])
    assert (result[0], bool(result[1]), inbox.streams) == (ReturnCode.BAD_REQUEST_DATA, False, [])


def test_nobody_listens(job: Job) -> None:
    listen(job.one, Inbox())
    result = push(job.server, ["site-2"])  # has no site of ours at all
    assert result[0] == ReturnCode.BAD_REQUEST_DATA
    assert "serves nothing under 'ch:tp'" in str(result.error)
    other = ContainerStreamer.stream_container("ch", "other", {}, ["site-1"], VALUE, job.server.new_context())
    assert other.error is not None
    assert other.error.code is Code.NOT_FOUND


def test_a_callback_that_fails_at_the_end_changes_nothing(job: Job) -> None:
    inbox = Inbox()
    inbox.failure = RuntimeError("the application's own")
    listen(job.one, inbox)
    assert push(job.server, ["site-1"])[0] == ReturnCode.OK
    assert len(inbox.streams) == 1


def test_the_last_registration_counts(job: Job) -> None:
    first, last = Inbox(), Inbox()
    listen(job.one, first)
    listen(job.one, last)
    assert push(job.server, ["site-1"])[0] == ReturnCode.OK
    assert (len(first.streams), len(last.streams)) == (0, 1)


def test_what_cannot_be_carried_is_named(job: Job) -> None:
    listen(job.one, Inbox())
    for container, what in (
        ({"fine": 1, "bad": [object()]}, r"tp\['bad'\]\[0\]: object"),
        (object(), "object is no container"),
    ):
        result = push(job.server, ["site-1"], container)
        assert result[0] == ReturnCode.BAD_REQUEST_DATA
        assert result.error is not None
        assert result.error.code is Code.UNSUPPORTED
        assert what.replace("\\", "") in str(result.error)
    large = ContainerStreamer.stream_container(
        "ch", "tp", {"note": "x" * 5000}, ["site-1"], VALUE, job.server.new_context()
    )
    assert large.error is not None
    assert "the stream context takes" in str(large.error)


def test_arguments_are_checked_as_flare_checks_them(job: Job, tmp_path: Path) -> None:
    context = job.one.new_context()
    with pytest.raises(ValueError, match="is not a valid file"):
        FileStreamer.stream_file("c", "t", {}, ["server"], str(tmp_path), context)
    with pytest.raises(ValueError, match="is not a valid dir"):
        FileStreamer.register_stream_processing(context, "c", "t", dest_dir=str(tmp_path / "missing"))
    for options in ({"entry_timeout": -1.0}, {"chunk_size": -5}):
        with pytest.raises(ValueError, match="must"):
            push(job.one, ["server"], **options)
    with pytest.raises(TypeError, match="channel"):
        ContainerStreamer.register_stream_processing(context, 3, "t")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="stream_done_cb"):
        ContainerStreamer.register_stream_processing(context, "c", "t", "no callable")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="no cell"):
        ContainerStreamer.stream_container("c", "t", {}, None, {}, FLContext())


class Retrievers:
    """A retriever of each kind on the server and on a client."""

    def __init__(self, job: Job, root: Path) -> None:
        self.context = job.one.new_context()
        for name in ("source", "dest"):
            (root / name).mkdir()
        self.source, self.dest = root / "source", root / "dest"
        self.served: list[tuple[str, str, object]] = []
        self.owner = ContainerRetriever()
        self.asker = ContainerRetriever(window=1 << 20)
        self.file_owner = FileRetriever(str(self.source), chunk_size=1000)
        self.file_asker = FileRetriever("", dest_dir=str(self.dest))
        self.owner.set_served_cb(lambda *outcome: self.served.append(outcome))
        start(job.server, self.owner, self.file_owner)
        start(job.one, self.asker, self.file_asker)

    def get(self, name: str, **options: Any) -> Any:
        return self.asker.retrieve_container("server", self.context, 5.0, name, **options)


@pytest.fixture
def both(job: Job, tmp_path: Path) -> Retrievers:
    return Retrievers(job, tmp_path)


@pytest.mark.parametrize(
    "container",
    [VALUE, OrderedDict(VALUE), OrderedDict(), {}, [], (), set(), frozenset({1, 2}), [None], (1, [2])],
    ids=lambda one: f"{type(one).__name__}-{len(one)}",
)
def test_containers_are_retrieved(both: Retrievers, container: Any) -> None:
    both.owner.add_container("it", container)
    rc, got = both.get("it")
    assert rc == ReturnCode.OK
    if container and isinstance(container, dict):
        same(container, got)
    else:
        assert (type(got), got) == (type(container), container)


def test_a_state_dict_is_retrieved_into_another(both: Retrievers) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = torch.nn.Linear(300, 300), torch.nn.Linear(300, 300)
    both.owner.add_container("model", ours.state_dict())
    place = theirs.state_dict()
    rc, got = both.get("model", into=place)
    assert (rc, got is place) == (ReturnCode.OK, True)
    assert torch.equal(theirs.weight, ours.weight)
    rc, fresh = both.get("model")
    assert type(fresh) is OrderedDict
    theirs.load_state_dict(fresh)


def test_progress_and_entries_are_reported(both: Retrievers) -> None:
    both.owner.add_container("it", VALUE)
    seen: list[Progress] = []
    entries: list[Any] = []
    assert both.get("it", progress=seen.append, entry_cb=entries.append)[0] == ReturnCode.OK
    assert seen[-1].bytes == seen[-1].size
    assert (seen[-1].entries, seen[-1].count) == (3, 3)
    assert [key for key, _ in entries] == list(VALUE)


def test_a_file_is_retrieved(both: Retrievers) -> None:
    (both.source / "a.bin").write_bytes(b"a" * 12_345)
    rc, location = both.file_asker.retrieve_file("server", both.context, 5.0, "a.bin")
    assert rc == ReturnCode.OK
    assert isinstance(location, str)
    assert Path(location).parent == both.dest
    assert Path(location).read_bytes() == b"a" * 12_345


def test_retrieve_takes_the_name_as_flares_does(both: Retrievers) -> None:
    both.owner.add_container("it", [1])
    assert both.asker.retrieve(from_site="server", fl_ctx=both.context, timeout=5.0, name="it") == ("OK", [1])
    with pytest.raises(TypeError, match="version"):
        both.asker.retrieve("server", both.context, 5.0, name="it", version=3)


@pytest.mark.parametrize("name", ["missing", "", None, "../x"])
def test_a_name_that_is_not_there(both: Retrievers, name: Any) -> None:
    for got in (both.get(name), both.file_asker.retrieve_file("server", both.context, 5.0, name)):
        assert got == (ReturnCode.BAD_REQUEST_DATA, None)
        assert got.error.code is Code.NOT_FOUND
    assert list(both.dest.iterdir()) == []


def test_the_owner_learns_how_it_ended(both: Retrievers) -> None:
    both.owner.add_container("it", VALUE)
    both.owner.add_container("bad", {"f": print})
    assert both.get("it")[0] == ReturnCode.OK
    until_true(lambda: len(both.served) == 1)
    got = both.get("bad")
    assert got[0] == ReturnCode.BAD_REQUEST_DATA
    assert "bad['f']" in str(got.error)
    until_true(lambda: len(both.served) == 2)
    assert both.served[0] == ("site-1", "it", None)
    assert getattr(both.served[1][2], "code", None) is Code.UNSUPPORTED


def test_a_subclass_decides_about_requests(job: Job) -> None:
    class Guarded(ContainerRetriever):
        def validate_request(self, request: Shareable, fl_ctx: FLContext) -> tuple[str, Any]:
            if fl_ctx.get_peer_context().get_identity_name() != "site-1":
                return ReturnCode.UNSAFE_JOB, None
            return super().validate_request(request, fl_ctx)

    owner, one, two = Guarded(), Guarded(), Guarded()
    owner.add_container("it", [1])
    for engine, retriever in ((job.server, owner), (job.one, one), (job.two, two)):
        start(engine, retriever)
    assert one.retrieve_container("server", job.one.new_context(), 5.0, "it") == ("OK", [1])
    refused = two.retrieve_container("server", job.two.new_context(), 5.0, "it")
    assert refused.error is not None
    assert refused.error.code is Code.REFUSED
    assert "UNSAFE_JOB" in str(refused.error)


def test_retrievers_of_other_topics_are_apart(job: Job, both: Retrievers) -> None:
    other = ContainerRetriever(topic="other")
    start(job.server, other)
    other.add_container("it", [2])
    both.owner.add_container("it", [1])
    mine = ContainerRetriever(topic="other")
    start(job.one, mine)
    assert both.get("it") == ("OK", [1])
    assert mine.retrieve_container("server", both.context, 5.0, "it") == ("OK", [2])


def test_transfers_at_once_are_independent(both: Retrievers) -> None:
    for number in range(6):
        both.owner.add_container(f"{number}", {"w": np.full(300_000, number)})
    got: dict[int, Any] = {}

    def get(number: int) -> None:
        got[number] = both.get(f"{number}")

    threads = [threading.Thread(target=get, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        rc, container = got[number]
        assert rc == ReturnCode.OK
        assert (container["w"] == number).all()


def test_messages_can_be_left_to_flare_to_encrypt() -> None:
    """Everything is payload then, which is what FLARE encrypts."""
    from nvflare.fuel.f3.message import Message

    from objstream.flare.cells import HEAD, _message, _opened

    frame = [memoryview(b"header and meta"), memoryview(b"data")]
    message = _message(b"i" * 16, frame, secure=True)
    assert isinstance(message, Message)
    assert HEAD not in message.headers
    assert message.payload == b"header and metadata"
    message.set_header("cn__origin", "site-1.job")
    opened = _opened(message)
    assert opened is not None
    assert b"".join(opened.frame) == b"header and metadata"
    assert FlareOptions(secure=True).secure


def until_true(condition: Any, seconds: float = 5.0) -> None:
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("it did not become true in time")
