"""Mutants that are wrong about digests, chain, size and count."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from objstream import digests
from objstream.digests import ALGORITHMS, Chain
from objstream.frames import FrameType
from objstream.meta import Key
from objstream.session import Receiver, Sender

from .kit import instead, wire_mutant


def ending(change: Any) -> None:
    """Let END be changed before the receiver looks at it."""

    @instead(Receiver, "_on_end")
    def end(original: Any, self: Any, frame: Any) -> None:
        change(self, frame.meta)
        original(self, frame)


@wire_mutant("OSP-INT-020", "the digest of each frame")
def digests_are_cut() -> None:
    """The digest in ENTRIES is cut to 16 bytes."""

    @instead(Sender, "_frame_of")
    def frame(original: Any, self: Any, type_: Any, fields: Any, *data: Any) -> Any:
        if type_ is FrameType.ENTRIES and fields:
            fields = {Key.DIGEST: fields[Key.DIGEST][:16]}
        return original(self, type_, fields, *data)


@wire_mutant("OSP-INT-021", "reject/OSP-INT-021")
def digests_are_not_compared() -> None:
    """The digest that came with a frame is taken for its own."""

    @instead(Receiver, "on_data")
    def data(original: Any, self: Any, frame: Any) -> None:
        if Key.DIGEST in frame.meta:
            self._hasher = SimpleNamespace(digest=lambda: frame.meta[Key.DIGEST])
        original(self, frame)


@wire_mutant("OSP-INT-022", "the chain of a dict")
def one_chain_for_all_kinds() -> None:
    """The chain of a dict begins like that of a list."""

    @instead(Sender, "_open")
    def open_(original: Any, self: Any) -> None:
        original(self)
        if self._description.kind == "dict":
            self._chain = Chain("list")


@wire_mutant("OSP-INT-022", "the size of a file")
def sizes_count_one_more() -> None:
    """The size of a file in END is one too many, unless it is resumed."""

    @instead(Sender, "_frame_of")
    def frame(original: Any, self: Any, type_: Any, fields: Any, *data: Any) -> Any:
        if type_ is FrameType.END and self._description.kind == "file" and Key.RESUME not in self.request:
            fields[Key.SIZE] += 1
        return original(self, type_, fields, *data)


@wire_mutant("OSP-INT-023", "reject/OSP-INT-023")
def chains_are_not_compared() -> None:
    """A receiver does not compare the chain in END with its own."""
    ending(lambda receiver, meta: meta.update({Key.CHAIN: receiver._chain.value}))


@wire_mutant("OSP-INT-024", "the chain of a frozenset in DONE")
def confirmations_are_empty() -> None:
    """DONE for a frozenset has a chain of zeros."""

    @instead(Receiver, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        if type_ is FrameType.DONE and self._description.kind == "frozenset":
            fields = {Key.CHAIN: bytes(32)}
        original(self, type_, fields)


@wire_mutant("OSP-INT-025", "reject/OSP-INT-025")
def any_confirmation_will_do() -> None:
    """A sender does not compare the chain in DONE with its own."""

    @instead(Sender, "_on_done")
    def done(original: Any, self: Any, frame: Any) -> None:
        frame.meta[Key.CHAIN] = self._chain.value
        original(self, frame)


@wire_mutant("OSP-INT-026", "reject/OSP-INT-026")
def sizes_are_not_compared() -> None:
    """A receiver does not compare sizes at the end."""

    def change(receiver: Any, meta: Any) -> None:
        meta[Key.SIZE] = receiver._bytes
        receiver._description = replace(receiver._description, size=None)

    ending(change)


@wire_mutant("OSP-INT-027", "reject/OSP-INT-027")
def low_counts_are_not_compared() -> None:
    """A receiver that has more entries than END says takes them all."""

    def change(receiver: Any, meta: Any) -> None:
        meta[Key.COUNT] = max(meta[Key.COUNT], receiver._assembler.count)

    ending(change)


@wire_mutant("OSP-INT-028", "a REQUEST that offers sha-256 alone")
def sha_256_is_not_enough() -> None:
    """Who wants sha-256 alone offers another digest all the same."""

    @instead(Receiver, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        if type_ is FrameType.REQUEST and fields[Key.DIGESTS] == ["sha-256"]:
            fields[Key.DIGESTS] = ["sha-256", "blake3"]
        original(self, type_, fields)


@wire_mutant("OSP-INT-029", "the first digest that is known")
def first_digest_is_named() -> None:
    """OPEN names the first digest of the REQUEST, known or not."""

    @instead(Sender, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        if type_ is FrameType.OPEN:
            fields[Key.DIGESTS] = self.request[Key.DIGESTS][0]
        original(self, type_, fields)


@wire_mutant("OSP-INT-030", "reject/OSP-INT-030")
def any_digest_will_do() -> None:
    """A receiver takes any digest that it knows."""

    @instead(Receiver, "_on_open")
    def open_(original: Any, self: Any, frame: Any) -> None:
        self._asked[Key.DIGESTS] = [*self._asked[Key.DIGESTS], *ALGORITHMS]
        original(self, frame)


@wire_mutant("OSP-INT-031", "no `none` among the digests offered")
def none_is_always_offered() -> None:
    """A receiver without wishes offers to do without digests."""

    @instead(Receiver, "_send")
    def send(original: Any, self: Any, type_: Any, fields: Any) -> None:
        if type_ is FrameType.REQUEST and self._offered is digests.DEFAULT:
            fields[Key.DIGESTS] = [*fields[Key.DIGESTS], "none"]
        original(self, type_, fields)


@wire_mutant("OSP-INT-032", "reject/OSP-INT-032")
def more_than_announced_is_seen_late() -> None:
    """A receiver compares the announced size with what came at the end only."""

    @instead(Receiver, "_on_content")
    def content(original: Any, self: Any, frame: Any) -> None:
        description = self._description
        self._description = replace(description, size=None)
        try:
            original(self, frame)
        finally:
            self._description = description
