"""An object under construction: the containers that are open, the buffer that is due, the limits on both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import Code, TransferError
from ..limits import Limits
from . import arrays, extensions
from .buffers import ByteArraySink, BytesSink, Sink, TextSink
from .frames import MISSING, PENDING, AppFrame, ArgumentsFrame, Frame, RootFrame
from .hashables import check
from .registry import Registry, is_type_name

_BUFFERED: dict[str, tuple[type, int]] = {
    "bytes": (bytes, 1),
    "str": (str, 1),
    "bytearray": (bytearray, 1),
    "scalar": (np.generic, 2),
    "ndarray": (np.ndarray, 3),
    "tensor": (object, 4),
    "parameter": (object, 4),
}
"""Extension values that end with bytes: their type and their number of arguments."""

Destination = Callable[[tuple[Any, ...]], object]


class Assembly:
    """What has been received of an object and is not complete.

    Attributes:
        stack: the open containers, from the root inwards.
        sink: where the bytes of the buffer go that is due, None while skeleton bytes are.
    """

    def __init__(
        self, root: RootFrame, limits: Limits, registry: Registry | None, destination: Destination | None
    ) -> None:
        self.stack: list[Frame] = [root]
        self.sink: Sink | None = None
        self._root = root
        self._limits = limits
        self._registry = registry
        self._destination = destination
        self._bytes = 0

    def account(self, count: int) -> None:
        """That many bytes of content have arrived or are announced."""
        self._bytes += count
        if self._bytes > self._limits.max_bytes:
            message = f"more than the {self._limits.max_bytes} bytes that are accepted"
            raise TransferError(Code.TOO_LARGE, message)

    def open(self, cls: type, items: int, frame: Frame) -> None:
        """A container of type `cls` with that many items begins."""
        if len(self.stack) > self._limits.max_depth:
            message = f"containers nested deeper than {self._limits.max_depth} levels"
            raise TransferError(Code.TOO_LARGE, message)
        self._root.count(items)
        check(cls, self.stack[-1].allowed, Code.PROTOCOL)
        self.stack.append(frame)

    def open_app(self, name: str) -> None:
        """A value of an application type begins."""
        if not is_type_name(name):
            raise TransferError(Code.PROTOCOL, "the name of an application type is not a name@version")
        app = self._registry.for_name(name) if self._registry else None
        if app is None:
            raise TransferError(Code.UNSUPPORTED, f"the application type {name} is not registered here")
        self.open(object, 1, AppFrame(app))

    def open_arguments(self, name: str, count: int) -> None:
        """An extension value begins that is neither a container nor of an application type."""
        extension = extensions.BY_NAME.get(name)
        if extension is not None:
            cls, arity, finish = extension.cls, extension.arity, self._scalar
        elif name in _BUFFERED:
            (cls, arity), finish = _BUFFERED[name], self._buffered
        else:
            raise TransferError(Code.UNSUPPORTED, f"there is no extension type {name[:64]!r}")
        if count != arity:
            raise TransferError(Code.PROTOCOL, f"{name} has {arity} arguments, not {count}")
        check(cls, self.stack[-1].allowed, Code.PROTOCOL)
        self.stack.append(ArgumentsFrame(name, count, finish))

    def path(self) -> tuple[object, ...]:
        """Keys and indices that lead to the value that is being received."""
        steps = (frame.step() for frame in self.stack)
        return tuple(step for step in steps if step is not MISSING)

    def clear(self) -> None:
        """Let go of everything but the root."""
        self.sink = None
        del self.stack[1:]

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
            self.account(size)
        else:
            raise TransferError(Code.PROTOCOL, f"the data of a {name} are neither there nor referred to")
        sink = self._new_sink(name, begin, size)
        if data is None:
            self.sink = sink
            return PENDING
        if data:
            sink.window()[:] = data
            sink.filled(size)
        return sink.value()

    def _new_sink(self, name: str, begin: list[Any], size: int) -> Sink:
        if name == "bytes":
            return BytesSink(size)
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
        if self._destination is None or any(isinstance(frame, AppFrame) for frame in self.stack):
            return None
        try:
            return self._destination(self.path())
        except TransferError:
            raise
        except Exception as error:
            message = "no destination could be given"
            raise TransferError(Code.STORE_FAILED, message, local=repr(error)) from error
