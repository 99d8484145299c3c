"""Runs the suite on variants, each in a worker process of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Literal

from .. import cases, registry, runner
from ..adapters.reference import CAPABILITIES
from ..cases import CaseInfo
from ..registry import Requirement
from . import Liar, Mutant, Variant, killers
from .judge import Finding, Judgement, judge
from .kit import TENSORS, Place

Scope = Literal["own", "quick", "full"]

SLOW = frozenset({"several.slow_target", "ses.closing_a_site", "rtv.nothing_accumulates"})
"""Cases that take seconds, besides those that measure memory and time."""


def trial(variant: Variant, scope: Scope = "quick", timeout: float = runner.WATCHDOG_SECONDS) -> Judgement:
    """Hold one variant against the suite.

    Args:
        variant: a mutant, liar or oddity.
        scope: which cases it is held against: those of the requirements that it declares ("own"), these and all
            that concern it and take no time to speak of ("quick"), or all ("full").
        timeout: seconds after which a case is taken to hang.
    """
    if "tensors" in variant.claims and not importlib.util.find_spec("torch"):
        return Judgement(variant, Finding.SKIPPED, "torch is not installed")
    chosen = _chosen(variant, scope)
    ids = {id_ for info in chosen.values() for id_ in info.ids}
    asked = [requirement for id_, requirement in registry.load().items() if id_ in ids]
    if isinstance(variant, Liar):
        timeout = variant.timeout
    run = runner.run_implementation(f"{__package__}:{variant.name}", chosen, timeout=timeout)
    return judge(variant, run, asked)


def without_mutant() -> list[Requirement]:
    """Each MUST that a case tests and no mutant breaks, of those that the reference implementation has to meet."""
    tested = {id_ for info in cases.load().values() for id_ in info.ids}
    owed, broken = {"none", *TENSORS, *CAPABILITIES}, killers()
    return [
        requirement
        for id_, requirement in registry.load().items()
        if requirement.level == "MUST"
        and requirement.capability in owed
        and id_ in tested
        and id_ not in broken
    ]


def _chosen(variant: Variant, scope: Scope) -> Mapping[str, CaseInfo]:
    known = cases.load()
    if isinstance(variant, Liar):
        return cases.select(known, variant.only)
    declared = set(variant.reasons) if isinstance(variant, Mutant) else set()
    return {
        name: info
        for name, info in known.items()
        if scope == "full" or declared & set(info.ids) or (scope == "quick" and _concerns(name, variant))
    }


def _concerns(name: str, variant: Variant) -> bool:
    """Whether a case looks where the variant is different, and takes no time to speak of."""
    place: Place = "ends" if name.startswith("wire_") else "sites"
    return place in variant.places and name not in SLOW and not name.startswith(("mem.", "tim."))
