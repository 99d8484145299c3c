"""The cases about resume pass an honest implementation, and fail wrong ones for the requirement that each breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import failed, run
from resuming import ResumingSite
from resuming_ends import End, Resuming

from objstream_conformance.contract import Rejected
from objstream_conformance.frames import ABSENT
from objstream_conformance.outcomes import Verdict

CORE = ("OSP-RES-001", "OSP-RES-002", "OSP-RES-005", "OSP-RES-006", "OSP-RES-007")
WIRE = ("OSP-RES-003", "OSP-RES-004")


def test_an_honest_implementation_passes() -> None:
    assessment = run(Resuming(), *CORE, *WIRE)
    passed = {result.requirement.id for result in assessment.with_verdict(Verdict.PASS)}
    assert passed == {*CORE, *WIRE}, [(r.requirement.id, r.case) for r in assessment.requirements]


# -- wrong sites


class Misplaces(ResumingSite):
    """Puts the entries of a dict that were kept behind those that came later."""

    resumed = 0

    def point(self, kept: list[Any]) -> Any:
        self.resumed = max(0, len(kept) - 1)
        return super().point(kept)

    def build(self, kind: str, pieces: list[Any]) -> object:
        place = self.resumed if kind == "dict" else 0
        return super().build(kind, pieces[place:] + pieces[:place])


class CountsFromTheSession(ResumingSite):
    """Takes for the point how much the last session has brought, instead of all sessions."""

    before = 0

    def point(self, kept: list[Any]) -> Any:
        before, self.before = self.before, len(kept[1:])
        return super().point(kept[: len(kept) - before])


class Mixes(ResumingSite):
    """Goes on, whatever the source is now."""

    def agrees(self, chain: bool, validator: bool) -> bool:
        return True


class TrustsTheChain(ResumingSite):
    """Does not see changes behind the point."""

    def agrees(self, chain: bool, validator: bool) -> bool:
        return chain


class StartsOver(ResumingSite):
    """Takes the changed source from the beginning, and says nothing."""

    def resume(self, *arguments: Any) -> Any:
        try:
            return super().resume(*arguments)
        except Rejected as refusal:
            if refusal.code != "SOURCE_CHANGED":
                raise
            return super().resume(*arguments)


class Unclear(ResumingSite):
    """Calls a source that has changed a lost one."""

    def resume(self, *arguments: Any) -> Any:
        try:
            return super().resume(*arguments)
        except Rejected as refusal:
            raise Rejected("it did not work", "LOST") from refusal


class Remembers(ResumingSite):
    """Knows of what it has kept only by memory."""

    def kept(self, place: Path) -> list[Any]:
        mine = self.__dict__.setdefault("mine", set())
        if place not in mine:
            place.unlink(missing_ok=True)
        mine.add(place)
        return super().kept(place)


class KeepsWhenItFails(ResumingSite):
    """Writes what it has kept when the retrieval has failed, and not before."""

    def keep(self, place: Path, kept: list[Any], piece: Any) -> None:
        kept.append(piece)
        self.late = place, kept

    def resume(self, *arguments: Any) -> Any:
        self.late: tuple[Path, list[Any]] | None = None
        try:
            return super().resume(*arguments)
        except Rejected as refusal:
            if self.late and refusal.code == "LOST":
                place, pieces = self.late
                place.unlink()
                for piece in pieces:
                    super().keep(place, [], piece)
            raise


class ForgetfulOwner(ResumingSite):
    """Goes on only with what it has sent since it was started."""

    def continued(self, kind: str, value: Any, point: Any) -> Any:
        sent = self.__dict__.setdefault("sent", set())
        if point is None:
            sent.add(repr(value))
        elif repr(value) not in sent:
            raise Rejected("nothing is known of such a session", "NOT_FOUND")
        return super().continued(kind, value, point)


class SendsEntriesAgain(ResumingSite):
    """Resumes files, and starts containers from the beginning."""

    def resume(self, peer: str, kind: str, name: str, timeout: float) -> Any:
        self.whole = kind == "container"
        return super().resume(peer, kind, name, timeout)

    def kept(self, place: Path) -> list[Any]:
        if self.whole:
            place.unlink(missing_ok=True)
        return super().kept(place)


@pytest.mark.parametrize(
    ("site", "broken"),
    [
        (Misplaces, "OSP-RES-001"),
        (CountsFromTheSession, "OSP-RES-001"),
        (Mixes, "OSP-RES-002"),
        (TrustsTheChain, "OSP-RES-002"),
        (StartsOver, "OSP-RES-002"),
        (Unclear, "OSP-RES-002"),
        (Remembers, "OSP-RES-005"),
        (KeepsWhenItFails, "OSP-RES-005"),
        (ForgetfulOwner, "OSP-RES-006"),
        (SendsEntriesAgain, "OSP-RES-007"),
    ],
)
def test_wrong_sites(site: type[ResumingSite], broken: str) -> None:
    assessment = run(type("Wrong", (Resuming,), {"site_class": site})(), *CORE)
    assert failed(assessment) == {broken}
    assert len(assessment.with_verdict(Verdict.PASS)) == len(CORE) - 1


# -- wrong ends


class IgnoresTheChain(End):
    """Believes the validator alone."""

    def agrees(self, here: Any, point: Any, validator: bool) -> bool:
        return validator


class IgnoresTheBytes(End):
    """Compares chains, and not where they are."""

    def agrees(self, here: Any, point: Any, validator: bool) -> bool:
        return validator and bool(here[2] == point[2])


class Silent(End):
    """Goes on without saying from where."""

    def repeated(self, point: Any) -> Any:
        return ABSENT


class Restarts(End):
    """Repeats the point, and begins at the beginning."""

    def rest_of(self, steps: list[Any], passed: int) -> list[Any]:
        return steps


class Careless(End):
    """A requester that does not look at the point in OPEN."""

    def accepts(self, point: Any) -> bool:
        return True


@pytest.mark.parametrize(
    ("end", "broken"),
    [
        (IgnoresTheChain, "OSP-RES-003"),
        (IgnoresTheBytes, "OSP-RES-003"),
        (Silent, "OSP-RES-004"),
        (Restarts, "OSP-RES-004"),
        (Careless, "OSP-RES-004"),
    ],
)
def test_wrong_ends(end: type[End], broken: str) -> None:
    assessment = run(type("Wrong", (Resuming,), {"end_class": end})(), *WIRE)
    assert failed(assessment) == {broken}
    assert len(assessment.with_verdict(Verdict.PASS)) == len(WIRE) - 1
