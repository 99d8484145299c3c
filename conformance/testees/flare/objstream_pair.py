"""The reference implementation's streamers as a pair, through FLARE's own engine.

P=objstream_pair.py
objstream check flare-pair:container+multi-target=$P:producer,$P:consumers,$P:result
"""

from __future__ import annotations

from typing import Any

from nvflare.apis.streaming import ConsumerFactory, ObjectProducer

from objstream import ContainerAssembler, ContainerStreamer, TransferError
from objstream.flare import AssemblerFactory, StreamerProducer
from objstream.flare.producers import KEY_OBJECT

SECONDS = 2.0


def producer(container: Any, stream_ctx: dict[str, Any]) -> ObjectProducer:
    try:
        return StreamerProducer(ContainerStreamer(container), timeout=SECONDS)
    except TransferError as refusal:
        raise ValueError(str(refusal)) from refusal


def consumers() -> ConsumerFactory:
    return AssemblerFactory(ContainerAssembler)


def result(stream_ctx: dict[str, Any]) -> object:
    return stream_ctx.get(KEY_OBJECT)
