"""The registry of requirements: generated from the chapters of the specification, read by everything else.

`python -m objstream_conformance.registry --write` generates `spec/requirements.toml` from the chapters;
`--check` fails when the two differ or when a chapter breaks the format of `spec/README.md`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

LEVELS: Final = ("MUST", "SHOULD", "MAY")
ROLES: Final = ("sender", "receiver", "both", "owner", "requester")
LAYERS: Final = ("core", "wire")
AREAS: Final = {
    "CTR": "containers",
    "VAL": "values",
    "FIL": "files",
    "OBJ": "objects of own kinds",
    "SES": "sessions",
    "INT": "integrity",
    "RTV": "retrieval",
    "MEM": "memory",
    "SEC": "security",
    "TIM": "time",
    "FRM": "frames",
    "FLW": "flow control",
    "ENC": "encoding",
    "BUF": "buffers",
    "RES": "resume",
    "VER": "versions",
}
"""The areas of the ids, and what each is about."""
CAPABILITIES: Final = (
    *("container", "file", "push", "pull", "multi-target", "cancel", "into", "observer", "tensors", "numpy"),
    *("resume", "deadline", "chunk-size", "wire", "memory", "registry", "owner-verdict"),
    *("retrievers", "own", "none"),
)

FILE: Final = "requirements.toml"
NOTE: Final = "# Generated from the chapters: python -m objstream_conformance.registry --write. Do not edit."
_HEAD = re.compile(rf"### (OSP-({'|'.join(AREAS)})-\d{{3}}) (\S.*)")
_ATTRIBUTES = re.compile(
    rf"`({'|'.join(LEVELS)})` · role: ({'|'.join(ROLES)}) · layer: ({'|'.join(LAYERS)})"
    rf" · capability: ({'|'.join(CAPABILITIES)}) · since: (\d+\.\d+)"
)
_KEYWORD = re.compile(
    r"\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|REQUIRED|NOT RECOMMENDED|RECOMMENDED|MAY|OPTIONAL)\b"
)


class RegistryError(Exception):
    """A chapter or the generated registry is not what it must be; the message says where and what to do."""


@dataclass(frozen=True)
class Requirement:
    """One requirement of the specification.

    Attributes:
        id: `OSP-<AREA>-<NNN>`; never changed, never used again.
        level: MUST, SHOULD or MAY.
        role: whom it binds: sender, receiver, both, owner or requester.
        layer: `core` can be asked of any streamer, `wire` only of those that speak the frames.
        capability: what an implementation declares for this to apply to it; `none` when it always does.
        since: first version of the specification that has it.
        text: the normative sentence, with exactly one keyword.
        intent: why it exists, and what goes wrong without it.
        chapter: file name of its chapter in `spec/`.
        anchor: the heading's anchor in the rendered chapter.
    """

    id: str
    title: str
    level: str
    role: str
    layer: str
    capability: str
    since: str
    area: str
    text: str
    intent: str
    chapter: str
    anchor: str


def spec_path() -> Path:
    """The directory of the specification: inside an installed package, or `spec/` of a checkout.

    Raises:
        RegistryError: neither is there.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "spec", package.parents[1] / "spec"):
        if candidate.joinpath(FILE).is_file() or candidate.joinpath("README.md").is_file():
            return candidate
    raise RegistryError("the specification is neither installed with the suite nor part of this checkout")


def load(path: Path | None = None) -> dict[str, Requirement]:
    """All requirements by id, in the order of the chapters, from the generated registry.

    Only the generated form is read, tables of JSON strings, so that no TOML library is needed on Python 3.10.

    Raises:
        RegistryError: the file is missing or damaged.
    """
    source = (path or spec_path()) / FILE
    tables: dict[str, dict[str, str]] = {}
    table: dict[str, str] = {}
    try:
        for line in source.read_text("utf-8").splitlines():
            if line.startswith("["):
                table = tables[line.strip("[]")] = {}
            elif " = " in line and not line.startswith("#"):
                name, value = line.split(" = ", 1)
                table[name] = json.loads(value)
        return {id_: Requirement(id=id_, **table) for id_, table in tables.items()}
    except (OSError, ValueError, TypeError) as error:
        raise RegistryError(f"{FILE} cannot be read: {error}") from error


