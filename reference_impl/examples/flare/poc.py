"""Runs jobs in FLARE's proof-of-concept mode: server, clients and jobs in processes of their own, over mutual TLS.

All of it is below one temporary directory; the user's own FLARE configuration is neither read nor written.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import reports
from nvflare.fuel.flare_api.flare_api import Session, new_secure_session
from nvflare.job_config.api import FedJob
from nvflare.tool.poc.poc_commands import prepare_poc_provision
from utils.memory import ProcessTree

ADMIN = "admin@nvidia.com"
PROJECT = """\
api_version: 3
name: poc
participants:
- {{name: server, type: server, org: nvidia, fed_learn_port: {port}, default_host: localhost}}
- {{name: {admin}, type: admin, org: nvidia, role: project_admin}}
{clients}
builders:
- path: nvflare.lighter.impl.workspace.WorkspaceBuilder
  args: {{template_file: [master_template.yml]}}
- path: nvflare.lighter.impl.static_file.StaticFileBuilder
  args: {{config_folder: config}}
- path: nvflare.lighter.impl.cert.CertBuilder
- path: nvflare.lighter.impl.signature.SignatureBuilder
"""


class Poc:
    """A server and its clients; use it in a `with` statement, and run jobs one after the other.

    Args:
        clients: how many; they are called site-1, site-2 and so on.
        patience: seconds within which all of them must be there.

    Attributes:
        tree: the memory of all of the processes.
    """

    def __init__(self, clients: int, patience: float = 90.0) -> None:
        self._names = [f"site-{number + 1}" for number in range(clients)]
        self._patience = patience
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Poc:
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="flare-poc-"))
            self._directory = Path(directory)
            kits = self._provision()
            self.tree = ProcessTree(os.getpid())
            stack.callback(self.tree.stop)
            stack.callback(self.tree.end_all)
            self._start(kits)
            self._session = self._connect(kits / ADMIN)
            stack.callback(self._session.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, job: FedJob, timeout: float) -> tuple[dict[str, Any], float]:
        """Run a job to its end.

        Returns:
            its report, and how many seconds it took.

        Raises:
            TimeoutError: it did not end in time.
            LookupError: it wrote no report.
        """
        exported = self._directory / "jobs"
        job.export_job(str(exported))
        began = time.monotonic()
        number = self._session.submit_job(str(exported / job.name))
        while not str(status := self._session.get_job_meta(number)["status"]).startswith("FINISHED"):
            if time.monotonic() - began > timeout:
                self._session.abort_job(number)
                raise TimeoutError(f"the job did not end within {timeout:g} s: {status}")
            time.sleep(0.2)
        seconds = time.monotonic() - began
        result = self._session.download_job_result(number, str(self._directory / "results"))
        return reports.read(Path(result)), seconds

    def _provision(self) -> Path:
        """The directory with a directory for each participant."""
        project = self._directory / "project.yml"
        clients = "\n".join(f"- {{name: {name}, type: client, org: nvidia}}" for name in self._names)
        project.write_text(PROJECT.format(port=_free_port(), admin=ADMIN, clients=clients))
        workspace = self._directory / "workspace"
        prepare_poc_provision([], 0, str(workspace), "", project_conf_path=str(project))
        return workspace / "poc" / "prod_00"

    def _start(self, kits: Path) -> None:
        binaries = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
        for name in ("server", *self._names):
            with (self._directory / f"{name}.log").open("wb") as log:
                subprocess.Popen(
                    ["bash", str(kits / name / "startup" / "sub_start.sh"), "--once"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )

    def _connect(self, kit: Path) -> Session:
        """A session of the administrator, once all clients are there."""
        until = time.monotonic() + self._patience
        problem: Exception | None = None
        session: Session | None = None
        while time.monotonic() < until:
            try:
                session = session or new_secure_session(ADMIN, str(kit), timeout=10.0)
                present = {client.name for client in session.get_system_info().client_info}
                if present >= set(self._names):
                    return session
            except Exception as error:
                problem = error
            time.sleep(0.5)
        if session:
            session.close()
        logs = "\n".join(path.read_text("utf-8", "replace")[-2000:] for path in self._directory.glob("*.log"))
        raise TimeoutError(f"the sites did not come up within {self._patience:g} s: {problem}\n{logs}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
