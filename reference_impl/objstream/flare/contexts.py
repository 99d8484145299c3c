"""FLARE's stream contexts: what a sending application says about a stream, and what the receiving one reads there."""

from __future__ import annotations

from typing import Any

from nvflare.apis.streaming import StreamContext, StreamContextKey
from nvflare.app_common.streamers.streamer_base import (
    KEY_FILE_LOCATION,
    KEY_FILE_NAME,
    KEY_FILE_SIZE,
    StreamerBase,
)

from ..errors import Code, TransferError
from ..limits import KIB, Limits
from ..streamers import Description
from ..values import Decoder, Piece, encode

CONTEXT = "context"
MOST = 1900
"""Bytes of a context, encoded: it travels in the announcement of the object."""
KEY_RESULT = "ContainerStreamer.result"
KEY_ERROR = "objstream.error"
OWN = frozenset(
    {
        StreamContextKey.CHANNEL,
        StreamContextKey.TOPIC,
        StreamContextKey.RC,
        StreamContextKey.END_STREAM,
        KEY_FILE_LOCATION,
        KEY_FILE_NAME,
        KEY_FILE_SIZE,
        KEY_RESULT,
        KEY_ERROR,
    }
)
"""Set by the streamers; a peer has no say in them."""


class Accessors(StreamerBase):  # type: ignore[misc]
    """How applications read a stream context; FLARE's `get_channel`, `get_topic` and `get_rc`, and more."""

    @staticmethod
    def get_error(ctx: StreamContext) -> TransferError | None:
        """Why the stream failed; None when it did not."""
        error: TransferError | None = ctx.get(KEY_ERROR)
        return error


def packed(ctx: StreamContext) -> dict[str, object]:
    """The context as attributes of an announcement.

    Raises:
        TransferError: UNSUPPORTED or TOO_LARGE, for a context that cannot be carried.
    """
    said = {key: value for key, value in ctx.items() if key not in OWN}
    if not said:
        return {}
    pieces = list(encode(iter([("stream context", said)]), limits=Limits(), chunk=64 * KIB))
    encoded = b"".join(piece.view for piece in pieces)
    if len(encoded) > MOST or any(piece.kind == Piece.DATA for piece in pieces):
        raise TransferError(
            Code.TOO_LARGE, f"the stream context takes {len(encoded)} bytes, at most {MOST} are carried"
        )
    return {CONTEXT: encoded}


def unpacked(description: Description) -> dict[Any, Any]:
    """The context that the sender's application gave.

    Raises:
        TransferError: PROTOCOL, when the attribute holds none.
    """
    encoded = description.attributes.get(CONTEXT, b"")
    items: list[Any] = []
    if encoded:
        if not isinstance(encoded, bytes):
            raise TransferError(Code.PROTOCOL, "the stream context is no byte string")
        decoder = Decoder(items.append, limits=Limits(max_bytes=MOST))
        decoder.feed(encoded)
        decoder.finish()
        if len(items) != 1 or type(items[0]) is not dict:
            raise TransferError(Code.PROTOCOL, "the stream context is no dict")
    return {key: value for said in items for key, value in said.items() if key not in OWN}
