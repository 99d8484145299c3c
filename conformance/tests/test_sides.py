"""The page of implementations side by side: what is on it, and that FLARE's is the one of its list."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from objstream_conformance import known, registry, sides
from objstream_conformance.command import check
from objstream_conformance.known import Beside, Entry, Family, Known, KnownError

CONFORMANCE = Path(__file__).parents[1]
PAGE = CONFORMANCE / "flare.md"
LIST = known.load(CONFORMANCE / "known_failures" / "nvflare-2.9.0.toml")
REQUIREMENTS = registry.load()
FIRST, SECOND, THIRD = "OSP-CTR-001", "OSP-CTR-002", "OSP-CTR-003"
DAY = datetime.date(2027, 6, 30)
TOLD = Known(
    "b",
    (Entry(FIRST, "x", "a | b", DAY, "scripts/one.py wrong", "cause"),),
    "About.",
    "Merits.",
    {"cause": Family("A cause", "Why.")},
    (Beside(SECOND, "not seen", "https://example.org/2", "cause"),),
)


def implementation(name: str, **verdicts: str) -> dict[str, Any]:
    rows = [
        {
            "id": id_,
            "title": REQUIREMENTS[id_].title,
            "section": f"{REQUIREMENTS[id_].chapter}#{REQUIREMENTS[id_].anchor}",
            "layer": "core",
            "verdict": verdict,
        }
        for id_, verdict in zip((FIRST, SECOND, THIRD), verdicts.values(), strict=True)
    ]
    head = {"name": name, "version": "1", "verdict": "?", "capabilities": ["container", name]}
    return {**head, "requirements": rows, "probes": []}


def record() -> dict[str, Any]:
    suite = {"specification": "1.0", "version": "0"}
    good = implementation("a", one="PASS", two="PASS", three="PASS")
    bad = implementation("b", one="FAIL", two="PASS", three="PASS")
    return {"suite": suite, "implementations": [good, bad]}


def test_failures_stand_with_their_cause_and_what_shows_them() -> None:
    text = sides.render(record(), [TOLD], Path("pages/page.md"))
    section = text.partition("### A cause")[2].partition("## What is right")[0]
    first, second = (line for line in section.splitlines() if line.startswith("| [OSP"))
    assert "](../spec/03-service.md#osp-ctr-001-" in first
    assert first.endswith("| ✓ | ✗ | a \\| b | [wrong](../scripts/one.py) |")
    assert second.endswith("| ✓ | ✗ outside | not seen | [https://example.org/2](https://example.org/2) |")


def test_what_is_asked_of_one_alone_is_not_counted() -> None:
    rows = record()
    rows["implementations"][1]["requirements"][2]["verdict"] = "NOT APPLICABLE"
    text = sides.render(rows, [TOLD], Path("page.md"))
    assert "| asked of each | 2 | 2 |" in text
    assert "| ✓ pass | 2 | 1 |" in text
    assert "- b does not declare a. What is about these was asked of the others alone." in text


def test_what_is_known_not_to_be_met_is_not_met() -> None:
    right = sides.render(record(), [TOLD], Path("page.md")).partition("## What is right")[2]
    assert THIRD in right
    assert FIRST not in right
    assert SECOND not in right


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    quoted = replace(TOLD, about='A "quoted" \\ text,\nwith """ in it.\n')
    path.write_text(known.render(quoted), "utf-8")
    assert known.load(path) == quoted


def test_a_failure_belongs_to_a_family_of_the_list(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(known.render(replace(TOLD, beside=(replace(TOLD.beside[0], family="no"),))), "utf-8")
    with pytest.raises(KnownError, match="'no' is no family"):
        known.load(path)


def test_a_page_that_has_to_be_another_one_fails_the_check(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    command = ["reference", "--only", FIRST, "--markdown", str(page)]
    assert CliRunner().invoke(check, [*command, "--confirm"]).exit_code == 1
    assert not page.exists()
    assert CliRunner().invoke(check, command).exit_code == 0
    assert CliRunner().invoke(check, [*command, "--confirm"]).exit_code == 0
    page.write_text(page.read_text("utf-8").replace("✓", "✗", 1), "utf-8")
    result = CliRunner().invoke(check, [*command, "--confirm"])
    assert result.exit_code == 1
    assert "+| ✓ pass |" in result.output
    assert CliRunner().invoke(check, ["reference", "--confirm"]).exit_code == 2


def test_flares_page_says_what_its_list_says() -> None:
    text = PAGE.read_text("utf-8")
    for entry in LIST.told:
        assert entry.what in text, entry.id
    for family in LIST.families.values():
        assert f"### {family.title}\n\n{family.text}\n" in text
    assert LIST.about in text
    assert set(re.findall(r"OSP-[A-Z]{3}-\d{3}", text)) <= REQUIREMENTS.keys()


def test_flares_page_leads_to_what_is_there() -> None:
    for target in set(re.findall(r"\]\(([^)#]+)", PAGE.read_text("utf-8"))):
        assert (PAGE.parent / target).is_file(), target


def test_each_family_has_members_and_speaks_of_requirements() -> None:
    assert {entry.family for entry in LIST.told} == LIST.families.keys()
    assert {one.id for one in LIST.beside} <= REQUIREMENTS.keys()
