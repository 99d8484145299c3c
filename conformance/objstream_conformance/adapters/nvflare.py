"""NVIDIA FLARE's own streamers and retrievers, as installed, on the suite's network.

Each site is a client job of one FLARE job: the streamers and retrievers, AuxRunner, ObjectStreamer and the
engine are FLARE's; only the Cell is replaced (see :mod:`.nvflare_cell`). Nothing is repaired on the way: a
wrong or missing result is returned as FLARE returns it. A push has one verdict for all; each target gets it.

Environment: `OBJSTREAM_VERBOSE` lets FLARE's log through.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Container
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from nvflare.apis.client import Client
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReservedKey, ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.signal import Signal
from nvflare.app_common.streamers.container_retriever import ContainerRetriever
from nvflare.app_common.streamers.container_streamer import ContainerStreamer
from nvflare.app_common.streamers.file_retriever import FileRetriever
from nvflare.app_common.streamers.file_streamer import FileStreamer
from nvflare.app_common.streamers.object_retriever import ObjectRetriever
from nvflare.fuel.utils import fobs
from nvflare.private.fed.client.client_run_manager import ClientRunManager
from nvflare.private.fed.client.command_agent import CommandAgent

from ..contract import ROLES, Description, Network, Rejected
from .nvflare_cell import JOB_ID, Cell

CHANNEL = "objstream.conformance"
CONTAINERS = "containers"
FILES = "files"
LINGER = 2.0
"""How long closing a site waits for a stream that is being aborted, in seconds."""
_R = TypeVar("_R", bound=ObjectRetriever)
SETTLE = 0.25
"""How long a retrieval that has ended waits for its owner's last message, in seconds."""


class Federation:
    """The job on one network. A site that has been closed stays a member."""

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.cells: dict[str, Cell] = {}
        self._streams: dict[threading.Thread, tuple[str, str, str]] = {}

    def stream_begins(self, owner: str, requester: str, name: str) -> None:
        """Remember that this thread streams an object, and forget those that have ended."""
        for thread in list(self._streams):
            if not thread.is_alive():
                self._streams.pop(thread, None)
        self._streams[threading.current_thread()] = owner, requester, name

    def wait_for_streams(
        self, seconds: float, *, owner: str = "", requester: str = "", name: str = ""
    ) -> None:
        """Wait for the streams of an owner, or for those that answer a requester's retrieval."""
        for thread, (theirs, whose, what) in list(self._streams.items()):
            if theirs == owner or (whose, what) == (requester, name):
                thread.join(seconds)


class Federations(dict[int, Federation]):
    """The job on each network that has a site."""

    def __init__(self) -> None:
        super().__init__()
        if not os.environ.get("OBJSTREAM_VERBOSE"):
            for name in ("nvflare", __package__):
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    def on(self, network: Network) -> tuple[Federation, Callable[[], None]]:
        """The job, and what to call when one of its sites has closed."""
        federation = self.setdefault(id(network), Federation())

        def closed() -> None:
            if not federation.cells:
                self.pop(id(network), None)

        return federation, closed


class NVFlareAdapter:
    """The adapter. `chunk_size` is given to FLARE wherever it takes one: bytes per chunk of a file."""

    def __init__(self, chunk_size: int | None = None) -> None:
        self._chunk_size = chunk_size
        self._federations = Federations()

    def describe(self) -> Description:
        capabilities = {"container", "file", "push", "pull", "multi-target", "chunk-size", "numpy", "memory"}
        capabilities.add("retrievers")
        return Description(
            "nvflare", importlib.metadata.version("nvflare"), ROLES, frozenset(capabilities) | tensors()
        )

    def site(self, name: str, network: Network, directory: Path) -> NVFlareSite:
        return NVFlareSite(name, network, directory, *self._federations.on(network), self._chunk_size)


def tensors() -> frozenset[str]:
    """The capability, where FLARE can carry tensors."""
    found = importlib.util.find_spec("torch") and importlib.util.find_spec("safetensors")
    return frozenset({"tensors"} if found else ())


