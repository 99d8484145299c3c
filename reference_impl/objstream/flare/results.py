"""Outcomes as FLARE's streamers return them: pairs of a return code and a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.shareable import Shareable, make_reply

from ..errors import Code, TransferError
from ..site import Outcome

RETURN_CODES: dict[Code, str] = {
    Code.PROTOCOL: ReturnCode.EXECUTION_EXCEPTION,
    Code.VERSION: ReturnCode.EXECUTION_EXCEPTION,
    Code.DIGEST: ReturnCode.EXECUTION_EXCEPTION,
    Code.NOT_FOUND: ReturnCode.BAD_REQUEST_DATA,
    Code.REFUSED: ReturnCode.BAD_REQUEST_DATA,
    Code.UNSUPPORTED: ReturnCode.BAD_REQUEST_DATA,
    Code.TOO_LARGE: ReturnCode.BAD_REQUEST_DATA,
    Code.CORRUPT: ReturnCode.COMMUNICATION_ERROR,
    Code.SOURCE_CHANGED: ReturnCode.EXECUTION_EXCEPTION,
    Code.SOURCE_FAILED: ReturnCode.EXECUTION_EXCEPTION,
    Code.STORE_FAILED: ReturnCode.EXECUTION_EXCEPTION,
    Code.CANCELLED: ReturnCode.TASK_ABORTED,
    Code.STALLED: ReturnCode.TIMEOUT,
    Code.LOST: ReturnCode.COMMUNICATION_ERROR,
    Code.UNCONFIRMED: ReturnCode.COMMUNICATION_ERROR,
    Code.MISMATCH: ReturnCode.BAD_REQUEST_DATA,
    Code.BUSY: ReturnCode.SERVICE_UNAVAILABLE,
}


def return_code(error: TransferError | None) -> str:
    """FLARE's return code for how a transfer ended."""
    return str(ReturnCode.OK) if error is None else RETURN_CODES[error.code]


class Result(tuple[str, Any]):
    """The pair of a return code and a result.

    Attributes:
        error: why there is no result; None when the code is OK.
    """

    error: TransferError | None

    def __new__(cls, result: object, error: TransferError | None = None, rc: str = "") -> Result:
        self = super().__new__(cls, (rc or return_code(error), result))
        self.error = error
        return self


class Deliveries(dict[str, Shareable]):
    """For each target a reply with its return code, as FLARE's streamers have it; true when all have the object.

    Attributes:
        errors: for each target why it does not have the object, or None.
    """

    def __init__(self, errors: Mapping[str, TransferError | None]) -> None:
        super().__init__({target: make_reply(return_code(error)) for target, error in errors.items()})
        self.errors = dict(errors)

    def __bool__(self) -> bool:
        return bool(self.errors) and not any(self.errors.values())


def delivered(outcomes: Mapping[str, Outcome]) -> Result:
    """What a push returns."""
    deliveries = Deliveries({target: outcome.error for target, outcome in outcomes.items()})
    failures = [error for error in deliveries.errors.values() if error is not None]
    codes = {return_code(error) for error in failures}
    return Result(
        deliveries,
        failures[0] if failures else None,
        rc=ReturnCode.ERROR if len(codes) > 1 else "",
    )
