"""Wrong implementations, to see that the suite bites, and odd but conforming ones, to see that it bites nothing else.

Each mutant is the reference implementation with one mistake, and declares which requirements it breaks and why: the
suite has to fail exactly those, for that reason. Liars are wrong all over, oddities are unusual and right.
`python -m objstream_conformance.mutants` holds the suite to all that. Each is an adapter for the command line too:
`objstream check objstream_conformance.mutants:NAME`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from .kit import VARIANTS, Liar, Mutant, Variant


def load() -> list[Variant]:
    """All variants: mutants, liars and oddities."""
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}")
    return list(VARIANTS.values())


def killers() -> dict[str, list[str]]:
    """For each requirement the names of the mutants that break it."""
    found: dict[str, list[str]] = {}
    for variant in load():
        if isinstance(variant, Mutant):
            for id_ in variant.reasons:
                found.setdefault(id_, []).append(variant.name)
    return found


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        load()
        if name in VARIANTS:
            return VARIANTS[name].adapter()
    raise AttributeError(f"there is no mutant, liar or oddity {name!r}")


__all__ = ["Liar", "Mutant", "Variant", "killers", "load"]
