"""The test cases: declared with :func:`requirement`, found by importing the modules of `suite`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .case import Case

Place = Literal["sites", "ends"]
Body = Callable[["Case"], None]

_CASES: dict[str, CaseInfo] = {}


@dataclass(frozen=True)
class CaseInfo:
    """One test case. It applies when all of `needs` are declared, and one of `any_of` (if there are any)."""

    name: str
    ids: tuple[str, ...]
    needs: frozenset[str]
    any_of: frozenset[str]
    scenario: str
    body: Body

    @property
    def place(self) -> Place:
        """Where it looks: at sites, or at ends of sessions with their bytes in its hands."""
        return "ends" if self.name.startswith("wire_") else "sites"

    def missing(self, capabilities: Iterable[str]) -> str:
        """What an implementation would have to declare for this case to apply; empty when it applies."""
        declared = frozenset(capabilities)
        if not self.needs <= declared:
            return ", ".join(sorted(self.needs - declared))
        if self.any_of and not self.any_of & declared:
            return " or ".join(sorted(self.any_of))
        return ""


def requirement(
    *ids: str, needs: Iterable[str] = (), any_of: Iterable[str] | None = None
) -> Callable[[Body], Body]:
    """Declare a function of one argument, the :class:`~.case.Case`, as the test of the requirements named.

    Its docstring is the scenario, shown to whoever fails it. A case of sites needs one of `pull` and `push` unless
    it says otherwise, one of the wire neither.
    """
    needs = frozenset(needs)
    if any_of is None:
        any_of = () if "wire" in needs else ("pull", "push")
    choices = frozenset(any_of)

    def declare(body: Body) -> Body:
        name = f"{body.__module__.rpartition('.')[2]}.{body.__name__}"
        if name in _CASES:
            raise ValueError(f"two cases are named {name}")
        if not body.__doc__:
            raise ValueError(f"case {name} has no docstring: it is its scenario")
        scenario = " ".join(body.__doc__.split())
        _CASES[name] = CaseInfo(name, tuple(ids), needs, choices, scenario, body)
        return body

    return declare


def load() -> dict[str, CaseInfo]:
    """All cases by name, in the order in which they run."""
    from . import suite

    for module in pkgutil.iter_modules(suite.__path__):
        importlib.import_module(f"{suite.__name__}.{module.name}")
    return dict(sorted(_CASES.items(), key=lambda item: _order(item[0])))


def select(cases: dict[str, CaseInfo], only: Iterable[str]) -> dict[str, CaseInfo]:
    """The cases that match any of the selectors: an area (CTR), a requirement id or a case name.

    Raises:
        ValueError: a selector matches nothing.
    """
    chosen: set[str] = set()
    for selector in only:
        matching = {name for name, info in cases.items() if _matches(selector, info)}
        if not matching:
            raise ValueError(
                f"no case matches {selector!r}: give an area (CTR), an id (OSP-CTR-001) or a case name"
            )
        chosen |= matching
    return {name: info for name, info in cases.items() if not only or name in chosen}


def _matches(selector: str, info: CaseInfo) -> bool:
    wanted = selector.upper()
    return selector == info.name or any(wanted in (one, one.split("-")[1]) for one in info.ids)


def _order(name: str) -> tuple[bool, int, str]:
    """Memory is measured first, while the process is young; the rest keeps its order within each module."""
    return not name.startswith("mem."), list(_CASES).index(name), name
