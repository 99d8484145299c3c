"""What hostile inputs cost: `python -m property_tests.costs` prints size, time, memory and outcome of each.

Time is CPU time, memory the peak of what Python and numpy have allocated beyond the input itself, both of the end that
is attacked. `BOUND` says what they may be, whatever an input announces.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from objstream import ContainerAssembler, Description, Limits, TransferError
from objstream_conformance.cbor import ARRAY, BYTES, MAP, TAG, TEXT, cbor, ext, head, set_of
from objstream_conformance.frames import PREFACE, Author, Type, step
from objstream_conformance.simulation import quiet

from .ends import Role, Target

MIB = 1 << 20
HUGE = (1 << 63) - 1
PRIME = (1 << 61) - 1
"""Python's modulus for the hashes of numbers: its multiples all have the hash 0."""

Messages = Iterator[bytes]


@dataclass(frozen=True)
class Cost:
    """What an input came to."""

    size: int
    seconds: float
    peak: int
    outcome: str


@dataclass(frozen=True)
class Bound:
    """What an input of that size may cost: a fixed part, and one for each of its bytes."""

    seconds: float = 0.5
    seconds_per_byte: float = 3e-6
    memory: int = 2 * MIB
    memory_per_byte: float = 40.0

    def keeps(self, cost: Cost) -> bool:
        return (
            cost.seconds <= self.seconds + self.seconds_per_byte * cost.size
            and cost.peak <= self.memory + self.memory_per_byte * cost.size
        )


BOUND = Bound()


def skeleton(kind: str, data: bytes) -> Callable[[], Cost]:
    """The content of a container, without frames around it."""

    def run() -> Cost:
        return measured(len(data), lambda: decoded(kind, data))

    return run


def decoded(kind: str, data: bytes) -> str:
    assembler = ContainerAssembler()
    assembler.begin(Description(kind), Limits())
    view = memoryview(data)
    for start in range(0, len(view), MIB):
        assembler.feed(view[start : start + MIB])
    assembler.check_complete()
    return f"{assembler.count} entries"


def said(role: Role, frames: Callable[[], Messages]) -> Callable[[], Cost]:
    """What a peer says to an end of a session."""

    def run() -> Cost:
        lines = list(frames())

        def hear() -> str:
            target = Target(role, traced=False)
            for line in (PREFACE, *lines):
                while target.say():
                    pass
                target.hear(line)
            session = target.connection.session
            problem = target.connection.problem or (session and session.error)
            target.leave()
            assert target.left() == "", target.left()
            return "goes on" if problem is None else str(problem)

        return measured(sum(map(len, lines)), hear)

    return run


def measured(size: int, action: Callable[[], str]) -> Cost:
    """Do it twice: for its time, and for its peak with the meter of memory, which slows it down."""
    with quiet():
        outcome, seconds = _done(action)
        tracemalloc.start()
        try:
            _done(action)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    return Cost(size, seconds, peak, outcome)


def _done(action: Callable[[], str]) -> tuple[str, float]:
    before = time.thread_time()
    try:
        outcome = action()
    except TransferError as problem:
        outcome = str(problem)
    return outcome, time.thread_time() - before


# -- keys and elements of one hash


def colliding(number: int) -> list[int]:
    return [PRIME * index for index in range(number)]


def colliding_dict(number: int) -> bytes:
    return head(MAP, number) + b"".join(cbor(key) + b"\0" for key in colliding(number))


# -- frames


def tiny(number: int) -> Messages:
    """A list of that many entries, each in a frame of its own."""
    author = Author()
    yield author.write(step(Type.OPEN, kind="list"))
    for _ in range(number):
        yield author.write(step(Type.ENTRIES, data=b"\0"))


def empty(number: int) -> Messages:
    author = Author()
    yield author.write(step(Type.OPEN, kind="list"))
    for _ in range(number):
        yield author.write(step(Type.ENTRIES, data=b""))


def skipped(number: int) -> Messages:
    author = Author()
    for _ in range(number):
        yield author.write(step(200, flags=1, meta=b""))


def credits_that_grant_nothing(number: int) -> Messages:
    author = Author()
    yield author.write(step(Type.REQUEST, credit=1))
    for _ in range(number):
        yield author.write(step(Type.CREDIT, credit=1))


def credits_of_a_byte(number: int) -> Messages:
    author = Author()
    for index in range(number):
        yield author.write(step(Type.CREDIT, credit=index) if index else step(Type.REQUEST, credit=0))


def opened(**fields: object) -> Callable[[], Messages]:
    def frames() -> Messages:
        yield Author().write(step(Type.OPEN, **{"kind": "list", **fields}))

    return frames


