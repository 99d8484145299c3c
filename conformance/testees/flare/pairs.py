"""Producers and consumers, given to the suite as pairs: FLARE's own, and those of `objstream.flare` for any streamer.

    objstream check --flare-pair pairs.py:container_producer,pairs.py:container_consumers
    objstream check --flare-pair file+memory=pairs.py:file_producer,pairs.py:file_consumers
    objstream check --flare-pair container=pairs.py:streamer_producer,pairs.py:assemblers,pairs.py:assembled

Write the same two functions for yours: one that makes the producer of an object, one that makes a site's consumer
factory. `stream_ctx` carries to the receiver what the consumer has to know before the first entry. What FLARE's own
consumers have received is found where FLARE's streamers look for it; yours may leave it elsewhere and say so with a
third function.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from nvflare.apis.streaming import ConsumerFactory, ObjectProducer
from nvflare.app_common.streamers import container_streamer, file_streamer
from nvflare.fuel.utils.class_loader import get_class_name

from objstream import ContainerAssembler, ContainerStreamer, FileAssembler, FileStreamer, TransferError
from objstream.flare import AssemblerFactory, StreamerProducer
from objstream.flare.producers import KEY_OBJECT

SECONDS = 2.0
CHUNK = 1 << 20


def container_producer(container: Any, stream_ctx: dict[str, Any]) -> ObjectProducer:
    producer = container_streamer._EntryProducer(container, SECONDS)
    stream_ctx[container_streamer._CTX_TYPE] = get_class_name(type(container))
    stream_ctx[container_streamer._CTX_SIZE] = len(container)
    return producer


def container_consumers() -> ConsumerFactory:
    return container_streamer._EntryConsumerFactory()


def file_producer(path: Path, stream_ctx: dict[str, Any]) -> ObjectProducer:
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    stream_ctx[file_streamer.KEY_FILE_SIZE] = path.stat().st_size
    stream_ctx[file_streamer.KEY_FILE_NAME] = path.name
    return file_streamer._ChunkProducer(path.open("rb"), CHUNK, SECONDS)


def file_consumers(directory: str) -> ConsumerFactory:
    return file_streamer._ChunkConsumerFactory(directory)


def streamer_producer(value: object, stream_ctx: dict[str, Any]) -> ObjectProducer:
    try:
        streamer = FileStreamer(value) if isinstance(value, Path) else ContainerStreamer(value)
    except TransferError as error:
        raise ValueError(str(error)) from error  # how FLARE's streamers refuse
    return StreamerProducer(streamer, timeout=SECONDS)


def assemblers() -> ConsumerFactory:
    return AssemblerFactory(ContainerAssembler)


def file_assemblers(directory: str) -> ConsumerFactory:
    return AssemblerFactory(lambda: FileAssembler(Path(directory) / uuid.uuid4().hex))


def assembled(stream_ctx: dict[str, Any]) -> object:
    return stream_ctx.get(KEY_OBJECT)
