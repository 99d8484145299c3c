"""Scalars without a CBOR form of their own: their arguments in an extension value, and what those must be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NamedTuple
from uuid import UUID

from .. import cbor
from ..errors import Code, TransferError
from ..limits import KIB

Arguments = list[Any]

MAX_DECIMAL = 64 * KIB
MAX_EXPONENT = 999_999_999_999_999_999
MAX_ZONE_NAME = 255

_MICROSECOND = timedelta(microseconds=1)
_DECIMALS = Context(traps=[InvalidOperation], capitals=1)


class Extension(NamedTuple):
    """How one type of scalar travels; `decode` raises ValueError or OverflowError for arguments of none."""

    name: str
    cls: type
    arity: int
    encode: Callable[[Any], tuple[bytes, ...]]
    decode: Callable[[Arguments], object]


def _integers(arguments: Arguments) -> Arguments:
    if not all(type(argument) is int for argument in arguments):
        raise ValueError("an argument is not an integer")
    return arguments


def _encode_integers(*values: int) -> tuple[bytes, ...]:
    return tuple(map(cbor.integer, values))


def _decode_complex(arguments: Arguments) -> complex:
    real, imaginary = arguments
    if not type(real) is type(imaginary) is float:
        raise ValueError("an argument is not a float")
    return complex(real, imaginary)


def _encode_zone(zone: object) -> bytes:
    if zone is None:
        return bytes((cbor.NULL,))
    if type(zone) is not timezone:
        message = f"the time zone is a {type(zone).__qualname__}, only datetime.timezone is carried"
        raise TransferError(Code.UNSUPPORTED, message)
    offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
    microseconds = cbor.integer(offset // _MICROSECOND)
    if not name:
        return microseconds
    if type(name[0]) is not str:
        message = f"the name of a time zone is a {type(name[0]).__qualname__}"
        raise TransferError(Code.UNSUPPORTED, message)
    if len(name[0]) > MAX_ZONE_NAME:
        message = f"the name of a time zone has more than {MAX_ZONE_NAME} characters"
        raise TransferError(Code.TOO_LARGE, message)
    return cbor.head(cbor.ARRAY, 2) + microseconds + cbor.text(name[0])


def _decode_zone(zone: object) -> timezone | None:
    if zone is None:
        return None
    if type(zone) is int:
        return timezone(timedelta(microseconds=zone))
    if type(zone) is list and len(zone) == 2:
        offset, name = zone
        if type(offset) is int and type(name) is str and len(name) <= MAX_ZONE_NAME:
            return timezone(timedelta(microseconds=offset), name)
    raise ValueError("the time zone is malformed")


def _encode_datetime(value: datetime) -> tuple[bytes, ...]:
    return (
        *_encode_integers(value.year, value.month, value.day, value.hour, value.minute, value.second),
        *_encode_integers(value.microsecond, value.fold),
        _encode_zone(value.tzinfo),
    )


def _decode_datetime(arguments: Arguments) -> datetime:
    *integers, zone = arguments
    year, month, day, hour, minute, second, microsecond, fold = _integers(integers)
    return datetime(year, month, day, hour, minute, second, microsecond, _decode_zone(zone), fold=fold)


def _encode_time(value: time) -> tuple[bytes, ...]:
    return (
        *_encode_integers(value.hour, value.minute, value.second, value.microsecond, value.fold),
        _encode_zone(value.tzinfo),
    )


def _decode_time(arguments: Arguments) -> time:
    *integers, zone = arguments
    hour, minute, second, microsecond, fold = _integers(integers)
    return time(hour, minute, second, microsecond, _decode_zone(zone), fold=fold)


def _decode_timedelta(arguments: Arguments) -> timedelta:
    days, seconds, microseconds = _integers(arguments)
    if not (0 <= seconds < 86400 and 0 <= microseconds < 1_000_000):
        raise ValueError("it is not normalized")
    return timedelta(days, seconds, microseconds)


def _is_too_far(value: Decimal) -> bool:
    """Whether its adjusted exponent is beyond the range that is carried."""
    return value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT


def _encode_decimal(value: Decimal) -> tuple[bytes, ...]:
    if _is_too_far(value):
        message = f"a decimal number whose adjusted exponent is beyond {MAX_EXPONENT} either way"
        raise TransferError(Code.TOO_LARGE, message)
    text = _DECIMALS.to_sci_string(value)
    if len(text) > MAX_DECIMAL:
        raise TransferError(Code.TOO_LARGE, f"a decimal number of more than {MAX_DECIMAL} characters")
    return (cbor.text(text),)


def _decode_decimal(arguments: Arguments) -> Decimal:
    (text,) = arguments
    if type(text) is not str:
        raise ValueError("the argument is not a text")
    try:
        value = Decimal(text, _DECIMALS)
    except InvalidOperation:
        raise ValueError("the text is not a decimal number") from None
    if _is_too_far(value):
        raise ValueError("the exponent is out of range")
    if _DECIMALS.to_sci_string(value) != text:
        raise ValueError("the text is not in canonical form")
    return value


def _decode_uuid(arguments: Arguments) -> UUID:
    (data,) = arguments
    if type(data) is not bytes:
        raise ValueError("the argument is not a byte string")
    return UUID(bytes=data)


_ALL = (
    Extension(
        "complex",
        complex,
        2,
        lambda value: (
            cbor.pack_float(cbor.FLOAT, value.real),
            cbor.pack_float(cbor.FLOAT, value.imag),
        ),
        _decode_complex,
    ),
    Extension("datetime", datetime, 9, _encode_datetime, _decode_datetime),
    Extension(
        "date",
        date,
        3,
        lambda value: _encode_integers(value.year, value.month, value.day),
        lambda arguments: date(*_integers(arguments)),
    ),
    Extension("time", time, 6, _encode_time, _decode_time),
    Extension(
        "timedelta",
        timedelta,
        3,
        lambda value: _encode_integers(value.days, value.seconds, value.microseconds),
        _decode_timedelta,
    ),
    Extension("decimal", Decimal, 1, _encode_decimal, _decode_decimal),
    Extension(
        "uuid",
        UUID,
        1,
        lambda value: (cbor.head(cbor.BYTES, 16) + value.bytes,),
        _decode_uuid,
    ),
)

BY_CLASS = {extension.cls: extension for extension in _ALL}
BY_NAME = {extension.name: extension for extension in _ALL}


def encode(extension: Extension, value: object) -> bytes:
    return cbor.extension(extension.name, extension.arity) + b"".join(extension.encode(value))
