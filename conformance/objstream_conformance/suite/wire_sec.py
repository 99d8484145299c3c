"""Security on the wire: names, memory, time and floods (chapter 15)."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from ..case import Case
from ..cases import requirement
from ..cbor import ARRAY, MAP, TAG, cbor, ext, head, set_of
from ..frames import IGNORABLE, Step, Type, step
from ..peer import WIRE, Peer, asks, play, roles, takes

MIB = 1 << 20


@requirement("OSP-SEC-002", needs=[*WIRE, "sites"])
def names_are_not_code(t: Case) -> None:
    """A module that would show its import is named in every place for a name: none of them imports it."""
    marker, module = t.directory / "imported", "osp_bait"
    t.directory.joinpath(f"{module}.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nclass Thing: pass\ndef run(*_): pass\n"
    )
    sys.path.insert(0, str(t.directory))
    try:
        for name in (f"{module}.Thing", f"{module}:run", module):
            _offer_names(t, name)
    finally:
        sys.path.remove(str(t.directory))
    loaded = sys.modules.pop(module, None)
    t.expect(
        not marker.exists() and loaded is None, "no import of a module that the peer has named", "imported"
    )


def _offer_names(t: Case, name: str) -> None:
    """Use a name as that of an extension, an application type, a dtype, a kind, a digest, an object."""
    items = {"UNSUPPORTED": [ext(name, 1), ext("app", f"{name.replace(':', '.')}@1", 1)]}
    if t.has("numpy"):
        items["PROTOCOL"] = [ext("ndarray", name, [1], b"a")]
    for role in roles(t, "requester", "receiver", "owner", "sender"):
        if role in ("owner", "sender"):
            asks(Peer(t, role, ["x"]), digests=[name], name=name).failed("DIGEST", f"the digest {name}")
            continue
        for code, bad in items.items():
            for item in bad:
                takes(t, role, item).failed(code, f"{item} to be refused")
        peer = Peer(t, role)
        peer.say(*[step(Type.OFFER, kind="list")][: role == "receiver"])
        peer.say(step(Type.OPEN, kind=f"x-{name.lower()}", digests=name))
        peer.failed("PROTOCOL", "a kind and a digest that nobody asked for")


OPENINGS = {
    "a list": head(ARRAY, 1 << 26),
    "a dict": head(MAP, 1 << 25),
    "a set": head(TAG, 258) + head(ARRAY, 1 << 26),
    "a tuple": head(TAG, 27) + head(ARRAY, 1 << 26) + cbor("tuple"),
    "a frozenset": head(TAG, 27) + head(ARRAY, 1 << 26) + cbor("frozenset"),
    "lists in lists": (head(ARRAY, 1 << 19)) * 100,
    "a text": cbor("x" * 65536)[:10],
}


@requirement("OSP-SEC-003", needs=[*WIRE, "sites"])
def announcements_reserve_nothing(t: Case) -> None:
    """Containers of millions of items are announced and nothing of them comes: no memory is taken for them."""
    for role in roles(t, "requester", "receiver"):
        for what, opening in OPENINGS.items():
            peer = Peer(t, role)
            peer.say(*[step(Type.OFFER, kind="list")][: role == "receiver"], step(Type.OPEN, kind="list"))
            data = peer.author.write(step(Type.ENTRIES, data=bytes(opening)))
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            peer.feed(data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            t.expect(
                peak - before < MIB,
                f"less than 1 MiB for the head of {what}",
                f"{(peak - before) / MIB:.1f} MiB",
            )
            if peer.outcome is not None:  # it may have a lower limit
                peer.failed("TOO_LARGE", f"{what} of millions of items to be awaited, or refused")


MERSENNE = (1 << 61) - 1
"""Python's hashes of numbers are their remainders by this prime."""
KEYS = 10_000
OVERHEAD = 8.0


def _numbers(step_: int) -> list[int]:
    return [5 + index * step_ for index in range(1, KEYS)]


SHAPES: dict[str, Callable[[list[int]], tuple[str, list[object]]]] = {
    "keys of the container": lambda keys: ("dict", [part for key in keys for part in (key, None)]),
    "elements of the container": lambda keys: ("set", list(keys)),
    "keys of a dict": lambda keys: ("list", [dict.fromkeys(keys)]),
    "elements of a set": lambda keys: ("list", [set_of(*keys)]),
    "elements of a frozenset": lambda keys: ("list", [ext("frozenset", *keys)]),
    "tuples as elements": lambda keys: ("list", [set_of(*(ext("tuple", key) for key in keys))]),
}


