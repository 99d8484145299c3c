"""The command `objstream new-adapter`: a file to start from."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import click

TEMPLATE = "new_adapter.py.txt"


@click.command("new-adapter")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; NAME_adapter.py where nothing is said.",
)
def new_adapter(name: str, output: Path | None) -> None:
    """Write an adapter for the implementation NAME that runs, and in which only its operations are missing."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    if not words or not words[0][0].isalpha():
        raise click.UsageError("NAME has to begin with a letter")
    path = output or Path(f"{'_'.join(words).lower()}_adapter.py")
    cls = "".join(word[0].upper() + word[1:] for word in words) + "Adapter"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template().replace("@NAME@", " ".join(words)).replace("@CLASS@", cls))
    except FileExistsError:
        raise click.UsageError(f"{path} is there already") from None
    click.echo(f"{path} is written. Hold it against the specification:\n  objstream check {path}:{cls}")


def template() -> str:
    return resources.files(__package__).joinpath(TEMPLATE).read_text("utf-8")
