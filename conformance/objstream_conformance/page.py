"""The report as one HTML page that needs nothing else: requirements by implementations."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2

from .registry import AREAS
from .report import again

_EVIDENCE = {
    "tail": "last messages",
    "wire": "frames",
    "faults": "faults that struck",
    "stderr": "standard error",
}
"""What the page calls the evidence of a case, where that is not its name; numbers stand in one line."""
_NUMBERS = ("messages", "bytes", "largest")
MARKS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "NOT APPLICABLE": "–", "UNTESTED": "·"}


def _evidence(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and texts of the evidence, in the order in which it is shown."""
    shown = []
    if found.get("messages"):
        numbers = "{messages} messages of {bytes} bytes, the largest of {largest}".format(**found)
        shown.append(("network", numbers))
    for name, value in found.items():
        if value and name not in _NUMBERS:
            text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
            shown.append((_EVIDENCE.get(name, name), text))
    return shown


def render(record: Mapping[str, Any]) -> str:
    """The page for a report as :func:`.report.as_json` gives it."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = resources.files(__package__).joinpath("page.html.j2").read_text("utf-8")
    implementations = record["implementations"]
    results = [{one["id"]: one for one in row["requirements"]} for row in implementations]
    rows = [
        {"about": one, "results": [found[one["id"]] for found in results]}
        for one in (implementations[0]["requirements"] if implementations else [])
    ]
    return environment.from_string(template).render(
        suite=record["suite"],
        implementations=implementations,
        rows=rows,
        areas=list(dict.fromkeys(row["about"]["area"] for row in rows)),
        verdicts=list(MARKS),
        marks=MARKS,
        names=AREAS,
        evidence=_evidence,
        again=again,
    )
