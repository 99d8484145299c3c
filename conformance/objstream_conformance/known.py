"""Known failures: a list, kept by those who own the implementation, of what fails, why, and until when.

    implementation = "mine"

    [[failure]]
    id = "OSP-CTR-003"
    reason = "rejected: BAD_REQUEST"
    what = "an empty container cannot be retrieved"
    link = "https://example.org/issues/17"
    expires = 2027-06-30

`id` is a requirement or a probe. `reason` is a part of what the report says, in the form `expected …; observed …`, or
between slashes a regular expression that is found in it. `link` may be left out, nothing else may.

For a page that shows implementations side by side (`objstream check --markdown`) a list may hold more: the texts
`about` and `merits`; families of failures, to one of which each entry then belongs; and what the run cannot show, but
the link does:

    [families.silence]
    title = "Silence is consent"
    text = "No answer is taken for a good one."

    [[beside]]
    id = "OSP-MEM-012"
    what = "what was not fetched is held until a time-out"
    link = "https://example.org/issues/18"
    family = "silence"
"""

from __future__ import annotations

import datetime
import importlib
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import verdicts
from .outcomes import CaseResult, Verdict
from .verdicts import Assessment, Standing

GRACE = datetime.timedelta(days=180)
"""How long an entry is good for that `--update-known` has written."""
_VARYING = re.compile(
    r"b'.*|b\".*|\d*\.\d+|\d{3,}|[0-9a-f]{8}-[0-9a-f-]{27}|(?<!\w)/[\w./-]+|0x[0-9a-f]+|\.\.\.|\n.*", re.S
)


class KnownError(Exception):
    """A list of known failures cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Entry:
    """One known failure."""

    id: str
    reason: str
    what: str
    expires: datetime.date
    link: str = ""
    family: str = ""

    def explains(self, text: str) -> bool:
        """Whether a failure that is told so is the known one."""
        if len(self.reason) > 2 and self.reason[0] == self.reason[-1] == "/":
            return re.search(self.reason[1:-1], text, re.S) is not None
        return self.reason in text


@dataclass(frozen=True)
class Beside:
    """What is known besides: a requirement is not met, and the run cannot show it."""

    id: str
    what: str
    link: str
    family: str


@dataclass(frozen=True)
class Family:
    """Failures that have one cause."""

    title: str
    text: str


@dataclass(frozen=True)
class Known:
    """The known failures of an implementation; its name is the one in its description."""

    implementation: str
    entries: tuple[Entry, ...] = ()
    about: str = ""
    merits: str = ""
    families: Mapping[str, Family] = field(default_factory=dict)
    beside: tuple[Beside, ...] = ()

    @property
    def told(self) -> tuple[Entry | Beside, ...]:
        """All that is known not to be met."""
        return (*self.entries, *self.beside)


def load(path: Path) -> Known:
    """Read a list.

    Raises:
        KnownError: it is missing, malformed, or names an id twice.
    """
    toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        record = toml.loads(path.read_text("utf-8"))
        entries = tuple(Entry(**entry) for entry in record.get("failure", []))
        for entry in entries:
            _check(entry)
        families = {key: Family(**value) for key, value in record.get("families", {}).items()}
        beside = tuple(Beside(**entry) for entry in record.get("beside", []))
        about, merits = record.get("about", ""), record.get("merits", "")
        known = Known(record["implementation"], entries, about, merits, families, beside)
        for one in known.told:
            if families and one.family not in families:
                raise ValueError(f"{one.id}: {one.family!r} is no family of the list")
    except KeyError as error:
        raise KnownError(f"{path}: there is no {error}") from error
    except (OSError, ValueError, TypeError, re.error) as error:
        raise KnownError(f"{path}: {error}") from error
    ids = [entry.id for entry in entries]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if twice:
        raise KnownError(f"{path}: listed twice: {', '.join(twice)}")
    return known


def _check(entry: Entry) -> None:
    if not all(isinstance(text, str) for text in (entry.id, entry.reason, entry.what, entry.link)):
        raise ValueError(f"{entry.id}: id, reason, what and link are strings")
    if not (entry.id and entry.reason and entry.what):
        raise ValueError(f"{entry.id or 'an entry'}: id, reason and what are not to be empty")
    if type(entry.expires) is not datetime.date:
        raise ValueError(f"{entry.id}: expires has to be a date, as in 2027-06-30")
    entry.explains("")


def render(known: Known) -> str:
    """The text of a list."""
    lines = [f"implementation = {_quoted(known.implementation)}"]
    lines += [f'{name} = """\n{text}"""' for name, text in _texts(known) if text]
    for key, family in known.families.items():
        lines += ["", f"[families.{key}]", *_lines(title=family.title, text=family.text)]
    for entry in known.entries:
        lines += ["", "[[failure]]", *_lines(id=entry.id, reason=entry.reason, what=entry.what)]
        lines += [*_lines(link=entry.link, family=entry.family), f"expires = {entry.expires.isoformat()}"]
    for one in known.beside:
        lines += ["", "[[beside]]", *_lines(id=one.id, what=one.what, link=one.link, family=one.family)]
    return "\n".join(lines) + "\n"


def _texts(known: Known) -> tuple[tuple[str, str], ...]:
    escaped = (text.replace("\\", "\\\\").replace('"""', '""\\"') for text in (known.about, known.merits))
    return tuple(zip(("about", "merits"), escaped, strict=True))


