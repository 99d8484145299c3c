"""The command `objstream trace`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .check import check
from .record import load


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--show", is_flag=True, help="Print the log in words, before what is wrong with it.")
def trace(file: Path, show: bool) -> None:
    """Hold a recorded log of sessions (JSON, a record in each line) against the specification.

    Exit status: 0 nothing is wrong; 1 something is; 2 the file is no log; 3 there is no session in it.
    """
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            records = list(load(lines))
    except (ValueError, OSError) as problem:
        click.echo(f"error: {problem}", err=True)
        sys.exit(2)
    if show:
        for index, record in enumerate(records):
            click.echo(f"{index:6} {record}")
    violations = check(records)
    for violation in violations:
        click.echo(str(violation))
    sessions = len({(record.connection, record.session) for record in records if record.event == "begin"})
    click.echo(f"{sessions} sessions, {len(records)} records, {len(violations)} violations")
    sys.exit(1 if violations else 0 if sessions else 3)
