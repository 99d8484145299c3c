"""Security, as seen from outside (chapter 15)."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..case import DEADLINE, Case
from ..cases import requirement
from ..contract import Rejected
from ..sites import Party

SECRET = "swordfish-7461"


class Made:
    """Counts the objects that come into being, by whatever way."""

    count = 0

    def __new__(cls, *_: object) -> Made:
        Made.count += 1
        return super().__new__(cls)


class Plain(Made):
    """Found by pickle and its relatives by its name."""


class Reducing(Made):
    """Tells pickle and its relatives what to call."""

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return Reducing, (1,)


@dataclasses.dataclass
class Data(Made):
    """Taken apart and put together again by eager codecs."""

    field: int = 1


class Choice(enum.Enum):
    """An enumeration, found by module and name."""

    ONE = 1


class Failure(Exception):
    """An exception, which some codecs rebuild."""


@requirement("OSP-SEC-001", needs=["container", "sites"])
def no_foreign_instances(t: Case) -> None:
    """Objects of other classes are sent, there and back: no instance comes into being, and none is delivered."""
    for value in (Plain(), Reducing(), Data(2), Choice.ONE, Failure("x"), Plain):
        before = Made.count
        for container in ({"odd": value}, [[value]]):
            try:
                got = t.transfer(container, timeout=DEADLINE)
            except (Rejected, TimeoutError):
                continue
            kind = type(value).__qualname__
            t.expect(
                False,
                f"no {kind} to arrive",
                f"delivered was {got!r}",
                "make only what the value table lists",
            )
        made = Made.count - before
        t.expect(not made, "no instance made of a class that is not listed", f"{made} were made")
    _not_even_what_was_sent(t)


def _not_even_what_was_sent(t: Case) -> None:
    """A site has tried to send an object of a class: one that is sent to it is refused all the same."""
    one, other = t.sites()
    for value in (Data(2), Choice.ONE):
        for sender, receiver in ((one, other), (other, one)):
            try:
                _send(t, sender, receiver, [value])
            except (Rejected, TimeoutError):
                continue
            kind = type(value).__qualname__
            t.expect(False, f"no {kind} to arrive at a site that has sent one", "it did")


def _send(t: Case, sender: Party, receiver: Party, container: object) -> None:
    """Move a container by pull where that is on offer."""
    if t.has("pull"):
        name = t.fresh_name()
        sender.add_container(name, container)
        receiver.retrieve_container(sender.name, name, timeout=DEADLINE)
    else:
        verdict = sender.send_container([receiver.name], container, timeout=DEADLINE)[receiver.name]
        if verdict is not None:
            raise verdict


@contextmanager
def _module(t: Case) -> Iterator[Any]:
    """A module that can be found by its name, and that has been forgotten after an instance was made."""
    name = f"found_by_name_{t.random.getrandbits(64):x}"
    folder = t.directory / "modules"
    folder.mkdir()
    (folder / f"{name}.py").write_text("class Mapping(dict):\n    pass\n\n\nclass Thing:\n    pass\n")
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(name, None)


@requirement("OSP-SEC-013", needs=["container", "sites"])
def nothing_is_imported(t: Case) -> None:
    """Objects of a module that can be found are sent, as containers and in them: nothing imports the module."""
    with _module(t) as module:
        for container in (module.Mapping(a=1), {"odd": module.Thing()}, [module.Mapping(a=1)]):
            sys.modules.pop(module.__name__, None)
            try:
                t.transfer(container, timeout=DEADLINE)
            except (Rejected, TimeoutError):
                pass
            what = type(container).__name__
            t.expect(
                module.__name__ not in sys.modules,
                f"no module imported for a name in the stream ({what})",
                "it was imported",
                "compare names with a closed list, and look nothing up",
            )


def _says(t: Case, operation: Callable[[], object], secrets: dict[str, str]) -> None:
    """The operation fails; neither the error nor anything the owner put on the wire tells the secrets."""
    start = len(t.network.log)
    refusal = t.rejected(operation, "the retrieval to fail")
    bodies = [
        message.body or b"" for message in t.network.since(start).way(source=t.sites()[0].name).messages
    ]
    for what, secret in secrets.items():
        t.expect(secret not in str(refusal), f"no {what} in the error", f"{refusal}")
        wire = any(secret.encode() in body for body in bodies)
        t.expect(not wire, f"no {what} on the wire", f"{secret!r} in a message", "keep it in the local log")


@requirement("OSP-SEC-007", any_of=["pull"])
def no_local_paths(t: Case) -> None:
    """A file cannot be opened at the owner, a name is missing: the requester sees no local path."""
    owner, requester = t.sites()
    paths = {"local path": str(t.directory)}
    if t.has("file") and t.has("disk"):
        path = t.file(b"soon gone", "very-private.bin")

        def gone() -> object:
            owner.add_file("gone", path)
            path.unlink()
            return requester.retrieve_file(owner.name, "gone", timeout=DEADLINE)

        _says(t, gone, paths)
    if t.has("file"):
        _says(t, lambda: requester.retrieve_file(owner.name, "missing", timeout=DEADLINE), paths)
    goods = t.goods(1000)
    _says(t, lambda: goods.retrieve(requester, owner.name, "missing", timeout=DEADLINE), paths)


class Leaky:
    """Its text is its secret."""

    def __repr__(self) -> str:
        return f"Leaky({SECRET})"


@requirement("OSP-SEC-008", needs=["container", "unlisted"], any_of=["pull"])
def no_values(t: Case) -> None:
    """A value that cannot be carried shows a secret when printed: the requester sees neither it nor a trace."""
    owner = t.sites()[0]
    secrets = {"value of the object": SECRET, "stack trace": "Traceback (most recent call last)"}
    owner.add_container("bad", {"odd": Leaky()})
    requester = t.sites()[1]
    _says(t, lambda: requester.retrieve_container(owner.name, "bad", timeout=DEADLINE), secrets)
