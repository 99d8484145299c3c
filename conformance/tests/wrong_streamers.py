"""Streamers of a kind of one's own that are wrong in one way each, over the archive of the examples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "reference_impl" / "examples"))

from archive import ArchiveAssembler, ArchiveStreamer

from objstream import ObjectStreamer, Sample
from objstream.values import Label


class Losing(ArchiveStreamer):
    """Does not send the last member."""

    def entries(self) -> Iterator[tuple[Label, object]]:
        entries = list(super().entries())
        last = max((place for place, (_, value) in enumerate(entries) if isinstance(value, tuple)), default=0)
        yield from entries[:last]


class Hoarding(ArchiveStreamer):
    """Reads the whole archive before it sends."""

    def entries(self) -> Iterator[tuple[Label, object]]:
        yield from list(super().entries())


class Leaking(ArchiveStreamer):
    """Leaves its archive open."""

    opened: list[Any] = []  # noqa: RUF012

    def close(self) -> None:
        Leaking.opened.append(self._archive)


class _Littering(ArchiveAssembler):
    def discard(self) -> None:
        self._temporary = None
        super().discard()


class Littering(ArchiveStreamer):
    """Its assembler leaves half an archive behind."""

    @classmethod
    def sample(cls, size: int) -> Sample:
        return replace(super().sample(size), assembler=lambda store: _Littering(store / f"{size}-{id(cls)}"))


class _Crashing(ArchiveAssembler):
    def entry(self, value: object) -> None:
        raise KeyError(value)


class Crashing(ArchiveStreamer):
    """Its assembler raises what no error should be."""

    @classmethod
    def sample(cls, size: int) -> Sample:
        return replace(super().sample(size), assembler=lambda store: _Crashing(store / "x"))


class Untried(ObjectStreamer):
    """Has no sample."""

    kind = "x-untried"


class Unnamed(ArchiveStreamer):
    """Is of a kind that is none."""

    kind = "archive"
