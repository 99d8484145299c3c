"""Implementations that are wrong all over, to see that the suite is not taken in."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..adapters import reference
from ..adapters.reference import ReferenceSite
from ..adapters.wire import ReferenceEnd
from ..contract import CAPABILITIES, ROLES, Rejected, Unsupported
from ..verdicts import Standing
from .kit import assign, instead, liar


def ends_differently(change: Callable[[Any], Any], *roles: str) -> None:
    """Let `change(end)` say how a session has ended, for ends of these roles; they say nothing to their peers."""

    @instead(ReferenceEnd, "__init__")
    def init(original: Any, self: Any, role: str, *rest: Any, **options: Any) -> None:
        self.lies = role in roles
        self.kind = options.get("kind")
        original(self, role, *rest, **options)

    @instead(ReferenceEnd, "outcome")
    def outcome(original: Any, self: Any) -> Any:
        return change(self) if self.lies else original(self)

    @instead(ReferenceEnd, "_drain")
    def drain(original: Any, self: Any) -> Any:
        said = original(self)
        return b"" if self.lies else said


@liar(passes=False, reasons={"OSP-CTR-001": "arrived", "OSP-FIL-001": "arrived"})
def yes() -> None:
    """Every operation succeeds, and nothing goes over the network."""

    @instead(ReferenceSite, "retrieve_container")
    def container(original: Any, self: Any, *arguments: Any, **options: Any) -> object:
        return {}

    @instead(ReferenceSite, "retrieve_file")
    def file(original: Any, self: Any, *arguments: Any, **options: Any) -> str:
        path = self._directory / "file"
        path.write_bytes(b"")
        return str(path)

    def delivered(end: Any) -> Any:
        path = Path(end._directory or ".") / "file"
        if end.kind == "file" and end._directory:
            path.write_bytes(b"")
        return "delivered", path if end.kind == "file" else {} if end.kind else None

    ends_differently(delivered, *ROLES)

    for name in ("send_container", "send_file"):

        @instead(ReferenceSite, name)
        def send(original: Any, self: Any, targets: list[str], *_: Any, **options: Any) -> Any:
            return dict.fromkeys(targets, None)


@liar(passes=False, reasons={"OSP-CTR-001": "rejected: .*no", "OSP-FIL-001": "rejected: .*no"})
def no() -> None:
    """Every operation is refused."""
    for name in ("retrieve_container", "retrieve_file", "send_container", "send_file"):

        @instead(ReferenceSite, name)
        def refuse(original: Any, *arguments: Any, **options: Any) -> Any:
            raise Rejected("no")

    ends_differently(lambda end: ("failed", "REFUSED"), *ROLES)
    assign(ReferenceEnd, "reason", "no")


@liar(
    reasons={
        "OSP-RTV-001": "crash.*KeyError",
        "OSP-VAL-037": "crash.*KeyError",
        "OSP-FIL-015": "crash.*KeyError",
        "OSP-CTR-006": "crash.*KeyError",
    }
)
def crashes() -> None:
    """What should be refused ends in an exception that means nothing."""

    @instead(reference, "translated")
    def translated(original: Any, error: Any) -> Any:
        return None if error is None else KeyError(str(error))

    _when_it_fails(lambda end: {}[end.reason])


def _when_it_fails(change: Callable[[Any], Any]) -> None:
    """Let `change(end)` take the place of the failure of an end."""

    @instead(ReferenceEnd, "outcome")
    def outcome(original: Any, self: Any) -> Any:
        found = original(self)
        return change(self) if found and found[0] == "failed" else found


@liar(
    only=("OSP-RTV-001", "OSP-CTR-001"),
    timeout=3.0,
    reasons={"OSP-RTV-001": "hang.*still running"},
)
def hangs() -> None:
    """What should be refused never ends."""

    @instead(reference, "translated")
    def translated(original: Any, error: Any) -> Any:
        if error is not None:
            time.sleep(3600)

    _when_it_fails(lambda end: time.sleep(3600))


@liar(
    reasons={
        "OSP-SES-001": "0 more|ended well",
        "OSP-SES-002": "success|ended well|0 more",
        "OSP-SES-018": "reported is success",
        "OSP-FIL-012": "reports success",
    }
)
def stores_nothing() -> None:
    """What is pushed is reported as delivered and goes nowhere."""
    for name in ("send_container", "send_file"):

        @instead(ReferenceSite, name)
        def send(original: Any, self: Any, targets: list[str], *_: Any, **options: Any) -> Any:
            return dict.fromkeys(targets, None)

    ends_differently(lambda end: ("delivered", None), "sender")


@liar(claims=frozenset(CAPABILITIES), standing=Standing.NOT_CONFORMANT)
def boasts() -> None:
    """Every capability is declared, and files, cancelling and the account of retrievals are not on offer."""
    for name in ("add_file", "retrieve_file", "send_file", "cancel", "served"):

        @instead(ReferenceSite, name)
        def refuse(original: Any, *arguments: Any, **options: Any) -> Any:
            raise Unsupported("not yet")
