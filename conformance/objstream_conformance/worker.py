"""A process of its own for one implementation: takes case names on stdin, gives results as JSON lines.

Whatever the implementation prints goes to stderr; the results have a descriptor to themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import tracemalloc
from dataclasses import replace
from pathlib import Path

from . import cases, probes
from .case import Case
from .cases import CaseInfo
from .contract import Adapter, Description, Rejected
from .locate import load_adapter
from .outcomes import AdapterError, CaseResult, Ending, Outcome, Unexercised, Verdict, Violation
from .sites import describe

ATTEMPTS = 3
"""How often a case is tried whose faults found no message to strike; carriers of bytes cut them as they like.

A violation that was seen although a fault struck nothing counts when it is seen each time.
"""


def run_case(info: CaseInfo, adapter: Adapter, description: Description, seed: int) -> CaseResult:
    """Run one case with fresh sites in a fresh directory."""
    start = time.monotonic()
    for _ in range(ATTEMPTS):
        result, doubtful = _attempt(info, adapter, description, seed)
        if not doubtful:
            break
    return replace(result, seconds=time.monotonic() - start)


def _attempt(
    info: CaseInfo, adapter: Adapter, description: Description, seed: int
) -> tuple[CaseResult, bool]:
    """The result, and whether the scenario may not have come about."""
    evidence: dict[str, object] = {}
    verdict, outcome, expected, observed, check = Verdict.PASS, Outcome.OK, "", "", ""
    with tempfile.TemporaryDirectory(prefix="osp-case-", ignore_cleanup_errors=True) as directory:
        case = Case(adapter, description, Path(directory).resolve(), f"{seed}:{info.name}")
        try:
            _run(info, case)
        except (Ending, Rejected, TimeoutError) as error:
            ending = (
                error if isinstance(error, Ending) else Violation("the operation to succeed", describe(error))
            )
            verdict, outcome = ending.verdict, ending.outcome
            expected, observed, check = ending.expected, ending.observed, ending.check
            evidence = case.evidence()
        except Exception:
            verdict, outcome, expected = Verdict.INCONCLUSIVE, Outcome.SUITE_ERROR, "the suite to work"
            observed = traceback.format_exc()
    tracemalloc.stop()
    doubtful = outcome is Outcome.UNEXERCISED or (outcome is Outcome.VIOLATION and bool(case.doubts()))
    told = (verdict, outcome, info.scenario, expected, observed, check)
    return CaseResult(info.name, info.ids, *told, evidence=evidence), doubtful


def _run(info: CaseInfo, case: Case) -> None:
    try:
        try:
            info.body(case)
            case.finish()
        except Unexercised:
            case.finish()  # what went wrong on the side explains it better
            raise
    except BaseException:
        with contextlib.suppress(AdapterError):
            case.close()
        raise
    case.close()


def describe_adapter(adapter: Adapter) -> Description:
    """What the adapter says it is.

    Raises:
        AdapterError: it does not say so in the form of the contract.
    """
    description = adapter.describe()
    if not isinstance(description, Description):
        raise AdapterError("describe() to return a Description", f"it returned {type(description).__name__}")
    if not description.name or not description.version:
        raise AdapterError("a name and a version in the description", f"{description!r}")
    return description


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("adapter")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    faulthandler.register(signal.SIGUSR1, all_threads=True)

    def say(line: str) -> None:
        results.write(line + "\n")
        results.flush()

    try:
        adapter = load_adapter(options.adapter)
        description = describe_adapter(adapter)
    except Exception as error:
        plain = isinstance(error, (AdapterError, LookupError))
        text = str(error) if plain else f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        say(json.dumps({"error": text}))
        return
    known = {**probes.PROBES, **cases.load()}
    say(
        json.dumps(
            {
                "name": description.name,
                "version": description.version,
                "roles": sorted(description.roles),
                "capabilities": sorted(description.capabilities),
            }
        )
    )
    for line in sys.stdin:
        say(run_case(known[line.strip()], adapter, description, options.seed).as_json())
    os._exit(0)  # threads that the implementation has left behind must not keep us


if __name__ == "__main__":
    main()
