"""The example jobs run in FLARE's Simulator, and say when something else has arrived than was sent."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nvflare", reason="the examples need objstream[flare]")

EXAMPLES = Path(__file__).parents[1] / "examples" / "flare"
LIMIT = 180.0


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules of the examples can be imported, under names that no other test meets."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    names = {path.stem for path in EXAMPLES.glob("*.py")} | {"utils"}
    for name in [name for name in sys.modules if name.split(".")[0] in names]:
        monkeypatch.delitem(sys.modules, name)


def run(tmp_path: Path, script: str, *options: str, limit: float = LIMIT) -> dict[str, Any]:
    """Run a job as a user does; what it wrote. It must end in time, and leave no process behind."""
    psutil = pytest.importorskip("psutil")
    found = tmp_path / "found.json"
    command = [
        sys.executable,
        str(EXAMPLES / script),
        "--json",
        str(found),
        "--timeout",
        str(limit),
        *options,
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=limit + 60,
        check=False,
    )
    left = [one.info for one in psutil.process_iter(["pid", "cmdline"]) if str(tmp_path) in str(one.info)]
    assert not left
    assert not list(tmp_path.glob("flare-*")), "temporary files are left"
    if done.returncode:
        print(done.stdout)
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return dict(json.loads(found.read_text()))


def test_a_file_is_streamed_to_two_clients(tmp_path: Path) -> None:
    record = run(tmp_path, "simple_file_streaming_job.py", "--size", "3MiB", "--clients", "2")
    assert record["verified"]
    assert record["bytes"] == 3 << 20
    assert set(record["sites"]) == {"site-1", "site-2"}


def test_a_dict_is_retrieved_by_two_clients(tmp_path: Path) -> None:
    record = run(tmp_path, "simple_dict_streaming_job.py", "--size", "2MiB", "--clients", "2")
    assert record["verified"]
    assert set(record["sites"]) == {"site-1", "site-2"}


@pytest.mark.parametrize(
    ("mode", "implementation"),
    [
        ("regular", "nvflare"),
        ("container", "nvflare"),
        ("file", "nvflare"),
        ("container", "objstream"),
        ("file", "objstream"),
    ],
)
def test_a_model_is_transferred(tmp_path: Path, mode: str, implementation: str) -> None:
    pytest.importorskip("torch")
    chosen = () if mode == "regular" else ("--retriever_mode", mode)
    options = ("--size", "8MiB", "--implementation", implementation, *chosen)
    record = run(tmp_path, "streaming_job.py", *options)
    assert record["verified"]
    assert (record["mode"], record["implementation"]) == (mode, implementation)
    assert 7 << 20 < record["bytes"] < 9 << 20
    assert 0 < record["transfer_s"] < record["job_s"]
    assert 0 < record["extra_bytes"] < record["peak_rss_tree_bytes"]


def test_all_jobs_run_in_processes_of_their_own(tmp_path: Path) -> None:
    """Proof-of-concept mode: two clients at once, and five jobs at once."""
    pytest.importorskip("torch")
    found = run(tmp_path, "poc.py", "--size", "2MiB", "--together")
    assert list(found) == ["simple file", "simple dict", "model, regular", "model, container", "model, file"]
    for record in found.values():
        assert record["verified"]
        assert set(record["sites"]) == {"site-1", "site-2"}


def test_whatever_goes_wrong_has_a_return_code_and_the_next_transfer_works(tmp_path: Path) -> None:
    record = run(tmp_path, "fault_job.py")
    assert [step for step in record["steps"] if not step["as_expected"]] == []
    assert len(record["steps"]) == 11


def test_a_job_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run(tmp_path, "simple_file_streaming_job.py", limit=3)
    assert "did not end within 3 s" in failure.value.stderr


def test_what_arrived_is_compared_by_content(examples: None) -> None:
    import content

    sent = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": 1}
    variants: list[dict[str, Any]] = [
        {"a": sent["a"], "b": 2},
        {"a": sent["a"], "b": True},
        {"a": sent["a"]},
        {"b": 1, "a": sent["a"]},
        {"a": sent["a"].reshape(3, 2), "b": 1},
        {"a": sent["a"].view(np.int32), "b": 1},
        {"a": -sent["a"], "b": 1},
        {"a": sent["a"] * np.float32(1.0000001), "b": 1},
        {"a2": sent["a"], "b": 1},
    ]
    digest = content.of_container(sent)
    assert content.of_container({"a": sent["a"].copy(), "b": 1}) == digest
    assert len({content.of_container(variant) for variant in variants} | {digest}) == len(variants) + 1


def test_tensors_are_compared_by_content(examples: None) -> None:
    torch = pytest.importorskip("torch")
    import content

    sent = torch.arange(6, dtype=torch.bfloat16)
    assert content.of_container({"a": sent.clone()}) == content.of_container({"a": sent})
    assert content.of_container({"a": sent + 1}) != content.of_container({"a": sent})
    assert content.of_container({"a": sent.float()}) != content.of_container({"a": sent})
    assert content.of_container({"a": sent.tolist()}) != content.of_container({"a": sent})


def test_real_weights_come_from_a_file(examples: None, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    import content
    import models

    weights = {"wte.weight": torch.arange(6.0).reshape(2, 3), "ln.bias": torch.ones(3, dtype=torch.bfloat16)}
    torch.save(weights, tmp_path / "model.pt")
    assert content.of_container(models.build(str(tmp_path / "model.pt"))) == content.of_container(weights)


@pytest.mark.skipif(importlib.util.find_spec("transformers") is not None, reason="transformers is installed")
def test_a_name_needs_transformers(examples: None) -> None:
    pytest.importorskip("torch")
    import models

    with pytest.raises(RuntimeError, match="gpt2 needs transformers: pip install transformers"):
        models.build("gpt2")


@pytest.mark.parametrize(
    "sites",
    [
        {},
        {"site-1": {"verified": True}},
        {"site-1": {"verified": True}, "site-2": {"verified": False}},
        {"site-1": {"verified": True}, "site-2": {"verified": None}},
    ],
    ids=["none", "one is missing", "one is wrong", "one does not say"],
)
def test_verified_means_everywhere(examples: None, tmp_path: Path, sites: dict[str, Any]) -> None:
    import reports

    context = FakeContext(tmp_path)
    reports.write(context, ["site-1", "site-2"], sites, {"bytes": 1})
    assert reports.read(tmp_path)["verified"] is False
    reports.write(context, ["site-1"], {"site-1": {"verified": True}}, {"bytes": 1})
    assert reports.read(tmp_path)["verified"] is True


class FakeContext:
    """As much of FLARE's context as is needed to know a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get_engine(self) -> FakeContext:
        return self

    get_workspace = get_engine

    def get_job_id(self) -> str:
        return "job"

    def get_run_dir(self, job_id: str) -> str:
        return str(self.directory)


