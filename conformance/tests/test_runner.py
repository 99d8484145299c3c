"""Workers: implementations that crash, hang, die or print are survived, and told apart. And the exit codes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from objstream_conformance import cases, probes, report
from objstream_conformance.command import check, requirements
from objstream_conformance.locate import load_adapter
from objstream_conformance.outcomes import Outcome, Verdict
from objstream_conformance.runner import Worker, WorkerFailed, run_implementation

HERE = Path(__file__).parent
SCHEMA = json.loads((Path(report.__file__).parent / "report.schema.json").read_text())


def toy(name: str) -> str:
    return f"{HERE / 'wrong.py'}:{name}"


HONEST = f"{HERE / 'honest.py'}:HonestAdapter"
MISSING = cases.load()["rtv.missing_name"]
FINE = cases.load()["ctr.mutable_containers"]


@pytest.mark.parametrize(("name", "outcome"), [("Dying", Outcome.CRASH), ("Hanging", Outcome.HANG)])
def test_a_worker_that_is_lost_is_replaced(name: str, outcome: Outcome) -> None:
    worker = Worker(toy(name), seed=0, timeout=2.0)
    try:
        assert worker.start()["name"] == "honest toy"
        lost = worker.run(MISSING)
        assert (lost.verdict, lost.outcome) == (Verdict.FAIL, outcome)
        assert worker.run(FINE).verdict is Verdict.PASS
    finally:
        worker.stop()
    if outcome is Outcome.HANG:
        assert "retrieve_container" in str(lost.evidence["stderr"])


def test_what_an_implementation_prints_is_no_result() -> None:
    run = run_implementation(toy("Chatty"), {FINE.name: FINE})
    assert [result.verdict for result in run.results] == [Verdict.PASS]


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("no_such_module:Adapter", "cannot import no_such_module"),
        ("nonsense", "neither one of reference"),
        ("/no/such/file.py:Adapter", "there is no file"),
        (f"{HERE / 'wrong.py'}:Nobody", "has no Nobody"),
        (f"{HERE / 'wrong.py'}:Vague", "describe() to return a Description"),
        (f"{HERE / 'wrong.py'}:Broken", "no licence"),
    ],
)
def test_an_adapter_that_cannot_be_had(selector: str, said: str) -> None:
    with pytest.raises(WorkerFailed, match="(?s).*" + said.replace("(", r"\(").replace(")", r"\)")):
        Worker(selector, seed=0, timeout=5.0).start()


def run_check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(check, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


def test_exit_0_and_the_report(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    code, output = run_check(HONEST, "--only", "CTR", "--json", str(file), "--seed", "7")
    assert code == 0
    assert "conformant" in output
    record = json.loads(file.read_text())
    jsonschema.validate(record, SCHEMA)
    assert record["suite"]["seed"] == 7
    (implementation,) = record["implementations"]
    assert implementation["verdict"] == "conformant"
    assert implementation["counts"]["PASS"] == implementation["executed"] == implementation["declared"]
    assert {probe["case"] for probe in implementation["probes"]} == set(probes.PROBES)


def test_exit_1_and_what_is_told(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    code, output = run_check(toy("Listing"), HONEST, "--only", "OSP-VAL-010", "--json", str(file))
    assert code == 1
    for told in (
        "FAIL OSP-VAL-010 Lists and tuples are kept apart",
        "Lists in tuples in lists, empty ones too, keep their types. (val.lists_and_tuples)",
        "a tuple was sent, a list arrived",
        "do not map tuples to arrays",
        "shapes and keys are tuples",
    ):
        assert told in output
    record = json.loads(file.read_text())
    jsonschema.validate(record, SCHEMA)
    assert [one["verdict"] for one in record["implementations"]] == ["not conformant", "conformant"]


def test_exit_2_when_an_adapter_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    code, output = run_check(toy("Broken"), toy("Listing"), "--only", "OSP-VAL-010", "--json", str(file))
    assert code == 2
    assert "no licence" in output
    jsonschema.validate(json.loads(file.read_text()), SCHEMA)


def test_exit_2_for_a_selection_that_is_empty() -> None:
    assert run_check(HONEST, "--only", "NONE-1")[0] == 2


def test_exit_3_when_nothing_ran() -> None:
    code, output = run_check(toy("Bare"), "--only", "CTR")
    assert code == 3
    assert "nothing-ran" in output


def test_the_watchdog_can_be_set() -> None:
    start = time.monotonic()
    code, output = run_check(toy("Hanging"), "--only", "OSP-RTV-001", "--timeout", "1")
    assert code == 1
    assert "hang" in output
    assert time.monotonic() - start < 15


def test_adapters_are_found_by_module_and_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    assert load_adapter("honest:HonestAdapter").describe().name == "honest toy"
    assert load_adapter(HONEST).describe().name == "honest toy"


def test_requirements_are_listed_with_their_tests() -> None:
    result = CliRunner().invoke(requirements, ["--json"], catch_exceptions=False)
    rows = {row["id"]: row for row in json.loads(result.output)["requirements"]}
    assert rows["OSP-VAL-010"]["tests"] == ["val.lists_and_tuples"]
    assert rows["OSP-VAL-010"]["level"] == "MUST"
    assert rows["OSP-CTR-001"]["mutants"]
    assert "OSP-VAL-010" in CliRunner().invoke(requirements, []).output
