"""Containers that are being received: each takes its values one by one, and closes to a value of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from itertools import repeat, starmap
from typing import Any

from ..errors import Code, TransferError
from .hashables import ELEMENTS, KEYS, CollisionGuard, check
from .registry import AppType

MISSING: Any = object()
PENDING: Any = object()

VALUES, ARGUMENTS, LEAVES = range(3)
"""What a frame may hold: any value; the arguments of an extension value; those in an array among these."""

_LARGE = 4096


class Frame(ABC):
    """A container being received.

    Attributes:
        left: how many values are missing.
        allowed: the types that the next value may have, None for all.
        level: VALUES, ARGUMENTS or LEAVES.
    """

    __slots__ = ("allowed", "left", "level")

    def __init__(self, left: int, allowed: frozenset[type] | None = None, level: int = VALUES) -> None:
        self.left = left
        self.allowed = allowed
        self.level = level

    @abstractmethod
    def adder(self) -> Callable[[Any], object]:
        """What takes the next value. (An attribute for it would be a reference cycle.)"""

    @abstractmethod
    def close(self) -> object:
        """The complete value, or PENDING where the bytes of a buffer are due first."""

    def step(self) -> object:
        """The key or index of the value that is awaited, MISSING where values have none."""
        return MISSING


class ListFrame(Frame):
    __slots__ = ("items",)

    def __init__(self, size: int, level: int = VALUES) -> None:
        self.items: list[object] = []
        super().__init__(size, level=level)

    def adder(self) -> Callable[[Any], object]:
        return self.items.append

    def close(self) -> list[object]:
        return self.items

    def step(self) -> object:
        return len(self.items)


class TupleFrame(Frame):
    __slots__ = ("items",)

    def __init__(self, size: int, allowed: frozenset[type] | None) -> None:
        self.items = _buffer(size)
        super().__init__(size, allowed)

    def adder(self) -> Callable[[Any], object]:
        append: Callable[[Any], object] = self.items.append
        return append if self.allowed is None else self._add

    def _add(self, value: object) -> None:
        check(type(value), self.allowed, Code.PROTOCOL)
        self.items.append(value)

    def close(self) -> tuple[object, ...]:
        return tuple(_drain(self.items))

    def step(self) -> object:
        return len(self.items)


class MapFrame(Frame):
    __slots__ = ("_guard", "_key", "value")

    def __init__(self, size: int) -> None:
        self.value: dict[object, object] = {}
        self._key: object = MISSING
        self._guard = CollisionGuard()
        super().__init__(2 * size, KEYS)

    def adder(self) -> Callable[[Any], object]:
        return self._add

    def _add(self, item: object) -> None:
        if self.allowed is None:
            self.value[self._key] = item
            self.allowed = KEYS
            return
        if type(item) is not str:
            check(type(item), KEYS, Code.PROTOCOL)
            self._guard.admit(item)
        if item in self.value:
            raise TransferError(Code.PROTOCOL, "a key of a dict occurs twice")
        self._key = item
        self.allowed = None

    def close(self) -> dict[object, object]:
        return self.value

    def step(self) -> object:
        return self._key if self.allowed is None else MISSING


class SetFrame(Frame):
    __slots__ = ("_guard", "value")

    def __init__(self, size: int) -> None:
        self.value: set[object] = set()
        self._guard = CollisionGuard()
        super().__init__(size, ELEMENTS)

    def adder(self) -> Callable[[Any], object]:
        return self._add

    def _add(self, item: object) -> None:
        check(type(item), ELEMENTS, Code.PROTOCOL)
        self._guard.admit(item)
        size = len(self.value)
        try:
            self.value.add(item)
        except _INCOMPARABLE:
            raise _incomparable() from None
        if len(self.value) == size:
            raise _twice()

    def close(self) -> set[object]:
        return self.value


class FrozenSetFrame(Frame):
    __slots__ = ("_guard", "_size", "items")

    def __init__(self, size: int, allowed: frozenset[type] | None) -> None:
        self.items = _buffer(size)
        self._size = size
        self._guard = CollisionGuard()
        super().__init__(size, allowed or ELEMENTS)

    def adder(self) -> Callable[[Any], object]:
        return self._add

    def _add(self, item: object) -> None:
        check(type(item), self.allowed, Code.PROTOCOL)
        self._guard.admit(item)
        self.items.append(item)

    def close(self) -> frozenset[object]:
        try:
            value = frozenset(_drain(self.items))
        except _INCOMPARABLE:
            raise _incomparable() from None
        if len(value) != self._size:
            raise _twice()
        return value


class AppFrame(Frame):
    __slots__ = ("_app", "_value")

    def __init__(self, app: AppType) -> None:
        self._app = app
        self._value: object = None
        super().__init__(1)

    def adder(self) -> Callable[[Any], object]:
        return self._add

    def _add(self, value: object) -> None:
        self._value = value

    def close(self) -> object:
        return self._app.from_model(self._value)


class ArgumentsFrame(Frame):
    """The arguments of an extension value, given to `finish` when complete."""

    __slots__ = ("_finish", "arguments", "name")

    def __init__(self, name: str, size: int, finish: Callable[[str, list[Any]], object]) -> None:
        self.name = name
        self.arguments: list[Any] = []
        self._finish = finish
        super().__init__(size, level=ARGUMENTS)

    def adder(self) -> Callable[[Any], object]:
        return self.arguments.append

    def close(self) -> object:
        return self._finish(self.name, self.arguments)


class RootFrame(Frame):
    """The entries of the object, handed over one by one.

    Attributes:
        items: CBOR items so far, those inside of containers included.
        awaits_value: whether the last entry is a key without a value so far.
    """

    __slots__ = ("_count", "_guard", "_key", "_max_items", "_on_item", "_pairs", "items")

    def __init__(self, on_item: Callable[[Any], object], max_items: int, pairs: bool, elements: bool) -> None:
        self._on_item = on_item
        self._max_items = max_items
        self._pairs = pairs
        self._key: object = MISSING
        self._guard = CollisionGuard()
        self._count = 0
        self.items = 0
        super().__init__(-1, KEYS if pairs else ELEMENTS if elements else None)

    def adder(self) -> Callable[[Any], object]:
        if self._pairs:
            return self._add_pair
        return self._hand_over if self.allowed is None else self._add_element

    def close(self) -> object:
        raise AssertionError("the root is open until the end")

    @property
    def awaits_value(self) -> bool:
        return self._pairs and self.allowed is None

    def count(self, items: int) -> None:
        self.items += items
        if self.items > self._max_items:
            raise TransferError(Code.TOO_LARGE, f"more than the {self._max_items} items that are accepted")

    def _hand_over(self, item: object) -> None:
        self.count(1)
        try:
            self._on_item(item)
        except TransferError:
            raise
        except Exception as error:
            message = "an entry could not be taken"
            raise TransferError(Code.STORE_FAILED, message, local=repr(error)) from error
        self._count += 1

    def _add_element(self, item: object) -> None:
        check(type(item), ELEMENTS, Code.PROTOCOL)
        self._guard.admit(item)
        self._hand_over(item)

    def _add_pair(self, item: object) -> None:
        if self.allowed is None:
            self._hand_over((self._key, item))
            self.allowed = KEYS
            return
        if type(item) is not str:
            check(type(item), KEYS, Code.PROTOCOL)
            self._guard.admit(item)
        self.count(1)
        self._key = item
        self.allowed = None

    def step(self) -> object:
        if self._pairs:
            return self._key if self.allowed is None else MISSING
        return self._count if self.allowed is None else MISSING


_INCOMPARABLE = (TypeError, ValueError, ArithmeticError, Warning)
"""What comparing two elements may raise, such as a Decimal and a numpy integer of one hash."""


def _incomparable() -> TransferError:
    return TransferError(Code.PROTOCOL, "two elements of a set cannot be compared")


def _twice() -> TransferError:
    return TransferError(Code.PROTOCOL, "an element of a set occurs twice")


def _buffer(size: int) -> Any:
    # A deque gives its memory back block by block while it is drained, so a large tuple never exists twice.
    return deque() if size > _LARGE else []


def _drain(items: Any) -> Any:
    return starmap(items.popleft, repeat((), len(items))) if type(items) is deque else items
