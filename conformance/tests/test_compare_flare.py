"""`objstream compare-flare`: what it runs, what it makes of the figures, and what becomes of a job that fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("nvflare", reason="compare-flare needs objstream[flare]")

from objstream_conformance.compare_flare import command, report, runs
from objstream_conformance.compare_flare.runs import Combination, Series

MIB = 1 << 20
SECONDS = {"regular": 3.0, "container": 6.0, "file": 12.0}


def record(combination: Combination, seconds: float | None = None) -> dict[str, Any]:
    taken = seconds or SECONDS[combination.setting] / (8 if combination.implementation == "objstream" else 1)
    return {
        "verified": True,
        "bytes": 512 * MIB,
        "bytes_in_memory": 0 if combination.setting == "file" else 512 * MIB,
        "transfer_s": taken,
        "first_transfer_s": taken + 1,
        "job_s": taken + 14,
        "peak_rss_tree_bytes": 1900 * MIB,
        "extra_bytes": 30 * MIB,
        "memory": [(moment / 10, moment * 5 * MIB) for moment in range(-20, int(taken * 10) + 30)],
    }


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Combination]:
    """Jobs are not run, but noted."""
    noted: list[Combination] = []

    def note(combination: Combination, size: int, timeout: float) -> dict[str, Any]:
        assert (size, timeout) == (512 * MIB, 600.0)
        noted.append(combination)
        return record(combination)

    monkeypatch.setattr(command, "run", note)
    return noted


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command.compare_flare, arguments)


def test_every_round_runs_all_combinations_in_turn(ran: list[Combination], tmp_path: Path) -> None:
    done = call("--repeat", "2", "--json", str(tmp_path / "json"), "--html", str(tmp_path / "html"))
    assert done.exit_code == 0, done.output
    once = [
        Combination("regular", "nvflare"),
        Combination("container", "nvflare"),
        Combination("container", "objstream"),
        Combination("file", "nvflare"),
        Combination("file", "objstream"),
    ]
    assert ran == once * 2
    written = json.loads((tmp_path / "json").read_text())
    assert [(row["setting"], row["implementation"], row["speed_up"]) for row in written["settings"]] == [
        ("regular", "nvflare", 1.0),
        ("container", "nvflare", 1.0),
        ("container", "objstream", 8.0),
        ("file", "nvflare", 1.0),
        ("file", "objstream", 8.0),
    ]
    assert all(len(row["runs"]) == 2 for row in written["settings"])
    assert set(written["environment"]) >= {"nvflare", "objstream", "python", "cores"}
    assert "0.75" in done.output
    page = (tmp_path / "html").read_text()
    assert page.count("<svg") == 3
    assert "0.75 s, 30.0 MiB beside the model" in page


def test_what_is_chosen_is_run(ran: list[Combination]) -> None:
    assert call("--repeat", "1", "--setting", "file", "--implementation", "objstream").exit_code == 0
    assert ran == [Combination("file", "objstream")]


def test_there_is_no_regular_transmission_of_ours(ran: list[Combination]) -> None:
    assert call("--setting", "regular", "--implementation", "objstream").exit_code == 2
    assert not ran


def test_a_job_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise runs.RunError("file, nvflare: the job failed; the end of its log:\nNOT VERIFIED")

    monkeypatch.setattr(command, "run", fail)
    done = call()
    assert done.exit_code == 1
    assert "NOT VERIFIED" in done.output


def test_the_end_of_the_log_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / runs.SCRIPT).write_text("print('first\\n' * 100 + 'site-1: OK, NOT VERIFIED'); exit(1)")
    monkeypatch.setattr(runs, "examples", lambda: tmp_path)
    with pytest.raises(runs.RunError, match="container, nvflare: the job failed") as failure:
        runs.run(Combination("container", "nvflare"), MIB, 10)
    assert "NOT VERIFIED" in str(failure.value)
    assert str(failure.value).count("first") < 20


def test_the_job_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / runs.SCRIPT).write_text(
        "import json, sys\n"
        "path = sys.argv[sys.argv.index('--json') + 1]\n"
        "open(path, 'w').write(json.dumps({'arguments': sys.argv[1:], 'transfers_s': [2, 1]}))\n"
    )
    monkeypatch.setattr(runs, "examples", lambda: tmp_path)
    made = [runs.run(Combination(setting, "objstream"), MIB, 10) for setting in runs.SETTINGS]
    assert {record["first_transfer_s"] for record in made} == {2}
    told = [record["arguments"] for record in made]
    first = ["--implementation", "objstream", "--size", str(MIB), "--timeout", "10"]
    assert all(options[:6] == first for options in told)
    assert [options[-2:] for options in told[1:]] == [
        ["--retriever_mode", "container"],
        ["--retriever_mode", "file"],
    ]
    assert "--retriever_mode" not in told[0]


def test_the_examples_are_found() -> None:
    assert runs.examples().joinpath("README.md").is_file()


def series(combinations: Sequence[Combination]) -> list[Series]:
    return [Series(one, [record(one)]) for one in combinations]


def test_speed_up_is_by_medians_and_within_a_setting() -> None:
    theirs, ours = Combination("file", "nvflare"), Combination("file", "objstream")
    both = [
        Series(theirs, [record(theirs, seconds) for seconds in (9.0, 10.0, 100.0)]),
        Series(ours, [record(ours, seconds) for seconds in (0.1, 2.0, 2.5)]),
    ]
    assert report.speed_up(both[1], both) == 5.0
    assert report.speed_up(both[1], both[1:]) is None
    assert report.speed_up(both[1], series([Combination("container", "nvflare")])) is None


def test_the_run_of_the_median_is_drawn() -> None:
    one = Combination("file", "nvflare")
    assert Series(one, [record(one, seconds) for seconds in (9.0, 3.0, 5.0)]).typical["transfer_s"] == 5.0
