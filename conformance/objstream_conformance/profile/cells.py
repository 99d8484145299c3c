"""Streamers and retrievers of a FLARE job over real cells, TCP between processes: FLARE's own, and `objstream.flare`.

The sender is the root cell, called "server"; each receiver is a client cell that connects to it. Engine, AuxRunner and
ObjectStreamer are those of a FLARE job; only who is in the job is decided here and not by FLARE. Arrays of FLARE's own
containers take its download path.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from nvflare.apis.client import Client, ClientPropKey
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, ProcessType, ReservedKey, ReturnCode
from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import CellChannel
from nvflare.fuel.utils import fobs
from nvflare.private.fed.client.client_run_manager import ClientRunManager
from nvflare.private.fed.client.command_agent import CommandAgent
from nvflare.private.fed.utils.fed_utils import nvflare_fobs_initialize

import objstream

from ..contract import ROLES, Description, Rejected

SERVER = "server"
CHANNEL, CONTAINERS, FILES = "objstream.profile", "containers", "files"
PATIENCE = 900.0
"""FLARE's deadline is one for the whole retrieval, in seconds."""
CONNECT = 60.0
CAPABILITIES = frozenset(
    {"container", "file", "push", "pull", "multi-target", "chunk-size", "tensors", "memory"}
)


class Kinds(NamedTuple):
    """Classes with the interface of FLARE's."""

    ContainerStreamer: Any
    FileStreamer: Any
    ContainerRetriever: Any
    FileRetriever: Any


class Engine(ClientRunManager):  # type: ignore[misc]
    """The engine of a site whose cell is not that of a job but of the site itself."""

    def __init__(self, name: str, root: str) -> None:
        self.abort = Signal()
        super().__init__(
            client_name=name,
            job_id="job",
            workspace=None,
            client=SimpleNamespace(client_name=name, client_args={}),
            components={},
            handlers=[],
        )
        agent = CommandAgent(None)
        agent.engine = self
        self.cell = Cell(fqcn=name, root_url=root, secure=False, credentials={})
        self.cell.register_request_cb(
            channel=CellChannel.AUX_COMMUNICATION, topic="*", cb=agent.aux_communication
        )
        self.cell.start()

    def create_job_processing_context_properties(self, workspace: object, job_id: str) -> dict[str, object]:
        return {ReservedKey.RUN_ABORT_SIGNAL: self.abort}

    def new_context(self) -> Any:
        context = super().new_context()
        context.set_prop(FLContextKey.PROCESS_TYPE, ProcessType.CLIENT_PARENT, private=True, sticky=True)
        return context

    def get_client_from_name(self, client_name: str) -> Client:
        client = Client(client_name, "")
        client.set_prop(ClientPropKey.FQCN, client_name)
        return client


