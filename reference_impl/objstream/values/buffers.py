"""Large values beside the skeleton: sources, which are cut into pieces, and sinks, which take these in."""

from __future__ import annotations

import codecs
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from ..errors import Code, TransferError

WINDOW = 1 << 18


class Source(ABC):
    """The bytes of one large value at the sender.

    Attributes:
        size: how many there are.
    """

    size: int

    @abstractmethod
    def pieces(self, chunk: int) -> Iterator[memoryview]:
        """The bytes in order, at most `chunk` at a time; each piece is valid until the next is asked for."""


def cut(view: memoryview, chunk: int) -> Iterator[memoryview]:
    for start in range(0, len(view), chunk):
        yield view[start : start + chunk]


class ViewSource(Source):
    """Bytes that lie in memory as they travel: the pieces are views of them."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self.size = len(view)

    def pieces(self, chunk: int) -> Iterator[memoryview]:
        return cut(self._view, chunk)


class TextSource(Source):
    """A long str, encoded part by part. Raises UnicodeEncodeError for a lone surrogate at once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.size = len(text) if text.isascii() else sum(len(part) for part in self._parts(WINDOW))

    def _parts(self, chunk: int) -> Iterator[bytes]:
        # A slice and its encoded form together stay within a chunk.
        step = max(1, chunk // (2 if self._text.isascii() else 8))
        for start in range(0, len(self._text), step):
            yield self._text[start : start + step].encode()

    def pieces(self, chunk: int) -> Iterator[memoryview]:
        for part in self._parts(chunk):
            yield from cut(memoryview(part), chunk)


class Sink(ABC):
    """Where the bytes of one large value land at the receiver.

    Attributes:
        size: how many are announced.
        done: how many have landed.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.done = 0

    @abstractmethod
    def window(self) -> memoryview:
        """Writable memory for the next bytes: one at least and no more than are missing."""

    def filled(self, count: int) -> None:
        self.done += count

    @abstractmethod
    def value(self) -> object:
        """The value, once all bytes have landed.

        Raises:
            TransferError: PROTOCOL, when the bytes do not make a value.
        """


class MemorySink(Sink):
    """Memory of the final size, filled in place; `finish` makes the value of it."""

    def __init__(self, view: memoryview, finish: Callable[[], object]) -> None:
        super().__init__(len(view))
        self._view = view
        self._finish = finish

    def window(self) -> memoryview:
        return self._view[self.done :]

    def value(self) -> object:
        self._view.release()
        return self._finish()


class _WindowSink(Sink):
    """A value that is collected from one window of fixed size, whenever that is full."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._window = memoryview(bytearray(min(size, WINDOW)))

    def window(self) -> memoryview:
        start = self.done % WINDOW
        return self._window[start : start + self.size - self.done]

    def filled(self, count: int) -> None:
        super().filled(count)
        full = self.done % WINDOW == 0
        if full or self.done == self.size:
            self._collect(self._window if full else self._window[: self.done % WINDOW])

    @abstractmethod
    def _collect(self, part: memoryview) -> None: ...


class BytesSink(_WindowSink):
    """A bytes object, written where it lies: BytesIO takes one over, and hands it back, without a copy.

    (Its own writable view would save the window, but costs a copy of all while any slice of that view is alive.)
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._file = io.BytesIO(bytes(size))

    def _collect(self, part: memoryview) -> None:
        self._file.write(part)

    def value(self) -> bytes:
        return self._file.getvalue()


class ByteArraySink(_WindowSink):
    """A bytearray that doubles as it fills: making one writes to all of it, which only data may cause."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        first = size
        while first > WINDOW:
            first = (first + 1) // 2
        self._array = bytearray(first)

    def _collect(self, part: memoryview) -> None:
        while self.done > len(self._array):
            self._array *= 2
        self._array[self.done - len(part) : self.done] = part

    def value(self) -> bytearray:
        del self._array[self.size :]
        return self._array


class TextSink(_WindowSink):
    """A str, decoded part by part; whether it is UTF-8 is said when all of it is there.

    CPython appends in place to a str that nothing else refers to: one variable here, an attribute would not do.
    (While a profiler or debugger traces CPython 3.11, it does not, and the text is copied for each part.)
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._valid = True

    def _collect(self, part: memoryview) -> None:
        if not self._valid:
            return
        text, self._text = self._text, ""
        try:
            text += self._decoder.decode(part, self.done == self.size)
        except UnicodeDecodeError:
            self._valid = False
            return
        self._text = text

    def value(self) -> str:
        if not self._valid:
            raise TransferError(Code.PROTOCOL, "a text is not valid UTF-8")
        return self._text
