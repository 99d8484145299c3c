"""What a job leaves behind in the server's directory of the job: one file that says what has arrived where."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from nvflare.apis.fl_context import FLContext

NAME = "streaming_report.json"


def directory(fl_ctx: FLContext) -> Path:
    """The directory of this job at this site."""
    workspace = fl_ctx.get_engine().get_workspace()
    return Path(workspace.get_run_dir(fl_ctx.get_job_id()))


def sender_of(fl_ctx: FLContext) -> str:
    """The name of the site whose message is being handled."""
    return str(fl_ctx.get_peer_context().get_identity_name())


def write(
    fl_ctx: FLContext,
    expected: Collection[str],
    sites: Mapping[str, Mapping[str, object]],
    record: Mapping[str, Any],
) -> None:
    """Write the report; it says `verified` only if each of the expected sites has verified its object.

    Args:
        sites: what each said: `rc`, `verified`, and `rounds` with `began` and `ended` of each.
        record: what else is known: `bytes` of the object, and `bytes_in_memory` of it at a site that has received it.
    """
    verified = bool(expected) and all(sites.get(name, {}).get("verified") is True for name in expected)
    report = {**record, "verified": verified, "sites": sites}
    directory(fl_ctx).joinpath(NAME).write_text(json.dumps(report, indent=1), "utf-8")


def read(workspace: Path) -> dict[str, Any]:
    """The report of the job that ran in a workspace.

    Raises:
        LookupError: the job did not come so far as to write one.
    """
    for path in workspace.rglob(NAME):
        return json.loads(path.read_text("utf-8"))
    raise LookupError("the job wrote no report")
