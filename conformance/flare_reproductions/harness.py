"""Several FLARE sites in one process, on real Cells: the ground of the reproductions. Needs nvflare alone.

Sites are clients, connected to a server that only relays. Their engine, AuxRunner, ObjectStreamer, streamers and
retrievers are FLARE's, and so are the Cells. Because the sites share a process they share one FOBS registry, so
what FOBS refuses in a site that has not registered a type is not seen here.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from nvflare.apis.client import Client
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, ProcessType
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.app_common.streamers.container_retriever import ContainerRetriever
from nvflare.app_common.streamers.container_streamer import ContainerStreamer
from nvflare.app_common.streamers.file_retriever import FileRetriever
from nvflare.app_common.streamers.file_streamer import FileStreamer
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.message import Message
from nvflare.fuel.utils import fobs
from nvflare.private.fed.client.client_run_manager import ClientRunManager
from nvflare.private.fed.client.command_agent import CommandAgent
from nvflare.private.fed.utils.fed_utils import nvflare_fobs_initialize
from nvflare.private.stream_runner import TOPIC_STREAM_REQUEST

CHANNEL = "reproduction"
CONTAINERS = "containers"
FILES = "files"

Outcome = tuple[str, Any]
Send = Callable[[Shareable | bytes], Message]
Hook = Callable[[Send, Shareable], Message]


class Engine(ClientRunManager):  # type: ignore[misc]
    """A client's engine in a federation of fixed membership."""

    def __init__(self, name: str, cell: Cell, members: tuple[str, ...]) -> None:
        self.members = members
        client = SimpleNamespace(client_name=name, client_args={})
        super().__init__(name, "job", None, client, {}, [])
        self.cell = cell
        # From a parent process, peers are addressed by their names: no Cells of job processes are needed.
        self.fl_ctx_mgr.private_stickers[FLContextKey.PROCESS_TYPE] = ProcessType.CLIENT_PARENT

    def create_job_processing_context_properties(self, workspace: object, job_id: str) -> dict[str, object]:
        return {}

    def get_client_from_name(self, client_name: str) -> Client | None:
        return Client(client_name, "") if client_name in self.members else None


