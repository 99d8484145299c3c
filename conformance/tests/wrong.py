"""Wrong implementations, each over the honest one and wrong in one way, to see that the suite bites."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import honest
from honest import HonestAdapter, HonestSite

from objstream_conformance.contract import Description, Rejected, Unsupported


def adapter(site: type[HonestSite], capabilities: frozenset[str] | None = None) -> type[HonestAdapter]:
    """An adapter class for a class of sites."""
    members = {"site_class": site, "capabilities": capabilities or HonestAdapter.capabilities}
    return type(site.__name__, (HonestAdapter,), members)


class YesSite(HonestSite):
    """Says yes to everything, and nothing goes over the network."""

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        return {}

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> str:
        path = self.directory / "file"
        path.write_bytes(b"")
        return str(path)

    def push(self, targets: list[str], *_: Any) -> dict[str, Exception | None]:
        return dict.fromkeys(targets, None)


class NoSite(HonestSite):
    """Says no to everything."""

    def pull(self, *_: Any) -> Any:
        raise Rejected("no", "REFUSED")

    def push(self, *_: Any) -> Any:
        raise Rejected("no", "REFUSED")


class CrashingSite(HonestSite):
    """Reports a missing name by crashing."""

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        try:
            return super().retrieve_container(peer, name, timeout=timeout)
        except Rejected as refusal:
            raise KeyError(str(refusal)) from refusal


class DyingSite(HonestSite):
    """Takes the process down when a name is missing."""

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        if ("container", name) not in self.adapter.sites[id(self.network), peer].offered:
            os._exit(7)
        return super().retrieve_container(peer, name, timeout=timeout)


class HangingSite(HonestSite):
    """Waits for ever for a missing name."""

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        if ("container", name) not in self.adapter.sites[id(self.network), peer].offered:
            time.sleep(3600)
        return super().retrieve_container(peer, name, timeout=timeout)


class ForgetfulSite(HonestSite):
    """Reports pushes as delivered and stores nothing."""

    def received(self) -> list[object]:
        return []


class TrustingSite(HonestSite):
    """Does not look at the digests of messages."""

    def pull(self, *arguments: Any) -> Any:
        return trusting(super().pull, *arguments)

    def ask(self, *arguments: Any) -> Any:
        return trusting(super().ask, *arguments)

    def handle(self, peer: str, message: bytes) -> bytes | None:
        return trusting(super().handle, peer, message)


def trusting(operation: Any, *arguments: Any) -> Any:
    checked = honest.unseal
    honest.unseal = unchecked  # type: ignore[assignment]
    try:
        return operation(*arguments)
    except (KeyError, ValueError, TypeError) as error:
        raise Rejected(str(error)) from error
    finally:
        honest.unseal = checked


def unchecked(message: bytes) -> Any:
    try:
        parts = honest.marshal.loads(message[32:])
    except (ValueError, EOFError, TypeError):
        return None
    return parts if type(parts) is tuple and len(parts) == 4 else None


class ListingSite(HonestSite):
    """Turns tuples into lists."""

    def build(self, kind: str, pieces: list[Any]) -> object:
        return super().build("list" if kind == "tuple" else kind, [_listed(piece) for piece in pieces])


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if type(value) is tuple else value


class SortingSite(HonestSite):
    """Sorts dicts."""

    def build(self, kind: str, pieces: list[Any]) -> object:
        return super().build(kind, sorted(pieces, key=repr) if kind == "dict" else pieces)


class LitteringSite(HonestSite):
    """Leaves a file behind when a transfer fails."""

    def pull(self, peer: str, kind: str, name: str, timeout: float) -> Any:
        try:
            return super().pull(peer, kind, name, timeout)
        except (Rejected, TimeoutError):
            (self.directory / f"{time.monotonic_ns()}.tmp").write_bytes(b"half")
            raise


class RepeatingSite(HonestSite):
    """Takes every offer for a new one."""

    def handle(self, peer: str, message: bytes) -> bytes | None:
        self.answered.clear()
        return super().handle(peer, message)


class UnwillingSite(HonestSite):
    """Declares files and does not offer them."""

    def add_file(self, name: str, path: Path) -> None:
        raise Unsupported("no files here")


class BareSite(HonestSite):
    """Offers nothing, and says so."""

    def retrieve_container(self, *_: Any, **__: Any) -> Any:
        raise Unsupported("nothing here")

    retrieve_file = send_container = send_file = retrieve_container


class ImpatientSite(HonestSite):
    """Takes the deadline for the time of the whole transfer."""

    def pull(self, peer: str, kind: str, name: str, timeout: float) -> Any:
        self.end = time.monotonic() + timeout
        return super().pull(peer, kind, name, timeout)

    def ask(self, *arguments: Any) -> Any:
        reply = super().ask(*arguments)
        if time.monotonic() > getattr(self, "end", time.monotonic() + 1):
            raise TimeoutError("too long in all")
        return reply


class HoardingSite(HonestSite):
    """Remembers every request."""

    def pull(self, *arguments: Any) -> Any:
        self.requests = [*getattr(self, "requests", ()), bytearray(2000)]
        return super().pull(*arguments)


class WaywardSite(HonestSite):
    """Says one thing more where nothing is done to its messages, so that faults aimed at its last one miss."""

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        got = super().retrieve_container(peer, name, timeout=timeout)
        if "elsewhere" not in str(self.directory):
            self.network.carry(peer, self.name, b"goodbye")
        return got


Yes, No, Crashing, Dying = map(adapter, (YesSite, NoSite, CrashingSite, DyingSite))
Hanging, Forgetful, Trusting, Listing = map(adapter, (HangingSite, ForgetfulSite, TrustingSite, ListingSite))
Sorting, Littering, Repeating = map(adapter, (SortingSite, LitteringSite, RepeatingSite))
Unwilling, Impatient, Hoarding = map(adapter, (UnwillingSite, ImpatientSite, HoardingSite))
Wayward = adapter(WaywardSite)
Bare = adapter(BareSite, frozenset({"x-nothing"}))


class Chatty(HonestAdapter):
    """Prints to where results go."""

    def describe(self) -> Description:
        print('{"name": "not a result"}', flush=True)
        return super().describe()


class Vague(HonestAdapter):
    """Describes itself with a text."""

    def describe(self) -> Any:
        return "an implementation"


class Broken(HonestAdapter):
    """Cannot be built."""

    def __init__(self) -> None:
        raise RuntimeError("no licence")


class Raising(HonestAdapter):
    """Cannot open a site."""

    def site(self, *_: Any) -> Any:
        raise OSError("no room for a site")