def _lines(**values: str) -> list[str]:
    return [f"{name} = {_quoted(value)}" for name, value in values.items() if value]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def failures(assessment: Assessment) -> dict[str, str]:
    """What fails, requirements and probes, with what the report says about it."""
    found = {
        result.requirement.id: told(result.case, result.reason)
        for result in assessment.with_verdict(Verdict.FAIL)
    }
    found |= {probe.case: told(probe) for probe in assessment.run.probes if probe.verdict is Verdict.FAIL}
    return found


def told(case: CaseResult | None, reason: str = "") -> str:
    """What an entry's reason is looked for in."""
    return "" if case is None else f"expected {case.expected}; observed {reason or case.observed}"


def against(
    assessment: Assessment, known: Known, requirements: Collection[str], today: datetime.date
) -> Assessment:
    """The assessment in the light of what is known: the failures that were to come are excused, all else is told.

    Args:
        assessment: of the implementation that the list is about.
        known: the list.
        requirements: all ids that there are.
        today: entries that expire before this day do not count.
    """
    if assessment.run.error:
        return assessment
    failing = failures(assessment)
    differences = list(_differences(assessment, failing, known, requirements, today))
    excused = {
        entry.id: entry.what
        for entry in known.entries
        if entry.id in failing and entry.expires >= today and entry.explains(failing[entry.id])
    }
    standing, reason = verdicts.standing(assessment.run, assessment.requirements, excused)
    if differences and standing is not Standing.SUITE_ERROR:
        standing, reason = Standing.NOT_CONFORMANT, f"differences to the known failures: {len(differences)}"
    elif standing in (Standing.CONFORMANT, Standing.NOTHING_RAN) and excused:
        standing, reason = Standing.AS_KNOWN, f"exactly the known failures occur, {len(excused)} of them"
    return replace(assessment, standing=standing, reason=reason, known=excused, differences=differences)


def _differences(
    assessment: Assessment,
    failing: Mapping[str, str],
    known: Known,
    requirements: Collection[str],
    today: datetime.date,
) -> Iterator[str]:
    verdict_of = {result.requirement.id: result.verdict for result in assessment.requirements}
    verdict_of |= {probe.case: probe.verdict for probe in assessment.run.probes}
    for entry in known.entries:
        verdict = verdict_of.get(entry.id)
        if entry.id not in requirements and not entry.id.startswith("probe."):
            yield f"{entry.id}: a stale id: the specification has no such requirement; take the entry out"
        elif entry.expires < today:
            yield f"{entry.id}: the entry has expired on {entry.expires}: mend what fails, or look again and set a day"
        elif verdict is Verdict.PASS:
            yield f"{entry.id}: an unexpected pass: take the entry out"
        elif verdict is Verdict.FAIL and not entry.explains(failing[entry.id]):
            yield f"{entry.id}: fails for another reason than {entry.reason!r}: {failing[entry.id]}"
        elif verdict not in (None, Verdict.FAIL):
            yield f"{entry.id}: known to fail, and is {verdict.value}: nothing was shown"
    for id_ in failing.keys() - {entry.id for entry in known.entries}:
        yield f"{id_}: fails and is not known to: {failing[id_]}"


def updated(known: Known, assessment: Assessment, today: datetime.date) -> Known:
    """The list as it has to be for this outcome: what still holds is kept, and what was not asked about."""
    failing = failures(assessment)
    asked = {result.requirement.id for result in assessment.requirements}
    asked |= {probe.case for probe in assessment.run.probes}
    entries: dict[str, Entry] = {}
    for entry in known.entries:
        if entry.id not in asked:
            entries[entry.id] = entry
        elif entry.id in failing:
            good = entry.explains(failing[entry.id])
            entries[entry.id] = replace(
                entry,
                reason=entry.reason if good else reason_for(failing[entry.id]),
                expires=entry.expires if entry.expires >= today else today + GRACE,
            )
    what = {result.requirement.id: result.requirement.title for result in assessment.requirements}
    for id_, text in failing.items():
        if id_ not in entries:
            told_as = f"to be explained: {what.get(id_, 'an honesty probe')}"
            entries[id_] = Entry(id_, reason_for(text), told_as, today + GRACE)
    return replace(known, entries=tuple(_sorted(entries.values())))


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (not entry.id.startswith("probe."), entry.id))


def reason_for(text: str) -> str:
    """The longest part of what was observed, or else expected, that will be the same next time."""
    expected, _, observed = text.partition("; observed ")
    longest = [max(_VARYING.split(part), key=len) for part in (f"; observed {observed}", expected)]
    chosen = longest[0] if len(longest[0]) > len("; observed ") else longest[1]
    return chosen.strip().removeprefix("; ")[:160]
