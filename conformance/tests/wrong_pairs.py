"""FLARE pairs that are wrong in one way each, over FLARE's own; and one that keeps what it receives elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from nvflare.apis.streaming import ConsumerFactory, ObjectConsumer
from nvflare.app_common.streamers import container_streamer

sys.path.insert(0, str(Path(__file__).parents[1] / "testees" / "flare"))

from pairs import container_producer

RESULT = container_streamer._CTX_RESULT


class _Consumer(container_streamer._EntryConsumer):
    """Receives as FLARE's does, and then hands over something else."""

    def result(self, container: Any, stream_ctx: dict[str, Any]) -> None:
        raise NotImplementedError

    def consume(self, shareable: Any, stream_ctx: dict[str, Any], fl_ctx: Any) -> Any:
        answer = super().consume(shareable, stream_ctx, fl_ctx)
        if RESULT in stream_ctx:
            self.result(stream_ctx.pop(RESULT), stream_ctx)
        return answer


class Forgetting(_Consumer):
    """Says that all is well and has lost the last entry."""

    def result(self, container: Any, stream_ctx: dict[str, Any]) -> None:
        stream_ctx[RESULT] = container[:-1] if isinstance(container, list) else container


class Elsewhere(_Consumer):
    """Keeps the object where FLARE does not look for it."""

    def result(self, container: Any, stream_ctx: dict[str, Any]) -> None:
        stream_ctx["mine"] = container


def consumers(kind: type[ObjectConsumer]) -> type[ConsumerFactory]:
    class Factory(ConsumerFactory):
        def get_consumer(self, stream_ctx: dict[str, Any], fl_ctx: Any) -> ObjectConsumer:
            return kind(stream_ctx)  # type: ignore[call-arg]

    return Factory


forgetting, elsewhere = consumers(Forgetting), consumers(Elsewhere)


def mine(stream_ctx: dict[str, Any]) -> object:
    return stream_ctx["mine"]


def crashing(container: Any, stream_ctx: dict[str, Any]) -> Any:
    if not container:
        return container_producer(container.nothing, stream_ctx)
    return container_producer(container, stream_ctx)
