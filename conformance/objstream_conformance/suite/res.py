"""Resume, as applications see it (chapter 16)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..case import DEADLINE, Case
from ..cases import requirement
from ..network import Message
from ..sites import PATIENCE, Party, guard
from .fil import CHUNK, LONG_AGO

FILE = ("file", "pull", "resume")
ENTRY = 300 << 10
MOST = 16 * CHUNK
STILL = 0.05
"""A directory in which nothing has happened for so many seconds is still."""

Retrieve = Callable[[float], Any]
"""Retrieve one object, with `resume`, within a deadline in seconds."""


def _offered(t: Case, source: Any) -> tuple[str, Retrieve]:
    """Offer a file, or a container, under a fresh name; the name, and how the second site retrieves it."""
    owner, requester = t.sites()
    name = t.fresh_name()
    if isinstance(source, Path):
        owner.add_file(name, source)
        return name, lambda timeout: _file(requester, owner, name, timeout)
    owner.add_container(name, source)
    return name, lambda timeout: requester.retrieve_container(owner.name, name, timeout=timeout, resume=True)


def _file(requester: Party, owner: Party, name: str, timeout: float = PATIENCE) -> bytes:
    """Go on with a file; what arrived."""
    return requester.retrieve_file(owner.name, name, timeout=timeout, resume=True).read_bytes()


def _rehearsed(t: Case, source: Any) -> list[Message]:
    """The messages with content that an undisturbed retrieval of this source takes."""
    retrieve = _offered(t, source)[1]
    return list(t.rehearse(lambda: retrieve(PATIENCE)).way(source=t.sites()[0].name).content().messages)


def _large_file(t: Case, chunks: int) -> tuple[bytes, list[Message]]:
    """What a file of so many usual chunks holds, or a longer one until it takes three messages; and its rehearsal."""
    while True:
        data = t.random.randbytes(chunks * CHUNK + 7)
        rehearsal = _rehearsed(t, t.file(data))
        if len(rehearsal) >= 3 or len(data) > MOST:
            return data, rehearsal
        chunks *= 4


def _interrupted(t: Case, retrieve: Retrieve, message: Message) -> None:
    """Retrieve over a link that is cut at a message of the rehearsal, and then mended."""
    t.hit("cut", message)
    t.rejected(lambda: retrieve(DEADLINE), "the retrieval to fail when the link is cut")
    t.network.heal()


def _resumed(t: Case, retrieve: Retrieve, what: str) -> tuple[Any, int]:
    """What the next retrieval delivers, and how many bytes the owner has sent for it."""
    start = len(t.network.log)
    got = t.succeeds(lambda: retrieve(PATIENCE), f"the retrieval to be resumed {what}")
    return got, t.network.since(start).way(source=t.sites()[0].name).bytes()


@requirement("OSP-RES-001", needs=["pull", "resume"], any_of=["file", "container"])
def identical(t: Case) -> None:
    """The link is cut at the first, a middle and the last content, and again while it is resumed: the same object."""
    if t.has("container"):
        value: dict[object, object] = {
            "ints": np.arange(ENTRY // 8),
            ("a", 1): [None, {"text": "é" * 1000}, t.random.randbytes(ENTRY)],
            "same": [(7, -0.0)] * 2,
            **{index: t.random.randbytes(ENTRY + index) for index in range(4)},
        }
        for message in _some(_rehearsed(t, value)):
            retrieve = _offered(t, value)[1]
            _interrupted(t, retrieve, message)
            got, _ = _resumed(t, retrieve, f"after its message {message.nth}")
            t.same(value, got, "see that no entry is lost, repeated or out of order at the seam")
    if t.has("file"):
        _same_file(t)


def _some(messages: list[Message]) -> list[Message]:
    return [messages[place] for place in sorted({0, len(messages) // 2, len(messages) - 1})]


def _same_file(t: Case) -> None:
    data, rehearsal = _large_file(t, 4)
    path = t.file(data)
    for message in _some(rehearsal):
        retrieve = _offered(t, path)[1]
        _interrupted(t, retrieve, message)
        got, sent = _resumed(t, retrieve, f"after its message {message.nth}")
        _is_file(t, data, got)
        t.exercised(message is not rehearsal[-1] or sent < len(data), "a resume that does not start again")
    retrieve = _offered(t, path)[1]
    _interrupted(t, retrieve, rehearsal[len(rehearsal) // 3])
    large = max(message.size for message in rehearsal) // 4
    t.fault("cut", source=t.sites()[0].name, min_size=large, nth=len(rehearsal) // 4)
    t.rejected(lambda: retrieve(DEADLINE), "the resumed retrieval to fail when the link is cut")
    t.network.heal()
    _is_file(t, data, _resumed(t, retrieve, "a second time")[0])


def _is_file(t: Case, data: bytes, got: bytes) -> None:
    if got != data:
        pairs = enumerate(zip(data, got, strict=False))
        at = next((place for place, (one, other) in pairs if one != other), "the end")
        observed = f"{len(got)} bytes, equal up to {at}"
        t.expect(False, f"the {len(data)} bytes of the file", observed, "look at what happens at the seam")


def _change(path: Path, at: int) -> None:
    """Change some bytes in place; size and time of modification are as before."""
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(b"other")
    os.utime(path, (LONG_AGO, LONG_AGO))


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, (LONG_AGO, LONG_AGO))
    other.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "at its beginning": lambda path: _change(path, 10),
    "at its end": lambda path: _change(path, path.stat().st_size - 10),
    "by more bytes": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "to fewer bytes": lambda path: os.truncate(path, path.stat().st_size - 10),
    "to less than has arrived": lambda path: os.truncate(path, 10),
    "for another file": _replace,
}


@requirement("OSP-RES-002", needs=FILE)
def changed_source(t: Case) -> None:
    """The source is rewritten in place, longer, shorter or replaced after the interruption: an error that says so."""
    owner, requester = t.sites()
    data, rehearsal = _large_file(t, 3)
    t.exercised(len(rehearsal) > 1, "a file in several messages")
    for how, change in CHANGES.items():
        path = t.file(data)
        os.utime(path, (LONG_AGO, LONG_AGO))
        name, retrieve = _offered(t, path)
        _interrupted(t, retrieve, rehearsal[-1])
        change(path)
        what = f"an error that says that the source has changed ({how})"
        refusal = t.refused(lambda r=retrieve: r(PATIENCE), what, "compare validator and chain")  # type: ignore[misc]
        said = f"{refusal.code} {refusal.message}"
        t.expect("chang" in said.lower(), what, said)
        again = t.succeeds(
            partial(requester.retrieve_file, owner.name, name), "a retrieval from the beginning"
        )
        _is_file(t, path.read_bytes(), again.read_bytes())
    if t.has("container"):
        _changed_container(t)


def _changed_container(t: Case) -> None:
    """Another container under the name: an error, or, where containers are not resumed, all of the other one."""
    old, new = ([t.random.randbytes(ENTRY) for _ in range(6)] for _ in range(2))
    rehearsal = _rehearsed(t, old)
    name, retrieve = _offered(t, old)
    _interrupted(t, retrieve, rehearsal[-1])
    t.sites()[0].add_container(name, new)
    t.never_wrong(lambda: retrieve(PATIENCE), new)


@requirement("OSP-RES-005", needs=FILE)
def killed_receiver(t: Case) -> None:
    """A new site on what was on the disk at the moment of the kill goes on: the object, without all of it again."""
    _survives(t, t.sites()[1])


@requirement("OSP-RES-006", needs=[*FILE, "sites"])
def killed_sender(t: Case) -> None:
    """The owner is killed, starts again and offers its file: the retrieval goes on, without all of it again."""
    _survives(t, t.sites()[0])


def _survives(t: Case, victim: Party) -> None:
    owner, requester = t.sites()
    data, rehearsal = _large_file(t, 4)
    t.exercised(len(rehearsal) > 1, "a file in several messages")
    path, last = t.file(data), rehearsal[-1]
    name, retrieve = _offered(t, path)
    left = t.directory / "left"
    t.network.hook(
        lambda _: _copy(victim.directory, left), source=last.source, target=last.target, nth=last.nth
    )
    _interrupted(t, retrieve, last)
    t.exercised(t.soon(left.exists, 2.0), "the moment of the kill")
    with _again(t, victim, left) as site:
        if victim is owner:
            site.add_file(name, path)
        now = site if victim is requester else requester
        got, sent = _resumed(t, partial(_file, now, owner, name), f"after {victim.name} was killed")
    _is_file(t, data, got)
    t.expect(
        sent < len(data),
        f"less than the {len(data)} bytes of the file, since all but the last of it had arrived",
        f"{sent} bytes sent",
        "what is needed to go on has to be on a disk before the process ends",
    )


def _copy(directory: Path, left: Path) -> None:
    """Copy a site's directory as a kill at this moment would leave it; what has arrived may still be written."""
    end = time.monotonic() + 1.0
    seen = None
    while seen != (found := _listing(directory)) and time.monotonic() < end:
        seen = found
        time.sleep(STILL)
    shutil.copytree(directory, copy := left.with_suffix(".new"))
    copy.rename(left)


