"""Hostile peers: what a member of the federation can do to another. Usage: python peers.py [NAME ...]"""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness import CHANNEL, CONTAINERS, Send, Site, federation, main, reproduction, soon
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.shareable import Shareable
from nvflare.fuel.f3.message import Message
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


if __name__ == "__main__":
    main()
