"""Mutants that are wrong about buffers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from objstream import ContainerAssembler, FileAssembler, TransferError
from objstream.digests import ALGORITHMS
from objstream.frames import FrameType
from objstream.session import Receiver
from objstream.values import arrays
from objstream.values.assembly import Assembly
from objstream.values.decode import Decoder

from .kit import instead, wire_mutant


@wire_mutant("OSP-BUF-001", "reject/OSP-BUF-001")
def rest_of_the_frame_is_ignored() -> None:
    """What comes after a reference in its frame is ignored."""

    @instead(Decoder, "_guarded")
    def guarded(original: Any, self: Any, action: Any, *arguments: Any) -> None:
        def tolerant(*arguments: Any) -> None:
            try:
                action(*arguments)
            except TransferError as error:
                if self._assembly.sink is None or "skeleton bytes" not in error.message:
                    raise

        original(self, tolerant, *arguments)


def spilling(when: Callable[[int], bool]) -> None:
    """Throw away the data that are more than their buffer, when so many bytes of that are missing."""

    @instead(Receiver, "_on_content")
    def content(original: Any, self: Any, frame: Any) -> None:
        try:
            original(self, frame)
        except TransferError as error:
            if "are awaited" not in error.message or not when(self._assembler.room()):
                raise
            self._hasher = ALGORITHMS[self._digest]()

    @instead(Receiver, "landing")
    def landing(original: Any, self: Any, frame: Any, left: int) -> Any:
        if frame.type is FrameType.DATA:
            self._fill()
            self.spilt = not self._assembler.room()
            if self.spilt:
                return memoryview(bytearray(left))
        return original(self, frame, left)

    @instead(Receiver, "landed")
    def landed(original: Any, self: Any, frame: Any, view: Any) -> None:
        original(self, frame, view)
        if frame.type is FrameType.DATA and self.spilt:
            self._landed = 0


@wire_mutant("OSP-BUF-002", "reject/OSP-BUF-002")
def data_without_reference_are_ignored() -> None:
    """DATA where no buffer is awaited are ignored."""
    spilling(lambda room: room == 0)


@wire_mutant("OSP-BUF-003", "reject/OSP-BUF-003")
def entries_may_overtake() -> None:
    """ENTRIES that come before a buffer is complete wait for it."""

    @instead(Receiver, "_on_content")
    def content(original: Any, self: Any, frame: Any) -> None:
        if frame.type is FrameType.ENTRIES and self._description.kind != "file":
            self._assembler.room = lambda: 0
        try:
            original(self, frame)
        finally:
            vars(self._assembler).pop("room", None)

    @instead(ContainerAssembler, "feed")
    def feed(original: Any, self: Any, skeleton: memoryview) -> None:
        if self.room():
            self.waiting = [*vars(self).get("waiting", ()), bytes(skeleton)]
        else:
            original(self, skeleton)

    @instead(ContainerAssembler, "filled")
    def filled(original: Any, self: Any, count: int) -> None:
        original(self, count)
        while vars(self).get("waiting") and not self.room():
            self.feed(memoryview(self.waiting.pop(0)))


@wire_mutant("OSP-BUF-004", "reject/OSP-BUF-004")
def too_much_data_are_cut() -> None:
    """What DATA have beyond the end of their buffer is ignored."""
    spilling(lambda room: room > 0)


@wire_mutant("OSP-BUF-005", "reject/OSP-BUF-005")
def shapes_give_way() -> None:
    """An array whose shape and length differ arrives with one dimension, as far as its bytes go."""

    @instead(Assembly, "_new_sink")
    def sink(original: Any, self: Any, name: str, begin: list[Any], size: int) -> Any:
        try:
            return original(self, name, begin, size)
        except TransferError as error:
            if "bytes are not" not in error.message:
                raise
            return original(self, name, [begin[0], [size // arrays.ITEM_SIZES[begin[0]]], *begin[2:]], size)


@wire_mutant("OSP-BUF-006", "reject/OSP-BUF-006")
def products_overflow() -> None:
    """The size of a shape is computed in 64 bits."""

    @instead(arrays, "byte_size")
    def size(original: Any, shape: Any, item_size: int) -> Any:
        try:
            return original(shape, item_size)
        except TransferError as error:
            if "more bytes" not in error.message:
                raise
            return math.prod(shape) * item_size % 2**64


@wire_mutant("OSP-BUF-007", "reject/OSP-BUF-007")
def the_end_ends_buffers() -> None:
    """END in the place of a buffer, or inside of one, is taken."""

    @instead(Decoder, "_check_complete")
    def check(original: Any, self: Any) -> None:
        if self._assembly.sink is None:
            original(self)


@wire_mutant("OSP-BUF-008", "reject/OSP-BUF-008")
def references_to_nothing() -> None:
    """A reference of length 0 stands for no bytes."""

    @instead(Assembly, "_buffered")
    def buffered(original: Any, self: Any, name: str, arguments: list[Any]) -> object:
        if arguments[-1] == 0 and type(arguments[-1]) is int:
            return bytearray() if name == "bytearray" else b""
        return original(self, name, arguments)


@wire_mutant("OSP-BUF-009", "big-endian: little-endian in C order")
def byte_order_is_ignored() -> None:
    """Big-endian arrays are sent as their memory lies."""

    @instead(arrays, "encode_array")
    def encode(original: Any, array: Any) -> Any:
        return original(array.view(array.dtype.newbyteorder("<")) if array.dtype.byteorder == ">" else array)


@wire_mutant("OSP-BUF-010", "reject/OSP-BUF-010")
def skeletons_of_files_are_ignored() -> None:
    """ENTRIES in a session of kind file are ignored."""

    @instead(Receiver, "_on_content")
    def content(original: Any, self: Any, frame: Any) -> None:
        if frame.type is FrameType.ENTRIES and self._description.kind == "file":
            self._assembler.room = lambda: 0
        try:
            original(self, frame)
        finally:
            vars(self._assembler).pop("room", None)

    @instead(FileAssembler, "feed")
    def feed(original: Any, self: Any, skeleton: memoryview) -> None:
        pass


@wire_mutant("OSP-BUF-011", "reject/OSP-BUF-011")
def references_are_believed() -> None:
    """The length in a reference is not held against the limit, up to a MiB."""

    @instead(Assembly, "account")
    def account(original: Any, self: Any, count: int) -> None:
        if count > 1 << 20:
            original(self, count)


@wire_mutant("OSP-BUF-012", "reject/OSP-BUF-012")
def booleans_may_be_anything() -> None:
    """The elements of BOOL are not looked at."""

    @instead(arrays, "check_elements")
    def check(original: Any, *arguments: Any) -> None:
        pass
