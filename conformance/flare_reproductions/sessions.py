"""Sessions: who is told what, and when. Usage: python sessions.py [NAME ...]"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness import CHANNEL, CONTAINERS, Send, federation, main, reproduction, soon
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.shareable import Shareable
from nvflare.apis.shareable import make_reply as make_shareable_reply
from nvflare.apis.streaming import ConsumerFactory, ObjectConsumer
from nvflare.app_common.streamers.container_retriever import ContainerRetriever
from nvflare.app_common.streamers.container_streamer import ContainerStreamer
from nvflare.fuel.f3.cellnet import defs
from nvflare.fuel.f3.cellnet.utils import make_reply
from nvflare.fuel.f3.message import Message
from nvflare.private.stream_runner import HeaderKey

Deliver = Callable[..., Message]


def number(message: Shareable) -> int:
    seq: int = message.get_header(HeaderKey.SEQ)
    return seq


def twice(send: Send, message: Shareable) -> Message:
    reply = send(message)
    send(message)
    return reply


@reproduction
def unknown_target() -> str | None:
    a, b = federation("a", "b")
    outcome = a.push([1, 2], "b", "nobody")
    if outcome[0] == "OK" and not b.received:
        return f"pushing to b and to nobody: {outcome}, and b has nothing"
    return None


@reproduction
def no_targets() -> str | None:
    """A client streams to the server then, and a server to all clients: nobody was named."""
    a, _ = federation("a", "b")
    targets = a.engine._to_aux_msg_targets([])
    return f"pushing to no targets streams to {[target.name for target in targets]}" if targets else None


class _SlowConsumer(ObjectConsumer, ConsumerFactory):  # type: ignore[misc]
    """Takes its time over each entry, and keeps none."""

    def get_consumer(self, stream_ctx: Any, fl_ctx: Any) -> ObjectConsumer:
        return self

    def consume(self, shareable: Shareable, stream_ctx: Any, fl_ctx: Any) -> tuple[bool, Shareable]:
        time.sleep(0.3)
        return True, make_shareable_reply(ReturnCode.OK)

    def finalize(self, stream_ctx: Any, fl_ctx: Any) -> None:
        pass


@reproduction
def slow_target_holds_up_the_other() -> str | None:
    a, b, c = federation("a", "b", "c")
    seconds = []
    for targets in (["b"], ["b", "c"]):
        c.engine.register_stream_processing(CHANNEL, CONTAINERS, _SlowConsumer())
        started, before = time.monotonic(), len(b.received)
        a.push([1, 2, 3, 4], *targets)
        if not soon(lambda before=before: len(b.received) > before):  # type: ignore[misc]
            return None
        seconds.append(b.moments[-1] - started)
    alone, together = seconds
    if together > alone + 0.8:
        return f"the fast target has the object after {alone:.2f} s alone, after {together:.2f} s beside a slow one"
    return None


@reproduction
def one_bad_target_fails_all() -> str | None:
    a, b, c = federation("a", "b", "c")
    c.cell.stop()
    outcome = a.push([1, 2], "b", "c")
    soon(lambda: b.received)
    return f"sender: {outcome}; the healthy receiver: {b.received}" if outcome[0] != "OK" else None


@reproduction
def result_is_true_when_it_failed() -> str | None:
    """stream_container is declared and documented to return whether it succeeded."""
    a, _ = federation("a", "b")
    result = a.push((1,), "b")
    return f"bool({result!r}) is True" if result and result[0] != "OK" else None


@reproduction
def int_timeout_refused() -> str | None:
    a, _ = federation("a", "b")
    try:
        a.push([1], "b", timeout=5)
    except ValueError as error:
        return f"entry_timeout=5 passes check_positive_number, then: {error}"
    return None


@reproduction
def receiver_fails_after_its_reply() -> str | None:
    """The reply to the last entry is made before the receiver's callback has stored the object."""
    a, b = federation("a", "b")

    def store(stream_ctx: object, fl_ctx: object) -> None:
        raise OSError("disk full")

    ContainerStreamer.register_stream_processing(b.context(), CHANNEL, CONTAINERS, stream_done_cb=store)
    outcome = a.push([1], "b")
    return f"the receiver's stream_done_cb raised, the sender has {outcome}" if outcome[0] == "OK" else None


@reproduction
def duplicate_of_the_only_message() -> str | None:
    a, b = federation("a", "b")
    a.on_send(twice)
    outcome = a.push(["one"], "b")
    return f"delivered {len(b.received)} times: {b.received}, {outcome}" if len(b.received) > 1 else None