def parse_chapters(directory: Path) -> dict[str, Requirement]:
    """All requirements by id, from the text of the chapters.

    Raises:
        RegistryError: one line per fault: a malformed heading or attribute line, a missing intent, no keyword
            or several, a keyword that is not the level, an id used twice.
    """
    found: dict[str, Requirement] = {}
    faults: list[str] = []
    for chapter in sorted(directory.glob("[0-9][0-9]-*.md")):
        for number, block in _blocks(chapter.read_text("utf-8").splitlines()):
            try:
                requirement = _parse(chapter.name, block)
                if requirement.id in found:
                    raise RegistryError(f"{requirement.id} is used twice")
                found[requirement.id] = requirement
            except RegistryError as error:
                faults.append(f"{chapter.name}:{number}: {error}")
    if faults:
        raise RegistryError("\n".join(faults))
    return found


def render(requirements: Iterable[Requirement]) -> str:
    """The text of the generated registry."""
    out = [NOTE]
    for requirement in requirements:
        fields = asdict(requirement)
        out.append(f"\n[{fields.pop('id')}]")
        out += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(out) + "\n"


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Each `###` section that mentions a requirement id or looks like one, with its line number."""
    starts = [i for i, line in enumerate(lines) if line.startswith("#")] + [len(lines)]
    for start, end in pairwise(starts):
        if re.match(r"#+ *OSP\b", lines[start]):
            yield start + 1, lines[start:end]


def _parse(chapter: str, block: list[str]) -> Requirement:
    head = _HEAD.fullmatch(block[0])
    if not head:
        raise RegistryError(f"not a requirement heading (### OSP-AREA-NNN Title): {block[0]!r}")
    id_, area, title = head.groups()
    paragraphs = [" ".join(part.split("\n")) for part in re.split(r"\n\s*\n", "\n".join(block[1:]).strip())]
    attributes = _ATTRIBUTES.fullmatch(paragraphs[0])
    if not attributes:
        raise RegistryError(f"{id_}: not an attribute line: {paragraphs[0]!r}")
    level, role, layer, capability, since = attributes.groups()
    if len(paragraphs) < 3 or not paragraphs[2].startswith("> Intent: "):
        raise RegistryError(f"{id_}: one paragraph of text and `> Intent: ` must follow the attribute line")
    text, intent = paragraphs[1], paragraphs[2].removeprefix("> Intent: ").replace(" > ", " ")
    keywords = _KEYWORD.findall(text)
    if len(keywords) != 1:
        raise RegistryError(f"{id_}: expected exactly one keyword, found {', '.join(keywords) or 'none'}")
    if keywords[0].removesuffix(" NOT") != level:
        raise RegistryError(f"{id_}: the level is {level} and the text says {keywords[0]}")
    if _KEYWORD.search(intent):
        raise RegistryError(f"{id_}: the intent must not hold a keyword, it is not normative")
    slug = re.sub(r"[^\w\- ]", "", f"{id_} {title}".lower()).replace(" ", "-")
    return Requirement(id_, title, level, role, layer, capability, since, area, text, intent, chapter, slug)


def main(arguments: list[str] | None = None) -> int:
    """Generate or check the registry; the exit status is 1 when they differ or a chapter is malformed."""
    parser = argparse.ArgumentParser(prog="objstream_conformance.registry", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help=f"generate {FILE} from the chapters")
    action.add_argument("--check", action="store_true", help=f"fail when {FILE} is not what the chapters say")
    parser.add_argument("--spec", type=Path, default=None, help="directory of the specification")
    options = parser.parse_args(arguments)
    try:
        directory = options.spec or spec_path()
        requirements = parse_chapters(directory)
        expected = render(requirements.values())
        if options.write:
            (directory / FILE).write_text(expected, "utf-8")
        elif load(directory) != requirements or (directory / FILE).read_text("utf-8") != expected:
            raise RegistryError(f"{FILE} is not what the chapters say: run this command with --write")
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(requirements)} requirements, {sum(r.level == 'MUST' for r in requirements.values())} MUST")
    return 0


if __name__ == "__main__":
    sys.exit(main())