def test_a_job_without_a_report_is_an_error(examples: None, tmp_path: Path) -> None:
    import reports

    with pytest.raises(LookupError, match="no report"):
        reports.read(tmp_path)


GRANDCHILD = "import time; block = bytearray(60 << 20); print('up', flush=True); time.sleep(60)"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


def test_the_memory_of_grandchildren_counts_and_they_are_ended(examples: None) -> None:
    import psutil
    from utils.memory import ProcessTree

    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, start_new_session=True)
    try:
        tree = ProcessTree(child.pid)
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        grandchildren = psutil.Process(child.pid).children()
        time.sleep(0.6)
        child.kill()
        child.wait(10)
        tree.end_all()
        tree.stop()
        assert tree.peak() > 60 << 20
        assert len(grandchildren) == 1
        assert not grandchildren[0].is_running()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait(10)
        if child.stdout:
            child.stdout.close()


def test_a_command_with_its_memory_written_down(tmp_path: Path) -> None:
    log = tmp_path / "memory.csv"
    command = [sys.executable, "-c", "import time; block = bytearray(60 << 20); time.sleep(0.5); exit(3)"]
    done = subprocess.run(
        [sys.executable, EXAMPLES / "utils" / "log_memory.py", log, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 3
    heading, *lines = log.read_text().splitlines()
    assert heading == "seconds,bytes"
    assert max(int(line.split(",")[1]) for line in lines) > 60 << 20
