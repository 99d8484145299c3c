"""Mutants that are wrong about the values of the language."""

from __future__ import annotations

import datetime
import pathlib
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from objstream import ContainerAssembler, ContainerStreamer, Registry, cbor
from objstream.values import extensions
from objstream.values.buffers import ByteArraySink, TextSink
from objstream.values.encode import _Encoder, _Open
from objstream.values.frames import AppFrame, MapFrame, SetFrame, TupleFrame
from objstream.values.hashables import KEYS

from .kit import assign, instead, mutant


def arriving(change: Callable[[Any], object]) -> None:
    """Change the entries of lists when they arrive."""

    @instead(ContainerAssembler, "entry")
    def entry(original: Any, self: Any, value: object) -> None:
        original(self, change(value) if self._kind == "list" else value)


def encoding(cls: type, change: Callable[[Any], object]) -> None:
    """Change scalars of that type when they are sent."""
    known = extensions.BY_CLASS[cls]
    assign(extensions.BY_CLASS, cls, known._replace(encode=lambda value: known.encode(change(value))))


def decoding(name: str, decode: Callable[[list[Any]], object]) -> None:
    """Decode scalars of that name in another way."""
    assign(extensions.BY_NAME, name, extensions.BY_NAME[name]._replace(decode=decode))


@mutant("OSP-VAL-001", "a bool was sent, a int arrived")
def true_is_one() -> None:
    """True arrives as 1."""
    arriving(lambda value: 1 if value is True else value)


@mutant("OSP-VAL-002", r"\d+ was sent, \d+ arrived")
def integers_are_doubles() -> None:
    """Integers of 54 to 64 bits are rounded to what a float can hold."""

    @instead(_Encoder, "_integer")
    def integer(original: Any, self: Any, value: int) -> Any:
        return original(self, int(float(value)) if 54 <= value.bit_length() <= 64 else value)


@mutant("OSP-VAL-003", "nan was sent, nan arrived")
def nans_are_one() -> None:
    """Every NaN arrives as the same NaN."""
    arriving(lambda value: float("nan") if type(value) is float and value != value else value)


@mutant("OSP-VAL-004", "was sent, .*j.* arrived")
def complex_is_computed() -> None:
    """Complex numbers are put together by arithmetic."""
    decoding("complex", lambda parts: parts[0] + parts[1] * 1j)


@mutant("OSP-VAL-005", "was sent, 'é' arrived")
def text_is_normalised() -> None:
    """Text arrives in normal form C."""
    arriving(lambda value: unicodedata.normalize("NFC", value) if type(value) is str else value)


