"""Keys of a dict and elements of a set: which values may be one, and the defence against colliding hashes."""

from __future__ import annotations

import struct

import numpy as np

from ..errors import Code, TransferError
from . import arrays, extensions, paths

KEYS: frozenset[type] = frozenset({type(None), bool, int, float, str, bytes, tuple, frozenset})
ELEMENTS: frozenset[type] = KEYS | set(extensions.BY_CLASS) | set(arrays.SCALARS) | {np.generic}
MODEL: frozenset[type] = ELEMENTS | {list, dict, set, bytearray, np.ndarray}

COUNTERS = 4096
FREE = 64
SKEW = 16

_pack = struct.Struct("q").pack


def check(cls: type, allowed: frozenset[type] | None, code: Code) -> None:
    """Refuse with `code` a value of a type that its place does not allow; None allows all."""
    if allowed is not None and cls not in allowed:
        place = "a key of a dict" if allowed is KEYS else "an element of a set"
        raise TransferError(code, f"{paths.class_name(cls)} cannot be {place}")


class CollisionGuard:
    """Counts equal hashes among the keys of one dict or the elements of one set, in memory of fixed size.

    Python's hashes of numbers, and of tuples and frozensets of them, are known to a hostile peer, who can make
    any number of keys with one hash: each new one is then compared with all before. Counters, chosen by a keyed
    hash of the hash, grow evenly for honest keys, whatever their structure; one that runs ahead shows equal
    hashes. (Distinct hashes that are chosen to meet again and again in the table of a dict go unnoticed.)
    """

    __slots__ = ("_counters", "_seen")

    def __init__(self) -> None:
        self._counters: list[int] | None = None
        self._seen = 0

    def admit(self, value: object) -> None:
        """Call before the value is inserted.

        Raises:
            TransferError: PROTOCOL, when the value has no hash; TOO_LARGE, when too many hashes coincide.
        """
        cls = type(value)
        if cls is str or cls is bytes:  # their hashes are keyed
            return
        try:
            number = hash(value)
        except TypeError:
            raise TransferError(
                Code.PROTOCOL, f"a {cls.__qualname__} without a hash is a key or element"
            ) from None
        self._seen += 1
        if self._seen <= FREE:
            return
        if self._counters is None:
            self._counters = [0] * COUNTERS
        slot = hash(_pack(number)) % COUNTERS
        self._counters[slot] += 1
        if self._counters[slot] > FREE + SKEW * self._seen // COUNTERS:
            raise TransferError(Code.TOO_LARGE, "too many keys or elements with colliding hashes")
