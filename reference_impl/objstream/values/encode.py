"""From Python values to the skeleton stream and its buffers (spec chapters "Values", "Encoding")."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .. import cbor
from ..errors import Code, TransferError
from ..limits import KIB, MIB, Limits
from . import arrays, extensions, paths
from .buffers import Source, TextSource, ViewSource
from .hashables import ELEMENTS, KEYS, check
from .registry import Registry

INLINE = 16 * KIB
BATCH = 112 * KIB

_INTEGERS = {number: cbor.integer(number) for number in range(-256, 1024)}
_SET = cbor.head(cbor.TAG, cbor.TAG_SET)

Label: TypeAlias = "str | tuple[str, object]"


@dataclass(frozen=True)
class Piece:
    """What one content frame carries.

    Attributes:
        kind: ENTRIES for skeleton bytes, DATA for bytes of the buffer that the skeleton refers to last.
        view: the bytes; valid until the next piece is asked for.
    """

    ENTRIES: ClassVar[int] = 4
    DATA: ClassVar[int] = 5

    kind: int
    view: memoryview


def encode(
    items: Iterable[tuple[Label, object]],
    *,
    limits: Limits,
    chunk: int = MIB,
    registry: Registry | None = None,
    pairs: bool = False,
    elements: bool = False,
) -> Iterator[Piece]:
    """The content of an object whose entries are `items`, in pieces of at most `chunk` bytes.

    Args:
        items: the entries, each with a label, which is how error messages call it: a text, or (root, key) for
            `root[key]`.
        limits: depth, number of items and inline length are held against these.
        registry: application types that are carried.
        pairs: the items are keys and values of a dict in turn.
        elements: the items are the elements of a set.

    Raises:
        TransferError: UNSUPPORTED or TOO_LARGE for a value that cannot be carried; SOURCE_CHANGED for a
            container that changes meanwhile; SOURCE_FAILED for a registered encoder that fails. The message
            says where.
    """
    for part in _Encoder(limits, chunk, registry).parts(items, pairs, elements):
        if isinstance(part, Source):
            for view in part.pieces(chunk):
                yield Piece(Piece.DATA, view)
        else:
            view = memoryview(part)
            for start in range(0, len(view), chunk):
                yield Piece(Piece.ENTRIES, view[start : start + chunk])


def measure(
    items: Iterable[tuple[Label, object]],
    *,
    limits: Limits,
    registry: Registry | None = None,
    pairs: bool = False,
    elements: bool = False,
) -> int:
    """How many bytes `encode` yields. It raises what `encode` raises, but converts no buffers."""
    total = 0
    for part in _Encoder(limits, MIB, registry).parts(items, pairs, elements):
        total += part.size if isinstance(part, Source) else len(part)
    return total


class _Open:
    """A container whose values are being encoded."""

    __slots__ = ("allowed", "container", "iterator", "left", "mapping", "size")

    def __init__(
        self,
        container: Any,
        iterator: Iterator[object],
        size: int,
        allowed: frozenset[type] | None,
        mapping: bool = False,
    ) -> None:
        self.container = container
        self.iterator = iterator
        self.size = self.left = size
        self.allowed = allowed
        self.mapping = mapping

    def changed(self) -> bool:
        return type(self.container) in _CONTAINERS and len(self.container) != self.size >> self.mapping

    def step(self) -> str:
        """Where in the container the value is that was taken last."""
        cls = type(self.container)
        index = self.size - self.left - 1
        if cls is list or cls is tuple:
            return paths.step(index)
        if cls is dict:
            return paths.step(next(islice(self.container, index // 2, None), None)) if index % 2 else "{key}"
        return "{…}" if cls is set or cls is frozenset else ""


class _Encoder:
    def __init__(self, limits: Limits, chunk: int, registry: Registry | None) -> None:
        self._limits = limits
        self._inline = min(INLINE, limits.max_inline)
        self._batch = min(chunk, BATCH)
        self._registry = registry
        self._stack: list[_Open] = []
        self._open_ids: set[int] = set()
        self._items = 0
        self._out = bytearray()

    def parts(
        self, items: Iterable[tuple[Label, object]], pairs: bool, elements: bool
    ) -> Iterator[bytearray | Source]:
        """Skeleton bytes, and a source after each reference to it."""
        allowed = ELEMENTS if elements else None
        for number, (label, value) in enumerate(items):
            if pairs:
                allowed = None if number % 2 else KEYS
            try:
                self._count(1)
                yield from self._walk(value, allowed)
            except UnicodeEncodeError:
                message = self._where(label) + "a str with a lone surrogate"
                raise TransferError(Code.UNSUPPORTED, message) from None
            except TransferError as error:
                message = self._where(label) + error.message
                raise TransferError(error.code, message, local=error.local) from error.__cause__
        if self._out:
            yield self._out

    def _walk(self, value: Any, allowed: frozenset[type] | None) -> Iterator[bytearray | Source]:
        stack = self._stack
        out = self._out
        inline, batch = self._inline, self._batch
        known = _INTEGERS.get
        frame: _Open | None = None
        mapping = False
        while True:
            source: Source | None = None
            cls = type(value)
            if allowed is not None and cls not in allowed:
                check(cls, allowed, Code.UNSUPPORTED)
            if cls is str and len(value) <= inline:
                data = value.encode()
                size = len(data)
                if size < 24:
                    out.append(0x60 | size)
                    out += data
                elif size <= inline:
                    out += cbor.head(cbor.TEXT, size)
                    out += data
                else:
                    source = self._large(cbor.extension("str", 1), ViewSource(memoryview(data)))
            elif cls is int:
                out += known(value) or self._integer(value)
            elif cls is float:
                out += cbor.pack_float(cbor.FLOAT, value)
            elif cls is bool:
                out.append(cbor.TRUE if value else cbor.FALSE)
            elif value is None:
                out.append(cbor.NULL)
            elif cls in _CONTAINERS:
                frame = self._open(cls, value, allowed)
                mapping = frame.mapping
            else:
                opened = self._other(cls, value)
                if isinstance(opened, _Open):
                    frame = opened
                    mapping = False
                else:
                    source = opened

            if source is not None:
                yield out
                out = self._out = bytearray()
                yield source
            elif len(out) >= batch:
                yield out
                out = self._out = bytearray()

            while frame is not None and not frame.left:
                self._open_ids.discard(id(frame.container))
                stack.pop()
                if frame.changed():
                    raise _changed()
                frame = stack[-1] if stack else None
                mapping = frame is not None and frame.mapping
            if frame is None:
                return
            try:
                value = next(frame.iterator)
            except (StopIteration, RuntimeError):
                stack.pop()
                raise _changed() from None
            left = frame.left = frame.left - 1
            allowed = (KEYS if left & 1 else None) if mapping else frame.allowed

    def _other(self, cls: type, value: Any) -> _Open | Source | None:
        """The rarer types; None when the value is in the skeleton."""
        if cls is str:
            return self._large(cbor.extension("str", 1), TextSource(value))
        if cls is bytes:
            return self._bytes(value)
        if cls is bytearray:
            return self._large(cbor.extension("bytearray", 1), ViewSource(memoryview(value)))
        if cls is np.ndarray:
            return self._large(*arrays.encode_array(value))
        scalar = arrays.SCALARS.get(cls)
        if scalar is not None:
            self._out += arrays.encode_scalar(scalar, value)
            return None
        extension = extensions.BY_CLASS.get(cls)
        if extension is not None:
            self._out += extensions.encode(extension, value)
            return None
        return self._foreign(cls, value)

    def _foreign(self, cls: type, value: Any) -> _Open | Source | None:
        app = self._registry.for_class(cls) if self._registry else None
        if app is not None:
            self._check_open(value)
            self._out += cbor.extension("app", 2) + cbor.text(app.name)
            return self._push(_Open(value, iter((app.to_model(value),)), 1, None))
        if sys.modules.get("torch") is not None:
            from .. import tensors

            if tensors.is_tensor(value):
                return self._large(*tensors.encode_tensor(value))
        raise TransferError(Code.UNSUPPORTED, f"{paths.class_name(cls)} is not in the value model")

    def _integer(self, value: int) -> bytes:
        bits = (value if value >= 0 else ~value).bit_length()
        if bits > 8 * self._limits.max_inline:
            raise TransferError(Code.TOO_LARGE, f"an int of more than {self._limits.max_inline} bytes")
        return cbor.integer(value)

    def _bytes(self, value: bytes) -> Source | None:
        if len(value) > self._inline:
            return self._large(cbor.extension("bytes", 1), ViewSource(memoryview(value)))
        self._out += cbor.head(cbor.BYTES, len(value))
        self._out += value
        return None

    def _large(self, begin: bytes, source: Source) -> Source | None:
        """An extension value that ends with the bytes of `source` or a reference to them."""
        self._out += begin
        if source.size > self._inline:
            self._out += cbor.head(cbor.UINT, source.size)
            return source
        self._out += cbor.head(cbor.BYTES, source.size)
        for view in source.pieces(INLINE):
            self._out += view
        return None

    def _open(self, cls: type, value: Any, allowed: frozenset[type] | None) -> _Open:
        size = len(value)
        if cls is list or cls is dict:
            self._check_open(value)
        if cls is list:
            self._out += cbor.head(cbor.ARRAY, size)
        elif cls is tuple:
            self._out += cbor.extension("tuple", size)
        elif cls is dict:
            self._out += cbor.head(cbor.MAP, size)
            return self._push(_Open(value, chain.from_iterable(value.items()), 2 * size, None, True))
        else:
            allowed = allowed or ELEMENTS
            begin = _SET + cbor.head(cbor.ARRAY, size) if cls is set else cbor.extension("frozenset", size)
            self._out += begin
        return self._push(_Open(value, iter(value), size, allowed))

    def _check_open(self, value: object) -> None:
        if id(value) in self._open_ids:
            raise TransferError(Code.UNSUPPORTED, "a container that contains itself")
        self._open_ids.add(id(value))

    def _push(self, frame: _Open) -> _Open:
        if len(self._stack) >= self._limits.max_depth:
            raise TransferError(
                Code.TOO_LARGE, f"containers nested deeper than {self._limits.max_depth} levels"
            )
        self._count(frame.size)
        self._stack.append(frame)
        return frame

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > self._limits.max_items:
            raise TransferError(Code.TOO_LARGE, f"more than {self._limits.max_items} items")

    def _where(self, label: Label) -> str:
        root = label if isinstance(label, str) else f"{label[0]}{paths.step(label[1])}"
        path = root + "".join(frame.step() for frame in self._stack)
        return f"{path}: " if path else ""


_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})


def _changed() -> TransferError:
    return TransferError(Code.SOURCE_CHANGED, "a container changed its size while it was sent")