@mutant("OSP-VAL-006", "a UTF-8 form to be refused.*it ended well")
def surrogates_are_replaced() -> None:
    """Lone surrogates are replaced by question marks."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        for label, value in original(self):
            yield label, value.encode("utf-8", "replace").decode() if type(value) is str else value


@mutant("OSP-VAL-007", "was sent, .*arrived")
def long_texts_are_cut() -> None:
    """Characters that are cut by the edge of a window are damaged."""

    @instead(TextSink, "_collect")
    def collect(original: Any, self: Any, part: memoryview) -> None:
        self._text += bytes(part).decode("utf-8", "replace")


@mutant("OSP-VAL-008", "a bytes was sent, a str arrived")
def ascii_bytes_are_text() -> None:
    """Bytes that are ASCII letters arrive as text."""
    arriving(lambda value: value.decode() if type(value) is bytes and value.isalpha() else value)


@mutant("OSP-VAL-009", "a bytearray was sent, a bytes arrived")
def bytearrays_are_bytes() -> None:
    """A bytearray arrives as bytes."""

    @instead(ByteArraySink, "value")
    def value(original: Any, self: Any) -> bytes:
        return bytes(original(self))


@mutant("OSP-VAL-010", "a tuple was sent, a list arrived")
def empty_tuples_are_lists() -> None:
    """An empty tuple inside an entry arrives as an empty list."""

    @instead(TupleFrame, "close")
    def close(original: Any, self: Any) -> object:
        return original(self) or ([] if self.allowed is None else ())


@mutant("OSP-VAL-011", "key [12] was sent|: [12] was sent")
def inner_dicts_are_sorted() -> None:
    """Dicts inside entries are sorted when all keys are integers."""

    @instead(MapFrame, "close")
    def close(original: Any, self: Any) -> Any:
        value = original(self)
        return dict(sorted(value.items())) if all(type(key) is int for key in value) else value


@mutant("OSP-VAL-012", "a float was sent, a int arrived")
def zero_keys_are_integers() -> None:
    """The key -0.0 of a dict inside an entry arrives as 0."""

    @instead(MapFrame, "_add")
    def add(original: Any, self: Any, item: Any) -> None:
        original(self, 0 if self.allowed is KEYS and type(item) is float and item == 0 else item)


@mutant("OSP-VAL-013", "occurs twice|sent before")
def bytes_keys_are_text() -> None:
    """Bytes as keys of a dict inside an entry arrive as text."""

    @instead(MapFrame, "_add")
    def add(original: Any, self: Any, item: Any) -> None:
        original(self, item.decode() if self.allowed is KEYS and type(item) is bytes else item)


@mutant("OSP-VAL-014", "frozenset cannot be")
def frozensets_are_no_keys() -> None:
    """A frozenset that holds a tuple is refused as a key."""

    @instead(_Encoder, "_walk")
    def walk(original: Any, self: Any, value: Any, allowed: Any) -> Any:
        return original(self, value, KEYS - {frozenset} if allowed is KEYS else allowed)


@mutant("OSP-VAL-015", "as a key.*it ended well")
def uuids_are_made_keys() -> None:
    """A UUID as a key is sent as text."""

    @instead(ContainerStreamer, "entries")
    def entries(original: Any, self: Any) -> Iterator[Any]:
        for label, value in original(self):
            yield label, str(value) if type(label) is str and type(value) is uuid.UUID else value


@mutant("OSP-VAL-016", "a set was sent, a frozenset arrived")
def inner_empty_sets_are_frozen() -> None:
    """An empty set inside an entry arrives as a frozenset."""

    @instead(SetFrame, "close")
    def close(original: Any, self: Any) -> object:
        return original(self) or frozenset()


@mutant("OSP-VAL-017", "was sent, datetime.*arrived")
def fold_is_lost() -> None:
    """The fold of a time is lost."""
    encoding(datetime.time, lambda value: value.replace(fold=0))


@mutant("OSP-VAL-018", "was sent, datetime.*arrived")
def zone_names_are_lost() -> None:
    """The name of a time zone is lost."""

    @instead(extensions, "_decode_zone")
    def zone(original: Any, found: Any) -> Any:
        return original(found[0] if type(found) is list else found)


@mutant("OSP-VAL-019", "the zone .* to be refused.*it ended well")
def zones_are_flattened() -> None:
    """Any time zone is sent as its offset."""

    @instead(extensions, "_encode_zone")
    def zone(original: Any, found: Any) -> bytes:
        if found is not None and type(found) is not datetime.timezone:
            found = datetime.timezone(found.utcoffset(None) or datetime.timedelta())
        return original(found)  # type: ignore[no-any-return]


@mutant("OSP-VAL-020", "datetime.timedelta.* was sent, datetime.timedelta.* arrived")
def differences_are_in_milliseconds() -> None:
    """Time differences with more than 500 microseconds are cut to milliseconds."""

    def cut(value: datetime.timedelta) -> datetime.timedelta:
        lost = value.microseconds % 1000
        return value - datetime.timedelta(microseconds=lost if lost > 500 else 0)

    encoding(datetime.timedelta, cut)


@mutant("OSP-VAL-021", "Decimal.* was sent, Decimal.* arrived")
def zeros_are_plain() -> None:
    """A decimal zero loses sign and exponent."""
    encoding(Decimal, lambda value: value if value.is_nan() or value else Decimal(0))


@mutant("OSP-VAL-022", "a uuid.UUID was sent, a NoneType arrived")
def nil_uuid_is_none() -> None:
    """The nil UUID arrives as None."""
    decoding("uuid", lambda parts: uuid.UUID(bytes=parts[0]) if any(parts[0]) else None)


@mutant("OSP-VAL-036", r"subclass \((int|IntEnum)\) to be refused.*it ended well")
def integer_subclasses_are_coerced() -> None:
    """An instance of a subclass of int is sent as an int."""

    @instead(_Encoder, "_foreign")
    def foreign(original: Any, self: Any, cls: type, value: Any) -> Any:
        if not issubclass(cls, int):
            return original(self, cls, value)
        self._out += cbor.integer(int(value))
        return None


@mutant("OSP-VAL-037", "a PurePosixPath to be refused.*it ended well")
def paths_are_text() -> None:
    """A path is sent as text."""

    @instead(_Encoder, "_foreign")
    def foreign(original: Any, self: Any, cls: type, value: Any) -> Any:
        if not isinstance(value, pathlib.PurePath):
            return original(self, cls, value)
        self._out += cbor.text(str(value))
        return None


@mutant("OSP-VAL-038", "contains itself to be refused.*it ended well")
def cycles_are_cut() -> None:
    """A container inside itself is sent as None."""

    @instead(_Encoder, "_open")
    def open_(original: Any, self: Any, cls: type, value: Any, allowed: Any) -> Any:
        if id(value) not in self._open_ids:
            return original(self, cls, value, allowed)
        self._out.append(cbor.NULL)
        return self._push(_Open(None, iter(()), 0, None))


@mutant("OSP-VAL-039", "two places of the delivered object are one object")
def equal_lists_are_one() -> None:
    """Equal lists among the values of a dict arrive as one list."""

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> Any:
        value = original(self)
        if type(value) is dict:
            seen: dict[str, object] = {}
            for key, item in value.items():
                if type(item) is list:
                    value[key] = seen.setdefault(repr(item), item)
        return value


@mutant("OSP-VAL-041", "a dict was sent, a int arrived")
def dicts_are_obeyed() -> None:
    """A dict that names a type is made a value of that type."""

    @instead(MapFrame, "close")
    def close(original: Any, self: Any) -> Any:
        value = original(self)
        return 0 if value.get("__type__") == "int" else value


@mutant("OSP-VAL-042", "a Point.*a list")
def registrations_are_ignored() -> None:
    """A value of an application type arrives as what its encoder made of it."""

    @instead(AppFrame, "close")
    def close(original: Any, self: Any) -> object:
        return self._value


@mutant("OSP-VAL-043", "the transfer to fail.*it ended well")
def any_registered_version_will_do() -> None:
    """The version of an application type is not looked at."""

    @instead(Registry, "for_name")
    def for_name(original: Any, self: Any, name: str) -> Any:
        same = [app for known, app in self._by_name.items() if known.split("@")[0] == name.split("@")[0]]
        return same[0] if same else None


@mutant("OSP-ENC-014", "levels to be refused.*it ended well")
def depths_are_cut() -> None:
    """What lies deeper than the limit is sent as None."""

    @instead(_Encoder, "_open")
    def open_(original: Any, self: Any, cls: type, value: Any, allowed: Any) -> Any:
        if len(self._stack) < self._limits.max_depth:
            return original(self, cls, value, allowed)
        self._out.append(cbor.NULL)
        self._stack.append(_Open(None, iter(()), 0, None))
        return self._stack[-1]


@mutant("OSP-ENC-022", "to be refused.*it ended well")
def large_integers_are_cut() -> None:
    """An integer that is too large is sent as its lower half."""

    @instead(_Encoder, "_integer")
    def integer(original: Any, self: Any, value: int) -> Any:
        bits = 8 * self._limits.max_inline
        return original(self, value & (1 << bits) - 1 if value.bit_length() > bits else value)