def announcing(**fields: object) -> Callable[[], Messages]:
    """A frame whose header announces what does not follow."""

    def frames() -> Messages:
        author = Author()
        yield author.write(step(Type.OPEN, kind="list"))
        yield author.write(step(Type.ENTRIES, data=b"\0", cut="header", **fields))

    return frames


def nested_meta() -> Messages:
    yield Author().write(step(Type.OPEN, kind="list", meta=b"\xa1\x0f" + b"\x81" * 4000 + b"\0"))


def announced(data: bytes) -> Callable[[], Messages]:
    """Skeleton that announces much, in a frame."""

    def frames() -> Messages:
        author = Author()
        yield author.write(step(Type.OPEN, kind="list"))
        yield author.write(step(Type.ENTRIES, data=data))

    return frames


ARRAY_OF_ALL = ext("ndarray", "F64", [1 << 60], HUGE & ~7)

INPUTS: dict[str, Callable[[], Cost]] = {
    "100,000 keys of one hash in a dict": skeleton("list", colliding_dict(100_000)),
    "100,000 keys of one hash as entries": skeleton("dict", colliding_dict(100_000)[5:]),
    "100,000 elements of one hash in a set": skeleton("list", cbor(set_of(*colliding(100_000)))),
    "100,000 elements of one hash as entries": skeleton("set", b"".join(map(cbor, colliding(100_000)))),
    "100,000 elements of one hash, frozen": skeleton("list", cbor(ext("frozenset", *colliding(100_000)))),
    "100,000 tuples of one hash as keys": skeleton(
        "dict", b"".join(cbor(ext("tuple", key, 1)) + b"\0" for key in colliding(100_000))
    ),
    "100,000 honest keys": skeleton("dict", b"".join(cbor(key) + b"\0" for key in range(100_000))),
    "lists in lists, a million deep": skeleton("list", b"\x81" * 1_000_000),
    "tuples in tuples, 100,000 deep": skeleton("list", b"\xd8\x1b\x82\x65tuple" * 100_000),
    "dicts in dicts, 100,000 deep": skeleton("list", b"\xa1\0" * 100_000),
    "tags on tags, a million": skeleton("list", b"\xd9\x01\x02" * 1_000_000),
    "arrays in meta, 4,000 deep": said("requester", nested_meta),
    "a list of 2^63 items": said("requester", announced(head(ARRAY, 1 << 63))),
    "a dict of 2^63 pairs": said("requester", announced(head(MAP, 1 << 63))),
    "a set of 2^63 elements": said("requester", announced(head(TAG, 258) + head(ARRAY, 1 << 63))),
    "a text of 2^63 bytes": said("requester", announced(head(TEXT, 1 << 63))),
    "bytes of 2^63": said("requester", announced(head(BYTES, 1 << 63))),
    "a bignum of 2^63 bytes": said("requester", announced(b"\xc2" + head(BYTES, 1 << 63))),
    "a buffer of 2^63 - 1 bytes": said("requester", announced(cbor(ext("bytes", HUGE)))),
    "an array of 2^63 bytes": said("requester", announced(cbor(ARRAY_OF_ALL))),
    "a shape whose product overflows": said(
        "requester", announced(cbor(ext("ndarray", "F64", [1 << 40, 1 << 40], 0)))
    ),
    "a Decimal of an exponent of 18 digits": said(
        "requester", announced(cbor(ext("decimal", "1E+999999999999999999")))
    ),
    "an object of 2^63 - 1 bytes": said("requester", opened(size=HUGE)),
    "2^63 - 1 entries announced": said("requester", opened(count=HUGE)),
    "a frame of 2^32 - 1 bytes": said("requester", announcing(data_len=(1 << 32) - 1)),
    "meta of 65,535 bytes": said("requester", announcing(meta_len=65_535)),
    "20,000 frames of one entry": said("requester", lambda: tiny(20_000)),
    "20,000 frames without data": said("requester", lambda: empty(20_000)),
    "20,000 frames to be skipped": said("requester", lambda: skipped(20_000)),
    "20,000 CREDIT that grant nothing": said("owner", lambda: credits_that_grant_nothing(20_000)),
    "20,000 CREDIT of a byte each": said("owner", lambda: credits_of_a_byte(20_000)),
}


def main() -> int:
    """Print the table; 1 when an input costs more than it may."""
    wrong = 0
    print(f"{'input':40} {'bytes':>9} {'CPU ms':>7} {'KiB':>7}  outcome")
    for name, run in INPUTS.items():
        cost = run()
        mark = "" if BOUND.keeps(cost) else "TOO MUCH: "
        wrong += bool(mark)
        print(
            f"{name:40} {cost.size:9} {cost.seconds * 1e3:7.1f} {cost.peak / 1024:7.0f}  {mark}{cost.outcome[:90]}"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
