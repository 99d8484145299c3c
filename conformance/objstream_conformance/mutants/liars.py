"""Implementations that are wrong all over, to see that the suite is not taken in."""

from __future__ import annotations

import time
from typing import Any

from ..adapters import reference
from ..adapters.reference import ReferenceSite
from ..contract import CAPABILITIES, Rejected, Unsupported
from ..verdicts import Standing
from .kit import instead, liar


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

    for name in ("send_container", "send_file"):

        @instead(ReferenceSite, name)
        def send(original: Any, self: Any, targets: list[str], *_: Any, **options: Any) -> Any:
            return dict.fromkeys(targets, None)


@liar(passes=False, reasons={"OSP-CTR-001": "rejected: no", "OSP-FIL-001": "rejected: no"})
def no() -> None:
    """Every operation is refused."""
    for name in ("retrieve_container", "retrieve_file", "send_container", "send_file"):

        @instead(ReferenceSite, name)
        def refuse(original: Any, *arguments: Any, **options: Any) -> Any:
            raise Rejected("no")


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


@liar(claims=frozenset(CAPABILITIES), standing=Standing.NOT_CONFORMANT)
def boasts() -> None:
    """Every capability is declared, and files, cancelling and the account of retrievals are not on offer."""
    for name in ("add_file", "retrieve_file", "send_file", "cancel", "served"):

        @instead(ReferenceSite, name)
        def refuse(original: Any, *arguments: Any, **options: Any) -> Any:
            raise Unsupported("not yet")
