"""Resume: any container, cut anywhere, processes killed, kept files damaged, the source exchanged: never a mixture."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from objstream import (
    Code,
    ContainerRetriever,
    FileRetriever,
    MemoryNetwork,
    Options,
    TransferError,
)
from objstream_conformance import strategies
from objstream_conformance.compare import difference

from .helpers import attempt


@dataclass(frozen=True)
class Try:
    """A retrieval that does not come to its end.

    Attributes:
        messages: how many of the owner's arrive.
        killed: the receiver leaves what was on the disk at that moment, else what it leaves when it fails.
        damage: what is done to what is kept then: which file, where, and how.
        changed: the source is another one afterwards.
    """

    messages: int
    killed: bool = False
    damage: tuple[int, int, str] | None = None
    changed: bool = False


DAMAGES = st.tuples(st.integers(0, 1), st.integers(0, 1 << 16), st.sampled_from(["flip", "cut", "add"]))
TRIES = st.lists(
    st.builds(
        Try,
        st.integers(0, 20),
        killed=st.booleans(),
        damage=st.none() | DAMAGES,
        changed=st.sampled_from([False, False, False, True]),
    ),
    max_size=5,
)
DIGESTS = st.sampled_from([("sha-256",), ("xxh3-128",)])


class Place:
    """Where retrievals are kept, over a network that lets so many of the owner's messages through."""

    def __init__(self, directory: Path, options: Options, chunk: int) -> None:
        self.kept = directory / "there" / ".file.resume"
        self.kept.parent.mkdir()
        self._image = directory / "image"
        self.network = MemoryNetwork(self._carry)
        owner, requester = (self.network.site(name, options) for name in ("owner", "requester"))
        self.containers, self.files = (
            ContainerRetriever(owner, chunk=chunk),
            FileRetriever(owner, chunk=chunk),
        )
        self._containers, self._files = ContainerRetriever(requester), FileRetriever(requester)
        self._left = 0
        self._watching = False

    def _carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        if source == "owner":
            self._left -= 1
        if self._left >= 0:
            return [message]
        if self._watching:
            self._watching = False
            shutil.rmtree(self._image, ignore_errors=True)
            if self.kept.exists():
                shutil.copytree(self.kept, self._image)
        return []

    def container(self) -> Any:
        return self._containers.retrieve_container("owner", "it", resume=self.kept)

    def file(self) -> bytes:
        place = self.kept.parent / "file"
        found = self._files.retrieve_file("owner", "it", to=place, resume=True).read_bytes()
        place.unlink()
        return found

    def try_(self, retrieve: Callable[[], Any], one: Try) -> tuple[Any, TransferError | None]:
        self._left, self._watching = one.messages, True
        shutil.rmtree(self._image, ignore_errors=True)
        found = attempt(retrieve)
        if one.killed and found[1] is not None and not self._watching:
            shutil.rmtree(self.kept, ignore_errors=True)
            if self._image.exists():
                self._image.rename(self.kept)
        if one.damage is not None:
            self._damage(*one.damage)
        return found

    def _damage(self, which: int, where: int, how: str) -> None:
        for path in sorted(self.kept.glob("*"))[which : which + 1]:
            data = bytearray(path.read_bytes())
            at = where % (len(data) + 1)
            if how == "flip" and at < len(data):
                data[at] ^= 1 << where % 8
            elif how == "cut":
                del data[at:]
            else:
                data += bytes(at % 50)
            path.write_bytes(data)


def held(
    place: Place,
    retrieve: Callable[[], Any],
    offer: Callable[[Any], None],
    objects: list[Any],
    tries: list[Try],
) -> None:
    """Whatever happens, what arrives is what the source is, and a change is called so, and nothing else is."""
    now, stale = 0, False
    offer(objects[now])
    for one in [*tries, Try(1 << 30), Try(1 << 30)]:
        found, error = place.try_(retrieve, one)
        if error is None:
            assert not difference(objects[now], found)
            stale = False
        else:
            assert error.code in (Code.STALLED, Code.LOST, Code.SOURCE_CHANGED), error
            assert error.code is not Code.SOURCE_CHANGED or stale, error
            stale = stale and error.code is not Code.SOURCE_CHANGED
        if one.changed:
            now, stale = 1 - now, True
            offer(objects[now])
    assert error is None
    assert list(place.kept.parent.iterdir()) == []


CONTAINERS = st.builds(
    lambda value, entries, seed: [
        value,
        *[random.Random(seed + n).randbytes(300) for n in range(entries)],
        value,
    ],
    strategies.containers(),
    st.integers(0, 20),
    st.integers(0, 3),
)
FILES = st.builds(
    lambda size, seed: random.Random(seed).randbytes(size), st.integers(0, 9000), st.integers(0, 3)
)
SETTINGS = st.tuples(st.integers(100, 1000), st.sampled_from([500, 3000, 1 << 24]), DIGESTS)
"""Chunk, window, digests."""


@given(CONTAINERS, CONTAINERS, SETTINGS, TRIES)
def test_containers(one: Any, other: Any, how: tuple[int, int, tuple[str, ...]], tries: list[Try]) -> None:
    chunk, window, digests = how
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory), Options(digests=digests, window=window), chunk)
        offer = partial(place.containers.add_container, "it")
        held(place, place.container, offer, [one, other], tries)


@given(FILES, FILES, SETTINGS, TRIES)
def test_files(one: bytes, other: bytes, how: tuple[int, int, tuple[str, ...]], tries: list[Try]) -> None:
    chunk, window, digests = how
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory), Options(digests=digests, window=window), chunk)
        source = Path(directory, "source")

        def offer(data: bytes) -> None:
            source.write_bytes(data)
            place.files.add_file("it", source)

        held(place, place.file, offer, [one, other], tries)
