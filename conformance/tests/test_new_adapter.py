"""The file to start from: it is an adapter, it runs, and it passes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from objstream_conformance.command import check
from objstream_conformance.new_adapter import new_adapter


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_runs_and_is_honest(folder: Path) -> None:
    written = CliRunner().invoke(new_adapter, ["my-streamer"], catch_exceptions=False)
    assert written.exit_code == 0
    selector = "my_streamer_adapter.py:MyStreamerAdapter"
    assert f"objstream check {selector}" in written.output
    assert "@" not in (folder / "my_streamer_adapter.py").read_text().replace("@dataclass", "")
    arguments = [selector, "--only", "CTR", "--only", "RTV", "--only", "FRM", "--json", "report.json"]
    assert CliRunner().invoke(check, arguments, catch_exceptions=False).exit_code == 1
    (found,) = json.loads((folder / "report.json").read_text())["implementations"]
    assert (found["name"], found["verdict"]) == ("my streamer", "not conformant")
    assert found["counts"]["PASS"] == 0
    outcomes = {one["outcome"] for one in found["requirements"]}
    assert outcomes <= {"violation", "unsupported", "ok", ""}


def test_what_is_there_is_left_alone(folder: Path) -> None:
    (folder / "mine_adapter.py").write_text("precious")
    again = CliRunner().invoke(new_adapter, ["mine"])
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert (folder / "mine_adapter.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["", "7up", "../.."])
def test_a_name_is_a_name(folder: Path, name: str) -> None:
    assert CliRunner().invoke(new_adapter, [name]).exit_code == 2
    assert list(folder.iterdir()) == []
