"""An adapter whose sites live in one process: sender and receivers are measured together, as one side."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..contract import Adapter, Cut, Description
from .scenarios import Fault

OWNER, REQUESTER = "sender", "receiver"
PATIENCE = 5.0
"""Seconds that a message may be held up by giving up."""


class Wire:
    """Carries messages between the sites, and keeps none; at a point it makes a fault happen."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self.fault: Fault = ""
        self._give_up = give_up
        self._left: int | None = None
        self._cut = False

    def arm(self, fault: Fault, after: int) -> None:
        """Let it happen when the sender has sent that many bytes more."""
        self.fault, self._left = fault, after

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        if self._cut:
            raise Cut(f"the link between {source} and {target} is cut")
        if self._left is None or source != OWNER:
            return [message]
        self._left -= len(message)
        if self._left > 0:
            return [message]
        self._left = None
        if self.fault == "corrupt":
            middle = len(message) // 2
            return [message[:middle] + bytes([message[middle] ^ 1]) + message[middle + 1 :]]
        if self.fault == "cut":
            self._cut = True
            raise Cut(f"the link between {source} and {target} is cut")
        giving_up = threading.Thread(target=self._give_up, daemon=True)
        giving_up.start()
        giving_up.join(PATIENCE)
        return [message]


class Pair:
    """The sender and the receivers of one transfer; see :class:`.subjects.Endpoint`. Peers are known already."""

    def __init__(self, adapter: Adapter, directory: Path, chunk: int, targets: int) -> None:
        self.address = ""
        self._wire = Wire(self.cancel)
        self._names = [REQUESTER, *(f"{REQUESTER}-{number}" for number in range(2, targets + 1))]
        self._sites: dict[str, Any] = {}
        adapter = _sized(adapter, chunk)
        for name in (OWNER, *self._names):
            place = directory / name
            place.mkdir()
            self._sites[name] = adapter.site(name, self._wire, place)
        self.add_container = self._sites[OWNER].add_container
        self.add_file = self._sites[OWNER].add_file
        self.received = self._sites[REQUESTER].received

    def retrieve_container(self, peer: str, name: str, **options: Any) -> object:
        return self._sites[REQUESTER].retrieve_container(OWNER, name, **options)

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> str:
        return str(self._sites[REQUESTER].retrieve_file(OWNER, name, timeout=timeout))

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        verdicts: dict[str, Exception | None] = self._sites[OWNER].send_container(
            self._names, container, timeout=timeout
        )
        return verdicts

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        verdicts: dict[str, Exception | None] = self._sites[OWNER].send_file(
            self._names, path, timeout=timeout
        )
        return verdicts

    def arm(self, fault: Fault, after: int) -> None:
        self._wire.arm(fault, after)

    def cancel(self) -> None:
        self._sites[REQUESTER].cancel()

    def close(self) -> None:
        for site in self._sites.values():
            site.close()


class Together:
    """An adapter that opens its sites on a network of the suite."""

    def __init__(self, adapter: Adapter, name: str = "") -> None:
        self._adapter = adapter
        self._name = name

    def describe(self) -> Description:
        told = self._adapter.describe()
        return Description(self._name or told.name, told.version, told.roles, told.capabilities)

    def pair(self, directory: Path, chunk: int, targets: int) -> Pair:
        return Pair(self._adapter, directory, chunk, targets)


def _sized(adapter: Adapter, chunk: int) -> Adapter:
    """The adapter with chunks of that size, where it takes one."""
    if "chunk_size" not in inspect.signature(type(adapter)).parameters:
        return adapter
    build: Any = type(adapter)
    sized: Adapter = build(chunk_size=chunk)
    return sized
