"""What goes wrong in a job, on purpose: unknown names, objects that cannot be sent, connections that are cut, clients
that die in the middle."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import content
import numpy as np
import reports
from nvflare.apis.controller_spec import ClientTask, Task
from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import ReturnCode, Shareable, make_reply
from nvflare.apis.signal import Signal

from objstream.flare import ContainerStreamer, FileRetriever, FlareOptions
from objstream.session import Observer

TASK = "try"
CHANNEL, PUSHED = "example", "example.pushed"
CONTAINERS, FILES = "containers", "files"
"""Component ids of the two retrievers."""
STEADY, RECEIVER, SENDER = "site-1", "site-2", "site-3"
"""The second client dies while it receives, the third while it sends."""
DEADLINE = 5.0
"""Seconds without progress after which a transfer fails."""
GRACE = 10.0
"""More seconds that a step may take: the client may hear of its task late, and FLARE looks every second or two."""
ENTRIES = 64
FATAL = 20


def model() -> dict[str, Any]:
    return {f"layer-{number}": np.full(1 << 18, number, np.float32) for number in range(ENTRIES)}


def unserialisable() -> dict[str, Any]:
    return {"weights": np.ones(4, np.float32), "lock": threading.Lock()}


class FaultyOwner(Controller):
    """Goes through the steps, notes the return code of each, and whether it is what it should be."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[dict[str, Any]] = []
        self._received = threading.Condition()
        self._from_clients: list[str] = []

    def start_controller(self, fl_ctx: FLContext) -> None:
        retriever = fl_ctx.get_engine().get_component(CONTAINERS)
        retriever.add_container("model", model())
        retriever.add_container("unserialisable", unserialisable())
        _receive(fl_ctx, self._note_pushed)

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        def asked(what: str, name: str) -> str:
            return self._ask(STEADY, {"what": what, "name": name}, fl_ctx, abort_signal)

        def pushed(container: Any, targets: Collection[str]) -> str:
            rc, deliveries = _push(container, targets, fl_ctx)
            return ", ".join(
                [rc, *(f"{name} {deliveries[name].get_return_code()}" for name in sorted(deliveries))]
            )

        def received_from(client: str) -> str:
            self._send(client, {"what": "push and die"}, fl_ctx)
            with self._received:
                self._received.wait_for(lambda: self._from_clients, DEADLINE + GRACE)
                return self._from_clients.pop() if self._from_clients else "nothing was heard"

        refused, lost = {ReturnCode.BAD_REQUEST_DATA}, {ReturnCode.TIMEOUT, ReturnCode.COMMUNICATION_ERROR}
        half = {f"{rc}, {STEADY} OK, {RECEIVER} {rc}" for rc in lost}
        good = {ReturnCode.OK}
        self._step("an unknown container", lambda: asked("container", "no such name"), refused)
        self._step("a missing file", lambda: asked("file", "no such file"), refused)
        self._step(
            "an entry that cannot be sent, retrieved", lambda: asked("container", "unserialisable"), refused
        )
        self._step("the next retrieval", lambda: asked("container", "model"), good)
        self._step("the connection is cut in the middle", lambda: asked("cut", "model"), lost)
        self._step("the retrieval after the cut", lambda: asked("container", "model"), good)
        self._step(
            "an entry that cannot be sent, pushed",
            lambda: pushed(unserialisable(), [STEADY]),
            {f"{rc}, {STEADY} {rc}" for rc in refused},
        )
        self._step(
            "one of two targets is killed in the middle", lambda: pushed(model(), [STEADY, RECEIVER]), half
        )
        self._step("the next push", lambda: pushed(model(), [STEADY]), {f"OK, {STEADY} OK"})
        self._step("a sender is killed in the middle", lambda: received_from(SENDER), lost)
        self._step("the retrieval after the kill", lambda: asked("container", "model"), good)
        sites = {
            "server": {"rc": ReturnCode.OK, "verified": all(step["as_expected"] for step in self._steps)}
        }
        record = {"bytes": 0, "bytes_in_memory": 0, "steps": self._steps}
        reports.write(fl_ctx, ["server"], sites, record)

    def stop_controller(self, fl_ctx: FLContext) -> None:
        pass

    def _step(self, name: str, take: Callable[[], str], expected: Collection[str]) -> None:
        began = time.monotonic()
        found = take()
        seconds = time.monotonic() - began
        self._steps.append(
            {
                "step": name,
                "rc": found,
                "expected": sorted(expected),
                "seconds": seconds,
                "as_expected": found in expected and seconds < DEADLINE + GRACE,
            }
        )

    def _ask(self, client: str, data: dict[str, Any], fl_ctx: FLContext, abort_signal: Signal) -> str:
        """Let a client retrieve something; the return code that it got."""
        answers: list[str] = []

        def note(client_task: ClientTask, fl_ctx: FLContext) -> None:
            answers.append(client_task.result.get("rc", client_task.result.get_return_code()))

        task = Task(TASK, Shareable(data), timeout=int(DEADLINE + GRACE), result_received_cb=note)
        self.broadcast_and_wait(task, fl_ctx, targets=[client], min_responses=1, abort_signal=abort_signal)
        return answers[0] if answers else "no answer"

    def _send(self, client: str, data: dict[str, Any], fl_ctx: FLContext) -> None:
        """Give a client a task from which it does not return."""
        self.broadcast(Task(TASK, Shareable(data), timeout=int(DEADLINE + GRACE)), fl_ctx, targets=[client])

    def _note_pushed(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        with self._received:
            self._from_clients.append(ContainerStreamer.get_rc(stream_ctx))
            self._received.notify_all()


class FaultyClient(Executor):
    """Does as it is told; which of the clients dies when is decided by their names."""

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        if event_type == EventType.START_RUN:
            mortal = fl_ctx.get_identity_name() == RECEIVER
            _receive(fl_ctx, lambda stream_ctx, fl_ctx: None, _Fatal(_die) if mortal else None)

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        reply = make_reply(ReturnCode.OK)
        reply["rc"] = self._do(shareable["what"], shareable.get("name", ""), fl_ctx)
        return reply

    def _do(self, what: str, name: str, fl_ctx: FLContext) -> str:
        engine = fl_ctx.get_engine()
        if what == "file":
            retriever: FileRetriever = engine.get_component(FILES)
            return retriever.retrieve_file("server", fl_ctx, DEADLINE, name)[0]
        if what in ("container", "cut"):
            observe = _Fatal(lambda: _cut(engine)) if what == "cut" else None
            rc, got = engine.get_component(CONTAINERS).retrieve_container(
                "server", fl_ctx, DEADLINE, name, entry_cb=observe
            )
            wrong = rc == ReturnCode.OK and content.of_container(got) != content.of_container(model())
            return "a wrong object" if wrong else rc
        return _push(model(), ["server"], fl_ctx, _Fatal(_die))[0]


def _receive(
    fl_ctx: FLContext, done: Callable[..., None], observe: Callable[..., None] | None = None
) -> None:
    ContainerStreamer.register_stream_processing(
        fl_ctx,
        CHANNEL,
        PUSHED,
        stream_done_cb=done,
        entry_cb=observe,
        transfer_options=FlareOptions(deadline=DEADLINE),
    )


def _push(
    container: Any, targets: Collection[str], fl_ctx: FLContext, observe: Observer | None = None
) -> tuple[str, Any]:
    options = FlareOptions(deadline=DEADLINE, progress=observe)
    return ContainerStreamer.stream_container(
        CHANNEL, PUSHED, {}, list(targets), container, fl_ctx, transfer_options=options
    )


class _Fatal:
    """Observes the entries, or the progress, of transfers; in the middle of the first something happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._happens = happens
        self._left = FATAL

    def __call__(self, *seen: object) -> None:
        self._left -= 1
        if self._left == 0:
            self._happens()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _cut(engine: Any) -> None:
    """Close the connections of this process's cell, as when the network fails; FLARE makes new ones."""
    manager = engine.get_cell().core_cell.communicator.conn_manager
    for connection in list(manager.sfm_conns.values()):
        connection.conn.close()
