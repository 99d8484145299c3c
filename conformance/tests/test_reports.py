"""The reports besides the terminal's: JUnit, the page, and the files from which a failure is repeated."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import CliRunner

from objstream_conformance import junit, known, page, probes, report
from objstream_conformance.command import check
from objstream_conformance.replay import Replay, replay

HERE = Path(__file__).parent
SCHEMA = json.loads((Path(report.__file__).parent / "report.schema.json").read_text())
LISTING = f"{HERE / 'wrong.py'}:Listing"
HONEST = f"{HERE / 'honest.py'}:HonestAdapter"
VOID = {"meta", "input", "br", "link", "img", "hr"}


class Run:
    """One run of an honest implementation and a wrong one, in all forms."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        options = ("--only", "OSP-VAL-010", "--only", "OSP-BUF-001", "--seed", "3")
        files = ("--json", "r.json", "--junit", "r.xml", "--html", "r.html", "--replays", "replays")
        paths = [str(folder / name) if number % 2 else name for number, name in enumerate(files)]
        result = CliRunner().invoke(check, [LISTING, HONEST, *options, *paths], catch_exceptions=False)
        self.output = result.output
        self.record = json.loads((folder / "r.json").read_text("utf-8"))
        self.junit = ElementTree.parse(folder / "r.xml").getroot()
        self.page = (folder / "r.html").read_text("utf-8")
        (self.replay,) = (folder / "replays").iterdir()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("reports"))


def test_the_schema(run: Run) -> None:
    jsonschema.validate(run.record, SCHEMA)


def test_junit_counts_and_names_requirements(run: Run) -> None:
    wrong, honest = run.junit.findall("testsuite")
    assert (wrong.get("failures"), wrong.get("errors"), wrong.get("skipped")) == ("1", "0", "2")
    assert honest.get("failures") == "0"
    assert wrong.get("tests") == str(len(wrong.findall("testcase"))) == str(2 + len(probes.PROBES))
    (failed,) = (case for case in wrong.findall("testcase") if case.find("failure") is not None)
    assert (failed.get("classname"), failed.get("name")) == (f"{wrong.get('name')}.val", "lists_and_tuples")
    properties = [(one.get("name"), one.get("value")) for one in failed.iter("property")]
    assert ("requirement", "OSP-VAL-010") in properties
    about = {one.get("name"): one.get("value") for one in wrong.findall("properties/property")}
    suite = run.record["suite"]
    assert about["seed"] == "3"
    assert (about["suite"], about["specification"]) == (suite["version"], suite["specification"])
    assert (about["declared"], about["executed"], about["version"]) == ("1", "1", "1")
    assert about["capability"]
    message = next(failed.iter("failure")).get("message")
    assert message
    assert "a tuple was sent, a list arrived" in message


def test_junit_takes_any_text() -> None:
    assert junit._shown("a\x00b\ud800c\U0001f600\n") == "a\ufffdb\ufffdc\U0001f600\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(run: Run) -> None:
    reader = _Reader()
    reader.feed(run.page)
    assert (reader.open, reader.links) == ([], [])
    assert "http" not in run.page
    assert "@import" not in run.page


def test_the_page_shows_what_failed_and_why(run: Run) -> None:
    assert run.page.count('class="row"') == 2
    (details,) = re.findall(r"<details.*?</details>", run.page, re.S)
    for told in (
        "Lists in tuples in lists, empty ones too, keep their types.",
        "a tuple was sent, a list arrived",
        "do not map tuples to arrays",
        "shapes and keys are tuples",
        "<dt>network</dt>",
        "<dt>last messages</dt>",
        "alpha-&gt;beta",
        "--only val.lists_and_tuples --seed 3",
    ):
        assert told in details


def test_the_page_shows_no_markup_of_others(run: Run) -> None:
    text = json.dumps(run.record).replace("a list arrived", "<script>alert(1)</script>")
    shown = page.render(json.loads(text))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_a_failure_is_repeated(run: Run) -> None:
    assert f"objstream replay {run.replay}" in run.output.replace("\n", "")
    recorded = Replay.load(run.replay)
    assert recorded == Replay(
        LISTING,
        "val.lists_and_tuples",
        3,
        ("OSP-VAL-010",),
        "FAIL",
        "violation",
        "the object received to equal the one sent, bit for bit",
        recorded.observed,
    )
    again = CliRunner().invoke(replay, [str(run.replay)], catch_exceptions=False)
    assert again.exit_code == 1
    assert "as recorded" in again.output
    for told in (recorded.observed, recorded.expected):
        assert told in again.output


