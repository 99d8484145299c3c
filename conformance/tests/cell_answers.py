"""How a FLARE Cell answers when something goes wrong. As a program: ask real Cells, and print what they say."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from nvflare.apis.shareable import Shareable
from nvflare.apis.shareable import make_reply as make_shareable
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import CellChannel, Encoding, MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.message import Message
from nvflare.fuel.f3.streaming.stream_const import StreamHeaderKey
from nvflare.private.fed.utils.fed_utils import nvflare_fobs_initialize

UNENCODABLE = frozenset({1})
Handler = Callable[[Message], Message]


def garbled() -> Message:
    """A message that says that it is encoded, and cannot be decoded."""
    return Message({StreamHeaderKey.PAYLOAD_ENCODING: Encoding.FOBS}, [b"not FOBS"])


def handle(request: Message) -> Message:
    """Answer as the request wants it."""
    wish = request.payload["wish"]
    if wish == "raise":
        raise OSError("broken")
    if wish == "garbled":
        return garbled()
    return Message({}, UNENCODABLE if wish == "unencodable" else make_shareable("OK"))


def answers(cell: Any, target: str) -> dict[str, str]:
    """What a sending cell makes of each situation: a return code, or the name of an exception."""

    def ask(request: Message, *targets: str) -> str:
        try:
            replies = cell.broadcast_request(
                channel=CellChannel.AUX_COMMUNICATION,
                topic="topic",
                request=request,
                targets=list(targets),
                timeout=2.0,
                optional=False,
                secure=False,
                abort_signal=None,
            )
        except Exception as error:
            return type(error).__name__
        return ",".join(
            str(reply.get_header(MessageHeaderKey.RETURN_CODE, ReturnCode.OK)) for reply in replies.values()
        )

    def wish(what: object) -> Message:
        return Message({}, Shareable({"wish": what}))

    return {
        "well": ask(wish("well"), target),
        "request cannot be encoded": ask(wish(UNENCODABLE), target),
        "request cannot be decoded": ask(garbled(), target),
        "handler raises": ask(wish("raise"), target),
        "reply cannot be encoded": ask(wish("unencodable"), target),
        "reply cannot be decoded": ask(wish("garbled"), target),
        "no targets": ask(wish("well")),
        "unknown target": ask(wish("well"), "nobody"),
    }


def main() -> None:
    logging.getLogger("nvflare").setLevel(logging.CRITICAL + 1)
    nvflare_fobs_initialize()
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        url = f"tcp://localhost:{probe.getsockname()[1]}"
    server, client = (Cell(name, url, secure=False, credentials={}) for name in ("server", "client"))
    server.start()
    client.start()
    client.register_request_cb(channel=CellChannel.AUX_COMMUNICATION, topic="*", cb=handle)
    while not client.core_cell.is_cell_connected("server"):
        time.sleep(0.01)
    print(json.dumps(answers(server, "client")), flush=True)
    os._exit(0)  # the threads of the Cells would keep us


if __name__ == "__main__":
    main()
