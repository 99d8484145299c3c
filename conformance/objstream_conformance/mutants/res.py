"""Mutants that are wrong about resume."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

from objstream import ContainerAssembler, FileAssembler, FileRetriever, TransferError
from objstream.limits import MIB
from objstream.meta import Key
from objstream.session import Receiver, Sender, sender
from objstream.session.kept import Kept

from .kit import assign, instead, mutant, wire_mutant


@mutant("OSP-RES-001", "to equal the one sent")
def kept_entries_come_last() -> None:
    """The entries of a dict that were kept stand behind those that came when it was resumed."""

    @instead(Kept, "replay")
    def replay(original: Any, self: Any, assembler: Any) -> Iterator[None]:
        yield from original(self, assembler)
        assembler.seam = assembler.count

    @instead(ContainerAssembler, "result")
    def result(original: Any, self: Any) -> Any:
        found, seam = original(self), getattr(self, "seam", 0)
        items = list(found.items()) if type(found) is dict else []
        return dict(items[seam:] + items[:seam]) if items else found


@mutant("OSP-RES-001", "the .* bytes of the file.*equal up to")
def a_gap_at_the_seam() -> None:
    """A file of which at most 2 MiB were kept goes on a byte too late."""

    @instead(FileAssembler, "begin")
    def begin(original: Any, self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        if 0 < self._written <= 2 * MIB:
            os.lseek(self._fd, self._written + 1, os.SEEK_SET)


@mutant("OSP-RES-002", "has changed .at its end.*it ended well")
def only_what_was_sent_is_compared() -> None:
    """A validator that is always the same: changes behind the point go unnoticed."""

    @instead(Sender, "_validate")
    def validate(original: Any, self: Any, streamer: Any) -> Any:
        return original(self, streamer) and b"the same"


@wire_mutant("OSP-RES-003", "a REQUEST with a chain with another bit: the outcome SOURCE_CHANGED")
def validators_are_believed() -> None:
    """A sender does not compare the chain when the validator is right."""

    @instead(Sender, "_return")
    def return_(original: Any, self: Any, *point: Any) -> Iterator[None]:
        try:
            yield from original(self, *point)
        except TransferError:
            if self._validator != self.request[Key.VALIDATOR]:
                raise


@wire_mutant("OSP-RES-004", "the point of the REQUEST in OPEN")
def points_are_not_repeated() -> None:
    """A sender goes on from the point and does not say so."""

    @instead(Sender, "_send_open")
    def send_open(original: Any, self: Any, resumed: Any) -> None:
        original(self, {})


@wire_mutant("OSP-RES-004", "the rest after")
def resumed_from_the_beginning() -> None:
    """A sender repeats the point and begins at the beginning."""

    @instead(Sender, "_return")
    def return_(original: Any, self: Any, *point: Any) -> Iterator[None]:
        yield from original(self, *point)
        self._pieces, self._bytes, self._survey = self._streamer.pieces(self._chunk), 0, None


@wire_mutant("OSP-RES-004", "an OPEN without a point: the outcome PROTOCOL")
def any_point_will_do() -> None:
    """A receiver does not look at the point from which a sender goes on."""

    @instead(Receiver, "_on_open")
    def open_(original: Any, self: Any, frame: Any) -> None:
        asked = {Key.RESUME: list(self._point)} if self._point else {}
        original(self, type(frame)(frame.type, {**frame.meta, **asked}, frame.length))


@mutant("OSP-RES-005", "less than the .* bytes of the file")
def kept_when_it_fails() -> None:
    """What is kept is written down when the transfer has failed, and not before."""

    @instead(Kept, "end")
    def end(original: Any, self: Any, error: Any) -> Any:
        for arguments in self.__dict__.pop("late", []):
            self.note(*arguments)
        return original(self, error)

    @instead(Kept, "add")
    def add(original: Any, self: Any, *arguments: Any) -> None:
        self.note = original.__get__(self)
        self.__dict__.setdefault("late", []).append(arguments)


@mutant("OSP-RES-006", "the retrieval to be resumed after alpha was killed")
def validators_die_with_the_owner() -> None:
    """The validator of a file is another one whenever its owner is started."""

    @instead(FileRetriever, "streamer")
    def streamer(original: Any, self: Any, request: Any) -> Any:
        found = original(self, request)
        if found is not None:
            token = self.__dict__.setdefault("token", secrets.token_bytes(16))
            validator = found.validator
            found.validator = lambda: validator() + token
        return found


@mutant("OSP-RES-007", "the rest, with the entry that was cut")
def containers_start_again() -> None:
    """Nothing is kept of containers."""

    @instead(ContainerAssembler, "between")
    def between(original: Any, self: Any) -> bool:
        return False


@wire_mutant("OSP-RES-008", "to resume what the owner has sent with the digest none: the outcome UNSUPPORTED")
def files_resume_without_digests() -> None:
    """In a session without digests the validator of a file is enough to go on."""
    assign(sender, "NONE", "")