class Site:
    """A client with both retrievers started, and with the two streamers registered on CHANNEL."""

    def __init__(self, name: str, url: str, members: tuple[str, ...]) -> None:
        self.name = name
        self.cell = Cell(name, url, secure=False, credentials={})
        self.cell.start()
        self.engine = Engine(name, self.cell, members)
        agent = CommandAgent(SimpleNamespace(cell=self.cell))
        agent.engine = self.engine
        agent.register_cell_cb()
        self.sources, self.directory = (Path(tempfile.mkdtemp()) for _ in range(2))
        self.containers = ContainerRetriever()
        self.files = FileRetriever(str(self.sources), dest_dir=str(self.directory))
        for retriever in (self.containers, self.files):
            retriever.handle_event(EventType.START_RUN, self.context())
        self.received: list[Outcome] = []
        self.moments: list[float] = []
        ContainerStreamer.register_stream_processing(
            self.context(), CHANNEL, CONTAINERS, stream_done_cb=self._container_done
        )
        FileStreamer.register_stream_processing(
            self.context(), CHANNEL, FILES, dest_dir=str(self.directory), stream_done_cb=self._file_done
        )

    def context(self) -> FLContext:
        return self.engine.new_context()

    def pull(self, owner: Site, name: str, timeout: float = 5.0) -> Outcome:
        outcome: Outcome = self.containers.retrieve_container(owner.name, self.context(), timeout, name)
        return outcome

    def pull_file(self, owner: Site, name: str, timeout: float = 5.0) -> Outcome:
        outcome: Outcome = self.files.retrieve_file(owner.name, self.context(), timeout, name)
        return outcome

    def push(
        self, container: object, *targets: str, timeout: Any = 2.0, ctx: dict[str, Any] | None = None
    ) -> Any:
        return ContainerStreamer.stream_container(
            CHANNEL, CONTAINERS, ctx or {}, list(targets), container, self.context(), entry_timeout=timeout
        )

    def push_file(self, path: Path, *targets: str, chunk_size: int | None = None) -> Outcome:
        outcome: Outcome = FileStreamer.stream_file(
            CHANNEL,
            FILES,
            {},
            list(targets),
            str(path),
            self.context(),
            chunk_size=chunk_size,
            chunk_timeout=2.0,
        )
        return outcome

    def on_send(self, hook: Hook) -> None:
        """Have `hook(send, message)` deliver each message of this site's streams; `send` does it for real."""
        deliver = self.cell._send_one_request

        def sending(*, topic: str, request: Message, **rest: Any) -> Message:
            def send(content: Shareable | bytes) -> Message:
                payload = content if isinstance(content, bytes) else fobs.dumps(content)
                return deliver(topic=topic, request=Message(dict(request.headers), payload), **rest)

            if topic != TOPIC_STREAM_REQUEST:
                return deliver(topic=topic, request=request, **rest)
            return hook(send, fobs.loads(request.payload))

        self.cell._send_one_request = sending

    def before_send(self, action: Callable[[Shareable], object]) -> None:
        """Have `action(message)` run before each message of this site's streams."""

        def hook(send: Send, message: Shareable) -> Message:
            action(message)
            return send(message)

        self.on_send(hook)

    def leftovers(self) -> list[Path]:
        return sorted(self.directory.iterdir())

    def open_streams(self) -> int:
        return len(self.engine.object_streamer.tx_table)

    def _container_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        self.moments.append(time.monotonic())
        self.received.append((ContainerStreamer.get_rc(stream_ctx), ContainerStreamer.get_result(stream_ctx)))

    def _file_done(self, stream_ctx: dict[str, Any], fl_ctx: FLContext) -> None:
        self.received.append((FileStreamer.get_rc(stream_ctx), FileStreamer.get_file_location(stream_ctx)))


def federation(*names: str) -> list[Site]:
    """Start a server and the sites."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        url = f"tcp://localhost:{probe.getsockname()[1]}"
    server = Cell("server", url, secure=False, credentials={})
    server.start()
    sites = [Site(name, url, names) for name in names]
    while not all(site.cell.core_cell.is_cell_connected("server") for site in sites):
        time.sleep(0.01)
    return sites


def soon(condition: Callable[[], object], seconds: float = 2.0) -> bool:
    """Whether the condition comes true within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


Reproduction = Callable[[], str | None]
_reproductions: dict[str, Reproduction] = {}


def reproduction(function: Reproduction) -> Reproduction:
    """Mark a function that returns what FLARE was seen to do wrong, or None when it did nothing wrong."""
    _reproductions[function.__name__] = function
    return function


def main() -> None:
    """Run the reproductions of a script, or those named, and exit with 0 when all were reproduced."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(_reproductions)}")
    parser.add_argument("--log", action="store_true", help="let FLARE's log through")
    options = parser.parse_args()
    if not options.log:
        for name in ("nvflare", "harness"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    nvflare_fobs_initialize()
    codes = [_in_a_process_of_its_own(name) for name in options.names or _reproductions]
    raise SystemExit(1 if any(codes) else 0)


def _in_a_process_of_its_own(name: str) -> int:
    with tempfile.TemporaryDirectory(prefix="reproduction-") as directory:
        child = os.fork()
        if not child:
            _reproduce(name, directory)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _reproduce(name: str, directory: str) -> NoReturn:
    observed = None
    tempfile.tempdir = directory
    try:
        observed = _reproductions[name]()
        verdict = f"NOT REPRODUCED {name}" if observed is None else f"REPRODUCED {name}: {observed}"
        print(verdict, flush=True)
    except Exception:
        traceback.print_exc()
        observed = None
    finally:
        os._exit(observed is None)  # the threads of the Cells would keep us
