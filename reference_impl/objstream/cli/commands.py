"""The commands by name, each imported when it is called, and what becomes of their errors."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import click

from .. import __version__
from ..errors import TransferError
from .words import clean

DEBUG = "OBJSTREAM_DEBUG"


class Command(NamedTuple):
    """Where a command is, what it does, and what to install when it cannot be imported."""

    module: str
    attribute: str
    summary: str
    extra: str = "cli"


COMMANDS = {
    "serve": Command("objstream.cli.serve", "serve", "Offer models and files; take what is put, if told so."),
    "get": Command("objstream.cli.transfers", "get", "Retrieve a model or a file."),
    "put": Command("objstream.cli.transfers", "put", "Send a model or a file to a site that takes it."),
    "bench": Command("objstream.cli.bench", "bench", "Measure against raw TCP on this machine."),
    "check": Command(
        "objstream_conformance.command",
        "check",
        "Hold implementations against the specification.",
        "conformance",
    ),
    "requirements": Command(
        "objstream_conformance.command",
        "requirements",
        "List the requirements of the specification.",
        "conformance",
    ),
    "replay": Command("objstream_conformance.replay", "replay", "Repeat a case that failed.", "conformance"),
    "new-adapter": Command(
        "objstream_conformance.new_adapter",
        "new_adapter",
        "Write a file to start from, to validate a streamer.",
        "conformance",
    ),
    "simulate": Command(
        "objstream_conformance.simulation",
        "simulate",
        "Play sessions of the reference with all that can go wrong.",
        "conformance",
    ),
    "trace": Command(
        "objstream_conformance.trace", "trace", "Hold the log of sessions against the rules.", "conformance"
    ),
    "profile": Command(
        "objstream_conformance.profile", "profile", "Measure the memory of both ends.", "conformance,profile"
    ),
    "compare-flare": Command(
        "objstream_conformance.compare_flare",
        "compare_flare",
        "Measure jobs of NVIDIA FLARE with its streamers and with ours.",
        "conformance,flare",
    ),
}


class _MissingError(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = COMMANDS.get(cmd_name)
        if command is None:
            return None
        try:
            found = getattr(importlib.import_module(command.module), command.attribute)
        except ImportError as problem:
            raise _MissingError(
                f"{cmd_name} needs {problem.name}: install objstream[{command.extra}]"
            ) from problem
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def objstream() -> None:
    """Move models and files between machines: complete, verified, in bounded memory.

    URLs are tcp://HOST:PORT or unix:///PATH. An error is one line; OBJSTREAM_DEBUG=1 in the environment shows where it
    comes from.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    try:
        status = objstream.main(arguments, prog_name="objstream", standalone_mode=False)
    except click.ClickException as problem:
        if isinstance(problem, click.UsageError):
            problem.show()
        else:
            say(problem.message)
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return 130
    except Exception as problem:
        if os.environ.get(DEBUG):
            raise
        say(explain(problem))
        return 1
    return status if isinstance(status, int) else 0


def explain(problem: Exception) -> str:
    """An error in one line."""
    if isinstance(problem, MemoryError):
        return "there is not enough memory"
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    if isinstance(problem, (TransferError, ValueError, OSError)):
        return str(problem)
    return f"{type(problem).__name__}: {problem} ({DEBUG}=1 shows where)"


def say(message: str) -> None:
    click.echo(f"objstream: {clean(message)}", err=True)
