"""Text, registry, cases, vectors and code are bound to each other; what comes loose is found, whatever it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bindings
import pytest
from bindings import SECTIONS, SESSIONS, Tree

from objstream_conformance import cases, registry

NOT_FROM_OUTSIDE = {
    "OSP-FIL-020": "whether a file survives a power failure cannot be seen from outside",
}
"""Requirements that no case tests, and why."""

STILL_MISSING: dict[str, str] = {
    "OSP-TIM-008": "signs of life of a busy side",
    "OSP-SEC-011": "the number of sessions",
    "OSP-SEC-012": "text of the peer that is shown",
}
"""Requirements whose case is still to be written. An id is taken out with its case; nothing is added."""

UNTESTED = {**NOT_FROM_OUTSIDE, **STILL_MISSING}
REQUIREMENTS = registry.load()


def test_everything_is_bound() -> None:
    assert bindings.faults(Tree.here(), UNTESTED) == []


def test_the_cases_read_are_those_that_run() -> None:
    read = {
        (case.file.removesuffix(".py") + "." + case.name, case.ids) for case in bindings.declared(Tree.here())
    }
    assert read == {(info.name, info.ids) for info in cases.load().values()}


# -- a copy, in which one thing after another is broken


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    there, here = tmp_path_factory.mktemp("copy"), Tree.here()
    ignored = shutil.ignore_patterns("__pycache__", "tools")
    tree = Tree(there / "spec", there / "suite")
    shutil.copytree(here.spec, tree.spec, ignore=ignored)
    shutil.copytree(here.suite, tree.suite, ignore=ignored)
    assert bindings.faults(tree, UNTESTED) == []
    return tree


@contextmanager
def changed(path: Path, text: str) -> Iterator[None]:
    """Within, the file has another text."""
    before = path.read_text("utf-8")
    assert text != before
    path.write_text(text, "utf-8")
    try:
        yield
    finally:
        path.write_text(before, "utf-8")


def test_a_case_that_is_deleted_is_missed(copy: Tree) -> None:
    requirements = registry.parse_chapters(copy.spec)
    deleted = set()
    for case in bindings.declared(copy):
        if case.file in bindings.ELSEWHERE:
            continue
        path = copy.suite / case.file
        lines = path.read_text("utf-8").splitlines(keepends=True)
        first, last = case.lines
        with changed(path, "".join(lines[: first - 1] + lines[last:])):
            found = list(bindings.case_faults(copy, requirements, UNTESTED))
        assert len(found) == len(case.ids)
        for id_, fault in zip(case.ids, sorted(found), strict=True):
            assert fault.startswith(f"{id_} (")
            assert f'has no case: add one with @requirement("{id_}")' in fault
        deleted |= set(case.ids)
    assert deleted == set(REQUIREMENTS) - set(UNTESTED)


def test_an_id_that_is_renamed_is_missed(copy: Tree) -> None:
    for id_, requirement in REQUIREMENTS.items():
        path = copy.spec / requirement.chapter
        renamed = id_[:-3] + "999"
        with changed(path, path.read_text("utf-8").replace(f"### {id_} ", f"### {renamed} ")):
            requirements = registry.parse_chapters(copy.spec)
            found = "\n".join(
                [
                    *bindings.registry_faults(copy, requirements),
                    *bindings.case_faults(copy, requirements, UNTESTED),
                ]
            )
        assert f"{renamed}: {requirement.chapter} and the row in requirements.toml differ" in found
        assert f"{id_}: in requirements.toml and in no chapter" in found
        assert f"{id_} is in no chapter" in found or f"tests {id_}, which no chapter has" in found


def test_a_cell_of_a_state_table_that_is_changed_is_noticed(copy: Tree) -> None:
    path = copy.spec / SESSIONS
    text = path.read_text("utf-8")
    noticed = 0
    for section in SECTIONS:
        start = text.index(f"\n## {section}\n")
        end = text.index("\n## ", start + 1)
        for row in re.finditer(r"^\| [A-Z_]+ \|.*$", text[start:end], re.M):
            for cell in list(re.finditer(r"(?<=\| )[^|]+(?= \|)", row[0]))[1:]:
                at = start + row.start() + cell.start()
                for other in {"→ FAILED", "–", "PROTOCOL", "UNCONFIRMED"} - {cell[0]}:
                    with changed(path, text[:at] + other + text[at + len(cell[0]) :]):
                        (fault,) = bindings.state_faults(copy)
                    assert f"is {other!r}" in fault
                    assert f"{cell[0]!r}: change the two together" in fault
                noticed += 1
    assert noticed == 13 * 7 + 12 * 7


def edit(path: Path, old: str, new: str) -> tuple[Path, str]:
    text = path.read_text("utf-8")
    assert old in text
    return path, text.replace(old, new, 1)


def test_an_id_that_nobody_knows(copy: Tree) -> None:
    with changed(*edit(copy.suite / "tim.py", '"OSP-TIM-001"', '"OSP-TIM-001", "OSP-TIM-777"')):
        assert bindings.faults(copy, UNTESTED) == [
            "suite/tim.py: progress_counts tests OSP-TIM-777, which no chapter has: correct the id, or write the "
            "requirement"
        ]


def test_an_id_in_prose_that_nobody_knows(copy: Tree) -> None:
    with changed(
        copy.spec / "02-terms.md", copy.spec.joinpath("02-terms.md").read_text("utf-8") + "See OSP-CTR-999."
    ):
        assert bindings.faults(copy, UNTESTED) == [
            "OSP-CTR-999: named in 02-terms.md, and no chapter has it: correct the id there"
        ]


def test_a_requirement_without_a_row(copy: Tree) -> None:
    rows = re.sub(r"\[OSP-CTR-002\]\n(.+\n)+", "", copy.spec.joinpath(registry.FILE).read_text("utf-8"))
    with changed(copy.spec / registry.FILE, rows):
        (fault,) = bindings.faults(copy, UNTESTED)
    assert fault.startswith(
        "OSP-CTR-002: 03-service.md and the row in requirements.toml differ: run python -m"
    )


def test_a_requirement_that_is_malformed(copy: Tree) -> None:
    with changed(*edit(copy.spec / "03-service.md", "`MUST`", "`SHOULD`")):
        (fault,) = bindings.faults(copy, UNTESTED)
    assert "the level is SHOULD and the text says MUST" in fault


def test_a_requirement_that_is_tested_after_all(copy: Tree) -> None:
    (fault,) = bindings.faults(copy, {**UNTESTED, "OSP-CTR-001": "still to be written"})
    assert re.match(r"OSP-CTR-001 is tested by suite/ctr\.py: \w+: take it out of the tables", fault)


def test_codes_that_are_in_one_place_only(copy: Tree) -> None:
    with changed(*edit(copy.spec / "14-errors.md", "| 17 | BUSY |", "| 18 | LATE |")):
        found = bindings.faults(copy, UNTESTED)
    assert "code 17 BUSY: in objstream/errors.py and not in the text: add its row to section 14.1" in found
    assert "code 18 LATE: in section 14.1 and not in objstream_conformance/frames.py: add it there" in found


def test_vectors_that_nobody_reads(copy: Tree) -> None:
    folder = copy.spec / "vectors"
    source = next(folder.joinpath("reject").iterdir())
    for name in ("other/OSP-CTR-001-x", "reject/OSP-CTR-001-x", "reject/loose"):
        there = folder / name
        if name.endswith("loose"):
            there.write_text("")
        else:
            shutil.copytree(source, there)
        (fault, *_) = bindings.faults(copy, UNTESTED)
        assert fault.startswith(f"vectors/{name.replace('/OSP-CTR-001-x', '') if name[0] == 'o' else name}")
        shutil.rmtree(folder / "other", ignore_errors=True)
        shutil.rmtree(there, ignore_errors=True) if there.is_dir() else there.unlink(missing_ok=True)


def test_vectors_whose_case_does_not_play_them_any_more(copy: Tree) -> None:
    with changed(*edit(copy.suite / "wire_frm.py", 'play(t, "OSP-FRM-002")', "pass")):
        found = bindings.faults(copy, UNTESTED)
    assert found
    assert all(
        'nobody plays it: call play(t, "OSP-FRM-002") in the case of OSP-FRM-002' in one for one in found
    )
