"""What binds text, registry, cases, vectors and code to each other, as checks of a checkout or of a copy of it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from objstream import Code
from objstream.session import tables
from objstream_conformance import cases, registry
from objstream_conformance.frames import CODES
from objstream_conformance.registry import Requirement

SESSIONS = "07-session.md"
SECTIONS = {"7.3 The sender": tables.SENDER, "7.4 The receiver": tables.RECEIVER}
ELSEWHERE = ("wire_served.py",)
"""Cases that ask once more what others ask of sites and ends in this process: of a server."""
_ID = re.compile(r"OSP-[A-Z]{3}-\d{3}")
_LOCAL = ("SEND_", "STORED")


@dataclass(frozen=True)
class Tree:
    """The directory of the specification, and that of the cases."""

    spec: Path
    suite: Path

    @classmethod
    def here(cls) -> Tree:
        return cls(registry.spec_path(), Path(cases.__file__).with_name("suite"))


@dataclass(frozen=True)
class Declared:
    """A function that is declared as a case: its file, name, the ids it tests, and its first and last line."""

    file: str
    name: str
    ids: tuple[str, ...]
    lines: tuple[int, int]


def faults(tree: Tree, untested: Mapping[str, str]) -> list[str]:
    """All that does not fit together, each with what to add where; `untested` says which ids have no case yet."""
    try:
        requirements = registry.parse_chapters(tree.spec)
    except registry.RegistryError as error:
        return str(error).splitlines()
    return [
        *registry_faults(tree, requirements),
        *case_faults(tree, requirements, untested),
        *vector_faults(tree, requirements),
        *code_faults(tree),
        *state_faults(tree),
    ]


def registry_faults(tree: Tree, requirements: Mapping[str, Requirement]) -> Iterator[str]:
    """The generated registry has what the chapters have, and the ids named in the text are in it."""
    rows = registry.load(tree.spec)
    for id_, requirement in requirements.items():
        if rows.get(id_) != requirement:
            yield (
                f"{id_}: {requirement.chapter} and the row in {registry.FILE} differ: run "
                "python -m objstream_conformance.registry --write"
            )
    for id_ in rows.keys() - requirements.keys():
        yield (
            f"{id_}: in {registry.FILE} and in no chapter: an id is never renamed or dropped; put it back, "
            "or if it was never published run python -m objstream_conformance.registry --write"
        )
    for chapter in sorted(tree.spec.glob("*.md")):
        for id_ in sorted(set(_ID.findall(chapter.read_text("utf-8"))) - requirements.keys()):
            if id_ != "OSP-AREA-NNN":
                yield f"{id_}: named in {chapter.name}, and no chapter has it: correct the id there"


def case_faults(
    tree: Tree, requirements: Mapping[str, Requirement], untested: Mapping[str, str]
) -> Iterator[str]:
    """Each requirement has a case or is listed as having none, and each case has requirements."""
    bound: dict[str, str] = {}
    for case in declared(tree):
        place = f"suite/{case.file}: {case.name}"
        if not case.ids:
            yield f"{place}: declares no id: name the requirement in @requirement(...)"
        for id_ in case.ids:
            if id_ not in requirements:
                yield f"{place} tests {id_}, which no chapter has: correct the id, or write the requirement"
            if case.file in ELSEWHERE:
                continue
            if id_ in bound:
                yield f"{place} tests {id_}, which {bound[id_]} tests: make them one case"
            bound[id_] = place
    for id_, requirement in requirements.items():
        if id_ not in bound and id_ not in untested:
            yield (
                f"{id_} ({requirement.level}, {requirement.chapter}: {requirement.title}) has no case: "
                f'add one with @requirement("{id_}") to conformance/objstream_conformance/suite'
            )
    for id_ in untested:
        if id_ in bound:
            yield f"{id_} is tested by {bound[id_]}: take it out of the tables in test_bindings.py"
        elif id_ not in requirements:
            yield f"{id_} is in no chapter: take it out of the tables in test_bindings.py"


def vector_faults(tree: Tree, requirements: Mapping[str, Requirement]) -> Iterator[str]:
    """Each vector is whole, is about a requirement, and is read by a case."""
    sources = "".join(path.read_text("utf-8") for path in sorted(tree.suite.glob("*.py")))
    played = set(re.findall(r'\bplay\(t, "(OSP-[A-Z]{3}-\d{3})"', sources))
    every = "in vectors.load().values()" in sources
    folder = tree.spec / "vectors"
    for entry in sorted([*folder.iterdir(), *folder.glob("*/*")]):
        name = entry.relative_to(folder).as_posix()
        if name in ("README.md", "accept", "reject"):
            continue
        files = {path.name for path in entry.iterdir()} if entry.is_dir() else set()
        if files != {"vector.json", "input.hex"} or not name.startswith(("accept/", "reject/")):
            yield (
                f"vectors/{name}: nobody reads it: a vector is a directory in accept/ or reject/ with "
                "vector.json and input.hex and nothing else; spec/tools/make_vectors.py writes it"
            )
            continue
        id_ = json.loads(entry.joinpath("vector.json").read_text("utf-8"))["id"]
        if id_ not in requirements or not entry.name.startswith(id_):
            yield f"vectors/{name} is about {id_}: the chapters and the directory have to have that id"
        elif id_ not in played and not (every and name.startswith("accept/")):
            yield f'vectors/{name}: nobody plays it: call play(t, "{id_}") in the case of {id_} in suite/wire_*.py'


def code_faults(tree: Tree) -> Iterator[str]:
    """The codes of the text, of the reference and of the suite are the same."""
    rows = re.findall(
        r"^\| (\d+) \| ([A-Z_]+) \|", tree.spec.joinpath("14-errors.md").read_text("utf-8"), re.M
    )
    told = {(int(number), name) for number, name in rows}
    for where, codes in (
        ("objstream/errors.py", {(code.value, code.name) for code in Code}),
        ("objstream_conformance/frames.py", set(enumerate(CODES, 1))),
    ):
        for number, name in sorted(codes - told):
            yield f"code {number} {name}: in {where} and not in the text: add its row to section 14.1"
        for number, name in sorted(told - codes):
            yield f"code {number} {name}: in section 14.1 and not in {where}: add it there"


def state_faults(tree: Tree) -> Iterator[str]:
    """Every cell of the two state tables says what the tables of the reference and the rules of 7.2 and 7.5 say."""
    text = tree.spec.joinpath(SESSIONS).read_text("utf-8")
    for section, table in SECTIONS.items():
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0].splitlines()
            if line.startswith("|")
        ]
        states = [tables.State.__members__.get(name) for name in rows[0][1:]]
        if set(states) != set(table):
            yield f"section {section}: its columns are not the states of session/tables.py"
            continue
        events = {row[0] for row in rows[2:]}
        for event in {event.name for events in table.values() for event in events} - events:
            yield f"section {section}: {event} of session/tables.py has no row: add it"
        for event, *cells in rows[2:]:
            for state, cell in zip(states, cells, strict=True):
                assert state is not None
                due = _cell(table, state, event)
                if cell != due:
                    yield (
                        f"section {section}: {event} in {state.name} is {cell!r}, and by session/tables.py and the "
                        f"rules of 7.2 and 7.5 {due!r}: change the two together"
                    )


def _cell(table: tables.Table, state: tables.State, event: str) -> str:
    following = table[state].get(tables.Event.__members__.get(event))  # type: ignore[call-overload]
    if following not in (None, tables.State.FAILED):
        return f"→ {following.name}"
    if event.startswith(_LOCAL):
        return "–"
    if state in tables.FINAL:
        return "·"
    if state is tables.State.ENDED and event != "RECV_RESET":
        return "UNCONFIRMED"
    code = {"RECV_RESET": "code", "FAULT": "code", "CANCEL": "CANCELLED", "TIMEOUT": "STALLED", "EOF": "LOST"}
    return code.get(event, "PROTOCOL")


def declared(tree: Tree) -> list[Declared]:
    """The cases, read from the text of their files."""
    return [
        case
        for path in sorted(tree.suite.glob("*.py"))
        for case in _declared(path.name, path.read_text("utf-8"))
    ]


@cache
def _declared(file: str, source: str) -> tuple[Declared, ...]:
    return tuple(
        Declared(
            file,
            node.name,
            tuple(argument.value for argument in call.args if isinstance(argument, ast.Constant)),
            (node.decorator_list[0].lineno, node.end_lineno or node.lineno),
        )
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "requirement"
    )
