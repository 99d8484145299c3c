"""What a site accepts from a peer: whatever is announced is held against these before it is believed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

KIB = 1 << 10
MIB = 1 << 20


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 1 << 40


@dataclass(frozen=True)
class Limits:
    """Limits of one site (spec chapter "Security considerations"); sizes in bytes.

    Attributes:
        max_bytes: content of one object; by default the physical memory (for files: the free space of the disk).
        max_frame: data of one frame that is accepted.
        max_meta: meta of one frame.
        max_inline: a byte string or text inside the skeleton; longer ones travel as buffers.
        max_items: CBOR items in one object.
        max_depth: nesting of containers.
        max_name: UTF-8 bytes of an object's name.
        max_skipped: ignorable frames of unknown type in one session.
        max_controls: CREDIT frames that move nothing, in one session.
        max_sessions: sessions that a site serves at a time.
    """

    max_bytes: int = field(default_factory=_physical_memory)
    max_frame: int = 16 * MIB
    max_meta: int = 4 * KIB
    max_inline: int = 64 * KIB
    max_items: int = 1 << 28
    max_depth: int = 128
    max_name: int = KIB
    max_skipped: int = 1024
    max_controls: int = 1024
    max_sessions: int = 256