class Engine(ClientRunManager):  # type: ignore[misc]
    """The engine of a client job, whose job is the federation."""

    def __init__(self, name: str, cell: Any, members: Container[str]) -> None:
        self.abort = Signal()
        self._members = members
        super().__init__(
            client_name=name,
            job_id=JOB_ID,
            workspace=None,
            client=SimpleNamespace(client_name=name, client_args={}),
            components={},
            handlers=[],
        )
        self.cell = cell

    def create_job_processing_context_properties(self, workspace: object, job_id: str) -> dict[str, object]:
        return {ReservedKey.RUN_ABORT_SIGNAL: self.abort}

    def get_client_from_name(self, client_name: str) -> Client | None:
        return Client(client_name, "") if client_name in self._members else None


class JobSite:
    """One client job on the suite's network, and what pushes have delivered to it."""

    def __init__(
        self, name: str, network: Network, federation: Federation, closed: Callable[[], None]
    ) -> None:
        self._name = name
        self._federation = federation
        self._closed = closed
        self._received: list[object] = []
        agent = CommandAgent(None)
        cell = Cell(name, network, federation.cells, agent.aux_communication, _register_tensors)
        agent.engine = self._engine = Engine(name, cell, federation.members)

    def enter(self) -> None:
        """From now on messages reach it."""
        self._federation.members.add(self._name)
        self._federation.cells[self._engine.cell.fqcn] = self._engine.cell

    def received(self) -> list[object]:
        return list(self._received)

    def close(self) -> None:
        self._engine.abort.trigger("closing")
        self._federation.cells.pop(self._engine.cell.fqcn, None)
        self._closed()
        self._engine.shutdown_streamer()
        self._federation.wait_for_streams(LINGER, owner=self._name)


