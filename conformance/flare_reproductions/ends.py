"""Ends: what is told, sent and kept when a transfer ends badly or late. Usage: python ends.py [NAME ...]"""

from __future__ import annotations

import gc
import itertools
import threading
import time
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
from harness import CHANNEL, CONTAINERS, Send, federation, main, reproduction, soon
from nvflare.apis.shareable import Shareable
from nvflare.apis.streaming import ConsumerFactory, ObjectConsumer
from nvflare.app_common.streamers import object_retriever
from nvflare.app_common.streamers.container_streamer import ContainerStreamer
from nvflare.fuel.f3.cellnet import defs
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.message import Message
from nvflare.fuel.f3.streaming.download_service import DownloadService
from nvflare.fuel.utils import fobs
from nvflare.private.stream_runner import TOPIC_STREAM_ABORT, TOPIC_STREAM_REQUEST, HeaderKey

CHUNK = 1000


@reproduction
def damaged_answer_is_a_success() -> str | None:
    """A reply without a return code is taken for one that says OK."""
    a, b = federation("a", "b")

    def damage(send: Send, message: Shareable) -> Message:
        reply = send(message)
        encoded = bytearray(fobs.dumps(reply.payload))
        encoded[encoded.index(b"__rc__")] ^= 1
        reply.payload = fobs.loads(bytes(encoded))
        return reply

    honest = a.push((1,), "b")  # a tuple: the receiver refuses it
    a.on_send(damage)
    outcome = a.push((1,), "b")
    received = [result for rc, result in b.received if rc == "OK"]
    if honest[0] != "OK" and outcome[0] == "OK" and not received:
        return f"the receiver refuses: {honest}; the same with one bit of its reply altered: {outcome}"
    return None


@reproduction
def verdict_of_one_target_is_that_of_another() -> str | None:
    """The reply of one of two targets to the last entry is lost: the other one has the object by then."""
    a, b, _ = federation("a", "b", "c")
    deliver = a.cell._send_one_request

    def lose(*, target: str, request: Message, **rest: Any) -> Message:
        reply: Message = deliver(target=target, request=request, **rest)
        return make_reply(defs.ReturnCode.TIMEOUT) if target == "c" else reply

    a.cell._send_one_request = lose
    outcome = a.push([1], "b", "c")
    return f"sender: {outcome}; b: {b.received}" if outcome[0] != "OK" and ("OK", [1]) in b.received else None


@reproduction
def rest_is_sent_to_who_has_given_up() -> str | None:
    """Nobody tells the owner that the requester has stopped waiting."""
    a, b = federation("a", "b")
    a.containers.add_container("c", list(range(40)))
    moments: list[float] = []

    def slow(_: Shareable) -> None:
        moments.append(time.monotonic())
        time.sleep(0.05)

    a.before_send(slow)
    outcome = b.pull(a, "c", timeout=0.5)
    gave_up = time.monotonic()
    soon(lambda: len(moments) == 40, 5.0)
    late = sum(moment > gave_up for moment in moments)
    return f"{outcome}; entries sent after that: {late} of 40" if late > 20 else None


@reproduction
def object_held_after_a_failed_push() -> str | None:
    """Arrays are offered to the receiver for download; an offer that nobody takes up waits for its time-out."""
    a, b = federation("a", "b")
    array = np.zeros(10)
    alive = weakref.ref(array)
    b.cell.stop()
    outcome = a.push([array], "b", timeout=0.5)
    del array
    time.sleep(5.0)
    gc.collect()
    return f"{outcome}; the array is still held 5 s later" if alive() is not None else None


@reproduction
def entry_timeout_is_total() -> str | None:
    """The time for an entry covers the download of its arrays, however steadily it moves."""
    a, _ = federation("a", "b")
    handle = DownloadService._handle_download.__func__
    pieces: list[float] = []

    def slow(cls: type, request: Message) -> Message:
        pieces.append(time.monotonic())
        time.sleep(0.3)
        reply: Message = handle(cls, request)
        return reply

    DownloadService._handle_download = classmethod(slow)
    outcome = a.push([[np.zeros(300_000) for _ in range(8)]], "b", timeout=1.0)
    gap = max((b - a for a, b in itertools.pairwise(pieces)), default=9.0)
    if outcome[0] != "OK" and len(pieces) > 2 and gap < 0.9:
        return f"an entry of 8 arrays, a piece at least each {gap:.1f} s, a time-out of 1 s: {outcome}"
    return None


@reproduction
def clock_that_is_set_ends_a_retrieval() -> str | None:
    """A retrieval waits by the clock on the wall, which somebody may set meanwhile."""
    a, b = federation("a", "b")
    a.containers.add_container("c", list(range(5)))
    a.before_send(lambda _: time.sleep(0.2))
    honest = b.pull(a, "c", timeout=60.0)
    start = time.time()
    object_retriever.time = SimpleNamespace(  # type: ignore[assignment]
        time=lambda: time.time() + (3600 if time.time() > start + 0.3 else 0)
    )
    outcome = b.pull(a, "c", timeout=60.0)
    if honest[0] == "OK" and outcome[0] != "OK":
        return f"an hour is put on the clock during a transfer of a second, a deadline of a minute: {outcome}"
    return None


