"""The closed set of error codes and the one exception that a transfer raises (spec chapter "Errors")."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Why a transfer ended without success. The numbers travel in RESET frames; each has one meaning, for ever."""

    PROTOCOL = 1
    VERSION = 2
    DIGEST = 3
    NOT_FOUND = 4
    REFUSED = 5
    UNSUPPORTED = 6
    TOO_LARGE = 7
    CORRUPT = 8
    SOURCE_CHANGED = 9
    SOURCE_FAILED = 10
    STORE_FAILED = 11
    CANCELLED = 12
    STALLED = 13
    LOST = 14
    UNCONFIRMED = 15
    MISMATCH = 16
    BUSY = 17


MEANING: dict[Code, str] = {
    Code.PROTOCOL: "the peer broke the protocol",
    Code.VERSION: "no protocol version in common",
    Code.DIGEST: "no digest algorithm in common",
    Code.NOT_FOUND: "no object of that name",
    Code.REFUSED: "the site refused the transfer",
    Code.UNSUPPORTED: "the object cannot be carried",
    Code.TOO_LARGE: "a limit would be exceeded",
    Code.CORRUPT: "the content arrived altered",
    Code.SOURCE_CHANGED: "the object changed while it was sent",
    Code.SOURCE_FAILED: "the object could not be read",
    Code.STORE_FAILED: "the object could not be stored",
    Code.CANCELLED: "the transfer was cancelled",
    Code.STALLED: "no progress within the deadline",
    Code.LOST: "the connection ended inside the session",
    Code.UNCONFIRMED: "everything was sent but the receiver's confirmation never came",
    Code.MISMATCH: "the object does not fit its destination",
    Code.BUSY: "the site has too many sessions",
}


class TransferError(Exception):
    """A transfer ended without success; nothing was delivered and nothing is left behind.

    Attributes:
        code: the reason, from the closed set.
        message: what happened, fit for the peer: it holds no local path and no value.
        local: details for this side only (paths, system errors); never sent.
        from_peer: the peer reported it.
    """

    def __init__(self, code: Code, message: str = "", *, local: str = "", from_peer: bool = False) -> None:
        self.code = code
        self.message = message or MEANING[code]
        self.local = local
        self.from_peer = from_peer
        super().__init__(code, self.message)

    def __str__(self) -> str:
        origin = "peer: " if self.from_peer else ""
        detail = f" ({self.local})" if self.local else ""
        return f"{self.code.name}: {origin}{self.message}{detail}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (int(self.code), self.message, self.local, self.from_peer)


def _rebuild(code: int, message: str, local: str, from_peer: bool) -> TransferError:
    return TransferError(Code(code), message, local=local, from_peer=from_peer)
