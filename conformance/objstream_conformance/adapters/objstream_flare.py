"""`objstream.flare` in a job of NVIDIA FLARE, on the suite's network: the classes with FLARE's interface.

Each site is a client job of one FLARE job. Its engine, contexts and messages are FLARE's; only the CoreCell is replaced
(see :mod:`.flare_core`). Everything goes through the interface that applications use.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable

import objstream
from objstream import TransferError
from objstream.flare import (
    ContainerRetriever,
    ContainerStreamer,
    FileRetriever,
    FileStreamer,
    FlareOptions,
    FlareSite,
    Result,
)
from objstream.flare.job import site_of
from objstream.flare.reception import service
from objstream.limits import KIB

from ..contract import ROLES, Description, Network
from .flare_core import CoreCell
from .nvflare import CHANNEL, CONTAINERS, FILES, Engine
from .reference import SERVED, entry_observer, translated

CAPABILITIES = frozenset(
    {"container", "file", "push", "pull", "multi-target", "owner-verdict", "cancel", "into", "observer"}
    | {"deadline", "chunk-size", "root", "memory", "numpy", "tensors"}
)
WINDOW = 560 * KIB
"""What is under way counts as extra memory: small beside the objects of the suite."""
SERVED_SECONDS = 0.7
"""How long an owner waits for a requester that says nothing any more; over FLARE only its deadline tells it."""


class ObjstreamFlareAdapter:
    """The adapter. `chunk_size` is given to the classes wherever they take one."""

    def __init__(self, chunk_size: int | None = None) -> None:
        self._chunk_size = chunk_size
        self._jobs: weakref.WeakKeyDictionary[Network, dict[str, CoreCell]] = weakref.WeakKeyDictionary()
        if not os.environ.get("OBJSTREAM_VERBOSE"):
            for name in ("nvflare", "objstream", __package__):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    def describe(self) -> Description:
        version = f"{objstream.__version__} in FLARE {importlib.metadata.version('nvflare')}"
        return Description("objstream-flare", version, ROLES, CAPABILITIES)

    def site(self, name: str, network: Network, directory: Path) -> ObjstreamFlareSite:
        cells = self._jobs.setdefault(network, {})
        return ObjstreamFlareSite(name, CoreCell(name, network, cells), directory, cells, self._chunk_size)


class _Members:
    """The clients of the job: everybody who was ever there."""

    def __init__(self, cells: dict[str, CoreCell]) -> None:
        self._cells = cells

    def __contains__(self, name: object) -> bool:
        return any(cell.name == name for cell in self._cells.values())


class _Files(FileRetriever):
    """Offers single files too: FLARE's hook decides what a name stands for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.single: dict[str, str] = {}

    def validate_request(self, request: Shareable, fl_ctx: FLContext) -> tuple[str, Any]:
        path = self.single.get(request.get(self.attribute))
        return super().validate_request(request, fl_ctx) if path is None else (ReturnCode.OK, path)


class ObjstreamFlareSite:
    """One client job."""

    def __init__(
        self,
        name: str,
        cell: CoreCell,
        directory: Path,
        cells: dict[str, CoreCell],
        chunk_size: int | None,
    ) -> None:
        self._cell = cell
        self._chunk_size = chunk_size
        self._engine = Engine(name, SimpleNamespace(core_cell=cell), _Members(cells))
        self._received: list[object] = []
        self._served: deque[tuple[str, str, Exception | None]] = deque(maxlen=SERVED)
        self._containers = ContainerRetriever(entry_timeout=SERVED_SECONDS, window=WINDOW)
        self._files = _Files(
            "",
            dest_dir=str(directory),
            chunk_size=chunk_size,
            chunk_timeout=SERVED_SECONDS,
            window=WINDOW,
        )
        context = self._context()
        for retriever in (self._containers, self._files):
            retriever.handle_event(EventType.START_RUN, context)
            retriever.set_served_cb(self._note)
        ContainerStreamer.register_stream_processing(
            context,
            CHANNEL,
            CONTAINERS,
            stream_done_cb=self._container_done,
            transfer_options=FlareOptions(window=WINDOW),
        )
        FileStreamer.register_stream_processing(
            context,
            CHANNEL,
            FILES,
            dest_dir=str(directory),
            stream_done_cb=self._file_done,
            transfer_options=FlareOptions(window=WINDOW),
        )

    def add_container(self, name: str, container: object) -> None:
        self._containers.add_container(name, container)

    def add_file(self, name: str, path: Path) -> None:
        self._files.single[name] = str(path)

    def add_directory(self, path: Path) -> None:
        self._files.source_dir = str(path)

    def retrieve_container(
        self,
        peer: str,
        name: str,
        *,
        timeout: float,
        into: Any = None,
        observer: Callable[[object, object], object] | None = None,
    ) -> object:
        entry_cb = None if observer is None else entry_observer(observer)
        return _object(
            self._containers.retrieve_container(
                peer, self._context(), timeout, name, into=into, entry_cb=entry_cb
            )
        )

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> Any:
        return _object(self._files.retrieve_file(peer, self._context(), timeout, name))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return _verdicts(
            ContainerStreamer.stream_container(
                CHANNEL,
                CONTAINERS,
                {},
                targets,
                container,
                self._context(),
                entry_timeout=timeout,
                chunk_size=self._chunk_size,
            )
        )

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        return _verdicts(
            FileStreamer.stream_file(
                CHANNEL,
                FILES,
                {},
                targets,
                str(path),
                self._context(),
                chunk_size=self._chunk_size,
                chunk_timeout=timeout,
            )
        )

    def received(self) -> list[object]:
        return list(self._received)

    def served(self) -> list[tuple[str, str, Exception | None]]:
        ended = list(self._served)
        self._served.clear()
        return ended

    def cancel(self) -> None:
        for site in self._sites():
            site.cancel()

    def close(self) -> None:
        for site in self._sites():
            site.close()
        self._cell.leave()

    def _context(self) -> FLContext:
        return self._engine.new_context()

    def _sites(self) -> list[FlareSite]:
        topics = [service(each.stream_channel, each.topic) for each in (self._containers, self._files)]
        topics += [service(CHANNEL, topic) for topic in (CONTAINERS, FILES)]
        return [site_of(self._context(), topic) for topic in topics]

    def _note(self, site: str, name: str, error: TransferError | None) -> None:
        self._served.append((site, name, translated(error)))

    def _container_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        if ContainerStreamer.get_rc(stream_ctx) == ReturnCode.OK:
            self._received.append(ContainerStreamer.get_result(stream_ctx))

    def _file_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        if FileStreamer.get_rc(stream_ctx) == ReturnCode.OK:
            self._received.append(Path(FileStreamer.get_file_location(stream_ctx)))


def _object(result: Result) -> object:
    problem = translated(result.error)
    if problem is not None:
        raise problem
    return result[1]


def _verdicts(result: Result) -> dict[str, Exception | None]:
    deliveries = result[1]
    if not deliveries and result.error is not None and not isinstance(deliveries, dict):
        raise translated(result.error) or AssertionError
    return {target: translated(error) for target, error in deliveries.errors.items()}
