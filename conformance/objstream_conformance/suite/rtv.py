"""Retrieval of named objects (chapter 6)."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..case import DEADLINE, Case
from ..cases import requirement
from ..contract import Rejected
from ..network import Message
from ..outcomes import NotApplicable
from ..sites import PATIENCE, Party, describe
from .mem import settle
from .several import offer

LONG = 2.0
"""A deadline that nobody wants to wait for."""
PROMPT = 1.0
"""What is said at once is said within so many seconds."""
TELL = "tell the requester of every failure; it must not find out by waiting"


def retriever(t: Case) -> Callable[[str, float], Any]:
    """How the second site retrieves something by name from the first."""
    owner, requester = t.sites()
    goods = t.goods(1000)
    return lambda name, timeout: goods.retrieve(requester, owner.name, name, timeout=timeout)


def _promptly(t: Case, operation: Callable[[], object], what: str) -> Rejected:
    """The operation is refused as what it is, and at once."""
    return t.within(PROMPT, lambda: t.refused(operation, f"{what} to be reported at once", TELL), what)  # type: ignore[no-any-return]


@requirement("OSP-RTV-001", any_of=["pull"])
def missing_name(t: Case) -> None:
    """A name that nobody offered is asked for: the answer comes at once."""
    retrieve = retriever(t)
    _promptly(t, lambda: retrieve("no such name", LONG), "a missing name")


def _failing(t: Case) -> list[str]:
    """With what an owner can be made to fail: values that cannot be carried, files that change."""
    found = [
        what for what, how in (("container", "unlisted"), ("file", "disk")) if t.has(what) and t.has(how)
    ]
    if not found:
        raise NotApplicable(
            "an owner that can be made to fail", "it takes neither unlisted values nor files on a disk"
        )
    return found


def _owner_fails(t: Case) -> Callable[[], object]:
    """A retrieval during which the owner fails."""
    owner, requester = t.sites()
    if "container" in _failing(t):
        owner.add_container("bad", {"fine": 1, "bad": lambda: None})
        return lambda: requester.retrieve_container(owner.name, "bad", timeout=LONG)
    return _shrinking(t, [])


@requirement("OSP-RTV-002", needs=["pull"], any_of=["unlisted", "disk"])
def missing_is_not_failed(t: Case) -> None:
    """A missing name and a failing owner give errors that a program can tell apart."""
    _failing(t)
    missing = t.rejected(lambda: retriever(t)("no such name", LONG), "a missing name to be refused")
    failed = t.rejected(_owner_fails(t), "a failure of the owner to be reported")
    codes = [(type(refusal).__name__, getattr(refusal, "code", "")) for refusal in (missing, failed)]
    t.expect(codes[0] != codes[1], "different codes", f"{describe(missing)} and {describe(failed)}")


@requirement("OSP-RTV-003", needs=["pull"], any_of=["unlisted", "disk"])
def failure_before_the_stream(t: Case) -> None:
    """A file was deleted after it was offered, a container has a bad first entry: the answer comes at once."""
    owner, requester = t.sites()
    failing = _failing(t)
    if "file" in failing:
        path = t.file(b"soon gone")

        def gone() -> object:
            owner.add_file("gone", path)
            path.unlink()
            return requester.retrieve_file(owner.name, "gone", timeout=LONG)

        _promptly(t, gone, "a file that is gone")
    if "container" in failing:
        owner.add_container("bad", [lambda: None, 1, 2])
        _promptly(
            t, lambda: requester.retrieve_container(owner.name, "bad", timeout=LONG), "a bad first entry"
        )


@requirement("OSP-RTV-004", needs=["pull"], any_of=["unlisted", "disk"])
def failure_during_the_stream(t: Case) -> None:
    """The last entry cannot be carried, a file shrinks while it is sent: the answer comes at once."""
    owner, requester = t.sites()
    failing = _failing(t)
    if "container" in failing:
        owner.add_container("bad", [*(t.random.randbytes(300_000) for _ in range(6)), lambda: None])
        _promptly(
            t, lambda: requester.retrieve_container(owner.name, "bad", timeout=LONG), "a bad last entry"
        )
    if "file" in failing:
        shrunk: list[float] = []
        what = "a shrinking file"
        t.refused(_shrinking(t, shrunk), f"{what} to be reported at once", TELL)
        t.exercised(shrunk, "a file to shrink while it is sent")
        elapsed = time.monotonic() - shrunk[0]
        t.expect(elapsed < PROMPT, f"{what} within {PROMPT:.1f} s", f"it took {elapsed:.1f} s")


def _shrinking(t: Case, shrunk: list[float]) -> Callable[[], object]:
    """The retrieval of a file that shrinks while it is sent; the moment of that is added to `shrunk`."""
    owner, requester = t.sites()
    load = t.file_load(8 << 20, "pull")
    content = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name).content().messages
    source = t.file(t.random.randbytes(8 << 20))
    os.utime(source, (1_600_000_000, 1_600_000_000))
    owner.add_file("shrinking", source)

    def shrink(_: Message) -> None:
        os.truncate(source, 100)
        shrunk.append(time.monotonic())

    t.network.hook(shrink, source=owner.name, nth=content[0].nth)
    return lambda: requester.retrieve_file(owner.name, "shrinking", timeout=LONG)


@requirement("OSP-RTV-005", any_of=["pull"])
def deadline(t: Case) -> None:
    """The owner is silent: a deadline of 0.3 s and one of 0.9 s are both kept."""
    load = t.load("pull", size=1000)
    t.fault("drop", source=t.sites()[0].name, times=0)
    for timeout in (0.3, 0.9):
        what = f"an end by a deadline of {timeout} s"
        t.within(timeout + 1.0, lambda s=timeout: t.rejected(lambda: load.move(s), what), what)  # type: ignore[misc]  # noqa: B023
    t.network.heal()
    t.same(load.sent, t.succeeds(lambda: load.move(PATIENCE), "the owner to answer when it is heard again"))


@requirement("OSP-RTV-006", any_of=["pull"])
def late_completion(t: Case) -> None:
    """The owner's messages are held back until the retrieval has timed out: then they deliver nothing."""
    owner, requester = t.sites()
    load = t.file_load(3 << 20, "pull") if t.has("file") else t.load("pull")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner.name).content()
    value, retrieve = offer(t, owner, requester)
    before = requester.files()
    t.succeeds(retrieve)
    stored = len(requester.files()) - len(before)
    before = requester.files()
    for message in trace.some(2):
        t.hit("reorder", message, times=0)
        t.rejected(lambda: load.move(DEADLINE), "a retrieval whose content is held back to fail")
        t.network.release()
        got = t.succeeds(
            retrieve, "the next retrieval to succeed, while late messages of the last one arrive"
        )
        t.same(value, got)
        expected = len(before) + stored
        t.soon(lambda: len(requester.files()) <= expected, 1.0)  # noqa: B023
        late = len(requester.files()) - expected
        t.expect(late <= 0, "nothing delivered after the retrieval has failed", f"{late} files appeared")
        before = requester.files()
        t.network.heal()
    t.expect(not requester.received(), "nothing delivered", "something was")


