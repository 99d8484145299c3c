"""Runs jobs in FLARE's proof-of-concept mode: server, clients and jobs in processes of their own, over mutual TLS.

All of it is below one temporary directory; the user's own FLARE configuration is neither read nor written.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import reports
import simple_dict_streaming_job
import simple_file_streaming_job
import simulation
import streaming_job
from model_streaming import MODES
from nvflare.fuel.flare_api.flare_api import Session, new_secure_session
from nvflare.job_config.api import FedJob
from nvflare.tool.poc.poc_commands import prepare_poc_provision
from simulation import Run
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


class Submitted(NamedTuple):
    """A job that may be running: its id, and when it was submitted."""

    id: str
    at: float


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

    def run(self, job: FedJob, timeout: float) -> Run:
        """Run a job to its end.

        Raises:
            TimeoutError: it did not end in time.
            LookupError: it wrote no report.
        """
        return self.wait(self.submit(job), timeout)

    def submit(self, job: FedJob) -> Submitted:
        exported = self._directory / "jobs"
        job.export_job(str(exported))
        return Submitted(self._session.submit_job(str(exported / job.name)), time.monotonic())

    def wait(self, job: Submitted, timeout: float) -> Run:
        """Wait for the end of a job, at most that many seconds after it was submitted. Raises as `run` does."""
        while not str(status := self._session.get_job_meta(job.id)["status"]).startswith("FINISHED"):
            if time.monotonic() - job.at > timeout:
                self._session.abort_job(job.id)
                raise TimeoutError(f"the job did not end within {timeout:g} s: {status}")
            time.sleep(0.2)
        ended = time.monotonic()
        result = self._session.download_job_result(job.id, str(self._directory / "results"))
        return Run(reports.read(Path(result)), job.at, ended, self.tree)

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


def jobs(options: argparse.Namespace, directory: Path) -> Iterator[tuple[str, FedJob]]:
    """All of the example jobs."""
    size, implementation, clients = options.size, options.implementation, options.clients
    yield "simple file", simple_file_streaming_job.make_job(size, implementation, clients)
    yield "simple dict", simple_dict_streaming_job.make_job(size, implementation, clients)
    for mode in MODES:
        job = streaming_job.make_job(mode, implementation, directory, size=size, clients=clients)
        yield f"model, {mode}", job


def main() -> int:
    """Run all of the jobs, each with all of the clients at once."""
    parser = simulation.arguments(main.__doc__ or "")
    parser.add_argument("--size", type=simulation.size, default="16MiB", help="of each object")
    parser.add_argument("--together", action="store_true", help="all jobs at the same time")
    parser.set_defaults(clients=2)
    options = parser.parse_args()
    records = {}
    with tempfile.TemporaryDirectory(prefix="flare-files-") as directory, Poc(options.clients) as poc:
        submitted = ((name, poc.submit(job)) for name, job in jobs(options, Path(directory)))
        for name, job in list(submitted) if options.together else submitted:
            records[name] = poc.wait(job, options.timeout).record(options.implementation)
            print(f"== {name}")
            simulation.show(records[name])
    if options.json:
        options.json.write_text(json.dumps(records) + "\n", "utf-8")
    return 0 if all(record["verified"] for record in records.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
