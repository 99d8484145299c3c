"""Implementations side by side, as a page of Markdown: what deviates, by families, and what is met."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from .known import Beside, Entry, Known
from .page import MARKS

OUTSIDE = "✗ outside"
"""The mark of what a run cannot show."""


def render(record: Mapping[str, Any], lists: Sequence[Known], page: Path) -> str:
    """The page for a report as :func:`.report.as_json` gives it.

    Args:
        record: the report.
        lists: known failures of the implementations in it.
        page: where the page lies. Its links are relative to that, and lead into the checkout in which we are.
    """
    results = [{one["id"]: one for one in row["requirements"]} for row in record["implementations"]]
    asked = [id_ for id_ in results[0] if all(found[id_]["verdict"] != "NOT APPLICABLE" for found in results)]
    declared = set().union(*(one["capabilities"] for one in record["implementations"]))
    implementations = [
        {
            **one,
            "asked": Counter(found[id_]["verdict"] for id_ in asked),
            "undeclared": sorted(declared - set(one["capabilities"])),
        }
        for one, found in zip(record["implementations"], results, strict=True)
    ]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = resources.files(__package__).joinpath("sides.md.j2").read_text("utf-8")
    spec = _relative("spec", page)
    rendered = environment.from_string(template).render(
        suite=record["suite"],
        implementations=implementations,
        marks=MARKS,
        asked=len(asked),
        spec=spec,
        about="\n".join(one.about for one in lists),
        merits="\n".join(one.merits for one in lists),
        families=[
            {
                "title": family.title,
                "text": family.text,
                "rows": list(_rows(one, key, implementations, results, spec, page)),
            }
            for one in lists
            for key, family in one.families.items()
        ],
        met=[
            one
            for one in results[0].values()
            if all(found[one["id"]]["verdict"] == "PASS" for found in results)
            and not _known(one["id"], lists)
        ],
    )
    return rendered.rstrip("\n") + "\n"


def _known(id_: str, lists: Iterable[Known]) -> bool:
    """Whether a requirement is known not to be met, whatever the run says."""
    return any(each.id == id_ for one in lists for each in one.told)


def _rows(
    known: Known,
    family: str,
    implementations: Iterable[Mapping[str, Any]],
    results: Sequence[Mapping[str, Mapping[str, Any]]],
    spec: str,
    page: Path,
) -> Iterable[dict[str, object]]:
    for entry in known.told:
        if entry.family != family:
            continue
        about = results[0].get(entry.id)
        yield {
            "head": f"[{entry.id}]({spec}/{about['section']}) {about['title']}"
            if about
            else _probe(entry.id),
            "marks": [
                _mark(entry, known, one, found) for one, found in zip(implementations, results, strict=True)
            ],
            "what": entry.what.replace("|", "\\|"),
            "link": _link(entry.link, page),
        }


def _mark(
    entry: Entry | Beside,
    known: Known,
    implementation: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Any]],
) -> str:
    if isinstance(entry, Beside) and implementation["name"] == known.implementation:
        return OUTSIDE
    probes = {one["case"]: one for one in implementation["probes"]}
    return MARKS[(results.get(entry.id) or probes[entry.id])["verdict"]]


def _probe(name: str) -> str:
    return f"honesty probe: {name.partition('.')[2].replace('_', ' ')}"


def _link(link: str, page: Path) -> str:
    """A link of a list: an address, or a file of the checkout and a name in it."""
    target, _, name = link.partition(" ")
    if "://" in target or not target:
        return f"[{target}]({target})" if target else ""
    return f"[{name or Path(target).name}]({_relative(target, page)})"


def _relative(target: str, page: Path) -> str:
    return Path(os.path.relpath(target, page.parent)).as_posix()