class CellEndpoint:
    """One site; see :class:`.subjects.Endpoint`. A receiver's peer is always the server."""

    def __init__(self, kinds: Kinds, name: str, root: str, address: str, directory: Path, chunk: int) -> None:
        self.address = address
        self._chunk = chunk
        self._received: list[object] = []
        self._sources = directory / "sources"
        self._arrivals = directory / "arrivals"
        for path in (self._sources, self._arrivals):
            path.mkdir()
        self._engine = Engine(name, root)
        self._container_streamer, self._file_streamer = kinds.ContainerStreamer, kinds.FileStreamer
        self._containers = kinds.ContainerRetriever()
        self._files = kinds.FileRetriever(
            str(self._sources), dest_dir=str(self._arrivals), chunk_size=chunk, chunk_timeout=60.0
        )
        context = self._engine.new_context()
        for retriever in (self._containers, self._files):
            retriever.handle_event(EventType.START_RUN, context)
        self._container_streamer.register_stream_processing(
            context, CHANNEL, CONTAINERS, stream_done_cb=self._container_done
        )
        self._file_streamer.register_stream_processing(
            context, CHANNEL, FILES, dest_dir=str(self._arrivals), stream_done_cb=self._file_done
        )

    def add_container(self, name: str, container: object) -> None:
        self._containers.add_container(name, container)

    def add_file(self, name: str, path: Path) -> None:
        os.link(path, self._sources / name)

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        context = self._engine.new_context()
        return _result(*self._containers.retrieve_container(SERVER, context, PATIENCE, name))

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> Any:
        context = self._engine.new_context()
        return _result(*self._files.retrieve_file(SERVER, context, PATIENCE, name))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        context = self._engine.new_context()
        rc, _ = self._container_streamer.stream_container(
            CHANNEL, CONTAINERS, {}, targets, container, context, entry_timeout=timeout
        )
        return dict.fromkeys(targets, _error(rc))

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        context = self._engine.new_context()
        rc, _ = self._file_streamer.stream_file(
            CHANNEL, FILES, {}, targets, str(path), context, chunk_size=self._chunk, chunk_timeout=timeout
        )
        return dict.fromkeys(targets, _error(rc))

    def wait_for_server(self) -> None:
        """Cells connect in the background."""
        until = time.monotonic() + CONNECT
        while SERVER not in self._engine.cell.core_cell.agents and time.monotonic() < until:
            time.sleep(0.02)

    def received(self) -> list[object]:
        return self._received

    def close(self) -> None:
        self._engine.abort.trigger("closing")
        self._engine.shutdown_streamer()
        self._engine.cell.stop()

    def _container_done(self, stream_ctx: dict[str, Any], fl_ctx: object) -> None:
        if self._container_streamer.get_rc(stream_ctx) == ReturnCode.OK:
            self._received.append(self._container_streamer.get_result(stream_ctx))

    def _file_done(self, stream_ctx: dict[str, Any], fl_ctx: object) -> None:
        if self._file_streamer.get_rc(stream_ctx) == ReturnCode.OK:
            self._received.append(Path(self._file_streamer.get_file_location(stream_ctx)))


class CellSubject:
    """FLARE's own. `join` is what makes the receivers connect to the sender before anything is sent."""

    name = "nvflare"
    scales: ClassVar[dict[str, int]] = {"small-entries": 16}
    """FLARE awaits a reply for each entry: 100,000 take it a quarter of an hour."""

    def describe(self) -> Description:
        return Description(self.name, importlib.metadata.version("nvflare"), ROLES, CAPABILITIES)

    def kinds(self) -> Kinds:
        from nvflare.app_common.streamers.container_retriever import ContainerRetriever
        from nvflare.app_common.streamers.container_streamer import ContainerStreamer
        from nvflare.app_common.streamers.file_retriever import FileRetriever
        from nvflare.app_common.streamers.file_streamer import FileStreamer

        return Kinds(ContainerStreamer, FileStreamer, ContainerRetriever, FileRetriever)

    def listen(self, url: str, directory: Path, chunk: int) -> CellEndpoint:
        _prepare()
        with socket.create_server(("127.0.0.1", 0)) as free:
            root = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        return CellEndpoint(self.kinds(), SERVER, root, root, directory, chunk)

    def join(self, sender: str, directory: Path, chunk: int) -> CellEndpoint:
        _prepare()
        name = f"site-{os.getpid()}"
        endpoint = CellEndpoint(self.kinds(), name, sender, name, directory, chunk)
        endpoint.wait_for_server()
        return endpoint


class OwnCellSubject(CellSubject):
    """`objstream.flare`, the same by an import."""

    name = "objstream-flare"
    scales: ClassVar[dict[str, int]] = {}

    def describe(self) -> Description:
        return Description(self.name, objstream.__version__, ROLES, CAPABILITIES)

    def kinds(self) -> Kinds:
        from objstream.flare import ContainerRetriever, ContainerStreamer, FileRetriever, FileStreamer

        return Kinds(ContainerStreamer, FileStreamer, ContainerRetriever, FileRetriever)


def _prepare() -> None:
    """What a FLARE process does when it starts."""
    logging.getLogger("nvflare").setLevel(logging.CRITICAL + 1)
    nvflare_fobs_initialize()
    try:
        from nvflare.app_opt.pt.decomposers import TensorDecomposer
    except ImportError:
        return
    fobs.register(TensorDecomposer)


def _result(rc: str, result: object) -> object:
    error = _error(rc)
    if error is not None:
        raise error
    return result


def _error(rc: str) -> Exception | None:
    return None if rc == ReturnCode.OK else Rejected(f"FLARE's return code is {rc}", rc)
