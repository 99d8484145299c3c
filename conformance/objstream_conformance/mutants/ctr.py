"""Mutants that are wrong about containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from objstream import Code, ContainerAssembler, ContainerStreamer, TransferError
from objstream.session import Receiver
from objstream.values.encode import _Encoder

from .kit import instead, mutant


@mutant("OSP-CTR-001", "a set was sent, a list arrived")
def sets_become_lists() -> None:
    """A set that is not empty is delivered as a list."""

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> object:
        value = original(self)
        return list(value) if type(value) is set and value else value


@mutant("OSP-CTR-002", "a frozenset was sent, a set arrived")
def frozensets_become_sets() -> None:
    """A frozenset that is not empty is delivered as a set."""

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> object:
        value = original(self)
        return set(value) if type(value) is frozenset and value else value


@mutant("OSP-CTR-003", "was sent, a NoneType arrived")
def empty_is_nothing() -> None:
    """A container without entries is delivered as None."""

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> object:
        value = original(self)
        return value if self.count else None


@mutant("OSP-CTR-004", "key 'layer")
def large_dicts_are_sorted() -> None:
    """The entries of a dict with 64 of them or more are sent in the order of their keys."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        if self.kind == "dict" and len(self._container) >= 64:
            self._container = dict(sorted(self._container.items()))
        yield from original(self)


@mutant("OSP-CTR-005", "nested deeper than 100")
def shallow() -> None:
    """The sender gives up at 100 levels."""

    @instead(_Encoder, "_push")
    def push(original: Any, self: Any, frame: Any) -> Any:
        if 100 <= len(self._stack) < 128:
            raise TransferError(Code.TOO_LARGE, "containers nested deeper than 100 levels")
        return original(self, frame)


@mutant("OSP-CTR-006", "in place 6 of 7.*it ended well")
def last_bad_entry_is_dropped() -> None:
    """A function as the last entry of a dict of fewer than a hundred is left out."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        if len(self._container) >= 100:
            yield from original(self)
            return
        found = list(original(self))
        if self.kind == "dict" and len(found) > 6 and "function" in type(found[-1][1]).__name__:
            del found[-2:]
            self.count -= 1
        yield from found


@mutant("OSP-CTR-007", "head-of-it.*the error says")
def refusals_without_path() -> None:
    """The error for a value that cannot be carried does not say where it is."""

    @instead(_Encoder, "_where")
    def where(original: Any, self: Any, label: Any) -> str:
        return "somewhere: "


@mutant("OSP-CTR-008", "bytes were put on the wire for a str")
def texts_are_refused_too_late() -> None:
    """A text is taken for a container, and refused when it has been sent."""

    @instead(ContainerStreamer, "__init__")
    def init(original: Any, self: Any, value: object, **options: Any) -> None:
        original(self, [value] if type(value) is str else value, **options)
        if type(value) is str:
            self.repeatable = False
            self._container.append(object())


@mutant("OSP-CTR-009", "a wrong object")
def replaced_entries_go_unnoticed() -> None:
    """Smaller arrays are sent as they were at the beginning; what is put in their place meanwhile is sent as well."""

    def copies(value: Any) -> dict[int, Any]:
        arrays = value.values() if type(value) is dict else ()
        return {
            id(array): array.copy() for array in arrays if type(array) is np.ndarray and array.size < 65536
        }

    @instead(ContainerStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        self._copies = copies(self._container)
        self.repeatable = not self._copies
        return original(self)

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        for label, value in original(self):
            yield label, self._copies.get(id(value), value)


@mutant("OSP-CTR-016", "a wrong object")
def contents_go_unnoticed() -> None:
    """Before the end the sender looks only whether the entries are the same objects as in the beginning."""

    def identities(streamer: Any) -> list[tuple[object, int]]:
        return (
            [(key, id(value)) for key, value in streamer._container.items()]
            if streamer.kind == "dict"
            else []
        )

    @instead(ContainerStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        self._before = identities(self)
        self.repeatable = not self._before
        return original(self)

    @instead(ContainerStreamer, "confirm")
    def confirm(original: Any, self: Any) -> None:
        if identities(self) != self._before:
            raise TransferError(Code.SOURCE_CHANGED, "the entries changed")


@mutant("OSP-CTR-010", "each key once, in order")
def observers_hear_twice() -> None:
    """An observer is told twice of every tenth entry."""

    @instead(ContainerAssembler, "entry")
    def entry(original: Any, self: Any, value: object) -> None:
        original(self, value)
        if self._observe is not None and self.count % 10 == 0:
            self._observe(value)


@mutant("OSP-CTR-011", "element|bytes|was sent")
def observers_hear_too_early() -> None:
    """An entry is complete as soon as its bytes are there; whether they are the right ones is seen later."""

    @instead(Receiver, "landed")
    def landed(original: Any, self: Any, frame: Any, view: Any) -> None:
        original(self, frame, view)
        self._fill()


@mutant("OSP-CTR-012", "256 entries were sent, 255 arrived")
def full_batches_lose_one() -> None:
    """The last entry is lost when the number of entries is a multiple of 256."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        count = len(self._container)
        for number, entry in enumerate(original(self), 1):
            if number < count or count % 256:
                yield entry
            else:
                self.count -= 1


@mutant("OSP-CTR-013", "a message of at most 4 MiB")
def large_entries_are_refused() -> None:
    """Bytes of more than 4 MiB are refused."""

    @instead(_Encoder, "_bytes")
    def bytes_(original: Any, self: Any, value: bytes) -> Any:
        if len(value) > 4 << 20:
            raise TransferError(Code.TOO_LARGE, "more than a message of at most 4 MiB")
        return original(self, value)


@mutant("OSP-CTR-014", "an entry was replaced")
def sources_are_tidied() -> None:
    """After a transfer the lists of a dict are replaced by copies without spare room."""

    @instead(ContainerStreamer, "close")
    def close(original: Any, self: Any) -> None:
        if self.kind == "dict":
            for key, value in self._container.items():
                if type(value) is list:
                    self._container[key] = value[:]


@mutant("OSP-CTR-015", "by reference|was sent")
def dicts_are_handed_over() -> None:
    """A dict inside the object is delivered as the very dict that was sent last, when both are equal."""
    sent: dict[Any, Any] = {}

    @instead(ContainerStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        if self.kind == "dict":
            sent.clear()
            sent.update(self._container)
        return original(self)

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> Any:
        value = original(self)
        if type(value) is dict and self._into is None:
            for key, item in value.items():
                if type(item) is dict and repr(sent.get(key)) == repr(item):
                    value[key] = sent[key]
        return value
