"""The benchmark measures what it says: sizes, rounds, ratios; never whether they are good on a busy machine."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from objstream.bench import (
    INTO,
    NEW,
    RAW,
    RAW_NEW,
    SMALL,
    SMALL_ENTRIES,
    Plan,
    Report,
    Task,
    build,
    run,
    shapes,
)
from objstream.bench.layouts import arrived
from objstream.limits import MIB


def size_of(layout: str, size: int) -> int:
    return sum(4 * math.prod(shape) for shape in shapes(layout, size).values())


@pytest.mark.parametrize("size", [32 * MIB, 512 * MIB, 4096 * MIB])
def test_the_layouts_have_about_the_size_that_is_asked_for(size: int) -> None:
    assert size_of("gpt", size) == pytest.approx(size, rel=0.06)
    assert size_of("blob", size) == size
    assert shapes("small", size) == {}


def test_the_language_model_has_the_parts_of_one() -> None:
    model = shapes("gpt", 512 * MIB)
    width = model["ln_f.weight"][0]
    assert len(model) == 148
    assert model["h.11.mlp.c_fc.weight"] == (width, 4 * width)
    assert model["wte.weight"][1] == width


@pytest.mark.parametrize("torch", [False, True])
def test_what_is_sent_can_be_told_from_what_has_not_arrived(torch: bool) -> None:
    if torch:
        pytest.importorskip("torch")
    model = shapes("gpt", MIB)
    state = build(model, torch=torch, sent=True)
    assert {name: tuple(array.shape) for name, array in state.items()} == model
    assert all(np.asarray(array).dtype == np.float32 for array in state.values())
    assert arrived(state)
    state["ln_f.bias"] = state["ln_f.bias"] * 0
    assert not arrived(state)
    assert not arrived(build(model, torch=torch, sent=False))


@pytest.mark.parametrize("layout", ["gpt", "small"])
def test_a_run(layout: str) -> None:
    done: list[tuple[int, int]] = []
    plan = Plan(2 * MIB, layout, ("none", "sha-256"), repeat=2, torch=None if layout == "gpt" else False)
    report = run(plan, lambda *state: done.append(state))
    raw = [] if layout == "small" else [Task(RAW), Task(RAW_NEW)]
    ways = [SMALL] if layout == "small" else [INTO, NEW, SMALL]
    assert list(report.seconds) == raw + [Task(what, digest) for digest in plan.digests for what in ways]
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in report.seconds.values())
    assert report.bytes == size_of(layout, 2 * MIB)
    assert done[-1] == (3 * len(report.seconds), 3 * len(report.seconds))
    assert {"cores", "python", "numpy", "objstream"} <= report.environment.keys()


def test_ratios_are_taken_round_by_round() -> None:
    seconds = {
        Task(RAW): [0.1, 0.4, 0.3],
        Task(RAW_NEW): [0.2, 0.8, 0.6],
        Task(INTO, "none"): [0.2, 0.5, 1.2],
    }
    report = Report(Plan(1, "blob", ("none",), 3), {}, 1, 1000, seconds)
    assert report.median(Task(RAW)) == 0.3
    assert report.rate(Task(INTO, "none")) == 2000
    assert report.ratio(Task(INTO, "none"), RAW) == pytest.approx(0.5)
    assert report.ratio(Task(INTO, "none"), RAW_NEW) == pytest.approx(1.0)
    row = report.as_json()["rows"][-1]
    assert row["ratio to raw"] == pytest.approx(0.5)


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    from objstream.cli import main

    file = tmp_path / "figures.json"
    arguments = [
        "--numpy",
        "--layout",
        "blob",
        "--size",
        "1MiB",
        "--repeat",
        "1",
        "--digest",
        "none",
        "--digest",
        "sha-256",
    ]
    assert main(["bench", *arguments, "--json", str(file)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert re.match(r"cores \d+, .*python 3\.", out)
    assert re.search(r"raw TCP: .* GB/s", out)
    for digest in ("none", "sha-256"):
        assert re.search(rf"{digest} .*\d\.\d\d.*\d\.\d\d.*\d+\.\d", out)
    figures = json.loads(file.read_text())
    assert figures["small_entries"] == SMALL_ENTRIES
    assert {(row["what"], row["digest"]) for row in figures["rows"]} >= {("raw", ""), ("into", "none")}
