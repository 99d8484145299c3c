"""The clients retrieve a dict from the server: a retriever at both ends."""

from __future__ import annotations

import time
from typing import Any

import content
import numpy as np
from nvflare.apis.executor import Executor
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import ReturnCode, Shareable
from nvflare.apis.signal import Signal
from workflow import RETRIEVER, Owner, outcome

LAYERS = 8


class DictOwner(Owner):
    """Gives a dict of arrays to its retriever, under a name.

    Args:
        size: bytes of the arrays in the dict, about.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def prepare(self, fl_ctx: FLContext) -> tuple[Shareable, dict[str, Any]]:
        layer = self.size // LAYERS // 4
        random = np.random.default_rng()
        model = {f"layer-{number}": random.random(layer, np.float32) for number in range(LAYERS)}
        retriever = fl_ctx.get_engine().get_component(RETRIEVER)
        retriever.add_container("model", model)
        return Shareable({"sha256": content.of_container(model)}), content.weight_of(model)


class DictRequester(Executor):
    """Retrieves the dict and compares it with the digest that came with the task."""

    def execute(
        self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal
    ) -> Shareable:
        retriever = fl_ctx.get_engine().get_component(RETRIEVER)
        began = time.monotonic()
        rc, model = retriever.retrieve_container("server", fl_ctx, timeout=60.0, name="model")
        ended = time.monotonic()
        verified = rc == ReturnCode.OK and content.of_container(model) == shareable["sha256"]
        return outcome(rc, verified, began, ended)
