"""Containers, entry by entry (spec chapters "Values" and "Memory")."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Code, TransferError
from ..limits import MIB, Limits
from ..values import Decoder, Label, Piece, Registry, encode
from .base import Description, ObjectAssembler, ObjectStreamer

KINDS: dict[type, str] = {dict: "dict", list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
CONTAINERS = frozenset(KINDS.values())
"""What "container" in a REQUEST stands for."""

EntryObserver = Callable[[object], None]


class ContainerStreamer(ObjectStreamer):
    """Streams a dict, list, tuple, set or frozenset of the value model, entry by entry.

    Args:
        container: what to send; arrays and tensors in it are sent from their own memory.
        name: how error messages call it.
        chunk: the largest piece, in bytes.
        registry: application types that may be in it.

    Raises:
        TransferError: UNSUPPORTED, for any other object.
    """

    repeatable = True

    def __init__(
        self,
        container: object,
        *,
        name: str = "container",
        chunk: int = MIB,
        registry: Registry | None = None,
        limits: Limits | None = None,
    ) -> None:
        kind = KINDS.get(type(container))
        if kind is None:
            kinds = ", ".join(KINDS.values())
            advice = "".join(
                f"; send {base.__name__}(...) of it" for base in KINDS if isinstance(container, base)
            )
            raise TransferError(
                Code.UNSUPPORTED,
                f"{name}: {type(container).__name__} is no container of the model ({kinds}){advice}",
            )
        self.kind = kind
        super().__init__(name=name, chunk=chunk, registry=registry, limits=limits)
        self._container: Any = container

    def entries(self) -> Iterator[tuple[Label, object]]:
        if self.kind == "dict":
            for key, value in self._container.items():
                yield self.name, key
                self.count += 1
                yield (self.name, key), value
        else:
            for index, value in enumerate(self._container):
                self.count += 1
                yield (self.name, index), value

    def describe(self) -> Description:
        return Description(self.kind)

    def pieces(self, chunk: int) -> Iterator[Piece]:
        self.count = 0
        length = len(self._container)
        try:
            yield from encode(
                self.entries(),
                limits=self.limits,
                chunk=chunk,
                registry=self.registry,
                pairs=self.kind == "dict",
                elements=self.kind in ("set", "frozenset"),
            )
        except RuntimeError as problem:
            raise self._changed() from problem
        if len(self._container) != length:
            raise self._changed()

    def _changed(self) -> TransferError:
        return TransferError(Code.SOURCE_CHANGED, f"{self.name}: its length changed while it was sent")


class ContainerAssembler(ObjectAssembler):
    """Receives a container.

    Args:
        into: a dict (a `state_dict()`, say) or list with arrays or tensors that are to be filled in place. The keys (or
            the length) must be the same as those of what arrives, and so must the dtype and shape of each array; it is
            also what the transfer results in. When the transfer fails its arrays hold anything.
        observe: called with each entry as it arrives: a value, or the pair of key and value of a dict.
        keep: False where `observe` is the only one who wants the entries: they are not collected, the result is None.
        resume: as for every assembler; entries that were kept are observed again.
    """

    def __init__(
        self,
        *,
        into: dict[Any, Any] | list[Any] | None = None,
        observe: EntryObserver | None = None,
        keep: bool = True,
        registry: Registry | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(registry=registry, resume=resume)
        if into is not None and not isinstance(into, (dict, list)):
            raise TypeError(f"into must be a dict or a list, not {type(into).__name__}")
        self._into = into
        self._observe = observe
        self._keep = keep
        self._kind = ""
        self._items: Any = None

    def accepts(self, kind: str) -> bool:
        return kind in CONTAINERS

    def begin(self, description: Description, limits: Limits) -> None:
        self._kind = description.kind
        self._check_destination(description)
        if self._kind == "dict":
            self._items = {}
        elif self._kind in ("set", "frozenset"):
            self._items = set()
        else:
            self._items = []
        super().begin(description, limits)

    def decoder(self, limits: Limits) -> Decoder:
        return Decoder(
            self._entry,
            limits=limits,
            registry=self.registry,
            pairs=self._kind == "dict",
            elements=self._kind in ("set", "frozenset"),
            destination=None if self._into is None else self._destination,
        )

    def entry(self, value: object) -> None:
        if self._keep:
            self._collect(value)
        if self._observe is not None:
            self._observe(value)

    def _collect(self, value: Any) -> None:
        if self._kind == "dict":
            key, item = value
            if self._into is not None and key not in self._into:
                raise TransferError(Code.MISMATCH, f"the destination has no entry {key!r}")
            if key in self._items:
                raise TransferError(Code.PROTOCOL, f"entry {self.count}: its key has been sent before")
            self._items[key] = item
        elif self._kind in ("set", "frozenset"):
            if self._among(value):
                raise TransferError(Code.PROTOCOL, f"entry {self.count}: this element has been sent before")
            self._items.add(value)
        else:
            self._items.append(value)

    def _among(self, element: object) -> bool:
        try:
            return element in self._items
        except (
            TypeError,
            ValueError,
            ArithmeticError,
        ) as problem:  # elements of one hash that do not compare
            raise TransferError(Code.PROTOCOL, f"entry {self.count}: {problem}") from problem

    def result(self) -> object:
        items, self._items, self._decoder = self._items, None, None
        if not self._keep:
            return None
        if isinstance(self._into, dict):
            missing = self._into.keys() - items.keys()
            if missing:
                raise TransferError(
                    Code.MISMATCH, f"the destination's entry {next(iter(missing))!r} was not sent"
                )
            self._into.update(items)
            return self._into
        if isinstance(self._into, list):
            self._into[:] = items
            return self._into
        if self._kind == "tuple":
            return tuple(items)
        return frozenset(items) if self._kind == "frozenset" else items

    def discard(self) -> None:
        self._items = None
        self._decoder = None

    def _check_destination(self, description: Description) -> None:
        if self._into is None:
            return
        kind = "dict" if isinstance(self._into, dict) else "list"
        if kind != description.kind:
            raise TransferError(Code.MISMATCH, f"a {description.kind} arrives, the destination is a {kind}")
        if isinstance(self._into, list) and description.count not in (None, len(self._into)):
            raise TransferError(
                Code.MISMATCH, f"{description.count} entries arrive, the destination has {len(self._into)}"
            )

    def _destination(self, path: tuple[Any, ...]) -> object | None:
        place: Any = self._into
        try:
            for step in path:
                place = place[step]
        except (KeyError, IndexError, TypeError):
            raise TransferError(Code.MISMATCH, f"the destination has no place for {path!r}") from None
        return place  # type: ignore[no-any-return]
