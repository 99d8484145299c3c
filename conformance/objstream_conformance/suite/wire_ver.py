"""Versions (chapter 17)."""

from __future__ import annotations

from ..case import Case
from ..cases import requirement
from ..frames import Type
from ..peer import WIRE, gives, play, roles


@requirement("OSP-VER-001", needs=WIRE)
def highest_common(t: Case) -> None:
    """Version 1 is offered alone, first, last and among versions of the future: OPEN has 1."""
    for role in roles(t, "owner", "sender"):
        for versions in ([1], [1, 2**40], [2**40, 1], [0, 1], [2**63 - 1, 1, 2**40], [1, 1]):
            peer = gives(t, role, [1], versions=versions)
            peer.delivered(what=f"a REQUEST with the versions {versions} to be answered")
            chosen = peer.first(Type.OPEN).get("versions")
            t.expect(chosen == 1, f"version 1 of {versions}", f"{chosen!r}")


@requirement("OSP-VER-002", needs=WIRE)
def none_in_common(t: Case) -> None:
    """Only versions of the future are offered: VERSION."""
    play(t, "OSP-VER-002")


@requirement("OSP-VER-003", needs=WIRE)
def unknown_keys(t: Case) -> None:
    """Each type of frame with keys that are not in the table or have no mark for it: the session succeeds."""
    play(t, "OSP-VER-003")


@requirement("OSP-VER-004", needs=WIRE)
def not_offered(t: Case) -> None:
    """OPEN with version 2, and with 0: PROTOCOL."""
    play(t, "OSP-VER-004")
