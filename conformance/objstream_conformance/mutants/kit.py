"""How a variant of the reference implementation is declared: a mutant, a liar or an oddity.

A variant is a function without arguments. Its docstring says what is different, and calling it makes it so, by means of
:func:`instead` and :func:`assign`. It is called when the first adapter of it is built, in the worker process that the
runner starts for it, and what it has changed stays changed.

A mutant is wrong in one place only: in its sites or, when it is meant for a requirement of the wire layer, in the ends
of sessions whose bytes the suite has in its hands. So each layer's cases have to find their mutants by themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import objstream
from objstream.limits import MIB

from ..adapters.reference import CAPABILITIES, ReferenceAdapter
from ..cases import Place
from ..contract import ROLES, Description, Role
from ..verdicts import Standing

Change = Callable[[], None]
F = TypeVar("F", bound=Callable[..., Any])

TENSORS = frozenset({"tensors"})
EVERYWHERE: frozenset[Place] = frozenset({"sites", "ends"})


@dataclass(frozen=True)
class Variant:
    """The reference implementation with one difference.

    Attributes:
        name: what it is called in reports; `objstream_conformance.mutants:NAME` is its adapter.
        doc: what is different.
        change: makes the difference.
        claims: capabilities that it declares besides those of the reference; `tensors` is not among these, so that only
            what is about tensors pays for the import of torch.
        places: where it is different.
    """

    name: str
    doc: str
    change: Change
    claims: frozenset[str] = frozenset()
    places: frozenset[Place] = EVERYWHERE

    def adapter(self) -> type[ReferenceAdapter]:
        """A class of adapters."""
        variant = self

        class Adapter(ReferenceAdapter):
            name = variant.name
            changed = False

            def __init__(self, chunk_size: int = MIB) -> None:
                if not Adapter.changed:
                    Adapter.changed = True
                    _differ(variant)
                super().__init__(chunk_size)

            def describe(self) -> Description:
                return Description(self.name, objstream.__version__, ROLES, CAPABILITIES | variant.claims)

            def wire(self, role: Role, name: str, value: object = None, **options: Any) -> Any:
                with _at("ends"):
                    return _End(ReferenceAdapter.wire(self, role, name, value, **options))

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
    id_: str,
    reason: str,
    also: Mapping[str, str] | None = None,
    *,
    tensors: bool = False,
    at: Place = "sites",
) -> Callable[[Change], Change]:
    """Declare a mutant that fails the requirement `id_` for this reason, and those of `also` for theirs."""
    reasons = {id_: reason, **(also or {})}
    claims = TENSORS if tensors else frozenset()
    return _declare(Mutant, claims=claims, places=frozenset({at}), reasons=reasons)


wire_mutant = functools.partial(mutant, at="ends")


def liar(**attributes: Any) -> Callable[[Change], Change]:
    """Declare a liar with attributes of :class:`Liar`."""
    return _declare(Liar, **attributes)


def oddity(change: Change) -> Change:
    """Declare an oddity: unusual, but conforming, so that every case that applies has to pass."""
    return _declare(Variant)(change)


def site_oddity(change: Change) -> Change:
    """Declare an oddity of sites alone."""
    return _declare(Variant, places=frozenset({"sites"}))(change)


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


# -- making the difference

TOUCHED: list[Any] = []
"""The classes, modules and tables that have been changed."""

_ABSENT = object()
_place: Place = "sites"
_places = EVERYWHERE
_assigned: list[tuple[Any, Any, object, object]] = []


def instead(owner: Any, name: str) -> Callable[[F], F]:
    """Put the decorated function in the place of `owner.name`; its first argument is what was there before."""
    original = getattr(owner, name)
    TOUCHED.append(owner)

    def put(function: F) -> F:
        @functools.wraps(original)
        def changed(*arguments: Any, **options: Any) -> Any:
            if _place in _places:
                return function(original, *arguments, **options)
            return original(*arguments, **options)

        setattr(owner, name, changed)
        return function

    return put


def assign(owner: Any, name: Any, value: object) -> None:
    """Put a value in the place of an attribute or, in a dict, of an item."""
    TOUCHED.append(owner)
    before = owner.get(name, _ABSENT) if isinstance(owner, dict) else getattr(owner, name)
    _assigned.append((owner, name, before, value))
    _put(owner, name, value if _place in _places else before)


def _put(owner: Any, name: Any, value: object) -> None:
    if not isinstance(owner, dict):
        setattr(owner, name, value)
    elif value is _ABSENT:
        owner.pop(name, None)
    else:
        owner[name] = value


def become(variant: Variant) -> None:
    """Let this process be the variant, in whatever place."""
    _differ(replace(variant, places=EVERYWHERE))


def _differ(variant: Variant) -> None:
    global _places
    _places = variant.places
    variant.change()


@contextmanager
def _at(place: Place) -> Iterator[None]:
    """Be in that place; there is one at a time, for no case uses sites and ends side by side."""
    global _place
    before = _place
    _move(place)
    try:
        yield
    finally:
        _move(before)


def _move(place: Place) -> None:
    global _place
    _place = place
    for owner, name, before, value in _assigned:
        _put(owner, name, value if place in _places else before)


class _End:
    """The end of a session, which is another place than a site; see :class:`~..contract.WireEnd`."""

    def __init__(self, end: Any) -> None:
        self._end = end

    def start(self) -> bytes:
        return self._do(self._end.start)

    def feed(self, data: bytes) -> bytes:
        return self._do(self._end.feed, data)

    def eof(self) -> bytes:
        return self._do(self._end.eof)

    def advance(self, seconds: float) -> bytes:
        return self._do(self._end.advance, seconds)

    def outcome(self) -> Any:
        return self._end.outcome()

    def _do(self, operation: Callable[..., bytes], *arguments: Any) -> bytes:
        with _at("ends"):
            return operation(*arguments)
