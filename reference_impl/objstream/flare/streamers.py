"""ContainerStreamer and FileStreamer with the interface of NVIDIA FLARE's."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nvflare.apis.fl_context import FLContext
from nvflare.apis.streaming import StreamContext, StreamContextKey
from nvflare.app_common.streamers.streamer_base import KEY_FILE_LOCATION, KEY_FILE_NAME, KEY_FILE_SIZE
from nvflare.fuel.utils.validation_utils import check_positive_int, check_positive_number

from ..errors import Code, TransferError
from ..site import Options, Outcome, Request
from ..streamers import ObjectAssembler, ObjectStreamer
from .contexts import KEY_RESULT, Accessors, packed
from .job import site_of
from .objects import Container, File, ReceivedContainer, ReceivedFile
from .reception import LOGGER, Incoming, Reception, service
from .results import Result, delivered
from .site import FlareOptions

Callback = Callable[..., Any]


class ContainerStreamer(Accessors):
    """Sends containers (dict, OrderedDict, list, tuple, set, frozenset) to other sites of the job, entry by entry."""

    @staticmethod
    def register_stream_processing(
        fl_ctx: FLContext,
        channel: str,
        topic: str,
        stream_done_cb: Callback | None = None,
        consumed_cb: Callback | None = None,
        entry_cb: Callback | None = None,
        transfer_options: Options | None = None,
        **cb_kwargs: Any,
    ) -> None:
        """Take the containers that are sent here on a channel and topic.

        Args:
            stream_done_cb: called as `stream_done_cb(stream_ctx, fl_ctx, **cb_kwargs)` once for each stream: when its
                container is complete and verified, before the sender is told of it; or when it has failed.
            consumed_cb: called as `consumed_cb((more, reply), stream_ctx, fl_ctx, **cb_kwargs)` after each entry.
            entry_cb: called as `entry_cb(entry, stream_ctx, fl_ctx, **cb_kwargs)` with each entry as it arrives: a
                value, or the pair of key and value of a dict.
            transfer_options: limits, deadline, window, digests; an exception in `progress` cancels the stream.

        Raises:
            RuntimeError: the context has no engine with a cell.
        """

        def assemble(incoming: Incoming, offer: Request) -> ObjectAssembler:
            def stored(container: object) -> None:
                incoming.ctx[KEY_RESULT] = container
                incoming.end()

            observe = None if entry_cb is None else incoming.entry
            return ReceivedContainer(consumed=incoming.consumed, stored=stored, observe=observe)

        Reception(
            fl_ctx,
            channel,
            topic,
            assemble,
            stream_done_cb=stream_done_cb,
            consumed_cb=consumed_cb,
            entry_cb=entry_cb,
            cb_kwargs=cb_kwargs,
            options=transfer_options,
        )

    @staticmethod
    def stream_container(
        channel: str,
        topic: str,
        stream_ctx: StreamContext | None,
        targets: list[str] | None,
        container: Any,
        fl_ctx: FLContext,
        entry_timeout: float | None = None,
        optional: bool = False,
        secure: bool = False,
        chunk_size: int | None = None,
        transfer_options: Options | None = None,
    ) -> Result:
        """Send a container and wait until every target has it, or has failed.

        Args:
            targets: names of sites; None for all clients, or on a client for the server.
            entry_timeout: seconds without progress after which a target has failed, 60 by default; it says nothing
                about the total time.
            optional: failures are logged for debugging only.
            secure: let FLARE encrypt the messages for the target.
            chunk_size: the largest piece of an entry that is sent at a time, 2 MiB by default.
            transfer_options: digests, limits, `progress` and `cancel`.

        Returns:
            (return code, deliveries): the latter a dict of replies by target, true when all have the container, with
            the errors by target in its `errors`.

        Raises:
            RuntimeError: the context has no engine with a cell.
            ValueError: a timeout or size that is not above 0.
        """
        if entry_timeout:
            check_positive_number("entry_timeout", entry_timeout)
        if chunk_size:
            check_positive_int("chunk_size", chunk_size)
        ctx: StreamContext = {} if stream_ctx is None else stream_ctx

        def make() -> ObjectStreamer:
            return Container(container, packed(ctx), name=topic, chunk=chunk_size)

        options = _options(transfer_options, entry_timeout, secure)
        return _push(channel, topic, ctx, targets, make, fl_ctx, options, optional)

    @staticmethod
    def get_result(stream_ctx: StreamContext) -> Any:
        """The received container, in `stream_done_cb`; None when the stream failed."""
        return stream_ctx.get(KEY_RESULT)


class FileStreamer(Accessors):
    """Sends files to other sites of the job, chunk by chunk."""

    @staticmethod
    def register_stream_processing(
        fl_ctx: FLContext,
        channel: str,
        topic: str,
        dest_dir: str | None = None,
        stream_done_cb: Callback | None = None,
        chunk_consumed_cb: Callback | None = None,
        transfer_options: Options | None = None,
        **cb_kwargs: Any,
    ) -> None:
        """Take the files that are sent here on a channel and topic.

        Args:
            dest_dir: where they go, under names of our own; by default the system's temporary directory. A file appears
                there only when it is complete and verified.
            stream_done_cb: called as `stream_done_cb(stream_ctx, fl_ctx, **cb_kwargs)` once for each stream: when its
                file is in place, before the sender is told of it; or when it has failed.
            chunk_consumed_cb: called as `chunk_consumed_cb((more, reply), stream_ctx, fl_ctx, **cb_kwargs)` after each
                piece that is written, half a mebibyte at most: a chunk of the sender may be several.
            transfer_options: as for containers.

        Raises:
            ValueError: `dest_dir` is no directory.
            RuntimeError: the context has no engine with a cell.
        """
        directory = directory_for(dest_dir)

        def assemble(incoming: Incoming, offer: Request) -> ObjectAssembler:
            location = os.path.join(directory, str(uuid.uuid4()))
            incoming.ctx[KEY_FILE_NAME] = _plain(offer.name)
            incoming.ctx[KEY_FILE_SIZE] = offer.size
            incoming.ctx[KEY_FILE_LOCATION] = location
            return ReceivedFile(location, consumed=incoming.consumed, stored=lambda path: incoming.end())

        Reception(
            fl_ctx,
            channel,
            topic,
            assemble,
            stream_done_cb=stream_done_cb,
            consumed_cb=chunk_consumed_cb,
            cb_kwargs=cb_kwargs,
            options=transfer_options,
        )

    @staticmethod
    def stream_file(
        channel: str,
        topic: str,
        stream_ctx: StreamContext | None,
        targets: list[str] | None,
        file_name: str,
        fl_ctx: FLContext,
        chunk_size: int | None = None,
        chunk_timeout: float | None = None,
        optional: bool = False,
        secure: bool = False,
        transfer_options: Options | None = None,
    ) -> Result:
        """Send a file and wait until every target has it, or has failed.

        Args:
            file_name: path of the file; targets learn its last part.
            chunk_size: bytes read and sent at a time, 2 MiB by default.
            chunk_timeout: seconds without progress after which a target has failed, 60 by default.
            targets, optional, secure, transfer_options: as for containers.

        Returns:
            (return code, deliveries), as for containers.

        Raises:
            ValueError: there is no such file; or a timeout or size that is not above 0.
            RuntimeError: the context has no engine with a cell.
        """
        if not os.path.isfile(file_name):
            raise ValueError(f"file {file_name} is not a valid file")
        if chunk_size:
            check_positive_int("chunk_size", chunk_size)
        if chunk_timeout:
            check_positive_number("chunk_timeout", chunk_timeout)
        ctx: StreamContext = {} if stream_ctx is None else stream_ctx
        name = os.path.basename(file_name)
        ctx[KEY_FILE_NAME] = name
        ctx[KEY_FILE_SIZE] = os.path.getsize(file_name)

        def make() -> ObjectStreamer:
            return File(file_name, packed(ctx), name=name, chunk=chunk_size)

        options = _options(transfer_options, chunk_timeout, secure)
        return _push(channel, topic, ctx, targets, make, fl_ctx, options, optional)

    @staticmethod
    def get_file_name(stream_ctx: StreamContext) -> Any:
        """What the file is called at the sender, without its directory."""
        return stream_ctx.get(KEY_FILE_NAME)

    @staticmethod
    def get_file_location(stream_ctx: StreamContext) -> Any:
        """The path where the received file is."""
        return stream_ctx.get(KEY_FILE_LOCATION)

    @staticmethod
    def get_file_size(stream_ctx: StreamContext) -> Any:
        """The size of the file in bytes."""
        return stream_ctx.get(KEY_FILE_SIZE)


def directory_for(dest_dir: str | None) -> str:
    """The directory for received files.

    Raises:
        ValueError: there is none.
    """
    directory = dest_dir or tempfile.gettempdir()
    if not os.path.isdir(directory):
        raise ValueError(f"dest_dir '{directory}' is not a valid dir")
    return directory


def _options(given: Options | None, deadline: float | None, secure: bool) -> Options:
    options = given or FlareOptions()
    if deadline:
        options = replace(options, deadline=deadline)
    if secure:
        options = FlareOptions(**{**vars(options), "secure": True})
    return options


def _push(
    channel: str,
    topic: str,
    ctx: StreamContext,
    targets: Sequence[str] | None,
    make: Callable[[], ObjectStreamer],
    fl_ctx: FLContext,
    options: Options,
    optional: bool,
) -> Result:
    ctx[StreamContextKey.CHANNEL] = channel
    ctx[StreamContextKey.TOPIC] = topic
    site = site_of(fl_ctx, service(channel, topic))
    if targets is None:
        targets = site.directory.everybody()
    try:
        outcomes = site.push(targets, make(), options)
    except TransferError as problem:
        if not targets:
            return _told(Result(False, problem), topic, optional)
        outcomes = {target: Outcome(target, topic, error=problem) for target in targets}
    return _told(delivered(outcomes), topic, optional)


def _told(result: Result, topic: str, optional: bool) -> Result:
    log = LOGGER.debug if optional else LOGGER.error
    errors = getattr(result[1], "errors", {"nobody": result.error})
    for target, error in errors.items():
        if error is not None:
            log("%s was not delivered to %s: %s", topic, target, error)
    return result


def _plain(name: str) -> str:
    """A file name that can do no harm when the application joins it to a directory."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise TransferError(Code.REFUSED, "the file's name is not that of a file in a directory")
    return name
