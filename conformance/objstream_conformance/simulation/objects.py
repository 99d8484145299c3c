"""The objects of the simulation, the sources they are read from, the stores they go to: all account for their use."""

from __future__ import annotations

import contextlib
import copy
import math
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from objstream import (
    Code,
    ContainerAssembler,
    ContainerStreamer,
    Description,
    Limits,
    ObjectAssembler,
    ObjectStreamer,
    TransferError,
)
from objstream.values import Label, Piece

from .plan import Fault, Plan

_SCALARS: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        23,
        24,
        1 << 40,
        -(1 << 63),
        1 << 64,
        -(1 << 200),
        0.0,
        -0.0,
        1.5,
        math.inf,
        math.nan,
    ),
    *(
        "",
        "a",
        "text of some length",
        "é\U0001f600",
        "x" * 90,
        b"",
        b"\0\xff",
        b"bytes" * 30,
        1j,
        Decimal("1.10"),
    ),
    *(date(2024, 2, 29), datetime(2024, 1, 1, 12, tzinfo=timezone.utc), timedelta(days=-1, microseconds=5)),
    *(UUID(int=5), np.float32(0.1), np.int64(-3), (1, "two", None), frozenset({1, 2})),
)
_NUMBERS: tuple[Any, ...] = (
    0,
    1.5,
    -7,
    1 << 70,
    (1, 2),
    (3, (4.5,)),
    frozenset({1, 2}),
    2j,
    Decimal("0.1"),
    255,
    256,
)
"""Elements of sets: their hashes are the same in every process, so that a set has one order."""

_DTYPES = ("<f8", "<f4", "<f2", "<i8", "u1", "?", "<c8")


def make_object(kind: str, rng: random.Random, size: int) -> Any:
    """A container, the bytes of a file, or the list of the entries of an application's object."""
    if kind == "file":
        return rng.randbytes(rng.choice((0, 1, size, 63, 64, 65, 200 * size)))
    if kind == "x-sim":
        return [_value(rng, 1) for _ in range(size)]
    return _container(rng, rng.choice(("dict", "dict", "list", "tuple", "set", "frozenset")), size, 0)


def _container(rng: random.Random, kind: str, size: int, depth: int) -> Any:
    if kind == "dict":
        return {_key(rng, index): _value(rng, depth + 1) for index in range(size)}
    if kind in ("set", "frozenset"):
        elements = {rng.choice(_NUMBERS) for _ in range(size)}
        return elements if kind == "set" else frozenset(elements)
    items = [_value(rng, depth + 1) for _ in range(size)]
    return items if kind == "list" else tuple(items)


def _key(rng: random.Random, index: int) -> Any:
    roll = rng.random()
    return (
        f"key {index}"
        if roll < 0.6
        else index
        if roll < 0.8
        else (index, "pair")
        if roll < 0.9
        else b"%d" % index
    )


def _value(rng: random.Random, depth: int) -> Any:
    roll = rng.random()
    if roll < 0.5:
        return rng.choice(_SCALARS)
    if roll < 0.8:
        return _array(rng)
    if roll < 0.85:
        return bytearray(rng.randbytes(rng.choice((0, 3, 150))))
    if depth > 3:
        return rng.randrange(1000)
    return _container(rng, rng.choice(("dict", "list", "tuple", "set", "frozenset")), rng.randrange(4), depth)


