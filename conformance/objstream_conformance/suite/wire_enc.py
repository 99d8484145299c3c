"""Encoding: the one form of values, as it is written and as it is read (chapter 9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import notation, schema, vectors
from ..case import Case
from ..cases import requirement
from ..cbor import cbor, read
from ..frames import Step, Type, items, split, step
from ..outcomes import Violation
from ..peer import WIRE, Peer, gives, play, playable, roles, takes
from ..vectors import Vector

INLINE = 65536


@requirement("OSP-ENC-001", needs=WIRE)
def indefinite_lengths(t: Case) -> None:
    """Lists, dicts, text, bytes, tuples and sets of indefinite length, and a break alone: PROTOCOL."""
    play(t, "OSP-ENC-001")


@requirement("OSP-ENC-002", needs=WIRE)
def long_heads(t: Case) -> None:
    """Heads of every major type that are longer than needed, and reserved ones: PROTOCOL."""
    play(t, "OSP-ENC-002")


def _delivering(t: Case) -> Iterator[tuple[Vector, Any]]:
    """Good vectors that deliver a container of the model, and that container."""
    for vector in vectors.load().values():
        value = vector.expected.get("delivered")
        usual = vector.role == "requester" and not {"types", "kind", "digests"} & vector.options.keys()
        if vector.good and usual and value is not None and all(map(t.has, vector.needs)):
            yield vector, notation.build(value)


@requirement("OSP-ENC-003", needs=WIRE)
def written_in_one_form(t: Case) -> None:
    """Each container of the good vectors is sent: its skeleton is in the one form, in the schema, and means it."""
    for role in roles(t, "owner", "sender"):
        for vector, value in _delivering(t):
            peer = gives(t, role, value)
            what = f"the container of {vector.path} in the one form of chapter 9"
            try:
                found = items(peer.content)
            except ValueError as error:
                raise Violation(what, str(error)) from error
            for item in found:
                t.expect(schema.fits("entry", read(cbor(item))[0]), f"{what}, within osp.cddl", f"{item!r}")
            kind = peer.first(Type.OPEN).get("kind")
            told = notation.build(notation.render(notation.container(kind, found)))
            t.same(value, told, "read what was sent by the table of section 4.1")


@requirement("OSP-ENC-004", needs=WIRE)
def other_tags(t: Case) -> None:
    """Tags for dates, shared values, embedded CBOR, and the known ones on other items: PROTOCOL."""
    play(t, "OSP-ENC-004")


@requirement("OSP-ENC-005", needs=WIRE)
def unknown_extensions(t: Case) -> None:
    """Extensions named like functions and classes, and an application type nobody registered: UNSUPPORTED."""
    play(t, "OSP-ENC-005")


@requirement("OSP-ENC-006", needs=WIRE)
def short_floats(t: Case) -> None:
    """Floats of 16 and 32 bits in the skeleton: PROTOCOL."""
    play(t, "OSP-ENC-006")


@requirement("OSP-ENC-007", needs=WIRE)
def valid_text(t: Case) -> None:
    """Lone bytes, overlong forms, surrogates and characters cut short, inline and in a buffer: PROTOCOL."""
    play(t, "OSP-ENC-007")


@requirement("OSP-ENC-008", needs=WIRE)
def duplicate_keys(t: Case) -> None:
    """Maps with a text twice, with true and 1, with 1 and 1.0, with two zeros: PROTOCOL."""
    play(t, "OSP-ENC-008")


@requirement("OSP-ENC-009", needs=WIRE)
def duplicate_entries(t: Case) -> None:
    """Two entries of a dict with one key, side by side and 10 000 entries apart: PROTOCOL."""
    play(t, "OSP-ENC-009")
    for role in roles(t, "requester", "receiver"):
        good = [part for number in range(10_000) for part in (number, None)]
        takes(t, role, *good, kind="dict").delivered(what="10 000 entries to be delivered")
        takes(t, role, *good, 0, None, kind="dict").failed(
            "PROTOCOL", "the first key again after 10 000 entries"
        )


@requirement("OSP-ENC-010", needs=WIRE)
def duplicate_elements(t: Case) -> None:
    """Sets and frozensets with equal elements, inside and as the container, far apart too: PROTOCOL."""
    play(t, "OSP-ENC-010")
    for role in roles(t, "requester", "receiver"):
        takes(t, role, *range(10_000), kind="set").delivered(what="10 000 elements to be delivered")
        takes(t, role, *range(10_000), 0.0, kind="set").failed("PROTOCOL", "an equal element after 10 000")


@requirement("OSP-ENC-011", needs=WIRE)
def other_simple_values(t: Case) -> None:
    """undefined, unassigned simple values, and false in two bytes: PROTOCOL."""
    play(t, "OSP-ENC-011")


@requirement("OSP-ENC-012", needs=WIRE)
def bignums(t: Case) -> None:
    """Bignums with a leading zero, of 8 bytes, of none, of either sign: PROTOCOL."""
    play(t, "OSP-ENC-012")


@requirement("OSP-ENC-013", needs=WIRE)
def depth(t: Case) -> None:
    """128 levels arrive; 129 of lists, dicts, tuples or frozensets, and 4000: TOO_LARGE, and no crash."""
    play(t, "OSP-ENC-013")


@requirement("OSP-ENC-015", needs=WIRE)
def number_of_items(t: Case) -> None:
    """With max_items 65536 so many entries arrive and one more does not; 2^60 in one head never do: TOO_LARGE."""
    play(t, "OSP-ENC-015")
    most = 1 << 16
    for role in roles(t, "requester", "receiver"):
        takes(t, role, *[0] * most, max_items=most).delivered(what=f"{most} entries within the limit")
        takes(t, role, *[0] * most, 0, max_items=most).failed("TOO_LARGE", "an entry more than the limit")
        inside = [[0] * (most // 2 - 1)] * 2
        takes(t, role, *inside, max_items=most).delivered(what="items inside of entries, within the limit")
        takes(t, role, *inside, 0, max_items=most).failed("TOO_LARGE", "the items inside of entries to count")


@requirement("OSP-ENC-016", needs=WIRE)
def inline_strings(t: Case) -> None:
    """Bytes and text of 65536 bytes arrive inline; heads of more are refused alone: TOO_LARGE."""
    play(t, "OSP-ENC-016")
    for role in roles(t, "requester", "receiver"):
        longest = [b"x" * INLINE, "é" * (INLINE // 2)]
        takes(t, role, *longest).delivered(longest, f"strings of {INLINE} bytes inline")


@requirement("OSP-ENC-017", needs=WIRE)
def cuts(t: Case) -> None:
    """The content of every good vector is cut into frames anew, at random and at every byte: the same arrives."""
    play(t, "OSP-ENC-017")
    for vector, value in _delivering(t):
        if playable(t, vector):
            for longest in (1, 3, 50):
                peer = Peer(t, "requester")
                peer.say(*_recut(t, vector, longest))
                peer.delivered(value, f"{vector.path}, cut into frames of at most {longest} bytes")


def _recut(t: Case, vector: Vector, longest: int) -> Iterator[Step]:
    """The frames of a vector, their skeleton cut into frames of at most so many bytes."""
    for frame in split(b"".join(vector.lines[1:]))[0]:
        if frame.type == Type.OPEN:
            yield step(Type.OPEN, kind=frame.get("kind"))
        elif frame.type == Type.DATA:
            yield step(Type.DATA, data=frame.data)
        elif frame.type == Type.END:
            yield step(Type.END, count=frame.get("count"))
        elif frame.type == Type.ENTRIES:
            rest = frame.data
            while rest:
                size = t.random.randint(1, longest)
                yield step(Type.ENTRIES, data=rest[:size])
                rest = rest[size:]


@requirement("OSP-ENC-018", needs=WIRE)
def arguments(t: Case) -> None:
    """Extensions of each type with too few, too many or other arguments than the table has: PROTOCOL."""
    play(t, "OSP-ENC-018")


@requirement("OSP-ENC-019", needs=WIRE)
def ranges(t: Case) -> None:
    """Month 13, 30 February, second 60, an offset of a day, a decimal that is a word, and so on: PROTOCOL."""
    play(t, "OSP-ENC-019")


@requirement("OSP-ENC-020", needs=WIRE)
def keys(t: Case) -> None:
    """Lists, dicts, sets, arrays, or tuples that hold them, as keys and elements: PROTOCOL."""
    play(t, "OSP-ENC-020")


@requirement("OSP-ENC-021", needs=WIRE)
def odd_dict(t: Case) -> None:
    """END after a key without its value: PROTOCOL."""
    play(t, "OSP-ENC-021")
