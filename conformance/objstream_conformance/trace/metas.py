"""What each frame must and may say by itself, whoever sent it: chapter 8 of the specification as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..frames import Type
from .record import Record

Found = Iterator[tuple[str, str]]
"""Requirements that are not kept, and what was seen."""

CONTENT = (Type.ENTRIES, Type.DATA)
_DIGEST_BYTES = {"sha-256": 32, "blake3": 32, "xxh3-128": 16}

_NUMBER: Callable[[Any], bool] = lambda value: type(value) is int and 0 <= value < 1 << 63  # noqa: E731
_TEXT: Callable[[Any], bool] = lambda value: type(value) is str  # noqa: E731
_BYTES: Callable[[Any], bool] = lambda value: type(value) is bytes  # noqa: E731
_LIST: Callable[[Any], bool] = lambda value: type(value) is list and bool(value)  # noqa: E731

REQUIRED: dict[int, dict[str, Callable[[Any], bool]]] = {
    Type.OFFER: {"name": _TEXT, "kind": _TEXT},
    Type.REQUEST: {
        "versions": _LIST,
        "digests": _LIST,
        "name": _TEXT,
        "kind": _TEXT,
        "max_bytes": _NUMBER,
        "credit": _NUMBER,
        "max_frame": _NUMBER,
    },
    Type.OPEN: {"versions": _NUMBER, "digests": _TEXT, "kind": _TEXT},
    Type.END: {"size": _NUMBER, "count": _NUMBER, "chain": _BYTES},
    Type.DONE: {"chain": _BYTES},
    Type.CREDIT: {"credit": _NUMBER},
    Type.RESET: {"code": _NUMBER, "message": _TEXT},
}
_POINT: Callable[[Any], bool] = lambda value: _LIST(value) and [*map(type, value)] == [int, int, bytes]  # noqa: E731
_ANNOUNCED = {"size": _NUMBER, "count": _NUMBER, "attributes": lambda value: type(value) is dict}
OPTIONAL: dict[int, dict[str, Callable[[Any], bool]]] = {
    Type.OFFER: _ANNOUNCED,
    Type.REQUEST: {"resume": _POINT},
    Type.OPEN: {**_ANNOUNCED, "resume": _POINT},
    Type.ENTRIES: {"digest": _BYTES},
    Type.DATA: {"digest": _BYTES},
}


def mislaid(record: Record) -> Found:
    """Data where there must be none, or none where there must be some."""
    if record.type in CONTENT and not record.data:
        yield "OSP-FRM-017", f"{record.name} without data"
    if record.type not in CONTENT and record.data:
        yield "OSP-FRM-016", f"{record.name} with {record.data} bytes of data"


def malformed(record: Record) -> Found:
    """What is wrong with the meta of a frame of a known type, whoever sent it."""
    if record.meta is None:
        yield "OSP-FRM-018", f"the meta of {record.name} is no map"
        return
    required = REQUIRED.get(record.type, {})
    for key in required:
        if key not in record.meta:
            yield "OSP-FRM-019", f"{record.name} without {key}"
    for key, fits in {**required, **OPTIONAL.get(record.type, {})}.items():
        if key in record.meta and not fits(record.meta[key]):
            yield "OSP-FRM-020", f"{key} of {record.name} is {record.meta[key]!r}"


def digested(record: Record, algorithm: str) -> bool:
    """Whether a content frame has a digest of the right length, or none where there are none."""
    digest = (record.meta or {}).get("digest")
    if algorithm == "none":
        return digest is None
    return type(digest) is bytes and len(digest) == _DIGEST_BYTES.get(algorithm, len(digest))
