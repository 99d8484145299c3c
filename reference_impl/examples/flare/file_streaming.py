"""A file goes from the server to every client, without any workflow: a sender and a receiver, each a component."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import content
import reports
from implementations import find
from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import ReturnCode, Shareable, make_reply
from nvflare.apis.signal import Signal

CHANNEL = "example"
FILE, READY, RECEIVED = "example.file", "example.ready", "example.received"
SHA256 = "sha256"


class FileSender(Controller):
    """Sends a file of random bytes, as soon as all clients are there, and collects what they say of it.

    Args:
        size: of the file, in bytes.
        implementation: whose streamer.
        patience: seconds to wait for the clients, and for their verdicts.
    """

    def __init__(self, size: int, implementation: str = "objstream", patience: float = 60.0) -> None:
        super().__init__()
        self.size = size
        self.implementation = implementation
        self.patience = patience
        self._changed = threading.Condition()
        self._ready: set[str] = set()
        self._sites: dict[str, dict[str, object]] = {}

    def start_controller(self, fl_ctx: FLContext) -> None:
        engine = fl_ctx.get_engine()
        engine.register_aux_message_handler(READY, self._note_ready)
        engine.register_aux_message_handler(RECEIVED, self._note_received)

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        clients = {client.name for client in fl_ctx.get_engine().get_clients()}
        path = reports.directory(fl_ctx) / "sent.bin"
        path.write_bytes(os.urandom(self.size))
        sha256 = content.of_file(path)
        self._wait_for(lambda: self._ready >= clients)
        began = time.monotonic()
        rc, _ = find("FileStreamer", self.implementation).stream_file(
            channel=CHANNEL,
            topic=FILE,
            stream_ctx={SHA256: sha256},
            targets=sorted(clients),
            file_name=str(path),
            fl_ctx=fl_ctx,
        )
        ended = time.monotonic()
        self._wait_for(lambda: self._sites.keys() >= clients)
        for site in self._sites.values():
            site["rounds"] = [{"began": began, "ended": ended}]
        record = {"bytes": self.size, "bytes_in_memory": 0, "rc": rc}
        reports.write(fl_ctx, clients, self._sites, record)

    def stop_controller(self, fl_ctx: FLContext) -> None:
        pass

    def _wait_for(self, condition) -> None:
        with self._changed:
            self._changed.wait_for(condition, self.patience)

    def _note_ready(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        with self._changed:
            self._ready.add(reports.sender_of(fl_ctx))
            self._changed.notify_all()
        return make_reply(ReturnCode.OK)

    def _note_received(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        with self._changed:
            self._sites[reports.sender_of(fl_ctx)] = {key: request.get(key) for key in ("rc", "verified")}
            self._changed.notify_all()
        return make_reply(ReturnCode.OK)


class FileReceiver(FLComponent):
    """Takes the file, compares it with the digest that came with it, and tells the server.

    Args:
        implementation: whose streamer.
    """

    def __init__(self, implementation: str = "objstream") -> None:
        super().__init__()
        self.implementation = implementation

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        if event_type != EventType.START_RUN:
            return
        received = reports.directory(fl_ctx) / "received"
        received.mkdir(exist_ok=True)
        find("FileStreamer", self.implementation).register_stream_processing(
            fl_ctx=fl_ctx,
            channel=CHANNEL,
            topic=FILE,
            dest_dir=str(received),
            stream_done_cb=self._received,
        )
        fl_ctx.get_engine().fire_and_forget_aux_request(READY, Shareable(), fl_ctx)

    def _received(self, stream_ctx: dict[str, object], fl_ctx: FLContext) -> None:
        streamer = find("FileStreamer", self.implementation)
        rc, location = streamer.get_rc(stream_ctx), streamer.get_file_location(stream_ctx)
        verified = rc == ReturnCode.OK and content.of_file(location) == stream_ctx[SHA256]
        self.log_info(fl_ctx, f"{streamer.get_file_name(stream_ctx)}: {rc}, verified: {verified}")
        if location:
            Path(location).unlink(missing_ok=True)
        answer = Shareable({"rc": rc, "verified": verified})
        fl_ctx.get_engine().fire_and_forget_aux_request(RECEIVED, answer, fl_ctx)


class IdleExecutor(Executor):
    """FLARE wants an executor in each client; this one is never given a task."""

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        return make_reply(ReturnCode.TASK_UNKNOWN)
