"""The text of the specification: its links lead somewhere, and its tables say what the reference does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from objstream import meta
from objstream.errors import Code
from objstream.limits import Limits
from objstream.session import tables
from objstream_conformance.registry import spec_path

SPEC = spec_path()
CHAPTERS = sorted(SPEC.glob("*.md"))
CODES = {*Code.__members__, "code"}


def text(chapter: str) -> str:
    return SPEC.joinpath(chapter).read_text("utf-8")


def rows(chapter: str, first_column: str) -> Iterator[list[str]]:
    """The cells of the table whose first heading is `first_column`, heading included."""
    lines = iter(text(chapter).splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            yield _cells(line)
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    return
                yield _cells(row)


def _cells(line: str) -> list[str]:
    return [cell.strip(" `") for cell in line.strip("|").split("|")]


def anchors(chapter: Path) -> set[str]:
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", chapter.read_text("utf-8"), flags=re.DOTALL), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.name)
def test_links_lead_somewhere(chapter: Path) -> None:
    prose = re.sub(r"```.*?```", "", chapter.read_text("utf-8"), flags=re.DOTALL)
    for file, anchor in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", prose):
        target = chapter.parent / file if file else chapter
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_the_guide_lists_every_chapter() -> None:
    guide = text("README.md")
    assert [path.name for path in CHAPTERS if f"]({path.name})" not in guide] == ["README.md"]


def test_requirements_named_in_prose_exist() -> None:
    for chapter in CHAPTERS:
        for id_ in re.findall(r"OSP-[A-Z]{3}-\d{3}", chapter.read_text("utf-8")):
            assert any(f"### {id_} " in other.read_text("utf-8") for other in CHAPTERS), (chapter.name, id_)


def test_the_worked_example_is_computed() -> None:
    script = SPEC / "tools" / "worked_example.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True, timeout=60)


@pytest.mark.parametrize(
    ("section", "table"), [("7.3 The sender", tables.SENDER), ("7.4 The receiver", tables.RECEIVER)]
)
def test_state_tables(section: str, table: tables.Table, tmp_path: Path) -> None:
    part = text("07-session.md").split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [_cells(line) for line in part.splitlines() if line.startswith("|")]
    states = [tables.State[name] for name in lines[0][1:]]
    assert set(states) == set(table)
    told: dict[tables.State, dict[tables.Event, tables.State]] = {state: {} for state in states}
    for name, *cells in lines[2:]:
        assert len(cells) == len(states)
        for state, cell in zip(states, cells, strict=True):
            following = cell.removeprefix("→ ")
            assert following in tables.State.__members__ or cell in CODES | {"–", "·"}, cell
            if name == "RECV_OTHER":
                assert cell in ("PROTOCOL", "UNCONFIRMED", "·")
            elif following in tables.State.__members__:
                told[state][tables.Event[name]] = tables.State[following]
            elif cell in CODES and (name == "RECV_RESET" or not name.startswith("RECV_")):
                told[state][tables.Event[name]] = tables.State.FAILED
    assert told == table


def test_error_codes() -> None:
    table = list(rows("14-errors.md", "code"))[1:]
    assert [(int(number), name) for number, name, *_ in table] == [(code.value, code.name) for code in Code]


def test_limits() -> None:
    told = {name: default for name, default, *_ in list(rows("15-security.md", "limit"))[1:]}
    assert set(told) == {field.name for field in fields(Limits)}
    units = {"64 KiB": 1 << 16, "16 MiB": 1 << 24, "2^28": 1 << 28}
    limits = Limits()
    for name, default in told.items():
        if name != "max_bytes":  # depends on the machine
            assert getattr(limits, name) == (units.get(default) or int(default)), name


def test_meta_keys() -> None:
    heading, *table = rows("08-frames.md", "key")
    assert [(int(number), name) for number, name, *_ in table] == [
        (key.value, key.name.lower()) for key in meta.Key
    ]
    for column, frames in enumerate(heading):
        for frame in frames.split(", ") if column > 2 else []:
            marks = {meta.Key(int(row[0])): row[column] for row in table if row[column]}
            assert {key for key, mark in marks.items() if mark == "required"} == set(meta.REQUIRED[frame])
            assert {key for key, mark in marks.items() if mark != "required"} == set(
                meta.OPTIONAL.get(frame, {})
            )
