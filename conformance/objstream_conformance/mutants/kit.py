"""How a variant of the reference implementation is declared: a mutant, a liar or an oddity.

A variant is a function without arguments. Its docstring says what is different, and calling it makes it so, by means of
:func:`instead` and :func:`assign`. It is called when the first adapter of it is built, in the worker process that the
runner starts for it, and what it has changed stays changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import objstream
from objstream.limits import MIB

from ..adapters.reference import CAPABILITIES, ReferenceAdapter
from ..contract import ROLES, Description
from ..verdicts import Standing

Change = Callable[[], None]
F = TypeVar("F", bound=Callable[..., Any])

TENSORS = frozenset({"tensors"})


@dataclass(frozen=True)
class Variant:
    """The reference implementation with one difference.

    Attributes:
        name: what it is called in reports; `objstream_conformance.mutants:NAME` is its adapter.
        doc: what is different.
        change: makes the difference.
        claims: capabilities that it declares besides those of the reference; `tensors` is not among these, so that only
            what is about tensors pays for the import of torch.
    """

    name: str
    doc: str
    change: Change
    claims: frozenset[str] = frozenset()

    def adapter(self) -> type[ReferenceAdapter]:
        """A class of adapters."""
        variant = self

        class Adapter(ReferenceAdapter):
            name = variant.name
            changed = False

            def __init__(self, chunk_size: int = MIB) -> None:
                if not Adapter.changed:
                    Adapter.changed = True
                    variant.change()
                super().__init__(chunk_size)

            def describe(self) -> Description:
                return Description(self.name, objstream.__version__, ROLES, CAPABILITIES | variant.claims)

        return Adapter


@dataclass(frozen=True)
class Mutant(Variant):
    """A wrong implementation: the suite fails exactly the requirements that it declares.

    Attributes:
        reasons: the ids of those requirements, the one that it is meant for first; and for each a regular expression
            that is found in what each failing case expected and observed.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Liar(Variant):
    """An implementation that is wrong all over: the suite must not be taken in.

    Attributes:
        standing: the verdict on it.
        reasons: some requirements that it fails, with reasons as for a mutant.
        passes: requirements may pass. Otherwise none does, whatever its cases see.
        only: what it is asked about, as for `objstream check --only`; everything when empty.
        timeout: seconds after which a case is taken to hang.
    """

    standing: Standing = Standing.NOT_CONFORMANT
    reasons: Mapping[str, str] = field(default_factory=dict)
    passes: bool = True
    only: tuple[str, ...] = ()
    timeout: float = 20.0


VARIANTS: dict[str, Variant] = {}


def mutant(
    id_: str, reason: str, also: Mapping[str, str] | None = None, *, tensors: bool = False
) -> Callable[[Change], Change]:
    """Declare a mutant that fails the requirement `id_` for this reason, and those of `also` for theirs."""
    reasons = {id_: reason, **(also or {})}
    return _declare(Mutant, claims=TENSORS if tensors else frozenset(), reasons=reasons)


def liar(**attributes: Any) -> Callable[[Change], Change]:
    """Declare a liar with attributes of :class:`Liar`."""
    return _declare(Liar, **attributes)


def oddity(change: Change) -> Change:
    """Declare an oddity: unusual, but conforming, so that every case that applies has to pass."""
    return _declare(Variant)(change)


def _declare(cls: type[Variant], **attributes: Any) -> Callable[[Change], Change]:
    def declare(change: Change) -> Change:
        name = change.__name__
        if not change.__doc__:
            raise ValueError(f"the variant {name} has no docstring that says what is different")
        if name in VARIANTS:
            raise ValueError(f"two variants are named {name}")
        VARIANTS[name] = cls(name, " ".join(change.__doc__.split()), change, **attributes)
        return change

    return declare


def instead(owner: Any, name: str) -> Callable[[F], F]:
    """Put the decorated function in the place of `owner.name`; its first argument is what was there before."""
    original = getattr(owner, name)

    def replace(function: F) -> F:
        @functools.wraps(original)
        def changed(*arguments: Any, **options: Any) -> Any:
            return function(original, *arguments, **options)

        setattr(owner, name, changed)
        return function

    return replace


def assign(owner: Any, name: str, value: object) -> None:
    """Put a value in the place of `owner.name`."""
    setattr(owner, name, value)