@requirement("OSP-SEC-004", needs=WIRE)
def colliding_keys(t: Case) -> None:
    """Thousands of numbers with one hash, as keys and elements everywhere: refused, or as fast as others."""
    for what, shape in SHAPES.items():
        ordinary = _seconds(t, *shape(_numbers(MERSENNE + 2)))
        chosen = _seconds(t, *shape(_numbers(MERSENNE)), refusal="TOO_LARGE")
        if chosen >= OVERHEAD * max(ordinary, 0.01):  # the machine may have been busy with something else
            ordinary = max(ordinary, _seconds(t, *shape(_numbers(MERSENNE + 2))))
            chosen = min(chosen, _seconds(t, *shape(_numbers(MERSENNE)), refusal="TOO_LARGE"))
        bound = OVERHEAD * max(ordinary, 0.01)
        t.expect(
            chosen < bound,
            f"{KEYS} {what} with one hash to cost at most {OVERHEAD:.0f} times as much as others, or to be refused",
            f"{chosen:.2f} s against {ordinary:.3f} s",
            "count equal hashes, or key them with a secret",
        )


def _seconds(t: Case, kind: str, items: list[object], refusal: str = "") -> float:
    """The time that a receiver takes for a container."""
    role = roles(t, "requester", "receiver")[0]
    start = time.perf_counter()
    peer = takes(t, role, *items, kind=kind)
    spent = time.perf_counter() - start
    if refusal and peer.outcome[0] == "failed":
        peer.failed(refusal, "colliding keys to be refused")
    else:
        peer.delivered(what="thousands of keys to be delivered")
    return spent


HINT = step(77, flags=IGNORABLE, meta=b"", data=b"x")


@requirement("OSP-SEC-005", needs=WIRE)
def floods_of_hints(t: Case) -> None:
    """1024 frames to be skipped are skipped in every role; with max_skipped 1024 the next is TOO_LARGE."""
    most = 1024
    for role in roles(t, "owner", "sender", "requester", "receiver"):
        for more in (0, 1):
            peer = Peer(t, role, ["x"], max_skipped=most)
            if role in ("owner", "sender"):
                asks(peer, credit=0)
            elif role == "receiver":
                peer.say(step(Type.OFFER, kind="list"))
            peer.say(*[HINT] * (most + more))
            if more:
                peer.failed("TOO_LARGE", f"the {role} that has skipped {most} frames, at the next")
            else:
                peer.running(f"the {role} to skip {most} frames")


def _idle(count: int) -> Iterator[Step]:
    """CREDIT frames that grant nothing new: the same again, and less."""
    for number in range(count):
        yield step(Type.CREDIT, credit=number % 2)


@requirement("OSP-SEC-006", needs=WIRE)
def floods_of_credit(t: Case) -> None:
    """1024 CREDIT frames that grant nothing are borne; with max_controls 1024 the next is TOO_LARGE."""
    most = 1024
    for role in roles(t, "owner", "sender"):
        for more in (0, 1):
            peer = asks(Peer(t, role, [bytes(100)], max_controls=most), credit=1)
            peer.say(*_idle(most + more))
            if more:
                peer.failed("TOO_LARGE", f"the {role} that was granted nothing {most} times, at the next")
            else:
                peer.running(f"the {role} to bear {most} idle CREDIT frames")
                peer.say(step(Type.CREDIT, credit=1 << 20))
                t.expect("END" in peer.types, "the rest once there is credit", f"{peer.types}")


@requirement("OSP-SEC-009", needs=WIRE)
def long_names(t: Case) -> None:
    """REQUEST and OFFER with a name of 1024 bytes are taken, of 1025 bytes and of 513 characters not: TOO_LARGE."""
    play(t, "OSP-SEC-009")


@requirement("OSP-SEC-010", needs=WIRE)
def long_integers(t: Case) -> None:
    """An integer of 65536 bytes arrives, either sign; the head of a longer one is refused: TOO_LARGE."""
    play(t, "OSP-SEC-010")
    largest = (1 << 8 * 65536) - 1
    for role in roles(t, "requester", "receiver"):
        takes(t, role, largest, -1 - largest).delivered([largest, -1 - largest], "integers of 65536 bytes")
