"""What an object was before it was announced: the digest of every piece, to hold against what is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice

from ..digests import ALGORITHMS, NONE, Hasher, hash_of
from ..values import Piece


class Survey:
    """The digests of an object's pieces, in order: some 32 bytes for each chunk.

    Args:
        algorithm: the digest; with `none` only skeletons are looked at, which costs little.

    Attributes:
        size: bytes of all pieces.
        largest: bytes of the largest.
    """

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.size = 0
        self.largest = 0
        self._digests = bytearray()
        self._count = 0
        self._at = 0
        self._seen = 0

    def read(self, pieces: Iterable[Piece]) -> Iterator[None]:
        """Take in the pieces, pausing after each."""
        for piece in pieces:
            self._digests += hash_of(self._identifier(piece), piece.view)
            self._count += 1
            self.size += len(piece.view)
            self.largest = max(self.largest, len(piece.view))
            yield

    def next(self, piece: Piece) -> bytes | None:
        """The digest of the piece at the next place, b"" where none was made, None when there was no such piece."""
        if self._seen == self._count:
            return None
        self._seen += 1
        width = self.hasher(piece).digest_size
        digest = bytes(self._digests[self._at : self._at + width])
        self._at += width
        return digest

    def validator(self) -> bytes | None:
        """What changes with any byte of the object; None where the digests do not cover all of it."""
        return None if self.algorithm == NONE else hashlib.sha256(self._digests).digest()

    @property
    def complete(self) -> bool:
        """Every piece has had its turn."""
        return self._seen == self._count

    def differs(self, pieces: Iterable[Piece]) -> bool:
        """Whether the object is another one now, as far as it has been compared; reads that part."""
        again = Survey(self.algorithm)
        for _ in again.read(islice(pieces, self._seen)):
            pass
        return not self._digests.startswith(again._digests)

    def hasher(self, piece: Piece) -> Hasher:
        """For the digest by which a piece is recognised."""
        return ALGORITHMS[self._identifier(piece)]()

    def _identifier(self, piece: Piece) -> str:
        return "sha-256" if self.algorithm == NONE and piece.kind == Piece.ENTRIES else self.algorithm
