"""A server in a process of its own is held against the specification; one that is wrong fails for what it does."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import case_of, failed, run

from objstream_conformance.adapters.blackbox import BlackboxAdapter
from objstream_conformance.command import check
from objstream_conformance.outcomes import AdapterError, Outcome, Verdict
from objstream_conformance.verdicts import Standing

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    arrays = {f"layer-{number}": np.full(40_000, number, np.float32) for number in range(12)}
    np.savez(folder / "model.npz", **arrays)  # type: ignore[arg-type]
    (folder / "notes.bin").write_bytes(random.Random(1).randbytes(400_017))
    (folder / "empty").write_bytes(b"")
    return folder


def words(store: Path) -> list[str]:
    """What the server offers, in the words of `objstream serve` and of the black box alike."""
    offered = {"model.npz": "--container", "notes.bin": "--file", "empty": "--file"}
    return [
        word for name, option in offered.items() for word in (option, f"{Path(name).stem}={store / name}")
    ]


def given(address: str, store: Path) -> str:
    return shlex.join([address, *words(store)])


@contextmanager
def process(*command: str) -> Iterator[str]:
    """A server in a process of its own; its address, which it prints."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            found = re.search(r"(tcp|unix)://[^\s,]*[^\s,:]", started.stdout.readline())
            assert found
            yield found[0]
        finally:
            started.kill()


@contextmanager
def wrong(mistake: str, store: Path) -> Iterator[str]:
    objects = [one for one in words(store) if "=" in one]
    with process(str(HERE / "wrong_server.py"), mistake, "tcp://127.0.0.1:0", *objects) as address:
        yield address


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_the_server_of_the_command_line_conforms(store: Path, tmp_path: Path, scheme: str) -> None:
    url = "tcp://127.0.0.1:0" if scheme == "tcp" else f"unix://{tmp_path}/socket"
    areas = () if scheme == "tcp" else ("FRM", "OBJ", "RTV")
    with process("-m", "objstream.cli", "serve", url, *words(store)) as address:
        assessment = run(BlackboxAdapter(given(address, store)), *areas)
    unclear = assessment.with_verdict(Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert [(one.requirement.id, one.case and one.case.observed) for one in unclear] == []
    assert assessment.standing is Standing.CONFORMANT
    assert assessment.notes == []
    assert assessment.executed >= (45 if scheme == "tcp" else 19)


@pytest.mark.parametrize(
    ("mistake", "id_"),
    [
        ("header_checksums_are_ignored", "OSP-FRM-004"),
        ("numbers_are_ignored", "OSP-FRM-015"),
        ("credit_is_rounded_up", "OSP-FLW-002"),
        ("highest_version_is_chosen", "OSP-VER-001"),
        ("sizes_count_one_more", "OSP-INT-022"),
        ("numbers_go_on", "OSP-SES-042"),
    ],
)
def test_a_wrong_server_fails_for_what_it_does(store: Path, mistake: str, id_: str) -> None:
    with wrong(mistake, store) as address:
        assessment = run(BlackboxAdapter(given(address, store)), id_)
    assert id_ in failed(assessment)
    assert case_of(assessment, id_).outcome is Outcome.VIOLATION


def test_another_object_than_expected(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes((store / "notes.bin").read_bytes()[:-1] + b"!")
    with process("-m", "objstream.cli", "serve", "tcp://127.0.0.1:0", *words(store)) as address:
        adapter = BlackboxAdapter(shlex.join([address, "--file", f"notes={other}"]))
        assessment = run(adapter, "OSP-OBJ-001", "OSP-INT-022")
    assert failed(assessment) == {"OSP-OBJ-001"}
    assert "was sent" in case_of(assessment, "OSP-OBJ-001").observed


@pytest.mark.parametrize("mistake", ["silent", "mortal"])
def test_a_server_that_is_silent_or_dies_fails(store: Path, tmp_path: Path, mistake: str) -> None:
    report = tmp_path / "report.json"
    with wrong(mistake, store) as address:
        arguments = [f"blackbox:{given(address, store)}", "--only", "OSP-RTV-010", "--json", str(report)]
        result = CliRunner().invoke(check, arguments, catch_exceptions=False)
    assert result.exit_code in (1, 2), result.output
    (implementation,) = json.loads(report.read_text())["implementations"]
    assert implementation["counts"]["PASS"] == 0
    assert implementation["verdict"] in ("not conformant", "suite-error")


def test_nobody_listens(store: Path) -> None:
    adapter = BlackboxAdapter(given("tcp://127.0.0.1:9", store))
    with pytest.raises(AdapterError, match="nobody answers"):
        adapter.describe()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tcp://127.0.0.1:1", "say what the server offers"),
        ("nowhere", "is no address: write tcp://"),
        ("tcp://127.0.0.1:1 --file name=/no/such/file", "there is no file"),
        ("tcp://127.0.0.1:1 --nonsense", "unrecognized arguments"),
        ("'", "No closing quotation"),
    ],
)
def test_words_that_say_nothing(text: str, said: str) -> None:
    with pytest.raises(LookupError, match=said):
        BlackboxAdapter(text)


def test_objects_of_any_size_are_chosen(store: Path) -> None:
    adapter = BlackboxAdapter(given("tcp://127.0.0.1:1", store))
    names = {size: adapter.sample(size).given.name for size in (0, 1, 400_017, 400_018, 1 << 40)}  # type: ignore[attr-defined]
    assert names == {0: "empty", 1: "notes", 400_017: "notes", 400_018: "model", 1 << 40: "model"}
    assert os.stat(store / "model.npz").st_size > 400_018
