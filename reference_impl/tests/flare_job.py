"""A FLARE job in one process: real cells, contexts and streams of FLARE, and an engine with no more than they need."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from nvflare.apis.client import Client
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ProcessType, ReservedKey
from nvflare.apis.fl_context import FLContext, FLContextManager
from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.core_cell import CoreCell
from nvflare.fuel.f3.stats_pool import StatsPoolManager

JOB = "job"
CLIENTS = ("site-1", "site-2")


class Engine:
    """The engine of one process of the job."""

    def __init__(self, name: str, cell: Any, clients: tuple[str, ...] = CLIENTS) -> None:
        self.name = name
        self.cell = cell
        self.abort = Signal()
        self._clients = {each: Client(each, "") for each in clients}
        kind = ProcessType.SERVER_JOB if name == "server" else ProcessType.CLIENT_JOB
        self._contexts = FLContextManager(
            engine=self,
            identity_name=name,
            job_id=JOB,
            private_stickers={ReservedKey.RUN_ABORT_SIGNAL: self.abort, ReservedKey.PROCESS_TYPE: kind},
        )

    def get_cell(self) -> Any:
        return self.cell

    def new_context(self) -> FLContext:
        return self._contexts.new_context()

    def get_client_from_name(self, name: str) -> Client | None:
        return self._clients.get(name)

    def get_clients(self) -> list[Client]:
        return list(self._clients.values())


class Job:
    """The server's and the clients' processes, as far as they are cells.

    Args:
        clients: which clients have their cells here.
        credentials: what a site has to encrypt messages with; FLARE's parameters by the site's name.
    """

    def __init__(
        self, clients: tuple[str, ...] = CLIENTS, credentials: dict[str, dict[str, str]] | None = None
    ) -> None:
        self._credentials = credentials or {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{port}"
        self._cells: list[Cell] = []
        self.cell("server")
        self._engines = {name: Engine(name, self.cell(f"{name}.{JOB}")) for name in ("server", *clients)}

    @property
    def server(self) -> Engine:
        return self._engines["server"]

    @property
    def one(self) -> Engine:
        return self._engines["site-1"]

    @property
    def two(self) -> Engine:
        return self._engines["site-2"]

    def cell(self, name: str) -> Cell:
        credentials = self._credentials.get(name.split(".")[0], {})
        cell = Cell(name, self.url, secure=False, credentials=credentials)
        cell.core_cell.start()
        self._cells.append(cell)
        return cell

    def close(self) -> None:
        for cell in reversed(self._cells):
            with contextlib.suppress(Exception):
                cell.core_cell.stop()
            CoreCell.ALL_CELLS.pop(cell.core_cell.get_fqcn(), None)
        StatsPoolManager.pools.clear()


def start(engine: Engine, *components: Any) -> None:
    """What FLARE does with the components of a job when it starts."""
    for component in components:
        component.handle_event(EventType.START_RUN, engine.new_context())


@contextlib.contextmanager
def running(credentials: dict[str, dict[str, str]] | None = None) -> Iterator[Job]:
    job = Job(credentials=credentials)
    try:
        yield job
    finally:
        job.close()
