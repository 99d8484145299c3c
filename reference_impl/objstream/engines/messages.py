"""What engines that carry whole messages have in common (spec section "Message engines")."""

from __future__ import annotations

import hashlib

from ..frames import FrameType

SESSION_ID_BYTES = 16
REMEMBERED = 1024
"""Ended sessions whose ids a site remembers."""
BEGINNINGS = {(FrameType.OFFER, 0), (FrameType.REQUEST, 0)}
"""Type and sequence number of the frames that begin a session."""

Key = tuple[str, bytes]
"""A session: the peer as the engine knows it, and the id."""


class Recent:
    """Which sessions have ended lately, in memory of fixed size."""

    _WIDTH = 8

    def __init__(self, length: int = REMEMBERED) -> None:
        self._table = bytearray(length * self._WIDTH)
        self._next = 0

    def add(self, key: Key) -> None:
        self._table[self._next : self._next + self._WIDTH] = self._mark(key)
        self._next = (self._next + self._WIDTH) % len(self._table)

    def __contains__(self, key: Key) -> bool:
        mark = self._mark(key)
        at = self._table.find(mark)
        while at >= 0 and at % self._WIDTH:
            at = self._table.find(mark, at + 1)
        return at >= 0

    def _mark(self, key: Key) -> bytes:
        peer, session_id = key
        return hashlib.blake2b(session_id + peer.encode(), digest_size=self._WIDTH).digest()
