"""The ways in which a variant is held against the suite, and what of it can be seen by each.

In process a variant has everything. As a testee it has ends of sessions, and the suite's sites: what it breaks is then
shown only by cases that apply to those, and a variant none of whose requirements has such a case is not shown at all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from .. import registry
from ..adapters.ends import OF_ENDS, described
from ..adapters.wire import CAPABILITIES
from ..cases import CaseInfo
from ..contract import ROLES
from ..locate import load_adapter
from .kit import Liar, Mutant, Variant
from .testee import SITES_ALONE

Way = Literal["in-process", "testee"]

OF_REFERENCE: Final = described("reference", "", ROLES, CAPABILITIES).capabilities
"""What the ends of the reference have, with the sites that are built out of them."""


def selector(variant: Variant, way: Way) -> str:
    """The adapter of a variant, as the command line takes it."""
    if way == "testee":
        return f"testee:{sys.executable} -m {__package__}.testee {variant.name}"
    return f"{__package__}:{variant.name}"


@dataclass(frozen=True)
class Sight:
    """What can be seen of a variant: itself, with the requirements that it can be seen to break; and the cases to ask.

    Attributes:
        hidden: for the others of its requirements the capabilities that would show it; `""` stands for the variant.
    """

    variant: Variant
    cases: Mapping[str, CaseInfo]
    hidden: Mapping[str, str]

    @property
    def nothing(self) -> bool:
        reasons = isinstance(self.variant, (Mutant, Liar)) and self.variant.reasons
        return "" in self.hidden or (bool(self.hidden) and not reasons)

    def __str__(self) -> str:
        return "; ".join(f"{id_ or 'it'} needs {missing}" for id_, missing in self.hidden.items())


def seen(variant: Variant, chosen: Mapping[str, CaseInfo], way: Way) -> Sight:
    """What can be seen of a variant in these cases."""
    if way == "in-process":
        return Sight(variant, chosen, {})
    capabilities = described(variant.name, "", ROLES, CAPABILITIES | variant.claims & OF_ENDS).capabilities
    asked = {name: info for name, info in chosen.items() if info.place in variant.places}
    hidden: dict[str, str] = {}
    if isinstance(variant, (Mutant, Liar)):
        missing = {id_: unseen(id_, asked, capabilities) for id_ in variant.reasons}
        hidden |= {id_: what for id_, what in missing.items() if what}
        kept = {id_: reason for id_, reason in variant.reasons.items() if id_ not in hidden}
        variant = replace(variant, reasons=kept)
    sight = Sight(variant, asked, hidden)
    if not sight.nothing and SITES_ALONE in load_adapter(selector(variant, way)).describe().capabilities:
        hidden[""] = "sites"
    return sight


def unseen(id_: str, asked: Mapping[str, CaseInfo], capabilities: frozenset[str] = OF_REFERENCE) -> str:
    """The capabilities without which nobody is asked about a requirement; empty when it is asked about."""
    requirement = registry.load()[id_]
    found = [info.missing(capabilities) for info in asked.values() if id_ in info.ids]
    if requirement.capability not in ("none", *capabilities):
        return requirement.capability
    return "" if "" in found or not found else min(found)
