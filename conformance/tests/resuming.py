"""Sites of the honest toy with the capability `resume`."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from honest import HonestSite, container_source, entries, file_source, seal, unseal

from objstream_conformance.contract import Rejected


def chained(pieces: list[Any]) -> bytes:
    return hashlib.sha256(b"".join(hashlib.sha256(marshal.dumps(one, 2)).digest() for one in pieces)).digest()


def validator(value: Any) -> bytes:
    if not isinstance(value, Path):
        return chained(list(entries(value)))
    at = value.stat()
    return chained([at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_dev, at.st_ino])


class ResumingSite(HonestSite):
    """Keeps a file of messages while it retrieves: kind and validator in the first, a piece in each further one."""

    place: Path | None = None

    def retrieve_container(self, peer: str, name: str, *, timeout: float, resume: bool = False) -> object:
        return (self.resume if resume else self.pull)(peer, "container", name, timeout)

    def retrieve_file(self, peer: str, name: str, *, timeout: float, resume: bool = False) -> str:
        return str((self.resume if resume else self.pull)(peer, "file", name, timeout))

    def handle(self, peer: str, message: bytes) -> bytes | None:
        parts = unseal(message)
        if parts is None or parts[0] != "get" or len(parts[3]) == 2:
            return super().handle(peer, message)
        _, session, number, (kind, name, point) = parts
        try:
            source = self.continued(kind, self.offered[kind, name], point)
            reply = seal("ok", session, number, next(source))
        except Rejected as refusal:
            return seal("no", session, number, (refusal.message, refusal.code))
        self.sessions[peer, session] = [source, number, reply]
        return reply

    def continued(self, kind: str, value: Any, point: Any) -> Iterator[Any]:
        """Kind and validator, and the pieces after the point: how many before it, their chain, the validator."""
        source = (container_source if kind == "container" else file_source)(value)
        first = next(source), validator(value)
        if point is not None:
            passed = [piece for _, (_, piece) in zip(range(point[0]), source, strict=False)]
            if not self.agrees(chained(passed) == point[1], first[1] == point[2]):
                raise Rejected("the source has changed", "SOURCE_CHANGED")
        yield first
        yield from source

    def agrees(self, chain: bool, validator: bool) -> bool:
        return chain and validator

    def resume(self, peer: str, kind: str, name: str, timeout: float) -> Any:
        self.place = self.directory / hashlib.sha256(repr((peer, kind, name)).encode()).hexdigest()
        try:
            found = self.pull(peer, kind, name, timeout)
        except Rejected as refusal:
            if refusal.code != "LOST":
                self.place.unlink()
            raise
        else:
            self.place.unlink()
            return found
        finally:
            self.place = None

    def ask(self, peer: str, operation: str, session: str, number: int, payload: Any, timeout: float) -> Any:
        """As without resume, but that the pieces that were kept are not asked for, and the others are kept."""
        if self.place is None:
            return super().ask(peer, operation, session, number, payload, timeout)
        if operation == "get":
            self.pieces = self.kept(self.place)
            self.known = max(0, len(self.pieces) - 1)
            first = super().ask(peer, "get", session, 0, (*payload, self.point(self.pieces)), timeout)
            if not self.pieces:
                self.keep(self.place, self.pieces, first)
            return first[0]
        if operation == "next" and number <= self.known:
            return "entry", self.pieces[number]
        reply = super().ask(peer, operation, session, number - self.known, payload, timeout)
        if operation == "next" and reply[0] == "entry":
            self.keep(self.place, self.pieces, reply[1])
        return reply

    def point(self, kept: list[Any]) -> Any:
        return (len(kept) - 1, chained(kept[1:]), kept[0][1]) if kept else None

    def keep(self, place: Path, kept: list[Any], piece: Any) -> None:
        kept.append(piece)
        message = seal(piece)
        with place.open("ab") as stream:
            stream.write(len(message).to_bytes(8, "big") + message)

    def kept(self, place: Path) -> list[Any]:
        """All that was kept as a whole; what a kill has torn is cut off."""
        data, at, found = place.read_bytes() if place.exists() else b"", 0, []
        while parts := unseal(data[at + 8 : (end := at + 8 + int.from_bytes(data[at : at + 8], "big"))]):
            found.append(parts[0])
            at = end
        place.write_bytes(data[:at])
        return found
