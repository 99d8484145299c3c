"""Mutants that are wrong about the encoding."""

from __future__ import annotations

import codecs
import importlib
import struct
from dataclasses import replace
from datetime import timedelta
from typing import Any

from objstream import Code, ContainerAssembler, TransferError, cbor
from objstream.values import extensions
from objstream.values.assembly import Assembly
from objstream.values.buffers import TextSink
from objstream.values.decode import _OPENED, _SIMPLE, Decoder
from objstream.values.encode import _Encoder
from objstream.values.frames import ArgumentsFrame, ListFrame, MapFrame, RootFrame, SetFrame
from objstream.values.hashables import KEYS

from .kit import assign, instead, wire_mutant

ASSEMBLY = importlib.import_module("objstream.values.assembly")


@wire_mutant("OSP-ENC-001", "reject/OSP-ENC-001")
def indefinite_lists() -> None:
    """A list of indefinite length is taken."""

    @instead(Decoder, "_token")
    def token(original: Any, self: Any, data: bytes, at: int, initial: int, frame: Any) -> Any:
        if initial == 0x9F:
            self._assembly.open(list, 0, ListFrame(-1))
        elif initial == 0xFF and type(frame) is ListFrame and frame.left < 0:
            frame.left = 0
        else:
            return original(self, data, at, initial, frame)
        return _OPENED, at + 1


@wire_mutant("OSP-ENC-002", "reject/OSP-ENC-002")
def long_heads_are_read() -> None:
    """Heads in the skeleton may be longer than needed."""
    inside: list[object] = []

    @instead(Decoder, "_run")
    def run(original: Any, self: Any, *arguments: Any) -> Any:
        inside.append(self)
        try:
            return original(self, *arguments)
        finally:
            inside.pop()

    @instead(cbor, "read_head")
    def read(original: Any, data: bytes, at: int) -> Any:
        try:
            return original(data, at)
        except TransferError as error:
            if not inside or "longer than needed" not in error.message:
                raise
            end = at + 1 + (1 << (data[at] & 0x1F) - 24)
            return data[at] >> 5, int.from_bytes(data[at + 1 : end], "big"), end


@wire_mutant("OSP-ENC-003", "in the one form of chapter 9")
def long_heads_are_written() -> None:
    """Integers from 1024 to 2^32 are written with 8 bytes."""

    @instead(_Encoder, "_integer")
    def integer(original: Any, self: Any, value: int) -> Any:
        return struct.pack(">BQ", 0x1B, value) if 1024 <= value < 1 << 32 else original(self, value)


@wire_mutant("OSP-ENC-004", "reject/OSP-ENC-004")
def other_tags_are_ignored() -> None:
    """Tags that are not in the list are ignored."""

    @instead(Decoder, "_tagged")
    def tagged(original: Any, self: Any, data: bytes, tag: int, at: int) -> Any:
        if tag in (2, 3, 27, 258):
            return original(self, data, tag, at)
        if at == len(data):
            raise cbor.TruncatedError(at + 1)
        return self._token(data, at, data[at], self._assembly.stack[-1])


@wire_mutant("OSP-ENC-005", "reject/OSP-ENC-005.*the outcome UNSUPPORTED")
def empty_extensions_are_faults() -> None:
    """An extension without a name is refused as a fault of the peer's."""

    @instead(Assembly, "open_arguments")
    def open_(original: Any, self: Any, name: str, count: int) -> None:
        if not name:
            raise TransferError(Code.PROTOCOL, "an extension without a name")
        original(self, name, count)


@wire_mutant("OSP-ENC-006", "reject/OSP-ENC-006")
def short_floats_are_read() -> None:
    """Floats of 32 bits in the skeleton are taken."""

    @instead(Decoder, "_token")
    def token(original: Any, self: Any, data: bytes, at: int, initial: int, frame: Any) -> Any:
        if initial != 0xFA:
            return original(self, data, at, initial, frame)
        if at + 5 > len(data):
            raise cbor.TruncatedError(at + 5)
        return struct.unpack_from(">f", data, at + 1)[0], at + 5


@wire_mutant("OSP-ENC-007", "reject/OSP-ENC-007")
def bad_text_is_replaced() -> None:
    """What is not UTF-8 in a long text is replaced."""

    @instead(TextSink, "__init__")
    def init(original: Any, self: Any, size: int) -> None:
        original(self, size)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")


@wire_mutant("OSP-ENC-008", "reject/OSP-ENC-008")
def last_of_equal_keys_counts() -> None:
    """Of equal keys in a dict inside an entry the last one counts."""

    @instead(MapFrame, "_add")
    def add(original: Any, self: Any, item: Any) -> None:
        if self.allowed is KEYS and type(item) in (str, bool, int, float):
            self.value.pop(item, None)
        original(self, item)


@wire_mutant("OSP-ENC-009", "reject/OSP-ENC-009|the first key again")
def last_of_equal_entries_counts() -> None:
    """Of equal keys of a dict the last one counts."""

    @instead(ContainerAssembler, "_collect")
    def collect(original: Any, self: Any, value: Any) -> None:
        if self._kind == "dict":
            self._items.pop(value[0], None)
        original(self, value)


