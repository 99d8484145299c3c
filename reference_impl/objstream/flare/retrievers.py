"""ContainerRetriever and FileRetriever with the interface of NVIDIA FLARE's: components of a job, on both sites."""

from __future__ import annotations

import os
import threading
import uuid
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.streaming import StreamContext
from nvflare.app_common.streamers.object_retriever import ObjectRetriever

from ..errors import Code, TransferError
from ..retrievers import below
from ..session import Observer
from ..site import Options, Outcome, Request
from ..streamers import ObjectAssembler, ObjectStreamer
from ..streamers.container import EntryObserver
from .job import context_with, site_of
from .objects import Container, File, ReceivedContainer, ReceivedFile
from .reception import LOGGER, service
from .results import Result
from .site import WINDOW, FlareOptions, FlareSite
from .streamers import ContainerStreamer, FileStreamer, directory_for

ServedCallback = Callable[[str, str, "TransferError | None"], None]


class Retriever(ObjectRetriever):  # type: ignore[misc]
    """What both retrievers share: the site of the job on whose behalf they give and ask.

    FLARE's hooks keep their meaning: `validate_request` decides about a request on the owner's side, so that a subclass
    can refuse there.

    Args:
        topic: retrievers of one class find each other under one topic; by default the name of the class.
        deadline: seconds without progress after which a transfer fails that a peer has asked for.
        window: bytes of content that an owner may be ahead of this site when it receives; by default 16 MiB.
    """

    kind: str
    attribute: str
    """How FLARE calls the name of the object in a request."""

    def __init__(
        self,
        topic: str | None,
        stream_msg_optional: bool,
        stream_msg_secure: bool,
        deadline: float | None,
        window: int | None,
    ) -> None:
        super().__init__(topic)
        self.stream_msg_optional = stream_msg_optional
        self.stream_msg_secure = stream_msg_secure
        self.window = window
        self._options = FlareOptions(
            deadline=deadline or Options.deadline, window=window or WINDOW, secure=stream_msg_secure
        )
        self._started: set[FlareSite] = set()
        self._served_cb: ServedCallback | None = None
        self._lock = threading.Lock()

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        if event_type == EventType.START_RUN:
            self._check()
            self._serve(fl_ctx)

    def retrieve(self, from_site: str, fl_ctx: FLContext, timeout: float, **obj_attrs: Any) -> Result:
        """Retrieve the object with these attributes; there is one, its name."""
        name = obj_attrs.pop(self.attribute)
        if obj_attrs:
            raise TypeError(f"objects have no {', '.join(map(repr, obj_attrs))}")
        return self._pull(from_site, fl_ctx, timeout, name, self._assembler(), None, None)

    def set_served_cb(self, served_cb: ServedCallback) -> None:
        """Call `served_cb(site, name, error)` at the end of each transfer that another site has asked for.

        `error` is None when that site has the object, verified and stored.
        """
        self._served_cb = served_cb

    @abstractmethod
    def _assembler(self) -> ObjectAssembler:
        """What receives an object when the application has said nothing else."""

    @abstractmethod
    def _streamer(self, name: str, validated: Any) -> ObjectStreamer:
        """What streams an object, given what `validate_request` returned."""

    def _check(self) -> None:
        """Raise ValueError if the arguments do not fit the machine."""

    def _serve(self, fl_ctx: FLContext) -> FlareSite:
        """The site of this process, which answers requests from the first call on."""
        site = site_of(fl_ctx, service(self.stream_channel, self.topic), self._options)
        with self._lock:
            if site not in self._started:
                self._started.add(site)
                engine, job_id = fl_ctx.get_engine(), fl_ctx.get_job_id() or ""
                site.provide(lambda request: self._provide(request, engine, job_id))
                site.watch(self._served)
        return site

    def _provide(self, request: Request, engine: Any, job_id: str) -> ObjectStreamer | None:
        if request.kind != self.kind:
            return None
        fl_ctx = context_with(engine, request.peer, job_id)
        rc, validated = self.validate_request(Shareable({self.attribute: request.name}), fl_ctx)
        if rc == ReturnCode.BAD_REQUEST_DATA:
            return None
        if rc and rc != ReturnCode.OK:
            raise TransferError(Code.REFUSED, f"{request.name}: refused with {rc}")
        return self._streamer(request.name, validated)

    def _served(self, request: Request, outcome: Outcome) -> None:
        if request.kind != self.kind or request.offered:
            return
        if outcome.error is None:
            LOGGER.info("%s was delivered to %s", request.name, request.peer)
        else:
            log = LOGGER.debug if self.stream_msg_optional else LOGGER.error
            log("%s was not delivered to %s: %s", request.name, request.peer, outcome.error)
        if self._served_cb is not None:
            self._served_cb(request.peer, request.name, outcome.error)

    def _pull(
        self,
        from_site: str,
        fl_ctx: FLContext,
        timeout: float | None,
        name: str,
        assembler: ObjectAssembler,
        progress: Observer | None,
        cancel: threading.Event | None,
    ) -> Result:
        options = replace(
            self._options, deadline=timeout or self._options.deadline, progress=progress, cancel=cancel
        )
        site = self._serve(fl_ctx)
        try:
            if not isinstance(name, str) or not name:
                raise TransferError(Code.NOT_FOUND, f"{name!r} is no name of an object")
            return Result(site.pull(from_site, self.kind, name, assembler, options))
        except TransferError as problem:
            log = LOGGER.debug if self.stream_msg_optional else LOGGER.error
            log("%s was not retrieved from %s: %s", name, from_site, problem)
            return Result(None, problem)