def test_every_form_says_what_was_asked_of_whom(run: Run) -> None:
    """Versions of suite, specification and implementation, the seed, the capabilities, times, and the counts."""
    suite, (wrong, _) = run.record["suite"], run.record["implementations"]
    for form in (run.output.replace("\n", " "), run.page.replace("\n", " ")):
        for told in (
            f"objstream-conformance {suite['version']}, specification {suite['specification']}",
            "seed 3",
            "honest toy",
            LISTING,
            "multi-target, numpy",
            "requirements apply, 1 were tested",
        ):
            assert told in form
    assert (wrong["declared"], wrong["executed"]) == (1, 1)
    assert wrong["seconds"] > 0
    assert suite["seconds"] >= wrong["seconds"]


KINDS = {
    "Listing": ("OSP-VAL-010", "FAIL", "violation", 1),
    "Crashing": ("OSP-RTV-001", "FAIL", "crash", 1),
    "Dying": ("OSP-RTV-001", "FAIL", "crash", 1),
    "Hanging": ("OSP-RTV-001", "FAIL", "hang", 1),
    "Unwilling": ("OSP-FIL-001", "INCONCLUSIVE", "adapter-error", 3),
    "Wayward": ("OSP-INT-004", "INCONCLUSIVE", "unexercised", 3),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_failure_is_repeated(tmp_path: Path, name: str) -> None:
    id_, verdict, outcome, status = KINDS[name]
    adapter = f"{HERE / 'wrong.py'}:{name}"
    timeout = "3" if outcome == "hang" else "60"
    arguments = [adapter, "--only", id_, "--timeout", timeout, "--replays", str(tmp_path)]
    CliRunner().invoke(check, arguments, catch_exceptions=False)
    files = [path for path in tmp_path.iterdir() if id_ in Replay.load(path).requirements]
    assert len(files) == 1
    recorded = Replay.load(files[0])
    assert (recorded.verdict, recorded.outcome) == (verdict, outcome)
    again = CliRunner().invoke(replay, [str(files[0]), "--timeout", timeout], catch_exceptions=False)
    assert again.exit_code == status, again.output
    assert "as recorded" in again.output


def test_a_command_can_be_typed_as_it_is_shown() -> None:
    assert report.again("testee:node a.mjs", "val.floats", 3) == (
        "objstream check 'testee:node a.mjs' --only val.floats --seed 3"
    )


def test_it_is_repeated_with_another_implementation(run: Run) -> None:
    again = CliRunner().invoke(replay, [str(run.replay), "--adapter", HONEST], catch_exceptions=False)
    assert again.exit_code == 0
    assert "recorded was FAIL, violation" in again.output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"case": "val.nothing"}, "there is no case val.nothing"),
        ({"adapter": "nothing"}, "neither one of reference"),
        ({"extra": 1}, "is no replay file"),
    ],
)
def test_what_cannot_be_repeated(run: Run, tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "replay.json"
    path.write_text(json.dumps({**json.loads(run.replay.read_text()), **change}))
    again = CliRunner().invoke(replay, [str(path)], catch_exceptions=False)
    assert again.exit_code == 2
    assert said in again.output


def test_known_failures_in_every_form(tmp_path: Path) -> None:
    listed = tmp_path / "known.toml"
    arguments = [LISTING, "--only", "OSP-VAL-010", "--update-known", str(listed)]
    for option in ("json", "junit", "html"):
        arguments += [f"--{option}", str(tmp_path / option)]
    assert CliRunner().invoke(check, arguments, catch_exceptions=False).exit_code == 0
    (entry,) = known.load(listed).entries
    record = json.loads((tmp_path / "json").read_text("utf-8"))
    jsonschema.validate(record, SCHEMA)
    (implementation,) = record["implementations"]
    assert implementation["verdict"] == "known failures"
    assert implementation["requirements"][0]["known"] == entry.what
    root = ElementTree.parse(tmp_path / "junit").getroot()
    assert f"known failure: {entry.what}" in [one.get("message") for one in root.iter("skipped")]
    assert list(root.iter("failure")) == []
    assert f"<summary>honest toy: {entry.what}</summary>" in (tmp_path / "html").read_text("utf-8")
