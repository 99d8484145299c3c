"""The receiving side of a push: what a job has registered for a channel and topic, and each stream that comes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import make_reply
from nvflare.apis.streaming import StreamContextKey

from ..errors import TransferError
from ..site import Options, Outcome, Request
from ..streamers import Description, ObjectAssembler
from .contexts import KEY_ERROR, unpacked
from .job import context_with, site_of
from .results import return_code

LOGGER = logging.getLogger("objstream.flare")


class Incoming:
    """One stream that a peer has offered; tells the job's callbacks of it, each in the thread of its session.

    Attributes:
        ctx: its stream context.
    """

    def __init__(self, registered: Reception, fl_ctx: FLContext, ctx: dict[Any, Any]) -> None:
        self.ctx = ctx
        self._registered = registered
        self._fl_ctx = fl_ctx
        self._ended = False

    @property
    def consumed(self) -> Callable[[bool], None] | None:
        """For the assembler to call after each piece, with whether more will come; None when nobody listens."""
        return None if self._registered.consumed_cb is None else self._consumed

    def _consumed(self, more: bool) -> None:
        callback = self._registered.consumed_cb
        assert callback is not None
        callback((more, make_reply(ReturnCode.OK)), self.ctx, self._fl_ctx, **self._registered.cb_kwargs)

    def entry(self, value: object) -> None:
        callback = self._registered.entry_cb
        assert callback is not None
        callback(value, self.ctx, self._fl_ctx, **self._registered.cb_kwargs)

    def end(self, error: TransferError | None = None) -> None:
        """The stream has ended: said once."""
        if self._ended:
            return
        self._ended = True
        self.ctx[StreamContextKey.RC] = return_code(error)
        if error is not None:
            self.ctx[KEY_ERROR] = error
        callback = self._registered.stream_done_cb
        if callback is None:
            return
        try:
            callback(self.ctx, self._fl_ctx, **self._registered.cb_kwargs)
        except Exception:
            LOGGER.exception("stream_done_cb failed after a stream that ended with %s", return_code(error))


Assemble = Callable[[Incoming, Request], ObjectAssembler]


class Reception:
    """What is registered for a channel and topic; from its construction on, offers are taken.

    Args:
        assemble: gives the assembler for an offer; raises TransferError to refuse it.
        options: of the transfers that come.
    """

    def __init__(
        self,
        fl_ctx: FLContext,
        channel: str,
        topic: str,
        assemble: Assemble,
        *,
        stream_done_cb: Callable[..., Any] | None,
        consumed_cb: Callable[..., Any] | None,
        entry_cb: Callable[..., Any] | None = None,
        cb_kwargs: dict[str, Any],
        options: Options | None,
    ) -> None:
        for name, callback in (("stream_done_cb", stream_done_cb), ("consumed_cb", consumed_cb)):
            if callback is not None and not callable(callback):
                raise TypeError(f"{name} must be callable, not {type(callback).__name__}")
        self._assemble = assemble
        self.stream_done_cb = stream_done_cb
        self.consumed_cb = consumed_cb
        self.entry_cb = entry_cb
        self.cb_kwargs = cb_kwargs
        self._said = {StreamContextKey.CHANNEL: channel, StreamContextKey.TOPIC: topic}
        self._engine = fl_ctx.get_engine()
        self._job_id = fl_ctx.get_job_id() or ""
        self._current = threading.local()
        site_of(fl_ctx, service(channel, topic), options).register(self._accept, self._watch)

    def _accept(self, offer: Request) -> ObjectAssembler:
        ctx = unpacked(Description(offer.kind, attributes=offer.attributes))
        ctx.update(self._said)
        incoming = Incoming(self, context_with(self._engine, offer.peer, self._job_id), ctx)
        assembler = self._assemble(incoming, offer)
        self._current.stream = incoming
        return assembler

    def _watch(self, offer: Request, outcome: Outcome) -> None:
        incoming: Incoming | None = getattr(self._current, "stream", None)
        if incoming is not None:
            incoming.end(outcome.error)


def service(channel: str, topic: str) -> str:
    """The topic among cells for a channel and topic of an application."""
    for what, text in (("channel", channel), ("topic", topic)):
        if not isinstance(text, str):
            raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    return f"{channel}:{topic}"
