"""The clients receive a model from the server: in the task itself, as a container, or as a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import content
import models
from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import ReturnCode, Shareable
from nvflare.apis.signal import Signal
from nvflare.app_opt.pt.decomposers import TensorDecomposer
from nvflare.fuel.utils import fobs
from workflow import RETRIEVER, Owner, outcome

MODES = ("regular", "container", "file")
MODEL = "model"
FILE = "model.pt"
TIMEOUT = 600.0
SETTLE = 0.1
"""Seconds in which the memory that has been let go is seen to be free."""


class ModelOwner(Owner):
    """Has the model.

    Args:
        mode: one of MODES.
        size: bytes of the model, about.
        model: as `models.build` has it.
        entries: that many integers instead of a model.
        directory: where its retriever looks for files, in mode "file".
        rounds: how often it is received.
    """

    def __init__(
        self,
        mode: str,
        size: int = 0,
        model: str = "",
        entries: int = 0,
        directory: str = "",
        rounds: int = 1,
    ) -> None:
        super().__init__(rounds, patience=int(TIMEOUT))
        self.mode = mode
        self.size = size
        self.model = model
        self.entries = entries
        self.directory = directory

    def prepare(self, fl_ctx: FLContext) -> tuple[Shareable, dict[str, Any]]:
        fobs.register(TensorDecomposer)  # without it FLARE cannot send tensors
        model = models.build(self.model, self.size, self.entries)
        record = {"mode": self.mode, **content.weight_of(model)}
        if self.mode == "file":
            path = Path(self.directory) / FILE
            _save(model, path)
            record |= {"bytes": path.stat().st_size, "bytes_in_memory": 0}
            return Shareable({"sha256": content.of_file(path)}), record
        data = Shareable({"sha256": content.of_container(model)})
        if self.mode == "container":
            fl_ctx.get_engine().get_component(RETRIEVER).add_container(MODEL, model)
        else:
            data[MODEL] = model
        return data, record


class ModelRequester(Executor):
    """Receives the model, and compares it with the digest that came with the task.

    It holds what it has received until just before it receives the next.

    Args:
        mode: one of MODES.
    """

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self._asked = 0.0
        self._held: Any = None

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        if event_type == EventType.START_RUN:
            fobs.register(TensorDecomposer)
        elif event_type == EventType.BEFORE_PULL_TASK:
            self._asked = time.monotonic()
        elif event_type == EventType.END_RUN:
            self._let_go()

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        self._let_go()
        retriever = fl_ctx.get_engine().get_component(RETRIEVER)
        began = time.monotonic()
        if self.mode == "container":
            rc, received = retriever.retrieve_container("server", fl_ctx, timeout=TIMEOUT, name=MODEL)
        elif self.mode == "file":
            rc, received = retriever.retrieve_file("server", fl_ctx, timeout=TIMEOUT, file_name=FILE)
        else:  # it is here already: it came when the client asked for a task
            rc, received, began = ReturnCode.OK, shareable[MODEL], self._asked
        ended = time.monotonic()
        self._held = received
        verified = rc == ReturnCode.OK and self._digest(received) == shareable["sha256"]
        return outcome(rc, verified, began, ended)

    def _let_go(self) -> None:
        if self.mode == "file" and self._held:
            Path(self._held).unlink(missing_ok=True)
        self._held = None
        time.sleep(SETTLE)

    def _digest(self, received: Any) -> str:
        return content.of_file(received) if self.mode == "file" else content.of_container(received)


def _save(model: dict[str, Any], path: Path) -> None:
    import torch

    torch.save(model, path)