def _array(rng: random.Random) -> Any:
    dtype = np.dtype(rng.choice(_DTYPES))
    count = rng.choice((0, 1, 8, 20, 40))
    raw = np.frombuffer(bytearray(rng.randbytes(count * dtype.itemsize)), np.uint8)
    if dtype.kind == "b":
        raw &= 1
    array = raw.view(dtype)
    roll = rng.random()
    if roll < 0.15:
        return array[::2]
    if roll < 0.3:
        return array.byteswap().view(dtype.newbyteorder(">"))
    if roll < 0.4:
        return (
            array.reshape(-1, 1)
            if roll < 0.35
            else np.asfortranarray(array.reshape(count // 4, 4) if count > 3 else array)
        )
    return array


def change(subject: Any, rng: random.Random) -> None:
    """Change an object in two places at once, where it has them: what is half changed equals no state of it."""
    places = [place for place in _places(subject) if not isinstance(place, np.ndarray) or place.size]
    for place in rng.sample(places, min(2, len(places))):
        if isinstance(place, np.ndarray):
            place.view(np.uint8)[:1] ^= 1
        elif isinstance(place, bytearray):
            with contextlib.suppress(BufferError):  # it cannot be resized while it is being sent
                place[-1:] = b"!?" if rng.random() < 0.5 else b"!"
        elif isinstance(place, set):
            place.add(rng.randrange(1 << 20))
        elif isinstance(place, list):
            _change_list(place, rng)
        elif place and rng.random() < 0.6:
            key = rng.choice(list(place))
            if rng.random() < 0.4:
                del place[key]
            else:
                place[key] = rng.random()
        else:
            place[rng.random()] = "new"


def _change_list(place: list[Any], rng: random.Random) -> None:
    if place and rng.random() < 0.7:
        index = rng.randrange(len(place))
        if rng.random() < 0.4:
            del place[index]
        else:
            place[index] = rng.random()
    else:
        place.insert(rng.randint(0, len(place)), rng.random())


def _places(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _places(part)
    elif isinstance(value, (list, tuple)):
        if isinstance(value, list):
            yield value
        for part in value:
            yield from _places(part)
    elif isinstance(value, (set, bytearray)) or (isinstance(value, np.ndarray) and value.flags.c_contiguous):
        yield value


class Subject:
    """The object of one session, with the states that it has had.

    Attributes:
        states: copies of it, the first state first; made only where something is going to change it.
        pinned: how many of them it had when the sender announced it: no later one may be delivered.
    """

    def __init__(self, kind: str, value: Any, changing: bool) -> None:
        self.kind = kind
        self.value = value
        self.states: list[Any] = [copy.deepcopy(value) if changing else value]
        self.pinned: int | None = None

    def change(self, rng: random.Random) -> None:
        if self.kind == "file":
            self.value = self.value[:-1] if rng.random() < 0.5 else self.value + b"more"
        else:
            change(self.value, rng)
        self.states.append(copy.deepcopy(self.value))


class Trouble:
    """The faults of a source, a store or an observer, which strike at its n-th use."""

    def __init__(self, faults: list[Fault]) -> None:
        self._at = {fault.at: fault for fault in faults}
        self.uses = 0
        self.struck = False

    def use(self) -> None:
        if not self._at:
            return
        fault = self._at.get(self.uses)
        self.uses += 1
        if fault is not None:
            self.struck = True
            raise _errors(fault)


def _errors(fault: Fault) -> Exception:
    choice = int(fault.amount) % 4
    if choice == 0:
        return OSError(28, "No space left on device", "/secret/local/path")
    if choice == 1:
        return TransferError(
            Code.STORE_FAILED if fault.side == "receiver" else Code.SOURCE_FAILED, "as announced"
        )
    return ValueError("a mistake of the application") if choice == 2 else MemoryError()


class Account:
    """What has been done to a source or a store; see the checks of the oracle."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.finished = 0
        self.discarded = 0
        self.late: str = ""
        """The first use after the end, if there was one."""

    def working(self, what: str) -> None:
        if (self.closed or self.discarded or self.finished) and not self.late:
            self.late = what


class ContainerSource(ContainerStreamer):
    """A container in memory."""

    def __init__(self, subject: Subject, plan: Plan, trouble: Trouble) -> None:
        super().__init__(subject.value, name="object", chunk=plan.chunk, limits=plan.sender_limits)
        self.account = Account()
        self._trouble = trouble

    def describe(self) -> Description:
        self.account.opened += 1
        return super().describe()

    def entries(self) -> Iterator[tuple[Label, object]]:
        for entry in super().entries():
            self.account.working("entries")
            self._trouble.use()
            yield entry

    def close(self) -> None:
        self.account.closed += 1


class FileSource(ObjectStreamer):
    """A file on the simulated disk: it can grow and shrink while it is read."""

    kind = "file"

    def __init__(self, subject: Subject, plan: Plan, trouble: Trouble) -> None:
        super().__init__(name="object", chunk=plan.chunk)
        self.account = Account()
        self._subject = subject
        self._trouble = trouble
        self._size = 0
        self._before = b""

    def entries(self) -> Iterator[tuple[Label, object]]:
        return iter(())

    def describe(self) -> Description:
        self.account.opened += 1
        self._trouble.use()
        self._before = self._subject.value
        return Description(self.kind, len(self._before), 0)

    def pieces(self, chunk: int) -> Iterator[Piece]:
        scratch = memoryview(bytearray(chunk if chunk < 4096 else max(1, len(self._before))))
        for start in range(0, len(self._before), len(scratch)):
            self.account.working("pieces")
            self._trouble.use()
            data = self._subject.value[start : min(len(self._before), start + len(scratch))]
            if not data:
                raise TransferError(Code.SOURCE_CHANGED, "object: the file shrank")
            scratch[: len(data)] = data
            yield Piece(Piece.DATA, scratch[: len(data)])

    def confirm(self) -> None:
        if self._subject.value != self._before:
            raise TransferError(Code.SOURCE_CHANGED, "object: the file changed")

    def close(self) -> None:
        self.account.closed += 1


class EntriesSource(ObjectStreamer):
    """An object of an application's own kind, produced as it is sent."""

    kind = "x-sim"

    def __init__(self, subject: Subject, plan: Plan, trouble: Trouble) -> None:
        super().__init__(name="object", chunk=plan.chunk, limits=plan.sender_limits)
        self.account = Account()
        self._entries = list(subject.states[0])
        self._trouble = trouble

    def describe(self) -> Description:
        self.account.opened += 1
        return Description(self.kind, attributes={"made": "as it is sent"})

    def entries(self) -> Iterator[tuple[Label, object]]:
        for index, entry in enumerate(self._entries):
            self.account.working("entries")
            self._trouble.use()
            yield (self.name, index), entry

    def close(self) -> None:
        self.account.closed += 1


class ContainerStore(ContainerAssembler):
    """The receiver's memory."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.account = Account()
        self._trouble = trouble

    def begin(self, description: Description, limits: Limits) -> None:
        self.account.opened += 1
        self._trouble.use()
        super().begin(description, limits)

    def entry(self, value: object) -> None:
        self.account.working("entry")
        self._trouble.use()
        super().entry(value)

    def result(self) -> object:
        self._trouble.use()
        self.account.finished += 1
        return super().result()

    def discard(self) -> None:
        self.account.discarded += 1
        super().discard()


class EntriesStore(ObjectAssembler):
    """The receiving application's own assembler."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.account = Account()
        self._trouble = trouble
        self._items: list[object] = []

    def accepts(self, kind: str) -> bool:
        return kind == "x-sim"

    def begin(self, description: Description, limits: Limits) -> None:
        self.account.opened += 1
        self._trouble.use()
        super().begin(description, limits)

    def entry(self, value: object) -> None:
        self.account.working("entry")
        self._trouble.use()
        self._items.append(value)

    def result(self) -> object:
        self._trouble.use()
        self.account.finished += 1
        return self._items

    def discard(self) -> None:
        self.account.discarded += 1
        self._items = []


class Disk:
    """The receiver's disk: finished files, and the temporary ones that have not become any."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.temporary: dict[str, bytearray] = {}


class FileStore(ObjectAssembler):
    """A file on its way to the disk; the disk may be full, also when the file is closed."""

    def __init__(self, disk: Disk, name: str, trouble: Trouble) -> None:
        super().__init__()
        self.account = Account()
        self._disk = disk
        self._name = name
        self._trouble = trouble
        self._limit = 0
        self._scratch = memoryview(bytearray(64))

    def accepts(self, kind: str) -> bool:
        return kind == "file"

    def entry(self, value: object) -> None:
        raise TransferError(Code.PROTOCOL, "a file has no entries")

    def begin(self, description: Description, limits: Limits) -> None:
        self.account.opened += 1
        self._trouble.use()
        self._limit = limits.max_bytes if description.size is None else description.size
        self._disk.temporary[self._name] = bytearray()

    def room(self) -> int:
        return self._limit - len(self._disk.temporary[self._name])

    def feed(self, skeleton: memoryview) -> None:
        raise TransferError(Code.PROTOCOL, "a file has no entries")

    def buffer(self) -> memoryview:
        self.account.working("buffer")
        return self._scratch

    def filled(self, count: int) -> None:
        self.account.working("filled")
        self._trouble.use()
        self._disk.temporary[self._name] += self._scratch[:count]

    def check_complete(self) -> None:
        pass

    def result(self) -> object:
        self._trouble.use()
        self.account.finished += 1
        content = bytes(self._disk.temporary.pop(self._name))
        self._disk.files[self._name] = content
        return content

    def discard(self) -> None:
        self.account.discarded += 1
        self._disk.temporary.pop(self._name, None)


Source = ContainerSource | FileSource | EntriesSource
SOURCES: dict[str, Callable[[Subject, Plan, Trouble], Source]] = {
    "container": ContainerSource,
    "file": FileSource,
    "x-sim": EntriesSource,
}
