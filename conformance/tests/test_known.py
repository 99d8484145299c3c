"""Known failures: exactly they may occur. And FLARE's, each confirmed outside the suite where that is possible."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from objstream_conformance import known, registry
from objstream_conformance.command import check
from objstream_conformance.known import Entry, Known, KnownError
from objstream_conformance.outcomes import CaseResult, Outcome, Verdict
from objstream_conformance.probes import GOOD_STREAM
from objstream_conformance.runner import ImplementationRun
from objstream_conformance.verdicts import Assessment, Standing, assess

HERE = Path(__file__).parent
FLARE = HERE.parent / "known_failures" / "nvflare-2.9.0.toml"
REQUIREMENTS = registry.load()
TODAY = datetime.date(2026, 6, 1)
LATER = datetime.date(2026, 12, 31)
FIRST, SECOND = "OSP-CTR-001", "OSP-CTR-002"
ENTRY = Entry(FIRST, "observed a list", "tuples become lists", LATER)


def case(id_: str, verdict: Verdict, observed: str = "a list arrived") -> CaseResult:
    outcome = Outcome.VIOLATION if verdict is Verdict.FAIL else Outcome.OK
    return CaseResult(f"x.{id_}", (id_,), verdict, outcome, "A scenario.", "a tuple", observed)


def assessed(*results: CaseResult, good: Verdict = Verdict.PASS) -> Assessment:
    probes = [CaseResult(GOOD_STREAM, (), good, Outcome.OK, "A scenario.")]
    roles = frozenset({"owner", "requester", "sender", "receiver"})
    run = ImplementationRun("x", "x", "1", roles, frozenset({"container"}), "", probes, list(results))
    return assess(run, [REQUIREMENTS[id_] for result in results for id_ in result.ids])


def judged(assessment: Assessment, *entries: Entry) -> Assessment:
    return known.against(assessment, Known("x", entries), REQUIREMENTS, TODAY)


FAILS = assessed(case(FIRST, Verdict.FAIL), case(SECOND, Verdict.PASS))


def test_exactly_the_known_failures() -> None:
    found = judged(FAILS, ENTRY)
    assert (found.standing, found.differences) == (Standing.AS_KNOWN, [])
    assert found.known == {FIRST: "tuples become lists"}
    assert found.reason == "exactly the known failures occur, 1 of them"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], f"{FIRST}: fails and is not known to: expected a tuple; observed a list arrived"),
        ([ENTRY, replace(ENTRY, id=SECOND)], f"{SECOND}: an unexpected pass: take the entry out"),
        (
            [replace(ENTRY, reason="crash")],
            f"{FIRST}: fails for another reason than 'crash': expected a tuple;",
        ),
        (
            [replace(ENTRY, expires=datetime.date(2026, 5, 31))],
            f"{FIRST}: the entry has expired on 2026-05-31",
        ),
        ([ENTRY, replace(ENTRY, id="OSP-CTR-999")], "OSP-CTR-999: a stale id: the specification has no such"),
    ],
)
def test_everything_else_fails_and_says_why(entries: list[Entry], said: str) -> None:
    found = judged(FAILS, *entries)
    assert found.standing is Standing.NOT_CONFORMANT
    (difference,) = found.differences
    assert difference.startswith(said)


def test_what_was_not_shown_is_not_what_was_known() -> None:
    found = judged(assessed(case(FIRST, Verdict.INCONCLUSIVE)), ENTRY)
    assert found.differences == [f"{FIRST}: known to fail, and is INCONCLUSIVE: nothing was shown"]
    assert found.standing is Standing.NOT_CONFORMANT


def test_what_was_not_asked_about_is_left_alone() -> None:
    assert judged(FAILS, ENTRY, replace(ENTRY, id="OSP-VAL-001")).standing is Standing.AS_KNOWN


def test_the_probes_are_listed_too() -> None:
    dishonest = assessed(case(FIRST, Verdict.FAIL), good=Verdict.FAIL)
    assert judged(dishonest, ENTRY).standing is Standing.NOT_CONFORMANT
    entry = Entry(GOOD_STREAM, "observed", "no stream is accepted", LATER)
    assert judged(dishonest, ENTRY, entry).standing is Standing.AS_KNOWN


def test_what_is_broken_stays_so() -> None:
    broken = case(SECOND, Verdict.INCONCLUSIVE)
    broken = replace(broken, outcome=Outcome.SUITE_ERROR)
    assert judged(assessed(case(FIRST, Verdict.FAIL), broken), ENTRY).standing is Standing.SUITE_ERROR


def test_a_reason_is_a_part_or_a_pattern() -> None:
    assert ENTRY.explains("expected a tuple; observed a list arrived")
    assert replace(ENTRY, reason="/observed .* arrived$/").explains(
        "expected a tuple; observed a list arrived"
    )
    assert not replace(ENTRY, reason="/a set/").explains("observed a list arrived")
    assert not replace(ENTRY, reason="observed .* arrived").explains("observed a list arrived")


def test_a_list_is_written_and_read(tmp_path: Path) -> None:
    entries = (ENTRY, replace(ENTRY, id=SECOND, reason='a "quoted" \\ ü\n', link="https://example.org/1"))
    path = tmp_path / "known.toml"
    path.write_text(known.render(Known("x", entries)), "utf-8")
    assert known.load(path) == Known("x", entries)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("implementation", "implementations", "there is no 'implementation'"),
        ('reason = "observed a list"\n', "", "reason"),
        ('"observed a list"', '""', f"{FIRST}: id, reason and what are not to be empty"),
        ('"observed a list"', '"/(/"', "unterminated"),
        ('"observed a list"', "7", f"{FIRST}: id, reason, what and link are strings"),
        ("2026-12-31", '"soon"', f"{FIRST}: expires has to be a date"),
        ("[[failure]]", "[[failure", "known.toml: "),
        ("expires", "extra = 1\nexpires", "extra"),
    ],
)
def test_a_list_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = known.render(Known("x", (ENTRY,)))
    assert old in text
    path = tmp_path / "known.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(KnownError, match=re.escape(said)):
        known.load(path)


def test_an_id_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(known.render(Known("x", (ENTRY, ENTRY))), "utf-8")
    with pytest.raises(KnownError, match=f"listed twice: {FIRST}"):
        known.load(path)


def test_an_update_keeps_what_holds() -> None:
    before = Known(
        "x",
        (
            replace(ENTRY, link="https://example.org/1"),
            replace(ENTRY, id=SECOND),
            replace(ENTRY, id="OSP-VAL-001"),
        ),
    )
    after = known.updated(before, FAILS, TODAY)
    assert after.entries == (before.entries[0], before.entries[2])
    assert judged(FAILS, *after.entries).standing is Standing.AS_KNOWN


def test_an_update_writes_what_will_be_the_same_next_time() -> None:
    told = "1 files left: {'d68d0896-6831-4178-8c67-d00d0188e05e': 3145728} in /tmp/case-17/x after 0.37 s"
    failing = assessed(case(FIRST, Verdict.FAIL, told), case(SECOND, Verdict.FAIL, "1357 bytes for each"))
    first, second = known.updated(Known("x"), failing, TODAY).entries
    assert (first.reason, second.reason) == ("observed 1 files left: {'", "bytes for each")
    assert first.expires == TODAY + known.GRACE
    assert judged(failing, first, second).standing is Standing.AS_KNOWN


def run_check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(check, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


LISTING = f"{HERE / 'wrong.py'}:Listing"


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    assert run_check(LISTING, "--only", "OSP-VAL-010", "--update-known", str(path))[0] == 0
    code, output = run_check(LISTING, "--only", "OSP-VAL-010", "--known", str(path))
    assert code == 0
    assert "known OSP-VAL-010 to be explained: Lists and tuples are kept apart" in output
    assert "exactly the known failures occur, 1 of them" in output
    path.write_text(path.read_text().replace("arrived", "vanished"))
    code, output = run_check(LISTING, "--only", "OSP-VAL-010", "--known", str(path))
    assert code == 1
    assert "difference OSP-VAL-010: fails for another reason than" in output


def test_a_list_of_another_implementation_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(known.render(Known("stranger", (ENTRY,))))
    code, output = run_check(LISTING, "--only", "OSP-VAL-010", "--known", str(path))
    assert code == 2
    assert "known failures of stranger were given, and it was not asked" in output


def test_a_list_that_is_missing_is_an_error(tmp_path: Path) -> None:
    assert run_check(LISTING, "--known", str(tmp_path / "none.toml"))[0] == 2


def test_one_list_is_about_one_implementation(tmp_path: Path) -> None:
    assert run_check(LISTING, LISTING, "--update-known", str(tmp_path / "known.toml"))[0] == 2


# -- FLARE's


def reproductions() -> set[str]:
    """What the table of the reproductions confirms, as `script.py function`."""
    text = HERE.parent.joinpath("flare_reproductions", "README.md").read_text("utf-8")
    return {
        f"{section.split('`')[1]} {name}"
        for section in text.split("\n## ")[1:]
        for name in re.findall(r"\| (\w+) \| yes \|$", section, re.M)
    }


def test_flares_failures_and_their_reproductions_agree() -> None:
    confirmed = {f"conformance/flare_reproductions/{one}" for one in reproductions()}
    listed = known.load(FLARE)
    assert listed.implementation == "nvflare"
    assert {entry.link for entry in listed.entries} <= confirmed


def test_flares_failures_are_of_requirements() -> None:
    stale = {entry.id for entry in known.load(FLARE).entries} - {*REQUIREMENTS, "probe.corrupted_stream"}
    assert stale == set()
