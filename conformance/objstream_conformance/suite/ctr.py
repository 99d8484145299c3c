"""Containers (chapter 3.1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..case import Case
from ..cases import requirement
from ..compare import show
from ..network import Kind, Message

UNHURRIED = 40.0
"""Deadline in seconds of a transfer that takes some time where each entry is waited for."""


def nested(levels: int) -> object:
    """So many containers inside each other, of all kinds in turn."""
    value: object = "core"
    for level in range(levels):
        value = ([value], (value,), {"in": value})[level % 3]
    return value


@requirement("OSP-CTR-001", needs=["container"])
def mutable_containers(t: Case) -> None:
    """A dict, a list and a set are transferred; each arrives as its own type with equal content."""
    for container in ({"a": 1, "b": [2, 3]}, [3, "two", 1.0, "two"], {3, "three", (1, 2)}):
        t.carries(container)


@requirement("OSP-CTR-002", needs=["container"])
def immutable_containers(t: Case) -> None:
    """A tuple and a frozenset are transferred; each arrives as its own type with equal content."""
    for container in ((1, "two", (3,)), frozenset({1, "two", (3,)})):
        t.carries(container, check="is the type of the container announced to the receiver?")


@requirement("OSP-CTR-003", needs=["container"])
def empty_containers(t: Case) -> None:
    """An empty container of each type is transferred and arrives empty."""
    empty: tuple[object, ...] = ({}, [], (), set(), frozenset())
    for container in empty:
        t.carries(container, check="the end of the stream must not depend on a last entry")


@requirement("OSP-CTR-004", needs=["container"])
def order_of_a_dict(t: Case) -> None:
    """A dict whose order is neither sorted nor that of its hashes arrives in the same order."""
    names = [f"layer.{number}" for number in range(64)]
    t.random.shuffle(names)
    t.carries({name: index for index, name in enumerate(names)})


@requirement("OSP-CTR-005", needs=["container"])
def depth(t: Case) -> None:
    """An entry that nests 128 containers is transferred and arrives equal."""
    t.carries({"shallow": 1, "deep": nested(128)}, check="walk values without recursion")


@requirement("OSP-CTR-006", needs=["container", "unlisted"])
def bad_entry_anywhere(t: Case) -> None:
    """An entry that cannot be carried stands first, in the middle and last: both sides report a failure."""
    receiver = t.sites()[1]
    for place in (0, 3, 6):
        container: dict[str, object] = {f"entry-{index}": index for index in range(7)}
        container[f"entry-{place}"] = lambda: None
        expected = f"a failure on both sides, with the bad entry in place {place} of 7"
        if t.has("pull"):
            t.rejected(lambda c=container: t.pull(c, timeout=0.4), expected)  # type: ignore[misc]
        if t.has("push"):
            t.rejected(lambda c=container: t.push(c, timeout=0.4), expected)  # type: ignore[misc]
            t.expect(not receiver.received(), "nothing delivered", f"{show(receiver.received())} delivered")


@requirement("OSP-CTR-007", needs=["container", "unlisted"])
def path_of_a_refusal(t: Case) -> None:
    """A value deep inside a container cannot be carried: the error names the key and the place."""
    container = {"fine": 1, "head-of-it": {"scale-of-it": [0, 1, object()]}}
    refusal = t.refuses(container, "an object() to be refused")
    for part in ("head-of-it", "scale-of-it", "2"):
        t.expect(
            part in refusal.message,
            "the path of the value in the error: head-of-it, scale-of-it, 2",
            f"the error says {refusal.message!r}",
            "collect keys and indices on the way down and put them into the message",
        )


@requirement("OSP-CTR-008", needs=["container", "sites"])
def unsupported_container(t: Case) -> None:
    """Objects that are no container of the model are refused, and none of their content goes on the wire."""
    text = "".join(t.random.choices("abcdefgh", k=100_000))
    unsupported = (42, text, (number for number in range(3)), object(), np.arange(25_000, dtype=np.int32))
    for thing in unsupported:
        start = len(t.network.log)
        t.refuses(thing, f"a {type(thing).__name__} to be refused as a container")
        carried = t.network.since(start).bytes()
        t.expect(
            carried < 50_000,
            "the refusal before any content is sent",
            f"{carried} bytes were put on the wire for a {type(thing).__name__}",
        )


def _changed(t: Case, make: Callable[[], Any], change: Callable[[Any], None], what: str) -> None:
    """Change a container at three points of its transfer: it arrives as it was at the beginning, or not."""
    trace = t.rehearse(lambda: t.transfer(make()))
    content = trace.way(source=t.sites()[0].name).content()
    for message in content.some(3):
        container = make()

        def strike(_: Message, container: Any = container) -> None:
            change(container)

        t.network.hook(strike, source=message.source, target=message.target, nth=message.nth)
        before = copy.deepcopy(container)
        delivered = t.never_wrong(lambda c=container: t.transfer(c, timeout=0.5), before)  # type: ignore[misc]
        t.notes.append(f"{what} at message {message.nth}: {'delivered' if delivered else 'failed'}")
        t.network.heal()


def _layers() -> dict[str, Any]:
    return {f"layer-{index}": np.full(40_000, index, np.float64) for index in range(12)}


@requirement("OSP-CTR-009", needs=["container", "sites"])
def container_that_changes(t: Case) -> None:
    """Entries are replaced, added and removed during the transfer: never is a mixture delivered."""

    def replace(container: dict[str, Any]) -> None:
        for name in container:
            container[name] = np.full(40_000, -1.0)

    def add(container: dict[str, Any]) -> None:
        container["layer-new"] = np.zeros(8)

    def remove(container: dict[str, Any]) -> None:
        container.popitem()

    for change in (replace, add, remove):
        _changed(t, _layers, change, change.__name__)


@requirement("OSP-CTR-016", needs=["container", "numpy", "sites"])
def value_that_changes_in_place(t: Case) -> None:
    """All arrays of a container are overwritten in place during the transfer: never a mixture."""

    def overwrite(container: dict[str, Any]) -> None:
        for array in container.values():
            array += 1000.0

    _changed(t, _layers, overwrite, "overwrite")


@requirement("OSP-CTR-010", needs=["container", "observer", "pull"])
def observer_counts(t: Case) -> None:
    """An observer is called once for each of 40 entries, in their order."""
    container = {f"entry-{index}": bytes([index]) * 50_000 for index in range(40)}
    seen: list[object] = []
    owner, requester = t.sites()
    owner.add_container("watched", container)
    got = t.succeeds(
        lambda: requester.retrieve_container(owner.name, "watched", observer=lambda key, _: seen.append(key))
    )
    t.same(container, got)
    t.expect(seen == list(container), "each key once, in order", f"the observer was called with {show(seen)}")


@requirement("OSP-CTR-011", needs=["container", "observer", "pull"])
def observer_sees_whole_entries(t: Case) -> None:
    """The transfer dies in its second half: every entry the observer was given is complete and correct."""
    container = {f"entry-{index}": t.random.randbytes(400_000) for index in range(8)}
    owner, requester = t.sites()
    owner.add_container("watched", container)

    def watch(observer: Callable[[object, object], object], timeout: float = 2.0) -> object:
        return requester.retrieve_container(owner.name, "watched", timeout=timeout, observer=observer)

    trace = t.rehearse(lambda: watch(lambda *_: None))
    late = trace.way(source=owner.name).content().messages[-2]
    kinds: tuple[Kind, ...] = ("corrupt", "drop")
    for kind in kinds:
        seen: dict[object, object] = {}
        t.hit(kind, late, times=0 if kind == "drop" else 1)
        t.rejected(lambda: watch(seen.__setitem__, 0.5), "the damaged transfer to fail")  # noqa: B023
        whole = {key: value for key, value in container.items() if key in seen}
        t.same(whole, seen, "call the observer after the entry has been verified")
        t.network.heal()


@requirement("OSP-CTR-012", needs=["container"])
def many_entries(t: Case) -> None:
    """Containers of 1, 255, 256, 257 and 3000 small entries arrive complete."""
    for count in (1, 255, 256, 257, 3000):
        t.carries([index % 7 for index in range(count)], timeout=UNHURRIED, check="is the last batch sent?")


@requirement("OSP-CTR-013", needs=["container"])
def large_entry(t: Case) -> None:
    """One entry of 5 MiB and 3 bytes among small ones arrives equal."""
    t.carries({"small": 1, "large": t.random.randbytes((5 << 20) + 3), "last": 2}, timeout=UNHURRIED)


@requirement("OSP-CTR-014", needs=["container", "sites"])
def source_is_left_alone(t: Case) -> None:
    """After a transfer the source is what it was: the same keys, the same objects, the same content."""
    inner = [1, {"deep": [2.5]}]
    container = {"inner": inner, "bytes": b"abc", "dict": {"a": 1}}
    before = copy.deepcopy(container)
    t.carries(container)
    t.same(before, container, "do not consume the container that is sent")
    t.expect(container["inner"] is inner, "the same objects in the source as before", "an entry was replaced")


@requirement("OSP-CTR-015", needs=["container", "sites"])
def copies_are_independent(t: Case) -> None:
    """Source and delivered object are changed in turn: neither change shows in the other."""
    container: dict[str, Any] = {"list": [1, 2], "dict": {"a": [3]}}
    if t.has("numpy"):
        container["array"] = np.zeros(50_000)
    before = copy.deepcopy(container)
    got = t.carries(container)
    for one, other in ((container, got), (got, container)):
        _edit(one, 1)
        t.same(before, other, "an object must not be handed over by reference")
        _edit(one, 0)


def _edit(container: dict[str, Any], value: int) -> None:
    """Write into every mutable part of the container above; with 0 it is what it was before."""
    container["list"][1] = value or 2
    container["dict"]["a"][0] = value or 3
    if "array" in container:
        container["array"][100] = value
