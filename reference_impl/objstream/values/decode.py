"""From the skeleton stream and its buffers back to Python values (spec chapters "Values", "Encoding")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import cbor
from ..errors import Code, TransferError
from ..limits import Limits
from . import arrays, extensions, paths
from .buffers import WINDOW, ByteArraySink, Sink, TextSink, bytes_sink
from .frames import (
    ARGUMENTS,
    LEAVES,
    MISSING,
    PENDING,
    VALUES,
    AppFrame,
    ArgumentsFrame,
    Frame,
    FrozenSetFrame,
    ListFrame,
    MapFrame,
    RootFrame,
    SetFrame,
    TupleFrame,
)
from .hashables import check
from .registry import Registry, is_type_name

_OPENED: Any = object()

_BUFFERED: dict[str, tuple[type, int]] = {
    "bytes": (bytes, 1),
    "str": (str, 1),
    "bytearray": (bytearray, 1),
    "scalar": (np.generic, 2),
    "ndarray": (np.ndarray, 3),
    "tensor": (object, 4),
    "parameter": (object, 4),
}
_SIMPLE = {cbor.FALSE: False, cbor.TRUE: True, cbor.NULL: None}


class Decoder:
    """Takes the content of one object as it arrives and hands over its entries one by one.

    Skeleton bytes go to `feed`, cut anywhere. After a reference to a buffer the bytes of that buffer are due:
    while `buffer()` is not None they go there, reported by `filled`, and `feed` refuses any byte.

    Args:
        on_item: called with each entry, complete, in order.
        limits: held against every announced size before memory is taken for it.
        registry: the application types that are accepted.
        destination: called with the path of each array or tensor that is about to arrive, a tuple that starts
            with the entry's key (with `pairs`) or index; it may return an array or tensor to be filled.
        pairs: the entries are keys and values of a dict in turn; `on_item` gets tuples of both.
        elements: the entries are elements of a set and checked like such. (Whether an entry equals an earlier
            one is for `on_item` to check.)

    Only TransferError leaves its methods; after one the decoder takes nothing more.
    """

    def __init__(
        self,
        on_item: Callable[[Any], object],
        *,
        limits: Limits,
        registry: Registry | None = None,
        destination: Callable[[tuple[Any, ...]], object] | None = None,
        pairs: bool = False,
        elements: bool = False,
    ) -> None:
        self._limits = limits
        self._registry = registry
        self._destination = destination
        self._root = RootFrame(on_item, limits.max_items, pairs, elements)
        self._stack: list[Frame] = [self._root]
        self._sink: Sink | None = None
        self._tail = bytearray()
        self._needed = 0
        self._bytes = 0
        self._failed: TransferError | None = None

    @property
    def remaining(self) -> int:
        """Bytes that are missing of the pending buffer; 0 while skeleton bytes are expected."""
        return self._sink.size - self._sink.done if self._sink else 0

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """The next bytes of the skeleton stream.

        Raises:
            TransferError: PROTOCOL outside the grammar; UNSUPPORTED for a type that this side lacks;
                TOO_LARGE for what exceeds the limits; MISMATCH for an array that does not fit its place;
                STORE_FAILED when `on_item`, `destination` or a registered decoder fails.
        """
        view = memoryview(data)
        self._guarded(self._account, len(view))
        for start in range(0, len(view), WINDOW):
            self._guarded(self._take, view[start : start + WINDOW])

    def buffer(self) -> memoryview | None:
        """Writable memory for the next bytes of the pending buffer, None while skeleton bytes are expected.

        It may be shorter than what is missing, and is valid until that many bytes are reported by `filled`.
        """
        return self._sink.window() if self._sink else None

    def filled(self, count: int) -> None:
        """The first `count` bytes of `buffer()` have landed."""
        if not 0 <= count <= self.remaining:
            raise ValueError(f"{count} bytes reported, {self.remaining} are missing")
        self._guarded(self._fill, count)

    def finish(self) -> None:
        """The content is complete.

        Raises:
            TransferError: PROTOCOL, when it ends inside an entry, after a key or inside a buffer.
        """
        self._guarded(self._check_complete)

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        cause = None
        if self._failed is None:
            try:
                action(*arguments)
                return
            except TransferError as error:
                where = paths.render(self._path())
                message = f"{where}: {error.message}" if where else error.message
                self._failed = TransferError(error.code, message, local=error.local)
                cause = error.__cause__
            except (MemoryError, RecursionError):
                self._failed = TransferError(Code.TOO_LARGE, "there is no memory for the object")
            self._sink = None
            self._tail.clear()
            del self._stack[1:]
        # Outside of the except clauses, so that the error does not keep alive what has been received.
        raise self._failed from cause

    def _account(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.max_bytes:
            raise TransferError(
                Code.TOO_LARGE, f"more than the {self._limits.max_bytes} bytes that are accepted"
            )

    def _take(self, view: memoryview) -> None:
        if not self._tail:
            data = bytes(view)
        else:
            self._tail += view
            if len(self._tail) < self._needed:
                return
            data = bytes(self._tail)
            self._tail.clear()
        end = self._run(data)
        if end < len(data):
            self._tail += memoryview(data)[end:]

    def _fill(self, count: int) -> None:
        sink = self._sink
        if sink is None:
            return
        sink.filled(count)
        if sink.done == sink.size:
            value = sink.value()
            self._sink = None
            self._run(b"", value)

    def _check_complete(self) -> None:
        if self._sink is not None:
            raise TransferError(
                Code.PROTOCOL, f"the content ends with {self.remaining} bytes of a buffer missing"
            )
        if self._tail or len(self._stack) > 1 or self._root.awaits_value:
            raise TransferError(Code.PROTOCOL, "the content ends inside an entry")

    def _run(self, data: bytes, value: Any = MISSING) -> int:
        """Parse tokens, after a value that is complete already if one is given; returns where it stopped."""
        stack = self._stack
        frame = stack[-1]
        add, left = frame.add, frame.left
        at, end = 0, len(data)
        if end and self._sink is not None:
            raise _skeleton_in_buffer()
        while True:
            if value is MISSING:
                if at == end:
                    break
                initial = data[at]
                if initial < 0x18:
                    value = initial
                    at += 1
                elif 0x60 <= initial < 0x78:
                    stop = at + initial - 0x5F
                    if stop > end:
                        self._needed = stop - at
                        break
                    try:
                        value = data[at + 1 : stop].decode()
                    except UnicodeDecodeError:
                        raise TransferError(Code.PROTOCOL, "a text is not valid UTF-8") from None
                    at = stop
                elif initial == 0xFB:
                    if at + 9 > end:
                        self._needed = 9
                        break
                    (value,) = cbor.unpack_float(data, at + 1)
                    at += 9
                else:
                    frame.left = left
                    try:
                        value, at = self._token(data, at, initial, frame)
                    except cbor.TruncatedError as error:
                        self._needed = error.end - at
                        break
                    if value is _OPENED:
                        value = MISSING
                        frame = stack[-1]
                        add, left = frame.add, frame.left
                        if left:
                            continue
            if value is not MISSING:
                add(value)
                left -= 1
            while not left:
                value = frame.close()
                stack.pop()
                frame = stack[-1]
                add, left = frame.add, frame.left
                if value is PENDING:
                    if at != end:
                        raise _skeleton_in_buffer()
                    return at
                add(value)
                left -= 1
            value = MISSING
        frame.left = left
        return at

    def _token(self, data: bytes, at: int, initial: int, frame: Frame) -> tuple[Any, int]:
        """A token of the rarer kinds: its value, or _OPENED for a container, and where it ends."""
        simple = _SIMPLE.get(initial, MISSING)
        if simple is not MISSING:
            return simple, at + 1
        major, number, after = cbor.read_head(data, at)
        if major == cbor.UINT:
            return number, after
        if major == cbor.NINT:
            return -1 - number, after
        if major == cbor.TEXT or major == cbor.BYTES:
            string, after = cbor.read_string(data, at, major, self._limits.max_inline)
            return (cbor.decode_text(string) if major == cbor.TEXT else string), after
        if major == cbor.ARRAY:
            if frame.level == VALUES:
                self._open(list, number, ListFrame(number))
            elif frame.level == ARGUMENTS and number <= arrays.MAX_DIMENSIONS:
                self._stack.append(ListFrame(number, LEAVES))
            else:
                raise TransferError(
                    Code.PROTOCOL, "an argument of an extension value is too deep or too long"
                )
            return _OPENED, after
        if major == cbor.SIMPLE:
            raise TransferError(Code.PROTOCOL, f"initial byte {number:#04x} is not allowed")
        if frame.level != VALUES:
            raise TransferError(Code.PROTOCOL, "an argument of an extension value is a map or has a tag")
        if major == cbor.MAP:
            self._open(dict, 2 * number, MapFrame(number))
            return _OPENED, after
        return self._tagged(data, number, after)

    def _tagged(self, data: bytes, tag: int, at: int) -> tuple[Any, int]:
        if tag == cbor.TAG_EXTENSION:
            return self._extension(data, at)
        if tag == cbor.TAG_SET:
            size, at = self._array_head(data, at)
            self._open(set, size, SetFrame(size))
            return _OPENED, at
        if tag not in (cbor.TAG_BIGNUM, cbor.TAG_NEGATIVE_BIGNUM):
            raise TransferError(Code.PROTOCOL, f"tag {tag} is not allowed")
        digits, at = cbor.read_string(data, at, cbor.BYTES, self._limits.max_inline)
        if len(digits) <= 8 or digits[0] == 0:
            raise TransferError(Code.PROTOCOL, "a bignum is longer than needed")
        number = int.from_bytes(digits, "big")
        return (number if tag == cbor.TAG_BIGNUM else -1 - number), at

    def _array_head(self, data: bytes, at: int) -> tuple[int, int]:
        major, size, at = cbor.read_head(data, at)
        if major != cbor.ARRAY:
            raise TransferError(Code.PROTOCOL, "a tag that belongs on an array is on something else")
        return size, at

    def _extension(self, data: bytes, at: int) -> tuple[Any, int]:
        count, at = self._array_head(data, at)
        encoded, at = cbor.read_string(data, at, cbor.TEXT, self._limits.max_inline)
        name, count = cbor.decode_text(encoded), count - 1
        if name == "tuple":
            self._open(tuple, count, TupleFrame(count, self._stack[-1].allowed))
        elif name == "frozenset":
            self._open(frozenset, count, FrozenSetFrame(count, self._stack[-1].allowed))
        elif name == "app":
            at = self._app(data, at, count)
        else:
            self._arguments(name, count)
        return _OPENED, at

    def _app(self, data: bytes, at: int, count: int) -> int:
        encoded, at = cbor.read_string(data, at, cbor.TEXT, self._limits.max_inline)
        name = cbor.decode_text(encoded)
        if count != 2 or not is_type_name(name):
            raise TransferError(Code.PROTOCOL, "an application type is not a name@version and one value")
        app = self._registry.for_name(name) if self._registry else None
        if app is None:
            raise TransferError(Code.UNSUPPORTED, f"the application type {name} is not registered here")
        self._open(object, 1, AppFrame(app))
        return at

    def _arguments(self, name: str, count: int) -> None:
        extension = extensions.BY_NAME.get(name)
        if extension is not None:
            cls, arity, finish = extension.cls, extension.arity, self._scalar
        elif name in _BUFFERED:
            (cls, arity), finish = _BUFFERED[name], self._buffered
        else:
            raise TransferError(Code.UNSUPPORTED, f"there is no extension type {name[:64]!r}")
        if count != arity:
            raise TransferError(Code.PROTOCOL, f"{name} has {arity} arguments, not {count}")
        check(cls, self._stack[-1].allowed, Code.PROTOCOL)
        self._stack.append(ArgumentsFrame(name, count, finish))

    def _open(self, cls: type, items: int, frame: Frame) -> None:
        check(cls, self._stack[-1].allowed, Code.PROTOCOL)
        if len(self._stack) > self._limits.max_depth:
            message = f"containers nested deeper than {self._limits.max_depth} levels"
            raise TransferError(Code.TOO_LARGE, message)
        self._root.count(items)
        self._stack.append(frame)

    def _scalar(self, name: str, arguments: list[Any]) -> object:
        try:
            return extensions.BY_NAME[name].decode(arguments)
        except (ValueError, OverflowError) as error:
            raise TransferError(Code.PROTOCOL, f"not a {name}: {error}") from None

    def _buffered(self, name: str, arguments: list[Any]) -> object:
        """The value of an extension that ends with bytes, or PENDING when these follow out of band."""
        *begin, data = arguments
        if name == "scalar":
            return arrays.decode_scalar(begin[0], data)
        if type(data) is bytes and name not in ("bytes", "str"):
            size = len(data)
        elif type(data) is int and data > 0:
            size, data = data, None
            self._account(size)
        else:
            raise TransferError(Code.PROTOCOL, f"the data of a {name} are neither there nor referred to")
        sink = self._new_sink(name, begin, size)
        if data is None:
            self._sink = sink
            return PENDING
        if data:
            sink.window()[:] = data
            sink.filled(size)
        return sink.value()

    def _new_sink(self, name: str, begin: list[Any], size: int) -> Sink:
        if name == "bytes":
            return bytes_sink(size)
        if name == "str":
            return TextSink(size)
        if name == "bytearray":
            return ByteArraySink(size)
        dtype, shape, *flags = begin
        item_size = arrays.ITEM_SIZES.get(dtype) if type(dtype) is str else None
        if item_size is None:
            raise TransferError(Code.PROTOCOL, f"the dtype of a {name} is unknown")
        if arrays.byte_size(shape, item_size) != size:
            raise TransferError(Code.PROTOCOL, f"{size} bytes are not {dtype} of shape {tuple(shape)}")
        if name == "ndarray":
            return arrays.array_sink(dtype, shape, self._place())
        try:
            from .. import tensors
        except ImportError:
            message = "a tensor needs torch on this side: install objstream[torch]"
            raise TransferError(Code.UNSUPPORTED, message) from None
        return tensors.tensor_sink(name, dtype, shape, flags[0], self._place())

    def _place(self) -> object:
        """The destination of the array that is about to arrive, None where the application has none."""
        if self._destination is None or any(isinstance(frame, AppFrame) for frame in self._stack):
            return None
        try:
            return self._destination(self._path())
        except TransferError:
            raise
        except Exception as error:
            message = "no destination could be given"
            raise TransferError(Code.STORE_FAILED, message, local=repr(error)) from error

    def _path(self) -> tuple[object, ...]:
        steps = (frame.step() for frame in self._stack)
        return tuple(step for step in steps if step is not MISSING)


def _skeleton_in_buffer() -> TransferError:
    return TransferError(Code.PROTOCOL, "skeleton bytes where the bytes of a buffer are due")