class NVFlareSite(JobSite):
    """A job with FLARE's streamers and retrievers. Its files for others are links in a directory, `source_dir`."""

    def __init__(
        self,
        name: str,
        network: Network,
        directory: Path,
        federation: Federation,
        closed: Callable[[], None],
        chunk_size: int | None,
    ) -> None:
        super().__init__(name, network, federation, closed)
        self._chunk_size = chunk_size
        self._private = Path(tempfile.mkdtemp(prefix="objstream-nvflare-"))
        self._sources = self._private / "sources"
        self._sources.mkdir()
        self._originals: dict[Path, Path] = {}

        context = self._engine.new_context()
        self._containers = self._started(ContainerRetriever())
        self._files = self._started(
            FileRetriever(str(self._sources), dest_dir=str(directory), chunk_size=chunk_size)
        )
        ContainerStreamer.register_stream_processing(
            context, CHANNEL, CONTAINERS, stream_done_cb=self._container_done
        )
        FileStreamer.register_stream_processing(
            context, CHANNEL, FILES, dest_dir=str(directory), stream_done_cb=self._file_done
        )
        self.enter()

    def add_container(self, name: str, container: object) -> None:
        self._containers.add_container(name, container)

    def add_file(self, name: str, path: Path) -> None:
        """Put a file where FLARE will look for it; FLARE is to see a name that leads out of `source_dir`."""
        place = Path(os.path.normpath(self._sources / name))
        if self._private not in place.parents:
            raise Rejected(f"FileRetriever offers only what is in its source_dir, which cannot hold {name!r}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _same_file(path, place)
        except (OSError, ValueError) as error:
            raise Rejected(f"source_dir cannot hold {name!r}: {error}") from error
        self._originals[place] = path

    def another_retriever(self) -> _Retriever:
        """A component of its own with a retriever that is made as the first one was."""
        try:
            return _Retriever(self, self._started(ContainerRetriever()))
        except ValueError as refusal:
            raise Rejected(str(refusal), type(refusal).__name__) from refusal

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        return self.retrieved(self._containers, peer, name, timeout)

    def retrieved(self, retriever: ContainerRetriever, peer: str, name: str, timeout: float) -> object:
        """What a retriever of this site gets for a name."""
        context = self._engine.new_context()
        return self._result(name, *retriever.retrieve_container(peer, context, timeout, name))

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> Any:
        context = self._engine.new_context()
        return self._result(name, *self._files.retrieve_file(peer, context, timeout, name))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return verdicts(
            targets,
            lambda: ContainerStreamer.stream_container(
                CHANNEL,
                CONTAINERS,
                {},
                targets,
                container,
                self._engine.new_context(),
                entry_timeout=float(timeout),
            ),
        )

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        return verdicts(
            targets,
            lambda: FileStreamer.stream_file(
                CHANNEL,
                FILES,
                {},
                targets,
                str(path),
                self._engine.new_context(),
                chunk_size=self._chunk_size,
                chunk_timeout=float(timeout),
            ),
        )

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._private, ignore_errors=True)

    def _started(self, retriever: _R) -> _R:
        self._follow(retriever)
        retriever.handle_event(EventType.START_RUN, self._engine.new_context())
        return retriever

    def _follow(self, retriever: ObjectRetriever) -> None:
        """Have a retriever look at the files of this moment, and stream where we can wait for it to end.

        Its stream begins when its reply has been sent, so that their messages keep one order.
        """
        stream, validate = retriever._do_stream, retriever.validate_request

        def validated(request: dict[str, Any], context: FLContext) -> object:
            for place, path in list(self._originals.items()):
                _same_file(path, place)
            return validate(request, context)

        def followed(request: dict[str, Any], context: FLContext, data: object) -> None:
            requester = context.get_peer_context().get_identity_name()
            name = request.get("name") or request.get("file_name", "")
            self._federation.stream_begins(self._name, requester, name)
            self._engine.cell.wait_until_answered(request, LINGER)
            stream(request, context, data)

        retriever._do_stream, retriever.validate_request = followed, validated

    def _result(self, name: str, rc: str, result: object) -> object:
        self._federation.wait_for_streams(SETTLE, requester=self._name, name=name)
        error = _error(rc)
        if error:
            raise error
        return result

    def _container_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        if ContainerStreamer.get_rc(stream_ctx) == ReturnCode.OK:
            self._received.append(ContainerStreamer.get_result(stream_ctx))

    def _file_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        if FileStreamer.get_rc(stream_ctx) == ReturnCode.OK:
            self._received.append(Path(FileStreamer.get_file_location(stream_ctx)))


class _Retriever:
    """Another retriever of a site."""

    def __init__(self, site: NVFlareSite, retriever: ContainerRetriever) -> None:
        self._site = site
        self._retriever = retriever

    def add_container(self, name: str, container: object) -> None:
        self._retriever.add_container(name, container)

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        return self._site.retrieved(self._retriever, peer, name, timeout)


def _register_tensors() -> None:
    """What FLARE's PyTorch components do in a job that uses torch."""
    if "torch" in sys.modules:
        from nvflare.app_opt.pt.decomposers import TensorDecomposer

        fobs.register(TensorDecomposer)


def _same_file(path: Path, place: Path) -> None:
    """Make `place` the file at `path`, whatever happens to it, or nothing where there is none."""
    if path.exists() and place.exists() and path.samefile(place):
        return
    place.unlink(missing_ok=True)
    if path.exists():
        os.link(path, place)


def verdicts(targets: list[str], stream: Callable[[], tuple[str, object]]) -> dict[str, Exception | None]:
    """The one verdict of a push, for each target of it."""
    try:
        rc, _ = stream()
    except (ValueError, RuntimeError) as refusal:  # how FLARE's streamers refuse
        raise Rejected(str(refusal), type(refusal).__name__) from refusal
    error = _error(rc)
    if error and not targets:
        raise error
    return dict.fromkeys(targets, error)


def _error(rc: str) -> Exception | None:
    if rc == ReturnCode.OK:
        return None
    if rc == ReturnCode.TIMEOUT:
        return TimeoutError(rc)
    return Rejected(f"FLARE's return code is {rc}", rc)
