"""The FLARE job around a transfer: its cell, its sites, its contexts and its abort signal."""

from __future__ import annotations

import time
from typing import Any

from nvflare.apis.fl_constant import ProcessType, ReservedKey, SiteType
from nvflare.apis.fl_context import FLContext
from nvflare.fuel.f3.cellnet.core_cell import CoreCell
from nvflare.fuel.f3.cellnet.fqcn import FQCN

from ..site import Options
from .cells import dispatcher_of
from .site import FlareSite

CELL_WAIT = 5.0
"""Seconds that a process may need to have its cell, as FLARE's own aux messages allow it."""
SLICE = 0.05


class JobDirectory:
    """The sites of a job, as the engine of one of its processes knows them.

    Args:
        engine: FLARE's engine.
        job_id: of the job; "" in a parent process, whose cells are the sites' own.
    """

    def __init__(self, engine: Any, job_id: str) -> None:
        self._engine = engine
        self._job_id = job_id

    def cell_of(self, name: str) -> str | None:
        if name.lower() == SiteType.SERVER:
            site = FQCN.ROOT_SERVER
        else:
            client = self._client(name)
            if client is None:
                return None
            site = client.get_fqcn()
        return FQCN.join([site, self._job_id]) if self._job_id else str(site)

    def name_of(self, cell: str) -> str:
        site = cell.removesuffix(f".{self._job_id}") if self._job_id else cell
        if site == FQCN.ROOT_SERVER:
            return str(SiteType.SERVER)
        for client in self._clients():
            if client.get_fqcn() == site:
                return str(client.name)
        return site

    def admits(self, cell: str) -> bool:
        """Whether a cell may speak here: one of the same job, or of any site's parent process to another."""
        return not self._job_id or self._job_id in FQCN.split(cell)

    def everybody(self) -> list[str]:
        """Whom FLARE means when no targets are given: all clients to the server, the server to a client."""
        names = [str(client.name) for client in self._clients()]
        return names if self._on_server() else [str(SiteType.SERVER)]

    def _on_server(self) -> bool:
        return bool(FQCN.split(self._engine.get_cell().core_cell.get_fqcn())[0] == FQCN.ROOT_SERVER)

    def _client(self, name: str) -> Any:
        look_up = getattr(self._engine, "get_client_from_name", None)
        return look_up(name) if look_up else None

    def _clients(self) -> list[Any]:
        listed = getattr(self._engine, "get_clients", None)
        return list(listed() or []) if listed else []


def site_of(fl_ctx: FLContext, topic: str, options: Options | None = None) -> FlareSite:
    """The site of this process for a topic, made when there is none yet.

    Args:
        options: the defaults of its transfers, in place of those it has.

    Raises:
        RuntimeError: the context has no engine with a cell.
    """
    engine = fl_ctx.get_engine()
    signal = fl_ctx.get_run_abort_signal()
    job_id = fl_ctx.get_job_id() or ""
    if fl_ctx.get_process_type() in (ProcessType.SERVER_PARENT, ProcessType.CLIENT_PARENT):
        job_id = ""
    dispatcher = dispatcher_of(_core_cell(engine, job_id))

    with dispatcher.lock:
        site: FlareSite | None = dispatcher.find(topic)
        if site is None:
            directory = JobDirectory(engine, job_id)
            site = FlareSite(dispatcher, topic, directory, options, lambda: bool(signal and signal.triggered))
    if options is not None:
        site.options = options
    return site


def context_with(engine: Any, peer: str, job_id: str) -> FLContext:
    """A context of the engine whose peer is the site of that name."""
    about_peer = FLContext()
    about_peer.put(ReservedKey.IDENTITY_NAME, peer, private=False, sticky=False)
    about_peer.put(ReservedKey.RUN_NUM, job_id, private=False, sticky=False)
    context = engine.new_context()
    context.set_peer_context(about_peer)
    return context


def _core_cell(engine: Any, job_id: str) -> Any:
    """The cell under whose name the other sites of the job know this process."""
    get_cell = getattr(engine, "get_cell", None)
    if get_cell is None:
        raise RuntimeError(f"the engine has no cell to stream over: {type(engine).__name__}")
    until = time.monotonic() + CELL_WAIT
    while (cell := get_cell()) is None:
        if time.monotonic() > until:
            raise RuntimeError(f"the engine's cell is not there after {CELL_WAIT:g} s")
        time.sleep(SLICE)
    core = cell.core_cell
    if job_id and job_id not in FQCN.split(core.get_fqcn()):
        # The Simulator's server has the job's cell beside its own in one process, and its engine names the latter.
        return CoreCell.ALL_CELLS.get(FQCN.join([core.get_fqcn(), job_id]), core)
    return core