@requirement("OSP-RTV-007", needs=["sites"], any_of=["pull"])
def nothing_accumulates(t: Case) -> None:
    """After dozens of retrievals, delivered, rejected and timed out, no memory, thread or file is held."""
    if t.has("served"):
        raise NotApplicable("an implementation in this process, to look at what it holds", "it is elsewhere")
    owner, requester = t.sites()
    _, good = offer(t, owner, requester, 4000)
    retrieve = retriever(t)

    def rejected() -> None:
        t.rejected(lambda: retrieve("x" * 900, LONG), "a missing name to be refused")

    def timed_out() -> None:
        t.fault("drop", source=owner.name, times=0)
        t.rejected(lambda: retrieve("x" * 900, 0.01), "a silent owner to be an error")
        t.network.heal()

    t.network.quiet = True
    for what, request, count in (
        ("delivered", good, 40),
        ("rejected", rejected, 40),
        ("timed out", timed_out, 8),
    ):
        for _ in range(max(4, count // 8)):
            request()
        for _ in range(2):  # a table of the interpreter grows once in a while, but not twice
            before = _held(owner)
            for _ in range(count):
                request()
            after = _held(owner)
            for part, old, new in zip(("threads", "open files"), before[1:], after[1:], strict=True):
                t.expect(
                    new <= old + 1,
                    f"as many {part} after {count} requests ({what}) as before",
                    f"{new}, not {old}",
                )
            each = (after[0] - before[0]) / count
            if each < 512:
                break
        t.expect(
            each < 512,
            f"no memory kept for a request that was {what}",
            f"{each:.0f} bytes for each",
            "clear every table, on the failing paths as well",
        )


def _held(owner: Party) -> tuple[int, int, int]:
    """Bytes of memory, threads and open files that this process holds."""
    if hasattr(owner.raw, "served"):
        owner.extra("served")  # the account is handed over, and is no longer the site's
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    held = settle()
    return held, threading.active_count(), len(os.listdir("/proc/self/fd"))


@requirement("OSP-RTV-008", needs=["container", "file", "sites"], any_of=["pull"])
def one_name_for_both(t: Case) -> None:
    """A container and a file are offered under one name: each is retrieved as what was asked for."""
    owner, requester = t.sites()
    value, data = {"a": [1, 2]}, t.random.randbytes(5000)
    owner.add_container("model", value)
    owner.add_file("model", t.file(data))
    for _ in range(2):
        t.same(value, t.succeeds(lambda: requester.retrieve_container(owner.name, "model")))
        path: Path = t.succeeds(lambda: requester.retrieve_file(owner.name, "model"))
        t.expect(path.read_bytes() == data, "the file when the file is asked for", "another content")


@requirement("OSP-RTV-009", needs=["sites"], any_of=["pull"])
def many_at_once(t: Case) -> None:
    """In the middle of a retrieval the same object is retrieved by three more: each gets the whole object."""
    owner, *requesters = t.sites(4)
    goods = t.goods(6 * 200_000 if t.has("container") else 3 << 20, 6)
    goods.offer(owner, "model")

    def get(index: int) -> Any:
        return goods.retrieve(requesters[index], owner.name, "model", timeout=4 * PATIENCE)

    trace = t.rehearse(lambda: get(0)).way(source=owner.name).content()
    others: list[object] = []
    inner = t.overlap(
        lambda: others.extend(t.together(*(lambda i=i: get(i) for i in range(3)))),
        source=owner.name,
        nth=trace.messages[len(trace) // 2].nth,
    )
    got = [t.succeeds(lambda: get(0))]
    inner.join(PATIENCE)
    t.expect(len(others) == 3, "three more retrievals to end", f"{len(others)} did")
    for result in (*got, *others):
        t.expect(not isinstance(result, Exception), "each retrieval to succeed", f"{result!r}")
        t.same(goods.sent, result, "give each request its own iterator and its own file position")


@requirement("OSP-RTV-010", needs=["sites"], any_of=["pull"])
def again(t: Case) -> None:
    """One object is retrieved four times: it arrives each time."""
    owner, requester = t.sites()
    value, retrieve = offer(t, owner, requester)
    for _ in range(4):
        t.same(value, t.succeeds(retrieve))


@requirement("OSP-RTV-011", needs=["sites"], any_of=["pull"])
def replaced(t: Case) -> None:
    """An object is retrieved, replaced under its name, and retrieved again: the new one arrives."""
    owner, requester = t.sites()
    rounds = [t.goods(size) for size in (100, 50_000)]
    for goods in [*rounds, *([t.file_goods(10), t.file_goods(20)] if t.has("file") else [])]:
        goods.offer(owner, "model")
        t.same(goods.sent, t.succeeds(lambda: goods.retrieve(requester, owner.name, "model")))  # noqa: B023


@requirement("OSP-RTV-012", needs=["container"], any_of=["pull"])
def exact_names(t: Case) -> None:
    """Names that differ in case, blanks or normal form only are different names."""
    owner, requester = t.sites()
    names = ["Model", "model", "model ", " model", "mod\u00e9l", "mode\u0301l", "model\u200b", "ﬁle"]
    offered, others = names[::2], [*names[1::2], "MODEL", "file"]
    for name in offered:
        owner.add_container(name, [name])
    for name in others:
        t.rejected(
            lambda n=name: requester.retrieve_container(owner.name, n, timeout=DEADLINE),  # type: ignore[misc]
            f"{name!r} to be refused when only {offered} are offered",
        )
    for name in offered:
        t.same([name], t.succeeds(partial(requester.retrieve_container, owner.name, name)))


@requirement("OSP-RTV-013", needs=["owner-verdict"], any_of=["pull"])
def owner_learns_the_outcome(t: Case) -> None:
    """A retrieval succeeds, one is cut at the last message, one is refused: the owner's account says so."""
    owner, requester = t.sites()
    load = t.load("pull")
    trace = t.rehearse(lambda: load.move(PATIENCE)).way(source=requester.name)
    first = _account(t, owner)
    t.expect(len(first) == 1 and first[0] is None, "one retrieval, delivered", f"{first}")
    t.hit("drop", trace.last(), times=0)
    try:
        load.move(DEADLINE)
    except (Rejected, TimeoutError):
        pass  # the requester may have the object; the owner cannot know
    second = _account(t, owner)
    t.expect(
        len(second) == 1 and second[0] is not None, "a failure when the confirmation is lost", f"{second}"
    )


def _account(t: Case, owner: Party) -> list[Exception | None]:
    """The verdicts of the owner on what has ended since the last account."""
    found: list[Exception | None] = []

    def more() -> bool:
        found.extend(verdict for _, _, verdict in owner.extra("served"))
        return bool(found)

    t.soon(more, 1.0)
    return found


@requirement("OSP-RTV-018", needs=["container", "pull", "retrievers"])
def several_retrievers(t: Case) -> None:
    """Both sites have a second retriever: what is offered through either is retrieved through its like."""
    first = owner, requester = t.sites()
    second = [
        Party(
            site.name,
            t.succeeds(lambda s=site: s.extra("another_retriever"), "a second retriever to be possible"),  # type: ignore[misc]
            site.directory,
        )
        for site in first
    ]
    for index, (there, here) in enumerate((first, second)):
        there.add_container(f"of retriever {index}", [index])
        got = t.succeeds(lambda r=here, i=index: r.retrieve_container(owner.name, f"of retriever {i}"))  # type: ignore[misc]
        t.same([index], got)
    got = t.succeeds(lambda: requester.retrieve_container(owner.name, "of retriever 0"))
    t.same([0], got, "a second retriever must not take the place of the first")


def _destination() -> dict[str, Any]:
    return {
        "weight": np.zeros((300, 400), np.float32),
        "inner": {"bias": np.zeros(7)},
        "flags": np.zeros(3, bool),
    }


@requirement("OSP-RTV-014", needs=["container", "numpy", "into"], any_of=["pull"])
def into_a_destination(t: Case) -> None:
    """Arrays are received into arrays that exist: the same objects then hold the content."""
    owner, requester = t.sites()
    sent = {
        "weight": np.arange(120_000, dtype=np.float32).reshape(300, 400),
        "inner": {"bias": np.linspace(0, 1, 7)},
        "flags": np.array([True, False, True]),
    }
    into = _destination()
    arrays = [into["weight"], into["inner"]["bias"], into["flags"]]
    owner.add_container("model", sent)
    got = t.succeeds(lambda: requester.retrieve_container(owner.name, "model", into=into))
    t.same(sent, got)
    t.same(sent, into, "fill the arrays of the destination")
    now = [into["weight"], into["inner"]["bias"], into["flags"]]
    t.expect(
        all(a is b for a, b in zip(arrays, now, strict=True)),
        "the very same arrays",
        "others are in their place",
    )


@requirement("OSP-RTV-015", needs=["container", "numpy", "into"], any_of=["pull"])
def destination_that_does_not_fit(t: Case) -> None:
    """Keys, shapes and dtypes of the destination differ from the object's: an error names the place."""
    owner, requester = t.sites()
    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "weight": lambda into: into.update(weight=np.zeros((400, 300), np.float32)),
        "bias": lambda into: into["inner"].update(bias=np.zeros(7, np.float32)),
        "flags": lambda into: into.update(flagged=into.pop("flags")),
    }
    for place, change in changes.items():
        into = _destination()
        change(into)
        owner.add_container("model", _destination())
        refusal = t.refused(
            lambda d=into: requester.retrieve_container(owner.name, "model", timeout=LONG, into=d),  # type: ignore[misc]
            f"a destination that does not fit at {place} to be an error",
        )
        t.expect(place in refusal.message, f"an error that names {place}", f"{refusal.message!r}")
