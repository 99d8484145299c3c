"""Mutants that let damage of the network pass into the object.

The damage is done message by message, and concerns lists that are retrieved.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from objstream.engines.memory import MemorySite
from objstream.frames import FrameType, peek
from objstream.meta import Key
from objstream.session import Receiver

from ..adapters.wire import ReferenceEnd
from .kit import instead, mutant


def delivering(change: Any) -> None:
    """Let `change(deliver, receiver, frame, seen, expected)` deal with the messages of a list that is being received.

    `deliver(frame)` takes a message, `seen` is its type, number and length, `expected` the number that is next.
    """

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        live, seen = self.live.get((source, session_id)), peek(frame[0])
        session = live.connection.session if live else None
        if (
            seen
            and isinstance(session, Receiver)
            and session._description.kind == "list"
            and not session.finished
        ):
            change(partial(original, self, source, session_id), session, frame, seen, live.connection)
        else:
            original(self, source, session_id, frame)

    @instead(ReferenceEnd, "feed")
    def feed(original: Any, self: Any, data: bytes) -> bytes:
        session, seen = self._connection.session, peek(memoryview(data))
        if (
            seen
            and isinstance(session, Receiver)
            and session._description.kind == "list"
            and not session.finished
        ):
            said: list[bytes] = []

            def deliver(frame: Any) -> None:
                said.append(original(self, b"".join(frame)))

            change(deliver, session, [memoryview(data)], seen, self._connection)
            return b"".join(said)
        return original(self, data)  # type: ignore[no-any-return]


def _items(receiver: Any) -> Any:
    return receiver._assembler._items


@mutant("OSP-INT-001", "a wrong object")
def losses_are_padded() -> None:
    """Messages may overtake each other by one; what does not come even then is taken to be zero."""
    held: dict[Any, Any] = {}

    def change(deliver: Any, receiver: Any, frame: Any, seen: Any, connection: Any) -> None:
        early = held.pop(receiver, None)
        if seen[1] == connection.expected + 1 and not early:
            held[receiver] = frame
            return
        if early and seen[1] > connection.expected:
            connection._reader._seq += 1
            pad(receiver)
            deliver(early)
            early = None
        deliver(frame)
        if early:
            deliver(early)

    def pad(receiver: Any) -> None:
        assembler = receiver._assembler
        while assembler.room():
            view = assembler.buffer()
            view[:] = bytes(len(view))
            assembler.filled(len(view))

    delivering(change)

    @instead(Receiver, "_on_end")
    def end(original: Any, self: Any, frame: Any) -> None:
        frame.meta.update(
            {Key.SIZE: self._bytes, Key.COUNT: self._assembler.count, Key.CHAIN: self._chain.value}
        )
        self._description = replace(self._description, size=None, count=None)
        original(self, frame)


@mutant("OSP-INT-002", "a wrong object")
def repeats_count_twice() -> None:
    """An entry whose data come twice is delivered twice."""

    def change(deliver: Any, receiver: Any, frame: Any, seen: Any, connection: Any) -> None:
        if seen[0] == FrameType.DATA and seen[1] == connection.expected - 1:
            _items(receiver).append(_items(receiver)[-1])
        else:
            deliver(frame)

    delivering(change)


@mutant("OSP-INT-003", "a wrong object")
def order_of_arrival() -> None:
    """Messages may overtake each other by one; the entries concerned change places then."""
    held: dict[Any, Any] = {}

    def change(deliver: Any, receiver: Any, frame: Any, seen: Any, connection: Any) -> None:
        if seen[1] == connection.expected + 1 and receiver not in held:
            held[receiver] = frame
            return
        deliver(frame)
        if receiver in held:
            deliver(held.pop(receiver))
            if not receiver.finished:
                items = _items(receiver)
                items[-2:] = items[:-3:-1]

    delivering(change)


@mutant("OSP-INT-004", "a wrong object")
def digests_are_believed() -> None:
    """Of the content of lists, the digest that came with it is taken for its own."""

    @instead(Receiver, "on_data")
    def data(original: Any, self: Any, frame: Any) -> None:
        if self._description.kind == "list":
            self._hasher = SimpleNamespace(digest=lambda: frame.meta[Key.DIGEST])
        original(self, frame)


@mutant("OSP-INT-005", "a wrong object")
def truncated_data_are_padded() -> None:
    """Data that are cut short are filled up with zeros."""

    def change(deliver: Any, receiver: Any, frame: Any, seen: Any, connection: Any) -> None:
        missing = seen[2] - len(frame[0])
        if seen[0] == FrameType.DATA and missing > 0:
            receiver.padded = True
            frame = [memoryview(bytes(frame[0]) + bytes(missing))]
        deliver(frame)

    delivering(change)

    @instead(Receiver, "on_data")
    def data(original: Any, self: Any, frame: Any) -> None:
        if getattr(self, "padded", False):
            self._hasher = SimpleNamespace(digest=lambda: frame.meta[Key.DIGEST])
        original(self, frame)


@mutant("OSP-INT-006", "a wrong object")
def extra_bytes_are_kept() -> None:
    """Bytes behind the end of the data are added to the entry."""

    def change(deliver: Any, receiver: Any, frame: Any, seen: Any, connection: Any) -> None:
        extra = bytes(frame[0][seen[2] :])
        deliver([frame[0][: seen[2]]])
        if seen[0] == FrameType.DATA and extra:
            _items(receiver)[-1] += extra

    delivering(change)