class ContainerRetriever(Retriever):
    """Retrieves containers by name; put one on each of the sites.

    Args:
        topic: see `Retriever`.
        stream_msg_optional: failures are logged for debugging only.
        stream_msg_secure: let FLARE encrypt the messages for the peer.
        entry_timeout: seconds without progress after which a container that is given fails, 60 by default.
        window: see `Retriever`.

    Attributes:
        containers: what peers can retrieve, by name.
    """

    kind = "container"
    attribute = "name"

    def __init__(
        self,
        topic: str | None = None,
        stream_msg_optional: bool = False,
        stream_msg_secure: bool = False,
        entry_timeout: float | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(topic, stream_msg_optional, stream_msg_secure, entry_timeout, window)
        self.entry_timeout = entry_timeout
        self.containers: dict[str, Any] = {}

    def add_container(self, name: str, container: Any) -> None:
        """Let peers retrieve a container under a name, in place of what had the name before."""
        self.containers[name] = container

    def remove_container(self, name: str) -> None:
        """Take a container back; transfers that have begun go on. Raises KeyError for an unknown name."""
        del self.containers[name]

    def retrieve_container(
        self,
        from_site: str,
        fl_ctx: FLContext,
        timeout: float | None,
        name: str,
        *,
        into: Any = None,
        entry_cb: EntryObserver | None = None,
        progress: Observer | None = None,
        cancel: threading.Event | None = None,
    ) -> Result:
        """Retrieve a container.

        Args:
            from_site: the site that has it.
            timeout: seconds without progress after which the retrieval fails; it says nothing about the total time.
            name: what it is called there.
            into: a dict, OrderedDict or list with arrays or tensors of the same shapes, which are filled in place: no
                second model comes into being.
            entry_cb: called with each entry as it arrives: a value, or the pair of key and value of a dict.
            progress: called with the `Progress` as it goes on; when it raises, the retrieval is cancelled.
            cancel: set this event, from any thread, to cancel the retrieval.

        Returns:
            (return code, container): the container is None unless the code is OK; `error` of the pair says why.
        """
        assembler = ReceivedContainer(into=into, observe=entry_cb)
        return self._pull(from_site, fl_ctx, timeout, name, assembler, progress, cancel)

    def register_stream_processing(
        self, channel: str, topic: str, fl_ctx: FLContext, stream_done_cb: Any, **cb_kwargs: Any
    ) -> None:
        ContainerStreamer.register_stream_processing(fl_ctx, channel, topic, stream_done_cb, **cb_kwargs)

    def validate_request(self, request: Shareable, fl_ctx: FLContext) -> tuple[str, Any]:
        name = request.get(self.attribute)
        if name not in self.containers:
            return ReturnCode.BAD_REQUEST_DATA, None
        return ReturnCode.OK, self.containers[name]

    def do_stream(
        self,
        target: str,
        request: Shareable,
        fl_ctx: FLContext,
        stream_ctx: StreamContext,
        validated_data: Any,
    ) -> Result:
        return ContainerStreamer.stream_container(
            self.stream_channel,
            self.topic,
            stream_ctx,
            [target],
            validated_data,
            fl_ctx,
            entry_timeout=self.entry_timeout,
            optional=self.stream_msg_optional,
            secure=self.stream_msg_secure,
        )

    def get_result(self, stream_ctx: StreamContext) -> tuple[str, Any]:
        return ContainerStreamer.get_rc(stream_ctx), ContainerStreamer.get_result(stream_ctx)

    def _assembler(self) -> ObjectAssembler:
        return ReceivedContainer()

    def _streamer(self, name: str, validated: Any) -> ObjectStreamer:
        return Container(validated, {}, name=name, limits=self._options.limits)


class FileRetriever(Retriever):
    """Retrieves files by their name below a directory; put one on each of the sites.

    Args:
        source_dir: files below this directory can be retrieved; no link leads out of it.
        topic: see `Retriever`.
        stream_msg_optional: failures are logged for debugging only.
        stream_msg_secure: let FLARE encrypt the messages for the peer.
        dest_dir: where retrieved files go, under names of our own; by default the system's temporary directory.
        chunk_size: bytes read and sent at a time, 2 MiB by default.
        chunk_timeout: seconds without progress after which a file that is given fails, 60 by default.
        window: see `Retriever`.
    """

    kind = "file"
    attribute = "file_name"

    def __init__(
        self,
        source_dir: str,
        topic: str | None = None,
        stream_msg_optional: bool = False,
        stream_msg_secure: bool = False,
        dest_dir: str | None = None,
        chunk_size: int | None = None,
        chunk_timeout: float | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(topic, stream_msg_optional, stream_msg_secure, chunk_timeout, window)
        self.source_dir = source_dir
        self.dest_dir = dest_dir
        self.chunk_size = chunk_size
        self.chunk_timeout = chunk_timeout

    def retrieve_file(
        self,
        from_site: str,
        fl_ctx: FLContext,
        timeout: float | None,
        file_name: str,
        *,
        progress: Observer | None = None,
        cancel: threading.Event | None = None,
    ) -> Result:
        """Retrieve a file.

        Args:
            file_name: its path below the owner's `source_dir`.
            from_site, timeout, progress, cancel: as for containers.

        Returns:
            (return code, location): where the file is, complete and verified; None unless the code is OK. `error` of
            the pair says why.
        """
        return self._pull(from_site, fl_ctx, timeout, file_name, self._assembler(), progress, cancel)

    def register_stream_processing(
        self, channel: str, topic: str, fl_ctx: FLContext, stream_done_cb: Any, **cb_kwargs: Any
    ) -> None:
        FileStreamer.register_stream_processing(
            fl_ctx, channel, topic, self.dest_dir, stream_done_cb, **cb_kwargs
        )

    def validate_request(self, request: Shareable, fl_ctx: FLContext) -> tuple[str, Any]:
        if not self.source_dir:
            return ReturnCode.BAD_REQUEST_DATA, None
        try:
            root = Path(self.source_dir).resolve(strict=True)
        except OSError:
            return ReturnCode.BAD_REQUEST_DATA, None
        name = request.get(self.attribute)
        path = below(root, os.path.normpath(name)) if isinstance(name, str) and name else None
        return (ReturnCode.BAD_REQUEST_DATA, None) if path is None else (ReturnCode.OK, path)

    def do_stream(
        self,
        target: str,
        request: Shareable,
        fl_ctx: FLContext,
        stream_ctx: StreamContext,
        validated_data: Any,
    ) -> Result:
        return FileStreamer.stream_file(
            self.stream_channel,
            self.topic,
            stream_ctx,
            [target],
            validated_data,
            fl_ctx,
            chunk_size=self.chunk_size,
            chunk_timeout=self.chunk_timeout,
            optional=self.stream_msg_optional,
            secure=self.stream_msg_secure,
        )

    def get_result(self, stream_ctx: StreamContext) -> tuple[str, Any]:
        return FileStreamer.get_rc(stream_ctx), FileStreamer.get_file_location(stream_ctx)

    def _check(self) -> None:
        directory_for(self.dest_dir)

    def _assembler(self) -> ObjectAssembler:
        location = os.path.join(directory_for(self.dest_dir), str(uuid.uuid4()))
        return ReceivedFile(location)

    def _streamer(self, name: str, validated: Any) -> ObjectStreamer:
        return File(validated, {}, name=name, chunk=self.chunk_size)
