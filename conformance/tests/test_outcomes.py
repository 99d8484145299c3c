"""What an implementation can do to a run, through the command itself: each has its own outcome and exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from objstream_conformance import report

HERE = Path(__file__).parent
SCHEMA = json.loads((Path(report.__file__).parent / "report.schema.json").read_text())
NAMED = ("--only", "OSP-RTV-001")


def toy(name: str) -> str:
    return f"{HERE / 'wrong.py'}:{name}"


@dataclass(frozen=True)
class Ended:
    """How the command ended: its exit status, what it printed, and the one implementation of its report."""

    status: int
    output: str
    report: dict[str, object]
    junit: ElementTree.Element | None


def run(folder: Path, *arguments: str) -> Ended:
    record, junit = folder / "report.json", folder / "junit.xml"
    command = [sys.executable, "-m", "objstream.cli", "check", *arguments]
    reports = ["--json", str(record), "--junit", str(junit), "--html", str(folder / "page.html")]
    done = subprocess.run([*command, *reports], capture_output=True, text=True, timeout=300)
    if not record.exists():
        return Ended(done.returncode, done.stdout + done.stderr, {}, None)
    found = json.loads(record.read_text("utf-8"))
    jsonschema.validate(found, SCHEMA)
    (implementation,) = found["implementations"]
    return Ended(done.returncode, done.stdout, implementation, ElementTree.parse(junit).getroot())


@pytest.mark.parametrize(
    ("name", "only", "status", "verdict", "outcome", "said"),
    [
        ("Dying", NAMED, 1, "not conformant", "crash", "the process died"),
        ("Crashing", NAMED, 1, "not conformant", "crash", "KeyError"),
        ("Hanging", NAMED, 1, "not conformant", "hang", "still running after 3 s"),
        ("Yes", NAMED, 1, "not conformant", "violation", "it ended well"),
        ("Forgetful", ("--only", "OSP-SES-001"), 1, "not conformant", "violation", ""),
        ("Unwilling", ("--only", "OSP-FIL-001"), 2, "suite-error", "adapter-error", "no files here"),
        ("Raising", NAMED, 2, "suite-error", "adapter-error", "no room for a site"),
    ],
)
def test_what_it_does_is_what_is_told(
    tmp_path: Path, name: str, only: tuple[str, ...], status: int, verdict: str, outcome: str, said: str
) -> None:
    ended = run(tmp_path, toy(name), *only, "--timeout", "3")
    assert (ended.status, ended.report["verdict"]) == (status, verdict), ended.output
    (requirement,) = ended.report["requirements"]  # type: ignore[misc]
    assert requirement["outcome"] == outcome
    assert said in requirement["observed"]
    assert requirement["verdict"] != "PASS"
    assert ended.junit is not None
    told = [one.get("type") for one in ended.junit.iter() if one.tag in ("failure", "error")]
    assert outcome in told
    assert requirement["case"] in ended.output


@pytest.mark.parametrize(
    ("arguments", "status", "verdict", "said"),
    [
        ((toy("Broken"), *NAMED), 2, "suite-error", "no licence"),
        (("no_such_module:Adapter", *NAMED), 2, "suite-error", "cannot import no_such_module"),
        ((toy("Vague"), *NAMED), 2, "suite-error", "describe() to return a Description"),
        ((toy("Bare"), "--only", "CTR"), 3, "nothing-ran", "nothing-ran"),
    ],
)
def test_what_does_not_come_to_a_verdict(
    tmp_path: Path, arguments: tuple[str, ...], status: int, verdict: str, said: str
) -> None:
    ended = run(tmp_path, *arguments)
    assert (ended.status, ended.report["verdict"]) == (status, verdict), ended.output
    assert said in ended.output
    assert ended.report["executed"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((toy("Bare"), "--only", "NONE-1"), "no case matches 'NONE-1'"),
        ((), "there is nothing to check"),
    ],
)
def test_a_selection_that_is_empty_is_an_error(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = run(tmp_path, *arguments)
    assert (ended.status, ended.report) == (2, {})
    assert said in ended.output


def test_an_implementation_that_refuses_everything_has_passed_nothing(tmp_path: Path) -> None:
    ended = run(tmp_path, toy("No"), "--only", "OSP-VAL-036")
    assert (ended.status, ended.report["verdict"]) == (1, "not conformant")
    (requirement,) = ended.report["requirements"]  # type: ignore[misc]
    assert requirement["verdict"] == "INCONCLUSIVE"
    assert "did not accept a good stream" in requirement["observed"]


def test_a_run_that_decides_nothing_is_inconclusive(tmp_path: Path) -> None:
    ended = run(tmp_path, toy("Wayward"), "--only", "OSP-INT-004")
    assert (ended.status, ended.report["verdict"]) == (3, "inconclusive"), ended.output


def test_the_worst_of_several_decides(tmp_path: Path) -> None:
    fine = f"{HERE / 'honest.py'}:HonestAdapter"
    for others, status in (((fine,), 0), ((fine, toy("Listing")), 1), ((toy("Broken"), toy("Listing")), 2)):
        command = [sys.executable, "-m", "objstream.cli", "check", *others, "--only", "OSP-VAL-010"]
        assert subprocess.run(command, capture_output=True, timeout=300).returncode == status