@reproduction
def end_of_a_secure_stream_is_in_the_clear() -> str | None:
    """What tells the receiver of the end, with the id of the stream in it, does not get the flag."""
    a, _ = federation("a", "b")
    flags: dict[str, object] = {}
    fire, broadcast = a.cell.fire_and_forget, a.cell.broadcast_request

    def fired(**message: Any) -> Any:
        flags[str(message["topic"])] = message.get("secure", False)
        return fire(**message)

    def asked(**message: Any) -> Any:
        flags[str(message["topic"])] = message["secure"]
        return broadcast(**{**message, "secure": False})  # there are no certificates here

    a.cell.fire_and_forget, a.cell.broadcast_request = fired, asked
    ContainerStreamer.stream_container(CHANNEL, CONTAINERS, {}, ["b"], [1], a.context(), secure=True)
    return f"secure: {flags}" if flags == {TOPIC_STREAM_REQUEST: True, TOPIC_STREAM_ABORT: False} else None


@reproduction
def attribute_that_cannot_be_encoded() -> str | None:
    """What the sender's application puts into the stream's context goes along with the first entry."""
    a, b = federation("a", "b")
    outcome = a.push([1], "b", ctx={"round": frozenset({1})})
    soon(lambda: b.received, 1.0)
    return f"sender: {outcome}; receiver: {b.received}" if outcome[0] == "OK" and not b.received else None


@reproduction
def growing_file_is_followed() -> str | None:
    """The producer reads to the end of the file, wherever that is by then."""
    a, b = federation("a", "b")
    path = a.sources / "log"
    path.write_bytes(b"." * 5 * CHUNK)
    sent = 0

    def grow(message: Shareable) -> None:
        nonlocal sent
        sent += message["Streamer.size"]
        if sent < 200 * CHUNK:
            with path.open("ab") as file:
                file.write(b"." * CHUNK)

    a.before_send(grow)
    outcome = a.push_file(path, "b", chunk_size=CHUNK)
    written = sum(each.stat().st_size for each in b.leftovers())
    return (
        f"{5 * CHUNK} bytes announced, {written} sent and written: {outcome}" if written > 6 * CHUNK else None
    )


@reproduction
def partial_file_after_the_end_of_the_job() -> str | None:
    """Shutting the streamer down looks at no stream that is open."""
    a, b = federation("a", "b")
    path = a.sources / "file"
    path.write_bytes(b"." * 5 * CHUNK)

    def end(message: Shareable) -> None:
        if message.get_header(HeaderKey.SEQ) == 3:
            b.engine.shutdown_streamer()
            b.cell.stop()

    a.before_send(end)
    a.push_file(path, "b", chunk_size=CHUNK)
    left = [each.stat().st_size for each in b.leftovers()]
    return (
        f"left in dest_dir of the job that has ended: {left} bytes, {b.open_streams()} stream"
        if left
        else None
    )


@reproduction
def slow_store_is_a_failure() -> str | None:
    """The receiver's callback runs before the reply to the last entry, and nothing says that it is at work."""
    a, b = federation("a", "b")
    stored: list[object] = []

    def store(stream_ctx: dict[str, Any], fl_ctx: object) -> None:
        time.sleep(2.0)
        stored.append(ContainerStreamer.get_result(stream_ctx))

    ContainerStreamer.register_stream_processing(b.context(), CHANNEL, CONTAINERS, stream_done_cb=store)
    outcome = a.push([1], "b", timeout=1.0)
    soon(lambda: stored, 3.0)
    return f"sender: {outcome}; stored a second later: {stored}" if outcome[0] != "OK" and stored else None


@reproduction
def slow_factory_fails_others() -> str | None:
    """A consumer is made while the lock on all streams of the site is held."""
    a, b, c = federation("a", "b", "c")

    class Factory(ConsumerFactory):  # type: ignore[misc]
        def get_consumer(self, stream_ctx: Any, fl_ctx: Any) -> ObjectConsumer:
            time.sleep(2.0)
            raise OSError

    b.engine.register_stream_processing(CHANNEL, "slow", Factory())

    def push() -> None:
        ContainerStreamer.stream_container(CHANNEL, "slow", {}, ["b"], [1], c.context(), entry_timeout=5.0)

    thread = threading.Thread(target=push)
    thread.start()
    time.sleep(0.3)
    outcome = a.push([1], "b", timeout=1.0)
    thread.join()
    return f"another site's stream meanwhile: {outcome}" if outcome[0] != "OK" else None


@reproduction
def thread_for_each_request() -> str | None:
    a, b = federation("a", "b")
    a.containers.add_container("c", [1])
    a.before_send(lambda _: time.sleep(5))
    before = {thread.ident for thread in threading.enumerate()}
    for number in range(100):
        request = Shareable({"_rtr_tx_id_": f"tx-{number}", "name": "c"})
        b.engine.send_aux_request(["a"], "ContainerRetriever", request, 5.0, b.context())
    streaming = [
        thread
        for thread in threading.enumerate()
        if thread.ident not in before and "_do_stream" in getattr(thread, "name", "")
    ]
    return (
        f"100 requests: {len(streaming)} threads that stream at the owner" if len(streaming) >= 100 else None
    )


if __name__ == "__main__":
    main()
