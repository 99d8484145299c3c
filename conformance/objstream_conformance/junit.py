"""The report as JUnit XML: a test case per case, its requirements as properties."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from . import report
from .outcomes import CaseResult, Verdict
from .verdicts import Assessment

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(assessments: Sequence[Assessment], *, seed: int) -> str:
    """The text of the file. A known failure is skipped, never passed."""
    suites = ElementTree.Element("testsuites", name=report.NAME)
    for assessment in assessments:
        _suite(suites, assessment, seed)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, "unicode", xml_declaration=True) + "\n"


def _suite(suites: ElementTree.Element, assessment: Assessment, seed: int) -> None:
    run = assessment.run
    name = run.name or run.adapter
    suite = ElementTree.SubElement(suites, "testsuite", name=name, time=f"{run.seconds:.3f}")
    _properties(
        suite,
        ("adapter", run.adapter),
        ("version", run.version),
        ("suite", report.suite_version()),
        ("specification", report.SPECIFICATION),
        ("seed", str(seed)),
        ("declared", str(assessment.declared)),
        ("executed", str(assessment.executed)),
        ("verdict", assessment.standing.value),
        *(("role", role) for role in sorted(run.roles)),
        *(("capability", capability) for capability in sorted(run.capabilities)),
    )
    for result in [*run.probes, *run.results]:
        _case(suite, name, result, assessment)
    problems = [run.error] if run.error else assessment.differences
    for problem in problems:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=_shown(problem.split(":")[0]))
        kind = "error" if run.error else "failure"
        ElementTree.SubElement(case, kind, message=_shown(problem))
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))


def _case(suite: ElementTree.Element, name: str, result: CaseResult, assessment: Assessment) -> None:
    area, _, function = result.case.partition(".")
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"{name}.{area}", name=function, time=f"{result.seconds:.3f}"
    )
    _properties(case, *(("requirement", id_) for id_ in result.ids), ("scenario", result.scenario))
    known = [assessment.known[id_] for id_ in (*result.ids, result.case) if id_ in assessment.known]
    if result.verdict is Verdict.NOT_APPLICABLE:
        ElementTree.SubElement(case, "skipped", message=_shown(f"{result.expected}: {result.observed}"))
    elif result.verdict is not Verdict.PASS and known:
        ElementTree.SubElement(case, "skipped", message=_shown(f"known failure: {'; '.join(known)}"))
    elif result.verdict is not Verdict.PASS:
        tag = "failure" if result.verdict is Verdict.FAIL else "error"
        element = ElementTree.SubElement(
            case, tag, type=result.outcome.value, message=_shown(result.observed)
        )
        element.text = _shown(
            f"expected: {result.expected}\nobserved: {result.observed}\ncheck: {result.check}"
        )


def _properties(parent: ElementTree.Element, *pairs: tuple[str, str]) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in pairs:
        ElementTree.SubElement(properties, "property", name=name, value=_shown(value))


def _shown(text: str) -> str:
    """Text without the characters that XML has no place for."""
    return _FORBIDDEN.sub("\ufffd", text)
