"""Containers: which arrive, which do not, and who is told. Usage: python containers.py [NAME ...]"""

from __future__ import annotations

import time
from collections import defaultdict, deque

from harness import federation, main, reproduction, soon
from nvflare.apis.shareable import Shareable

UNENCODABLE = frozenset({1})


@reproduction
def empty_push() -> str | None:
    a, _ = federation("a", "b")
    try:
        a.push({}, "b")
    except ValueError as error:
        return f"pushing an empty dict raises ValueError({error})"
    return None


@reproduction
def empty_pull() -> str | None:
    a, b = federation("a", "b")
    a.containers.add_container("empty", [])
    empty, missing = b.pull(a, "empty"), b.pull(a, "missing")
    return f"an empty list is answered as a missing one is: {empty}" if empty == missing else None


@reproduction
def unsupported_type() -> str | None:
    a, _ = federation("a", "b")
    sent: list[Shareable] = []
    a.before_send(sent.append)
    outcome = a.push((1, 2, 3), "b")
    return f"a tuple is refused only by the receiver, after {len(sent)} message: {outcome}" if sent else None


@reproduction
def depth_without_limit() -> str | None:
    a, b = federation("a", "b")
    nested: list[object] = []
    for _ in range(200):
        nested = [nested]
    outcome = a.push({"deep": nested}, "b")
    return f"a list nested 200 levels deep is sent and taken: {outcome}" if outcome and b.received else None


@reproduction
def subclass_state() -> str | None:
    a, b = federation("a", "b")
    a.push(defaultdict(int, {"k": 1}), "b")
    a.push(deque([1, 2], maxlen=2), "b")
    (_, mapping), (_, queue) = b.received
    if mapping.default_factory is None and queue.maxlen is None:
        return f"arrived as successes: {mapping!r} of a defaultdict(int), {queue!r} of a deque with maxlen=2"
    return None


@reproduction
def unencodable_entry_in_the_middle() -> str | None:
    a, _ = federation("a", "b")
    sent: list[Shareable] = []
    a.before_send(sent.append)
    outcome = a.push([0, UNENCODABLE, 2, 3], "b")
    if len(sent) == 3:
        return f"the entry is left out and {len(sent)} others are sent before anyone notices: {outcome}"
    return None


@reproduction
def unencodable_last_entry() -> str | None:
    a, b = federation("a", "b")
    outcome = a.push([0, 1, UNENCODABLE], "b")
    soon(lambda: b.received)
    return f"sender: {outcome}; receiver: {b.received}" if outcome[0] == "OK" else None


@reproduction
def unencodable_only_entry() -> str | None:
    a, b = federation("a", "b")
    outcome = a.push([UNENCODABLE], "b")
    soon(lambda: b.received, 1.0)
    return f"sender: {outcome}; receiver: {b.received}" if outcome[0] == "OK" and not b.received else None


@reproduction
def unencodable_first_entry_of_a_pull() -> str | None:
    a, b = federation("a", "b")
    a.containers.add_container("c", [UNENCODABLE, 1])
    start = time.monotonic()
    outcome = b.pull(a, "c", timeout=2.0)
    seconds = time.monotonic() - start
    return f"the requester hears nothing: {outcome} after {seconds:.1f} s" if seconds >= 2.0 else None


@reproduction
def owner_fails_before_the_stream() -> str | None:
    a, b = federation("a", "b")
    a.containers.add_container("c", 5)  # accepted, and of no use: an int cannot be iterated
    start = time.monotonic()
    outcome = b.pull(a, "c", timeout=2.0)
    seconds = time.monotonic() - start
    return f"the requester hears nothing: {outcome} after {seconds:.1f} s" if seconds >= 2.0 else None


@reproduction
def list_changed_while_streamed() -> str | None:
    a, b = federation("a", "b")
    container = [["before"], ["before"], ["before"]]

    def change(_: Shareable) -> None:
        container[2] = ["after"]

    a.before_send(change)
    outcome = a.push(container, "b")
    return f"{outcome[0]}: {b.received[0][1]}" if outcome[0] == "OK" else None


@reproduction
def list_shortened_while_streamed() -> str | None:
    a, b = federation("a", "b")
    container = [0, 1, 2]

    def shorten(_: Shareable) -> None:
        del container[1:]

    a.before_send(shorten)
    outcome = a.push(container, "b")
    soon(lambda: b.received)
    return f"sender: {outcome}; receiver: {b.received}" if outcome[0] == "OK" else None


@reproduction
def dict_changed_while_streamed() -> str | None:
    a, b = federation("a", "b")
    container = {"a": "before", "b": "before", "c": "before"}

    def change(_: Shareable) -> None:
        container["c"] = "after"

    a.before_send(change)
    outcome = a.push(container, "b")
    return f"{outcome[0]}: {b.received[0][1]}" if outcome[0] == "OK" else None


if __name__ == "__main__":
    main()
