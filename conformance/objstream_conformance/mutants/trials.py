"""Runs the suite on variants, each in a worker process of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

from .. import cases, registry, runner
from ..adapters.reference import CAPABILITIES
from ..cases import CaseInfo
from ..outcomes import AdapterError
from ..registry import Requirement
from . import Liar, Mutant, Variant, killers
from .judge import Finding, Judgement, judge
from .kit import TENSORS
from .ways import Way, seen, selector, unseen

Scope = Literal["own", "quick", "full"]

SLOW = frozenset({"rtv.nothing_accumulates"})
"""Cases that take seconds, besides those that measure memory and time."""


def trial(
    variant: Variant,
    scope: Scope = "quick",
    timeout: float | None = None,
    way: Way = "in-process",
) -> Judgement:
    """Hold one variant against the suite.

    Args:
        variant: a mutant, liar or oddity.
        scope: which cases it is held against: those of the requirements that it declares ("own"), these and all
            that concern it and take no time to speak of ("quick"), or all ("full").
        timeout: seconds after which a case is taken to hang, if it is not the suite's own.
        way: how the suite meets it.
    """
    if "tensors" in variant.claims and not importlib.util.find_spec("torch"):
        return Judgement(variant, Finding.SKIPPED, "torch is not installed")
    try:
        sight = seen(variant, _chosen(variant, scope), way)
    except AdapterError as error:
        return Judgement(variant, Finding.BROKEN, str(error))
    if sight.nothing:
        return Judgement(variant, Finding.UNSHOWN, str(sight))
    ids = {id_ for info in sight.cases.values() for id_ in info.ids}
    asked = [requirement for id_, requirement in registry.load().items() if id_ in ids]
    if isinstance(variant, Liar):
        timeout = variant.timeout
    run = runner.run_implementation(selector(variant, way), sight.cases, timeout=timeout)
    judgement = judge(sight.variant, run, asked)
    return replace(judgement, detail=judgement.detail or str(sight))


def without_mutant(broken: Collection[str] | None = None, way: Way = "in-process") -> list[Requirement]:
    """Each MUST that a case tests by this way and no mutant breaks, of those that the reference has to meet.

    Args:
        broken: the requirements that mutants break; by default what they declare.
    """
    tested = {id_ for info in cases.load().values() for id_ in info.ids}
    if way == "testee":
        tested = {id_ for id_ in tested if not unseen(id_, cases.load())}
    owed, broken = {"none", *TENSORS, *CAPABILITIES}, killers() if broken is None else broken
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
        if scope == "full" or declared & set(info.ids) or (scope == "quick" and _concerns(info, variant))
    }


def _concerns(info: CaseInfo, variant: Variant) -> bool:
    """Whether a case looks where the variant is different, and takes no time to speak of."""
    quick = info.name not in SLOW and not info.name.startswith(("mem.", "tim."))
    return info.place in variant.places and quick