def _listing(directory: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), (at := path.lstat()).st_size, at.st_mtime_ns) for path in directory.rglob("*"))


@contextmanager
def _again(t: Case, site: Party, left: Path) -> Iterator[Party]:
    """The site, opened anew on what was left in its directory: whatever its end has tidied up is back."""
    site.close()
    shutil.rmtree(site.directory)
    left.rename(site.directory)
    raw = guard("a site to open", lambda: t.adapter.site(site.name, t.network, site.directory))
    opened = Party(site.name, raw, site.directory)
    try:
        yield opened
    finally:
        opened.close()


@requirement("OSP-RES-007", needs=["container", "pull", "resume"])
def no_entry_twice(t: Case) -> None:
    """A list of eight entries is cut after some and at its last content: what comes is the rest, and no more."""
    value = [t.random.randbytes(ENTRY) for _ in range(8)]
    rehearsal = _rehearsed(t, value)
    sizes = [message.size for message in rehearsal]
    late = [place for place in range(len(sizes)) if sum(sizes[:place]) > 3 * ENTRY]
    t.exercised(late, "entries that are complete before a cut")
    for place in sorted({late[0], late[-1]}):
        before = sum(message.size for message in rehearsal[:place])
        rest = sum(message.size for message in rehearsal[place:])
        retrieve = _offered(t, value)[1]
        _interrupted(t, retrieve, rehearsal[place])
        got, sent = _resumed(t, retrieve, f"after {before} bytes")
        t.same(value, got)
        most = rest + 2 * ENTRY
        t.expect(
            sent < most, f"less than {most} bytes: the rest, with the entry that was cut", f"{sent} bytes"
        )