@wire_mutant("OSP-ENC-010", "reject/OSP-ENC-010")
def equal_elements_are_one() -> None:
    """Equal elements of a set inside an entry are one."""

    @instead(SetFrame, "_add")
    def add(original: Any, self: Any, item: Any) -> None:
        if type(item) not in (int, bool, str) or item not in self.value:
            original(self, item)


@wire_mutant("OSP-ENC-011", "reject/OSP-ENC-011")
def undefined_is_none() -> None:
    """The value undefined is read as None."""
    assign(_SIMPLE, 0xF7, None)


@wire_mutant("OSP-ENC-012", "reject/OSP-ENC-012")
def bignums_in_any_form() -> None:
    """Bignums may be longer than needed."""

    @instead(Decoder, "_tagged")
    def tagged(original: Any, self: Any, data: bytes, tag: int, at: int) -> Any:
        if tag not in (2, 3):
            return original(self, data, tag, at)
        digits, at = cbor.read_string(data, at, cbor.BYTES, self._max_inline)
        number = int.from_bytes(digits, "big")
        return (number if tag == 2 else -1 - number), at


@wire_mutant("OSP-ENC-013", "reject/OSP-ENC-013")
def deeper_than_allowed() -> None:
    """Values may be nested up to 200 levels."""

    @instead(Assembly, "__init__")
    def init(original: Any, self: Any, root: Any, limits: Any, *rest: Any) -> None:
        original(self, root, replace(limits, max_depth=200), *rest)


@wire_mutant("OSP-ENC-015", "reject/OSP-ENC-015|the items inside of entries to count")
def only_entries_are_counted() -> None:
    """Items inside of entries are not counted."""

    @instead(RootFrame, "count")
    def count(original: Any, self: Any, items: int) -> None:
        original(self, min(items, 1))


@wire_mutant("OSP-ENC-016", "reject/OSP-ENC-016")
def longer_strings_inline() -> None:
    """Bytes and text may be twice as long inline as allowed."""

    @instead(Decoder, "_token")
    def token(original: Any, self: Any, data: bytes, at: int, initial: int, frame: Any) -> Any:
        limit, string = self._max_inline, initial >> 5 in (cbor.BYTES, cbor.TEXT)
        self._max_inline = 2 * limit if string else limit
        try:
            return original(self, data, at, initial, frame)
        finally:
            self._max_inline = limit


@wire_mutant("OSP-ENC-017", "accept/.*, cut into frames of at most|accept/OSP-ENC-017")
def frames_of_one_byte_are_whole() -> None:
    """A frame of one byte must not end inside an item."""

    @instead(ContainerAssembler, "feed")
    def feed(original: Any, self: Any, skeleton: memoryview) -> None:
        original(self, skeleton)
        if len(skeleton) == 1 and self._decoder._tail:
            raise TransferError(Code.PROTOCOL, "a frame ends inside an item")


@wire_mutant("OSP-ENC-018", "reject/OSP-ENC-018-a-date-of-four-parts")
def more_arguments_are_ignored() -> None:
    """Arguments of a date, a time or a number that are too many are ignored."""

    @instead(Assembly, "open_arguments")
    def open_(original: Any, self: Any, name: str, count: int) -> None:
        known = extensions.BY_NAME.get(name)
        arity = known.arity if known else count
        original(self, name, min(count, arity))
        if count > arity:
            finish = self.stack.pop()._finish
            self.stack.append(ArgumentsFrame(name, count, lambda name, found: finish(name, found[:arity])))


@wire_mutant("OSP-ENC-019", "reject/OSP-ENC-019-(86400|negative)-seconds")
def differences_are_normalised() -> None:
    """Time differences with any number of seconds are taken."""
    known = extensions.BY_NAME["timedelta"]

    def decode(arguments: list[Any]) -> object:
        try:
            return known.decode(arguments)
        except ValueError:
            days, seconds, microseconds = extensions._integers(arguments)
            return timedelta(days, seconds, microseconds)

    assign(extensions.BY_NAME, "timedelta", known._replace(decode=decode))


@wire_mutant("OSP-ENC-020", "reject/OSP-ENC-020-a-list-as-a-key")
def lists_become_keys() -> None:
    """A list as a key of a dict inside an entry is made a tuple."""

    @instead(ASSEMBLY, "check")
    def check(original: Any, cls: type, allowed: Any, code: Code) -> None:
        if cls is not list or allowed is not KEYS:
            original(cls, allowed, code)

    @instead(MapFrame, "_add")
    def add(original: Any, self: Any, item: Any) -> None:
        original(self, tuple(item) if self.allowed is KEYS and type(item) is list else item)


@wire_mutant("OSP-ENC-021", "reject/OSP-ENC-021")
def last_key_is_dropped() -> None:
    """A key without a value at the end of a dict is dropped."""

    @instead(Decoder, "_check_complete")
    def check(original: Any, self: Any) -> None:
        if self._root.awaits_value:
            self._root.allowed = KEYS
        original(self)
