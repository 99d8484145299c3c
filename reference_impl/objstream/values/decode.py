"""From the skeleton stream and its buffers back to Python values (spec chapters "Values", "Encoding")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import cbor
from ..errors import Code, TransferError
from ..limits import Limits
from . import paths
from .arrays import MAX_DIMENSIONS
from .assembly import Assembly, Destination
from .buffers import WINDOW
from .frames import (
    ARGUMENTS,
    LEAVES,
    MISSING,
    PENDING,
    VALUES,
    Frame,
    FrozenSetFrame,
    ListFrame,
    MapFrame,
    RootFrame,
    SetFrame,
    TupleFrame,
)
from .registry import Registry

_OPENED: Any = object()

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
        destination: Destination | None = None,
        pairs: bool = False,
        elements: bool = False,
    ) -> None:
        self._root = RootFrame(on_item, limits.max_items, pairs, elements)
        self._assembly = Assembly(self._root, limits, registry, destination)
        self._max_inline = limits.max_inline
        self._tail = bytearray()
        self._needed = 0
        self._failure: tuple[Code, str, str] | None = None

    @property
    def remaining(self) -> int:
        """Bytes that are missing of the pending buffer; 0 while skeleton bytes are expected."""
        sink = self._assembly.sink
        return sink.size - sink.done if sink else 0

    @property
    def between(self) -> bool:
        """What has come so far ends with an entry: none is open, and no key without its value."""
        return self._assembly.sink is None and not self._unfinished()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """The next bytes of the skeleton stream.

        Raises:
            TransferError: PROTOCOL outside the grammar; UNSUPPORTED for a type that this side lacks;
                TOO_LARGE for what exceeds the limits; MISMATCH for an array that does not fit its place;
                STORE_FAILED when `on_item`, `destination` or a registered decoder fails.
        """
        view = memoryview(data)
        self._guarded(self._assembly.account, len(view))
        for start in range(0, len(view), WINDOW):
            self._guarded(self._take, view[start : start + WINDOW])

    def buffer(self) -> memoryview | None:
        """Writable memory for the next bytes of the pending buffer, None while skeleton bytes are expected.

        It may be shorter than what is missing, and is valid until that many bytes are reported by `filled`.
        """
        sink = self._assembly.sink
        return sink.window() if sink else None

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
        if self._failure is None:
            try:
                action(*arguments)
                return
            except TransferError as error:
                where = paths.render(self._assembly.path())
                self._failure = (
                    error.code,
                    f"{where}: {error.message}" if where else error.message,
                    error.local,
                )
                cause = error.__cause__
            except (MemoryError, RecursionError):
                self._failure = Code.TOO_LARGE, "there is no memory for the object", ""
            self._assembly.clear()
            self._tail.clear()
        code, message, local = self._failure
        try:  # outside of the except clauses and in no variable: the error must not keep alive what has arrived
            raise TransferError(code, message, local=local) from cause
        finally:
            cause = None

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
        sink = self._assembly.sink
        if sink is None:
            return
        sink.filled(count)
        if sink.done == sink.size:
            self._assembly.sink = None
            self._run(b"", sink.value())

    def _check_complete(self) -> None:
        if self._assembly.sink is not None:
            message = f"the content ends with {self.remaining} bytes of a buffer missing"
            raise TransferError(Code.PROTOCOL, message)
        if self._unfinished():
            raise TransferError(Code.PROTOCOL, "the content ends inside an entry")

    def _unfinished(self) -> bool:
        return bool(self._tail) or len(self._assembly.stack) > 1 or self._root.awaits_value

    def _run(self, data: bytes, value: Any = MISSING) -> int:
        """Parse tokens, after a value that is complete already if one is given; returns where it stopped."""
        stack = self._assembly.stack
        frame = stack[-1]
        add, left = frame.adder(), frame.left
        at, end = 0, len(data)
        if end and self._assembly.sink is not None:
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
                        add, left = frame.adder(), frame.left
                        if left:
                            continue
            if value is not MISSING:
                add(value)
                left -= 1
            while not left:
                value = frame.close()
                stack.pop()
                frame = stack[-1]
                add, left = frame.adder(), frame.left
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
            string, after = cbor.read_string(data, at, major, self._max_inline)
            return (cbor.decode_text(string) if major == cbor.TEXT else string), after
        if major == cbor.ARRAY:
            if frame.level == VALUES:
                self._assembly.open(list, number, ListFrame(number))
            elif frame.level == ARGUMENTS and number <= MAX_DIMENSIONS:
                self._assembly.stack.append(ListFrame(number, LEAVES))
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
            self._assembly.open(dict, 2 * number, MapFrame(number))
            return _OPENED, after
        return self._tagged(data, number, after)

    def _tagged(self, data: bytes, tag: int, at: int) -> tuple[Any, int]:
        if tag == cbor.TAG_EXTENSION:
            return self._extension(data, at)
        if tag == cbor.TAG_SET:
            size, at = self._array_head(data, at)
            self._assembly.open(set, size, SetFrame(size))
            return _OPENED, at
        if tag not in (cbor.TAG_BIGNUM, cbor.TAG_NEGATIVE_BIGNUM):
            raise TransferError(Code.PROTOCOL, f"tag {tag} is not allowed")
        digits, at = cbor.read_string(data, at, cbor.BYTES, self._max_inline)
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
        size, at = self._array_head(data, at)
        if size == 0:
            raise TransferError(Code.PROTOCOL, "an extension value has no name")
        name, at = self._text(data, at)
        count = size - 1
        allowed = self._assembly.stack[-1].allowed
        if name == "tuple":
            self._assembly.open(tuple, count, TupleFrame(count, allowed))
        elif name == "frozenset":
            self._assembly.open(frozenset, count, FrozenSetFrame(count, allowed))
        elif name == "app":
            if count != 2:
                raise TransferError(Code.PROTOCOL, f"app has 2 arguments, not {count}")
            app_name, at = self._text(data, at)
            self._assembly.open_app(app_name)
        else:
            self._assembly.open_arguments(name, count)
        return _OPENED, at

    def _text(self, data: bytes, at: int) -> tuple[str, int]:
        encoded, at = cbor.read_string(data, at, cbor.TEXT, self._max_inline)
        return cbor.decode_text(encoded), at


def _skeleton_in_buffer() -> TransferError:
    return TransferError(Code.PROTOCOL, "skeleton bytes where the bytes of a buffer are due")
