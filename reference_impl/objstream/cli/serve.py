"""`objstream serve`: a site that offers models and files, and takes what is put."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import click

from ..engines.socket import SocketSite
from ..errors import Code, TransferError
from ..limits import Limits
from ..models import ModelAssembler, ModelError, ModelFile, ModelStreamer, is_model, metadata_fits
from ..retrievers import FileRetriever
from ..site import Options, Outcome, Request
from ..streamers import FileAssembler, FileStreamer, ObjectAssembler, ObjectStreamer
from ..streamers.container import KINDS
from . import words
from .common import Interruption, free_space, parse_named, parse_url, transfer_options

_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("url", type=parse_url, metavar="URL")
@click.option(
    "--container",
    "containers",
    type=parse_named,
    multiple=True,
    metavar="NAME=PATH",
    help="Offer the model in this .safetensors, .npz, .pt or .pth file; may be repeated.",
)
@click.option(
    "--file",
    "files",
    type=parse_named,
    multiple=True,
    metavar="NAME=PATH",
    help="Offer this file; may be repeated.",
)
@click.option("--root", type=_DIRECTORY, help="Offer the files below this directory by their relative paths.")
@click.option("--accept", type=_DIRECTORY, help="Take what is put, and store it in this directory.")
@click.option(
    "--max-size",
    type=words.parse_size,
    metavar="SIZE",
    help="The largest object that is taken.  [default: the free space of the disk]",
)
@click.option("--numpy", is_flag=True, help="Give arrays, not torch tensors, of .safetensors files.")
@transfer_options
def serve(
    url: str,
    containers: tuple[tuple[str, Path], ...],
    files: tuple[tuple[str, Path], ...],
    root: Path | None,
    accept: Path | None,
    max_size: int | None,
    numpy: bool,
    digests: tuple[str, ...],
    deadline: float,
) -> None:
    """Offer models and files at URL (tcp://HOST:PORT, port 0 for any; or unix:///PATH) until Ctrl-C.

    NAME may be left out: it is the name of the file then. Models are mapped from their files, not copied into memory;
    to offer another model replace such a file, but never write into it. There is no authentication: whoever reaches the
    address gets what is offered, and with --accept may put.
    """
    models = {name: ModelFile(path, torch=False if numpy else None) for name, path in containers}
    limits = Limits()
    if accept is not None:
        limits = dataclasses.replace(limits, max_bytes=max_size or free_space(accept))
    options = Options(digests=digests, deadline=deadline, limits=limits)
    with Interruption() as interruption, SocketSite(url, options) as site:
        _offer(site, models, files, root, accept)
        _announce(site, models, files, root, accept)
        interruption.event.wait()


def _offer(
    site: SocketSite,
    models: Mapping[str, ModelFile],
    files: tuple[tuple[str, Path], ...],
    root: Path | None,
    accept: Path | None,
) -> None:
    ledger = Ledger()
    site.watch(ledger.finished)

    def model(request: Request) -> ObjectStreamer | None:
        if request.kind != "container" or request.name not in models:
            return None
        try:
            loaded = models[request.name].model()
        except (ModelError, OSError) as problem:
            raise TransferError(
                Code.SOURCE_FAILED, f"{request.name}: the model cannot be read", local=str(problem)
            ) from problem
        ledger.begin(_size(models[request.name].path))
        return ModelStreamer(loaded, name=request.name, limits=site.options.limits)

    site.provide(model)
    retriever = _Files(site, ledger, root)
    for name, path in files:
        retriever.add_file(name, path)
    if accept is not None:

        def take(request: Request) -> ObjectAssembler | None:
            ledger.begin()
            return assembler(accept, request)

        site.accept(take)


def _announce(
    site: SocketSite,
    models: Mapping[str, ModelFile],
    files: tuple[tuple[str, Path], ...],
    root: Path | None,
    accept: Path | None,
) -> None:
    offered = [_described(name, model) for name, model in models.items()]
    offered += [f"file {name} ({words.size(path.stat().st_size)})" for name, path in files]
    if root is not None:
        offered.append(f"the files below {root}")
    if accept is not None:
        offered.append(f"room for what is put, in {accept}")
    click.echo(words.clean(f"serving at {site.address}: {', '.join(offered) or 'nothing'}"))


def _described(name: str, file: ModelFile) -> str:
    container, metadata = file.model()
    lacking = "" if metadata_fits(metadata) else ", without its metadata, which is too large"
    return f"container {name} ({len(container)} entries, {words.size(_size(file.path))}{lacking})"


def assembler(directory: Path, request: Request) -> ObjectAssembler | None:
    """Where an offered object goes: to a name that is made here and not taken, whatever the peer calls it."""
    name = request.name.rsplit("/", 1)[-1]
    safe = Path(re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".-_")[-100:] or "object")
    if request.kind == "file":
        return FileAssembler(directory / f"{safe.stem}-{secrets.token_hex(4)}{safe.suffix}")
    if request.kind not in KINDS.values():
        return None
    suffix = safe.suffix if is_model(safe) else ".safetensors"
    return ModelAssembler(directory / f"{safe.stem}-{secrets.token_hex(4)}{suffix}")


class _Files(FileRetriever):
    """Tells the ledger how large the file is that is sent."""

    def __init__(self, site: SocketSite, ledger: Ledger, root: Path | None) -> None:
        super().__init__(site, root=root)
        self._ledger = ledger

    def streamer(self, request: Request) -> ObjectStreamer | None:
        found = super().streamer(request)
        self._ledger.begin(_size(found.path) if isinstance(found, FileStreamer) else 0)
        return found


class Ledger:
    """One line for each transfer that has ended. A transfer begins and ends in the thread of its connection."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def begin(self, size: int = 0) -> None:
        """A transfer begins in this thread; `size` bytes will be sent."""
        self._thread.began = time.monotonic()
        self._thread.size = size

    def finished(self, request: Request, outcome: Outcome) -> None:
        what = f"{outcome.name!r}, {request.peer}"
        if outcome.error is not None:
            line = f"failed {what}: {outcome.error}"
        else:
            stored = outcome.result if isinstance(outcome.result, Path) else None
            size = self._thread.size if stored is None else _size(stored)
            moved = f"{words.size(size)} in {words.rate(size, time.monotonic() - self._thread.began)}"
            line = (
                f"sent {what}: {moved}" if stored is None else f"received {what}: {moved}, as {stored.name}"
            )
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            click.echo(words.clean(f"{time.strftime('%H:%M:%S')} {line}"))


def _size(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, 0 when that cannot be found out any more."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
