"""FLARE's own producers and consumers, given to the suite as pairs.

    objstream check --flare-pair pairs.py:container_producer,pairs.py:container_consumers
    objstream check --flare-pair file+memory=pairs.py:file_producer,pairs.py:file_consumers

Write the same two functions for yours: one that makes the producer of an object, one that makes a site's consumer
factory. `stream_ctx` carries to the receiver what the consumer has to know before the first entry. What FLARE's own
consumers have received is found where FLARE's streamers look for it; yours may leave it elsewhere and say so with a
third function.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nvflare.apis.streaming import ConsumerFactory, ObjectProducer
from nvflare.app_common.streamers import container_streamer, file_streamer
from nvflare.fuel.utils.class_loader import get_class_name

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
