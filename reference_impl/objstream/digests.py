"""Digests of frame data, and the chain that binds all content of a session (spec chapter "Integrity")."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from .errors import Code, TransferError


class Hasher(Protocol):
    """Takes the bytes of one frame, view by view."""

    @property
    def digest_size(self) -> int: ...

    def update(self, data: memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


class NoDigest:
    """The algorithm `none`: for transports that protect the bytes themselves."""

    digest_size = 0

    def update(self, data: memoryview, /) -> None:
        pass

    def digest(self) -> bytes:
        return b""


NONE = "none"
ALGORITHMS: dict[str, Callable[[], Hasher]] = {"sha-256": hashlib.sha256, NONE: NoDigest}

try:
    from blake3 import blake3
except ImportError:
    pass
else:
    ALGORITHMS["blake3"] = blake3

try:
    from xxhash import xxh3_128
except ImportError:
    pass
else:
    ALGORITHMS["xxh3-128"] = xxh3_128

DEFAULT: tuple[str, ...] = tuple(name for name in ("blake3", "xxh3-128", "sha-256") if name in ALGORITHMS)
"""What a site offers and accepts unless told otherwise, the best first; `none` is never among it."""


def hash_of(algorithm: str, view: memoryview) -> bytes:
    """The digest of one view."""
    hasher = ALGORITHMS[algorithm]()
    hasher.update(view)
    return hasher.digest()


def choose(offered: Sequence[str], accepted: Sequence[str]) -> str:
    """The first digest of the receiver's list that the sender accepts.

    Raises:
        TransferError: DIGEST, when they have none in common.
    """
    for name in offered:
        if name in accepted and name in ALGORITHMS:
            return name
    raise TransferError(
        Code.DIGEST, f"no digest in common: offered {', '.join(offered)}; accepted {', '.join(accepted)}"
    )


class Chain:
    """A running SHA-256 over type, length and digest of every content frame, in order."""

    __slots__ = ("value",)

    def __init__(self, kind: str) -> None:
        self.value = hashlib.sha256(kind.encode()).digest()

    def add(self, frame_type: int, length: int, digest: bytes) -> None:
        self.value = hashlib.sha256(self.value + struct.pack(">BI", frame_type, length) + digest).digest()
