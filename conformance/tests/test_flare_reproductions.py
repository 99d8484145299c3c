"""The reproductions of FLARE's deviations: the table and the scripts agree, and the harness tells yes from no."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from objstream_conformance import known, registry

FOLDER = Path(__file__).parents[1] / "flare_reproductions"
KNOWN = known.load(FOLDER.parent / "known_failures" / "nvflare-2.9.0.toml")
OF_THE_INTERFACE = {
    *("result_is_true_when_it_failed", "int_timeout_refused", "end_of_a_secure_stream_is_in_the_clear"),
}
"""Findings about FLARE's interface and its transport, of which no requirement speaks."""
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "harness")


def functions(script: str) -> list[str]:
    """The reproductions of a script, in their order."""
    tree = ast.parse((FOLDER / f"{script}.py").read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d) == "reproduction" for d in node.decorator_list)
    ]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_table_lists_what_the_script_reproduces(script: str) -> None:
    readme = (FOLDER / "README.md").read_text()
    section = re.split(r"^## ", readme, flags=re.M)
    (rows,) = (part for part in section if part.splitlines()[0].endswith(f"`{script}.py`"))
    listed = re.findall(r"\| (\w+) \| (yes|no) \|$", rows, flags=re.M)
    assert [name for name, _ in listed] == functions(script)
    assert {answer for _, answer in listed} == {"no" if script == "refuted" else "yes"}


def findings() -> dict[str, set[str]]:
    """The findings of the tables, as script and function, with the requirements that each names."""
    found: dict[str, set[str]] = {}
    script = ""
    for line in (FOLDER / "README.md").read_text().splitlines():
        if line.startswith("## "):
            script = line.partition("`")[2].rstrip("`")
        row = re.fullmatch(r"\| ([^|]+) \|.*\| (\w+) \| (?:yes|no) \|", line)
        if row:
            found[f"{script} {row[2]}"] = set(row[1].split(", ")) - {"–"}
    return found


def test_each_finding_has_a_requirement_that_speaks_of_it() -> None:
    requirements = registry.load()
    for finding, ids in findings().items():
        assert ids <= requirements.keys(), finding
        assert bool(ids) != (finding.split()[1] in OF_THE_INTERFACE), finding


def test_each_known_failure_has_a_reproduction_that_speaks_of_it() -> None:
    prefix, found = f"conformance/{FOLDER.name}/", findings()
    for entry in KNOWN.told:
        assert entry.link.startswith(prefix), entry.id
        finding = entry.link.removeprefix(prefix)
        assert finding in found, entry.id
        assert not finding.startswith("refuted"), entry.id
        assert entry.id in found[finding] or entry.id.startswith("probe."), f"{finding}: add {entry.id}"


def test_each_finding_is_told() -> None:
    told = {entry.link.partition("/")[2].partition("/")[2] for entry in KNOWN.told}
    ids = {entry.id for entry in KNOWN.told}
    for finding, about in findings().items():
        if not finding.startswith("refuted"):
            assert finding in told or about & ids or not about, finding


@pytest.mark.parametrize(
    ("script", "name", "line"),
    [
        ("sessions", "corrupted_content", "REPRODUCED corrupted_content: delivered"),
        ("refuted", "falsy_entries", "NOT REPRODUCED falsy_entries"),
    ],
)
def test_a_reproduction_says_what_it_has_seen(script: str, name: str, line: str) -> None:
    pytest.importorskip("nvflare", reason="the reproductions need objstream[flare]")
    command = [sys.executable, str(FOLDER / f"{script}.py"), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(line)
    assert done.returncode == (1 if script == "refuted" else 0)
