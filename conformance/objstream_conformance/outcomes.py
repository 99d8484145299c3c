"""How a case can end, and what is written down about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum


class Verdict(str, Enum):
    """What a case or a requirement says about the implementation."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "NOT APPLICABLE"
    UNTESTED = "UNTESTED"


class Outcome(str, Enum):
    """What happened while a case ran; a crash, a hang or a broken adapter is never a rejection."""

    OK = "ok"
    VIOLATION = "violation"
    CRASH = "crash"
    HANG = "hang"
    ADAPTER_ERROR = "adapter-error"
    SUITE_ERROR = "suite-error"
    UNSUPPORTED = "unsupported"
    UNEXERCISED = "unexercised"


class Ending(Exception):
    """A case has come to an end other than a pass."""

    verdict = Verdict.INCONCLUSIVE
    outcome = Outcome.UNEXERCISED

    def __init__(self, expected: str, observed: str, check: str = "") -> None:
        super().__init__(f"expected {expected}; observed {observed}")
        self.expected = expected
        self.observed = observed
        self.check = check


class Violation(Ending):
    """The implementation did what the requirement forbids."""

    verdict = Verdict.FAIL
    outcome = Outcome.VIOLATION


class Crash(Ending):
    """An operation raised what the contract does not know."""

    verdict = Verdict.FAIL
    outcome = Outcome.CRASH


class Hang(Ending):
    """An operation was still running long after its deadline."""

    verdict = Verdict.FAIL
    outcome = Outcome.HANG


class Unexercised(Ending):
    """The scenario did not come about (a fault that struck nothing, say), so nothing is shown."""


class AdapterError(Ending):
    """The adapter broke its contract or contradicts its own description."""

    outcome = Outcome.ADAPTER_ERROR


class NotApplicable(Ending):
    """The implementation does not claim what the requirement is about."""

    verdict = Verdict.NOT_APPLICABLE
    outcome = Outcome.UNSUPPORTED


@dataclass(frozen=True)
class CaseResult:
    """The record of one case, as the worker hands it over and the report shows it."""

    case: str
    ids: tuple[str, ...]
    verdict: Verdict
    outcome: Outcome
    scenario: str
    expected: str = ""
    observed: str = ""
    check: str = ""
    seconds: float = 0.0
    evidence: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CaseResult:
        record = json.loads(text)
        record["ids"] = tuple(record["ids"])
        record["verdict"] = Verdict(record["verdict"])
        record["outcome"] = Outcome(record["outcome"])
        return cls(**record)