@reproduction
def duplicate_of_the_first_message() -> str | None:
    """ObjectStreamer ends the stream while it holds the lock that ending takes: no stream gets past it again."""
    a, b, c = federation("a", "b", "c")
    a.on_send(lambda send, message: send(message) if number(message) else twice(send, message))
    outcome = a.push([1, 2, 3], "b")
    other = c.push([1, 2, 3], "b")
    if outcome[0] != "OK" and other[0] != "OK" and b.engine.object_streamer.tx_lock.locked():
        return f"sender: {outcome}; another site to the same receiver: {other}; the lock is still held"
    return None


@reproduction
def replay_in_place_of_a_message() -> str | None:
    """One message is lost, and the one before it arrives twice: any seq above 0 is taken."""
    a, b = federation("a", "b")
    sent: list[Shareable] = []

    def replay(send: Send, message: Shareable) -> Message:
        sent.append(message)
        return send(sent[1] if number(message) == 2 else message)

    a.on_send(replay)
    outcome = a.push(["a", "b", "c", "d"], "b")
    return f"sent ['a', 'b', 'c', 'd'], delivered {b.received[0]}, {outcome}" if outcome[0] == "OK" else None


@reproduction
def corrupted_content() -> str | None:
    a, b = federation("a", "b")
    a.on_send(lambda send, message: send(_encoded(message).replace(b"content", b"CONTENT")))
    outcome = a.push([b"content"], "b")
    return f"delivered {b.received}, {outcome}" if outcome[0] == "OK" else None


def _encoded(message: Shareable) -> bytes:
    data: bytes = message.to_bytes()
    return data


@reproduction
def requester_not_told_of_a_lost_peer() -> str | None:
    """Nothing ends a stream whose sender has gone: it stays in the receiver's table with all that has arrived."""
    a, b = federation("a", "b")
    a.containers.add_container("c", list(range(10)))

    def vanish(send: Send, message: Shareable) -> Message:
        if number(message) == 3:
            time.sleep(3600)
        return send(message)

    a.on_send(vanish)
    outcome = b.pull(a, "c", timeout=1.0)
    time.sleep(1.0)
    return f"{outcome}; streams open since: {b.open_streams()}" if b.open_streams() else None


@reproduction
def deadline_is_total() -> str | None:
    a, b = federation("a", "b")
    a.containers.add_container("c", list(range(20)))
    a.before_send(lambda _: time.sleep(0.1))
    outcome = b.pull(a, "c", timeout=1.0)
    return f"an entry each 0.1 s, a deadline of 1 s: {outcome}" if outcome[0] == ReturnCode.TIMEOUT else None


@reproduction
def waiter_kept_for_a_rejected_request() -> str | None:
    a, b = federation("a", "b")
    for _ in range(100):
        b.pull(a, "missing")
    kept = len(b.containers.tx_table)
    return f"{kept} of 100 rejected requests are still in the table" if kept else None


@reproduction
def object_kept_after_a_lost_reply() -> str | None:
    """The stream that no one waits for any more completes, and its object stays in the requester's table."""
    a, b = federation("a", "b")
    a.containers.add_container("c", [b"large"] * 3)
    deliver: Deliver = b.cell._send_one_request

    def deaf(**request: object) -> Message:
        deliver(**request)
        return make_reply(defs.ReturnCode.TIMEOUT)

    b.cell._send_one_request = deaf
    outcome = b.pull(a, "c")

    def kept() -> list[object]:
        return [waiter.result for waiter in b.containers.tx_table.values() if waiter.result]

    return f"returned {outcome}, kept {kept()}" if soon(kept) else None


@reproduction
def second_retriever_on_a_site() -> str | None:
    a, b = federation("a", "b")
    a.containers.add_container("c", [1])
    try:
        ContainerRetriever().handle_event(EventType.START_RUN, b.context())
    except ValueError as error:
        return f"a second one: ValueError({error}); the first one from then on: {b.pull(a, 'c', timeout=1.0)}"
    return None


@reproduction
def entry_timeout_ignored() -> str | None:
    a, b = federation("a", "b")
    a.containers.entry_timeout = 1.5
    a.containers.add_container("c", [1])
    deliver: Deliver = a.cell._send_one_request
    timeouts: list[object] = []

    def watch(**request: object) -> Message:
        timeouts.append(request["timeout"])
        return deliver(**request)

    a.cell._send_one_request = watch
    b.pull(a, "c")
    return f"ContainerRetriever(entry_timeout=1.5) waits for {timeouts} s" if timeouts != [1.5] else None


if __name__ == "__main__":
    main()
