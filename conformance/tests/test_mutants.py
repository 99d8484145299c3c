"""The machinery of the mutants, and a few of them; `python -m objstream_conformance.mutants` tries them all."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from objstream_conformance import cases, mutants, registry
from objstream_conformance.locate import load_adapter
from objstream_conformance.mutants import Liar, Mutant, Variant, kit
from objstream_conformance.mutants.judge import Finding, judge
from objstream_conformance.mutants.trials import SLOW, trial, without_mutant
from objstream_conformance.mutants.ways import unseen
from objstream_conformance.outcomes import CaseResult, Outcome, Verdict
from objstream_conformance.runner import ImplementationRun
from objstream_conformance.verdicts import Standing

ALL = {variant.name: variant for variant in mutants.load()}
WRONG = [variant for variant in ALL.values() if isinstance(variant, Mutant)]


def test_every_must_that_is_tested_has_a_mutant() -> None:
    assert [requirement.id for requirement in without_mutant()] == []


def test_what_variants_declare_exists() -> None:
    tested = {id_ for info in cases.load().values() for id_ in info.ids}
    for variant in (*WRONG, *(one for one in ALL.values() if isinstance(one, Liar))):
        assert set(variant.reasons) <= tested & set(registry.load()), variant.name
        for reason in variant.reasons.values():
            re.compile(reason)
    assert set(cases.load()) >= SLOW


def test_a_mutant_of_the_wire_is_meant_for_the_wire() -> None:
    sites = [one for one in WRONG if one.places == {"sites"}]
    ends = [one for one in WRONG if one.places == {"ends"}]
    assert len(sites) + len(ends) == len(WRONG)
    assert {registry.load()[next(iter(one.reasons))].layer for one in ends} == {"wire"}


def test_killers_are_listed_by_requirement() -> None:
    assert "sets_become_lists" in mutants.killers()["OSP-CTR-001"]


@pytest.mark.parametrize(
    "name", ["first_offer_stays", "header_checksums_are_ignored", "newest_provider_first"]
)
def test_a_variant_is_an_adapter(name: str) -> None:
    adapter = load_adapter(f"objstream_conformance.mutants:{name}")
    assert adapter.describe().name == name
    assert "tensors" not in adapter.describe().capabilities


def test_an_unknown_variant_is_no_adapter() -> None:
    with pytest.raises(LookupError, match="no_such_mutant"):
        load_adapter("objstream_conformance.mutants:no_such_mutant")


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("sets_become_lists", Finding.KILLED),
        ("losses_are_padded", Finding.KILLED),
        ("garbage_goes_in_circles", Finding.KILLED),
        ("last_key_is_dropped", Finding.KILLED),
        ("hangs", Finding.CAUGHT),
    ],
)
def test_the_suite_is_not_taken_in(name: str, finding: Finding) -> None:
    judgement = trial(ALL[name], "own")
    assert judgement.finding is finding, judgement.detail


# -- the judge


def made(
    *results: tuple[str, Verdict, str], outcome: Outcome = Outcome.VIOLATION, good: bool = True
) -> ImplementationRun:
    """A run with a case for each id."""
    run = ImplementationRun("made", "made", "1", frozenset({"owner", "requester", "sender", "receiver"}))
    run.capabilities = frozenset({"container", "file", "pull", "push"})
    stream = Verdict.PASS if good else Verdict.FAIL
    run.probes = [CaseResult("probe.good_stream", (), stream, Outcome.OK, "")]
    run.results = [
        CaseResult(
            f"case.{id_}", (id_,), verdict, outcome if verdict is not Verdict.PASS else Outcome.OK, "", "a", b
        )
        for id_, verdict, b in results
    ]
    return run


def found(variant: Variant, run: ImplementationRun) -> Finding:
    ids = {id_ for result in run.results for id_ in result.ids}
    return judge(variant, run, [registry.load()[id_] for id_ in sorted(ids)]).finding


def wrong(reasons: Mapping[str, str]) -> Mutant:
    return Mutant("made", "", lambda: None, reasons=reasons)


ONE, OTHER = "OSP-CTR-001", "OSP-FIL-001"
FAIL, PASS = Verdict.FAIL, Verdict.PASS


def test_a_mutant_is_killed_exactly() -> None:
    assert found(wrong({ONE: "list"}), made((ONE, FAIL, "a list"), (OTHER, PASS, ""))) is Finding.KILLED


def test_a_mutant_survives() -> None:
    assert found(wrong({ONE: "list"}), made((ONE, PASS, ""), (OTHER, PASS, ""))) is Finding.SURVIVED
    run = made((ONE, Verdict.INCONCLUSIVE, "a list"), (OTHER, PASS, ""))
    assert found(wrong({ONE: "list"}), run) is Finding.SURVIVED


def test_a_mutant_fails_other_ids() -> None:
    assert found(wrong({ONE: "list"}), made((ONE, FAIL, "a list"), (OTHER, FAIL, "x"))) is Finding.OTHERS


def test_a_mutant_fails_for_another_reason() -> None:
    assert found(wrong({ONE: "list"}), made((ONE, FAIL, "a set"))) is Finding.REASON


def test_a_mutant_breaks_the_suite() -> None:
    broken = made((ONE, FAIL, "a list"), (OTHER, Verdict.INCONCLUSIVE, ""))
    broken.results[1] = CaseResult("x", (OTHER,), Verdict.INCONCLUSIVE, Outcome.SUITE_ERROR, "")
    assert found(wrong({ONE: "list"}), broken) is Finding.BROKEN
    broken.error = "no such module"
    assert found(wrong({ONE: "list"}), broken) is Finding.BROKEN


def test_an_oddity_passes_only_when_all_does() -> None:
    odd = Variant("made", "", lambda: None)
    assert found(odd, made((ONE, PASS, ""), (OTHER, Verdict.NOT_APPLICABLE, ""))) is Finding.PASSED
    assert found(odd, made((ONE, PASS, ""), (OTHER, Verdict.INCONCLUSIVE, ""))) is Finding.OTHERS
    assert found(odd, made((ONE, PASS, ""), good=False)) is Finding.OTHERS


def test_a_liar_is_caught() -> None:
    made_up = Liar("made", "", lambda: None, reasons={ONE: "list"}, passes=False)
    assert found(made_up, made((ONE, FAIL, "a list"))) is Finding.CAUGHT
    assert found(made_up, made((ONE, FAIL, "a list"), (OTHER, PASS, ""))) is Finding.SURVIVED
    assert found(made_up, made((ONE, PASS, ""))) is Finding.SURVIVED
    assert found(made_up, made((ONE, FAIL, "a set"))) is Finding.REASON
    conformant = Liar("made", "", lambda: None, standing=Standing.CONFORMANT)
    assert found(conformant, made((ONE, FAIL, "a list"))) is Finding.SURVIVED


# -- making a difference


class Thing:
    colour = "red"

    def paint(self, colour: str) -> str:
        return f"{self.colour} and {colour}"


def test_a_difference_is_made_in_its_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Thing, "paint", Thing.paint)
    monkeypatch.setattr(Thing, "colour", "red")
    monkeypatch.setattr(kit, "_assigned", [])
    monkeypatch.setattr(kit, "_places", frozenset({"ends"}))
    table: dict[str, int] = {}
    kit.assign(Thing, "colour", "blue")
    kit.assign(table, "new", 1)

    @kit.instead(Thing, "paint")
    def paint(original: object, self: Thing, colour: str) -> str:
        return "nothing"

    assert (Thing().paint("green"), table) == ("red and green", {})
    with kit._at("ends"):
        assert (Thing().paint("green"), Thing.colour, table) == ("nothing", "blue", {"new": 1})
    assert (Thing().paint("green"), table) == ("red and green", {})


def test_a_variant_says_what_it_is() -> None:
    def silent() -> None:
        pass

    with pytest.raises(ValueError, match="docstring"):
        kit.oddity(silent)
    with pytest.raises(ValueError, match="two variants"):
        kit.oddity(ALL["nothing_is_different"].change)


# -- as a program


@pytest.mark.parametrize(
    ("name", "finding", "detail"),
    [
        ("sets_become_lists", Finding.KILLED, ""),
        ("case_does_not_matter", Finding.KILLED, ""),
        ("large_leftovers", Finding.KILLED, ""),
        ("last_key_is_dropped", Finding.KILLED, ""),
        ("first_offer_stays", Finding.UNSHOWN, "OSP-RTV-011 needs sites"),
        ("one_cut_ends_all", Finding.UNSHOWN, "OSP-SES-019 needs multi-target"),
        ("slow_network", Finding.UNSHOWN, "it needs sites"),
    ],
)
def test_a_variant_as_a_program(name: str, finding: Finding, detail: str) -> None:
    judgement = trial(ALL[name], "own", way="testee")
    assert (judgement.finding, judgement.detail) == (finding, detail)


def test_what_a_program_is_asked_about_is_less() -> None:
    everything = {id_ for info in cases.load().values() for id_ in info.ids}
    asked = {id_ for id_ in everything if not unseen(id_, cases.load())}
    assert {"OSP-CTR-006", "OSP-FIL-012", "OSP-INT-001", "OSP-RTV-012", "OSP-FRM-001"} <= asked
    assert {"OSP-CTR-009", "OSP-SES-011", "OSP-MEM-001", "OSP-RTV-014"} <= everything - asked
    assert [one.id for one in without_mutant([], "testee") if one.id not in asked] == []
