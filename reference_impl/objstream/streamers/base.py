"""What can be streamed: the two abstract halves of an object in transit.

An `ObjectStreamer` turns an object into pieces, an `ObjectAssembler` turns the pieces into an object again. To stream
objects of a kind of your own, subclass the pair, give both the same `kind` (`"x-"` and a name), implement `entries` on
the one side and `entry` and `result` on the other, and register the assembler with the receiving site. With `sample`,
too, `objstream check --streamer module:Class` validates them.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Code, TransferError
from ..limits import MIB, Limits
from ..values import Decoder, Label, Piece, Registry, encode


@dataclass(frozen=True)
class Description:
    """What a sender announces of an object.

    Attributes:
        kind: "dict", "list", "tuple", "set", "frozenset", "file" or an application kind "x-NAME".
        size: bytes of content that will follow, or None when the sender cannot know.
        count: entries that will follow (0 for a file), or None when the sender cannot know.
        attributes: plain values for the receiving application.
    """

    kind: str
    size: int | None = None
    count: int | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


class ObjectStreamer(ABC):
    """The sending half: an object as a sequence of pieces.

    Attributes:
        kind: the kind of object that is announced.
        name: how the object is called in error messages.
        chunk: the largest piece, in bytes.
        count: entries handed out since `pieces` was called last.
        repeatable: `pieces` gives the same pieces again as long as the object does not change. Such an object is read
            through before it is announced, and an error is reported when it then changes.

    One streamer serves one session at a time; for several targets a site copies it (`copy.copy`) for each, so acquire
    files and the like in `describe`, not in the constructor.
    """

    kind: str
    repeatable = False

    def __init__(
        self,
        *,
        name: str = "",
        chunk: int = MIB,
        registry: Registry | None = None,
        limits: Limits | None = None,
    ) -> None:
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1 byte, not {chunk}")
        self.name = name or self.kind
        self.chunk = chunk
        self.registry = registry
        self.limits = limits or Limits()
        self.count = 0

    @abstractmethod
    def entries(self) -> Iterator[tuple[Label, object]]:
        """The entries in order, each a label for error messages and a value of the value model."""

    def describe(self) -> Description:
        """What is announced before the first piece. Refuse here what can be known not to be streamable.

        Raises:
            TransferError: UNSUPPORTED or TOO_LARGE, naming the part of the object that is at fault.
        """
        return Description(self.kind)

    def pieces(self, chunk: int) -> Iterator[Piece]:
        """The content in pieces of at most `chunk` bytes; each is used up before the next is asked for."""
        return encode(self._counted(), limits=self.limits, chunk=chunk, registry=self.registry)

    def validator(self) -> bytes | None:
        """At most 64 bytes that change whenever the object does, so that a transfer can be resumed.

        Asked after `describe`. None where `pieces` may give other pieces another time. For an object that is
        `repeatable` the session makes a validator of its own, of what it reads.
        """
        return None

    def confirm(self) -> None:  # noqa: B027 - optional hook
        """The last piece has been sent: raise SOURCE_CHANGED if the object is known not to be what it was before."""

    def _counted(self) -> Iterator[tuple[Label, object]]:
        self.count = 0
        for entry in self.entries():
            self.count += 1
            yield entry

    def close(self) -> None:  # noqa: B027 - optional hook
        """Release what the streamer holds; called once, whatever the outcome."""

    @classmethod
    def sample(cls, size: int) -> Sample:
        """An object to try this class with, of about `size` bytes of content; of size 0 the smallest that there is.

        The same size gives an equal object. The conformance suite asks for it; transfers do not.
        """
        raise NotImplementedError(f"{cls.__name__} has no sample() to be tried with")


class ObjectAssembler(ABC):
    """The receiving half: takes the content where it lands and makes the object of it.

    A subclass for entries of its own implements `entry` and `result`; `begin`, `discard` where there is something to
    prepare or to undo.

    Args:
        registry: application types that are accepted.
        resume: a directory in which what has arrived is kept when the transfer fails, and in which a later transfer of
            the same name finds it and goes on. None: nothing is kept and nothing is looked for.
    """

    def __init__(
        self, *, registry: Registry | None = None, resume: str | os.PathLike[str] | None = None
    ) -> None:
        self.registry = registry
        self.resume = None if resume is None else Path(resume)
        self.count = 0
        self._decoder: Decoder | None = None

    @abstractmethod
    def accepts(self, kind: str) -> bool:
        """Whether an object announced with this kind can be taken."""

    @abstractmethod
    def entry(self, value: object) -> None:
        """One entry has arrived, complete and verified frame by frame; called once for each, in order."""

    @abstractmethod
    def result(self) -> object:
        """All content is there and verified: store it and return the object."""

    def begin(self, description: Description, limits: Limits) -> None:
        """The sender has announced the object.

        Raises:
            TransferError: to refuse it.
        """
        self._decoder = self.decoder(limits)

    def decoder(self, limits: Limits) -> Decoder:
        return Decoder(self._entry, limits=limits, registry=self.registry)

    def discard(self) -> None:  # noqa: B027 - optional hook
        """The transfer failed: leave nothing behind. May be called at any moment, and more than once."""

    def room(self) -> int:
        """How many bytes of raw data are awaited; 0 where entries are."""
        return self._open().remaining

    def feed(self, skeleton: memoryview) -> None:
        """The next bytes of the skeleton stream, verified."""
        self._open().feed(skeleton)

    def buffer(self) -> memoryview:
        """Where the next bytes of raw data must land: at most `room()` of them."""
        view = self._open().buffer()
        assert view is not None
        return view

    def filled(self, count: int) -> None:
        """`count` bytes have landed in `buffer()`."""
        self._open().filled(count)

    def between(self) -> bool:
        """What has arrived ends with an entry, so that a transfer can be resumed here."""
        return self._open().between

    def adopt(self, content: Path, size: int) -> bool:
        """Before `begin`: all content is kept in this file, which holds `size` bytes of it.

        True where the assembler itself writes it there, and takes up what is there. The others are given all of it
        again.
        """
        return False

    def check_complete(self) -> None:
        """The sender says that this was all: raise PROTOCOL if an entry is only half there."""
        self._open().finish()

    def finish(self) -> object:
        """The content is complete and verified: store it and return the object."""
        return self.result()

    def _entry(self, value: object) -> None:
        self.count += 1
        self.entry(value)

    def _open(self) -> Decoder:
        if self._decoder is None:
            raise TransferError(Code.PROTOCOL, "content before the object was announced")
        return self._decoder


AssemblerFactory = Callable[[], ObjectAssembler]


@dataclass(frozen=True)
class Sample:
    """An object for trials of a streamer, which `ObjectStreamer.sample` gives.

    Attributes:
        streamer: makes a streamer of the object, a new one for each transfer or push.
        assembler: makes an assembler, the same for an object of any size. It stores in the directory that it is given,
            if it stores at all, each object under a name of its own.
        content: what the object holds, as a value of the value model.
        read: makes that of what an assembler has resulted in.
    """

    streamer: Callable[[], ObjectStreamer]
    assembler: Callable[[Path], ObjectAssembler]
    content: object
    read: Callable[[Any], object]
