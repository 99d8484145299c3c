"""`objstream get` and `objstream put`: one transfer, with a progress bar."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import click

from ..engines.socket import SocketSite
from ..errors import TransferError
from ..limits import Limits
from ..meta import MAX_UINT
from ..models import ModelAssembler, ModelFile, ModelStreamer, is_model, metadata_fits
from ..retrievers import ContainerRetriever, FileRetriever
from ..site import Options
from ..streamers import FileStreamer, ObjectStreamer
from . import words
from .commands import say
from .common import Interruption, parse_url, transfer_options
from .progress import Bar


@click.command()
@click.argument("url", type=parse_url, metavar="URL")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to put it.  [default: the last part of NAME, in this directory]",
)
@click.option("--file", "as_file", is_flag=True, help="Retrieve a file, whatever the suffix of the output.")
@click.option("--sync", is_flag=True, help="Wait until it is on the disk.")
@click.option(
    "--resume", is_flag=True, help="Keep what has arrived if it fails, and go on from what is kept."
)
@transfer_options
def get(
    url: str,
    name: str,
    output: Path | None,
    as_file: bool,
    sync: bool,
    resume: bool,
    digests: tuple[str, ...],
    deadline: float,
) -> int:
    """Retrieve NAME from the site at URL.

    An output that ends in .safetensors, .npz, .pt or .pth retrieves a model (a container) and writes that format; any
    other, or --file, retrieves a file. The output appears only when it is complete and verified, in place of what had
    its name before; after a failure nothing is left. Models are written entry by entry as they arrive; .pt and .pth are
    whole in memory first.

    With --resume a failure leaves what has arrived in a hidden directory beside the output; the same command goes on
    from there. If the object has changed meanwhile, it says so, and starts from the beginning when it is run again.
    """
    path = output or Path(name.rsplit("/", 1)[-1])
    if not path.name or path.is_dir() or not path.parent.is_dir():
        raise click.BadParameter(f"{str(path)!r} is no place for a file", param_hint="--output")
    limits = dataclasses.replace(Limits(), max_bytes=MAX_UINT)  # what is stored is held against the disk
    options = Options(digests=digests, deadline=deadline, limits=limits)

    def transfer(site: SocketSite, options: Options) -> None:
        if as_file or not is_model(path):
            FileRetriever(site, sync=sync).retrieve_file(url, name, to=path, resume=resume, options=options)
        else:
            assembler = ModelAssembler(path, sync=sync, resume=resume)
            ContainerRetriever(site).retrieve(url, name, assembler, options)

    return _run(name, options, transfer, lambda: f"{path}: {words.size(path.stat().st_size)}")


@click.command()
@click.argument("url", type=parse_url, metavar="URL")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What to call it there.  [default: the name of the file]")
@click.option("--file", "as_file", is_flag=True, help="Send it as a file, whatever its suffix.")
@transfer_options
def put(
    url: str, path: Path, name: str | None, as_file: bool, digests: tuple[str, ...], deadline: float
) -> int:
    """Send the model or file at PATH to the site at URL, which must have been started with --accept.

    A model (.safetensors, .npz, .pt, .pth) is sent as a container and stored there in the format that the suffix of its
    name asks for. The site chooses where it goes, under a name that begins like this one.
    """
    name = name or path.name
    streamer: ObjectStreamer
    if as_file or not is_model(path):
        streamer = FileStreamer(path, name=name)
    else:
        if not is_model(name):
            name += path.suffix
        model = ModelFile(path).model()
        if not metadata_fits(model.metadata):
            say(f"{path}: its metadata is too large to be sent along")
        streamer = ModelStreamer(model, name=name)

    def transfer(site: SocketSite, options: Options) -> None:
        outcome = site.push([url], streamer, options)[url]
        if outcome.error is not None:
            raise outcome.error

    sent = f"{path}: {words.size(path.stat().st_size)}"
    return _run(name, Options(digests=digests, deadline=deadline), transfer, lambda: f"{sent} delivered")


def _run(
    name: str, options: Options, transfer: Callable[[SocketSite, Options], None], summary: Callable[[], str]
) -> int:
    """Make one transfer; Ctrl-C cancels it on both sides."""
    began = time.monotonic()
    with Interruption() as interruption, SocketSite() as site:
        try:
            with Bar(name) as bar:
                transfer(site, dataclasses.replace(options, progress=bar.observer, cancel=interruption.event))
        except TransferError as problem:
            if not interruption.status:
                raise
            say(str(problem))
            return interruption.status
    click.echo(words.clean(f"{summary()} in {time.monotonic() - began:.2f} s"))
    return 0
