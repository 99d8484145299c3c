"""Programs behind standard input and output: good ones conform, bad ones fail for what they do, each in its own way."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import case_of, failed, run

from objstream_conformance import cases, registry
from objstream_conformance.adapters import program
from objstream_conformance.adapters.ends import described
from objstream_conformance.adapters.testee import TesteeAdapter as Adapter
from objstream_conformance.adapters.wire import EndsOfReference
from objstream_conformance.case import Case
from objstream_conformance.cases import CaseInfo
from objstream_conformance.cbor import Ref, ext
from objstream_conformance.contract import Description, Unsupported
from objstream_conformance.locate import load_adapter
from objstream_conformance.outcomes import AdapterError, CaseResult, Crash, Outcome, Verdict
from objstream_conformance.peer import gives, takes
from objstream_conformance.runner import run_implementation
from objstream_conformance.sites import guard
from objstream_conformance.verdicts import Assessment, Standing
from objstream_conformance.worker import run_case

TESTEES = Path(__file__).parents[1] / "testees"
PYTHON = f"{sys.executable} {TESTEES / 'python' / 'testee.py'}"
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def conforms(assessment: Assessment) -> None:
    unclear = assessment.with_verdict(Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert [(one.requirement.id, one.case and one.case.observed) for one in unclear] == []
    assert assessment.notes == []
    assert assessment.standing is Standing.CONFORMANT


# -- good ones


def test_the_one_in_python_conforms() -> None:
    """But for every vector byte by byte, which takes its time and is asked of the other one."""
    areas = [id_ for id_ in registry.load() if id_[4:7] in ("FRM", "FLW", "SES")]
    tested = {one for info in cases.load().values() for one in info.ids}
    assessment = run(Adapter(PYTHON), *sorted(tested.intersection(areas) - {"OSP-FRM-008"}))
    conforms(assessment)
    assert assessment.executed > 40


@needs_node
def test_the_one_in_javascript_conforms() -> None:
    adapter = Adapter(f"{NODE} {TESTEES / 'node' / 'testee.mjs'}")
    capabilities = adapter.describe().capabilities
    assessment = run(adapter)
    conforms(assessment)
    asked = [info for info in cases.load().values() if not info.missing(capabilities)]
    passed = {one.requirement.id for one in assessment.with_verdict(Verdict.PASS)}
    wire, core = (
        {id_ for info in asked for id_ in info.ids if ("wire" in info.needs) is layer}
        for layer in (True, False)
    )
    assert passed >= wire | core
    assert len(wire) > 100
    assert len(core) > 60


@needs_node
def test_the_tests_of_the_one_in_javascript_pass() -> None:
    files = sorted(map(str, (TESTEES / "node" / "test").glob("*.test.mjs")))
    ended = subprocess.run([str(NODE), "--test", *files], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout
    assert "# fail 0" in ended.stdout
    assert "# skipped 0" in ended.stdout


def test_the_command_line_takes_one() -> None:
    chosen = cases.select(cases.load(), ["OSP-FRM-001", "OSP-CTR-001"])
    found = run_implementation(f"testee:{PYTHON}", chosen)
    assert (found.name, found.error) == ("objstream", "")
    asked = [result for result in found.results if not chosen[result.case].missing(found.capabilities)]
    assert {id_ for result in asked for id_ in result.ids} == {"OSP-FRM-001", "OSP-CTR-001"}
    assert {result.verdict for result in asked} == {Verdict.PASS}
    probes = {result.case: result.verdict for result in found.probes}
    assert probes["probe.good_stream"] is probes["probe.corrupted_stream"] is Verdict.PASS
    assert probes["probe.unsupported"] is Verdict.PASS


def test_files_and_options(tmp_path: Path) -> None:
    adapter = Adapter(PYTHON)

    def body(t: Case) -> None:
        data = t.random.randbytes(100_000)
        sent = gives(t, "sender", t.file(data), max_frame=5000)
        sent.delivered()
        t.expect(b"".join(frame.data for frame in sent.content) == data, "the file", "something else")
        t.expect(max(len(frame.data) for frame in sent.content) == 5000, "frames of 5000", "others")
        takes(t, "receiver", ext("bytes", Ref(data))).delivered([data])
        takes(t, "requester", 1, 2, max_items=1).failed("TOO_LARGE")

    assert ended(body, adapter).verdict is Verdict.PASS
    with pytest.raises(Unsupported):
        adapter.wire("requester", "x", colour=5)
    with pytest.raises(Unsupported, match="no container"):
        adapter.wire("owner", "x", 5)


# -- planted faults

FAULTS = [
    (
        "receiver.mjs",
        "if (this.hasDigest && !digest.equals(",
        "if (false && !digest.equals(",
        "INT",
        {"OSP-INT-021"},
    ),
    (
        "sender.mjs",
        "const room = this.#credit - this.#position;",
        "const room = 1n << 40n;",
        "FLW",
        {"OSP-FLW-002", "OSP-FLW-003", "OSP-FLW-004"},
    ),
    (
        "frames.mjs",
        "this.heard = !preface.equals(PREFACE);",
        "this.heard = false;",
        "OSP-FRM-002",
        {"OSP-FRM-002"},
    ),
    (
        "session.mjs",
        "const late = this.#now",
        "const late = false && this.#now",
        "OSP-TIM-002",
        {"OSP-TIM-002"},
    ),
    (
        "testee.mjs",
        "(kind, asked) => (asked === name ? object : undefined)",
        "(kind, asked) => (asked.trim() === name.trim() ? object : undefined)",
        "RTV",
        {"OSP-RTV-012"},
    ),
    (
        "encode.mjs",
        "      for (const [key, value] of object) {",
        "      for (const [key, value] of object.size > 60 ? [...object].sort() : object) {",
        "CTR",
        {"OSP-CTR-004"},
    ),
    (
        "session.mjs",
        'this.fail("CANCELLED", "the application gave up")',
        'this.fail("LOST", "the application gave up")',
        "ses.receiver_cancels",
        {"OSP-SES-006"},
    ),
    (
        "encode.mjs",
        "if (!this.limits.types.has(value.type)) throw",
        "if (false) throw",
        "CTR",
        {"OSP-CTR-007"},
    ),
    (
        "receiver.mjs",
        "    const object = this.#sink.object;\n",
        "    const object = this.#sink.object;\n    if (object.length === 256) object.pop();\n",
        "OSP-CTR-012",
        {"OSP-CTR-012"},
    ),
]


@needs_node
@pytest.mark.parametrize(
    ("file", "line", "broken", "asked", "ids"), FAULTS, ids=[f"{fault[0]} {fault[3]}" for fault in FAULTS]
)
def test_a_planted_fault_is_found(
    file: str, line: str, broken: str, asked: str, ids: set[str], tmp_path: Path
) -> None:
    copy = tmp_path / "node"
    shutil.copytree(TESTEES / "node", copy)
    text = copy.joinpath(file).read_text("utf-8")
    assert text.count(line) == 1
    copy.joinpath(file).write_text(text.replace(line, broken), "utf-8")
    assessment = run(Adapter(f"{NODE} {copy / 'testee.mjs'}"), asked)
    assert failed(assessment) == ids
    assert {case_of(assessment, id_).outcome for id_ in ids} == {Outcome.VIOLATION}


class _Ends(EndsOfReference):
    """The reference without ends that send: no object can go from one site to another."""

    def describe(self) -> Description:
        told = super().describe()
        return described("ends", told.version, ["requester", "receiver"], {"wire", "container"})


class _Yes(_Ends):
    """Its receivers have always received the same."""

    def wire(self, role: Any, name: str, value: object = None, **options: Any) -> Any:
        end = super().wire(role, name, value, **options)
        end.outcome = lambda: ("delivered", [b"yes"])  # type: ignore[method-assign]
        return end


def test_the_probes_ask_ends_where_there_are_no_sites() -> None:
    conforms(run(_Ends(), "OSP-FRM-002"))
    assessment = run(_Yes(), "OSP-FRM-001")
    assert {note.partition(":")[0] for note in assessment.notes} == {
        "probe.good_stream",
        "probe.corrupted_stream",
    }
    assert assessment.standing is Standing.NOT_CONFORMANT
    assert assessment.with_verdict(Verdict.PASS) == []


# -- bad ones

ANSWERS = """
import json, sys, time
def say(body, length=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    sys.stdout.buffer.write((len(body) if length is None else length).to_bytes(4, "big") + body)
    sys.stdout.buffer.flush()
while head := sys.stdin.buffer.read(4):
    question = json.loads(sys.stdin.buffer.read(int.from_bytes(head, "big")))
    if question["op"] == "describe":
        say({"name": "bad", "version": "1", "roles": ["requester", "owner"],
             "capabilities": ["wire", "container"]})
    elif question["op"] == "open":
        say({"id": 1})
    elif question["op"] == "start":
        %s
    elif question["op"] == "outcome":
        %s
    else:
        say({"data": ""})
"""


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "bad" in request.node.name:
        monkeypatch.setattr(program, "ANSWER_SECONDS", 0.5)


def bad(tmp_path: Path, start: str = 'say({"data": ""})', outcome: str = "say(None)") -> Adapter:
    path = tmp_path / "bad.py"
    path.write_text(ANSWERS % (start, outcome), "utf-8")
    return Adapter(f"{sys.executable} {path}")


def ended(body: cases.Body, adapter: Adapter) -> CaseResult:
    info = CaseInfo("here.case", ("OSP-FRM-001",), frozenset(), frozenset(), "A scenario.", body)
    return run_case(info, adapter, adapter.describe(), seed=1)


HOW = {
    "dies": ("import os; os._exit(3)", Verdict.FAIL, Outcome.CRASH, "ended with status 3"),
    "dies loudly": ("raise KeyError('x')", Verdict.FAIL, Outcome.CRASH, "ended with status 1"),
    "says that it crashed": ("say({'crash': 'KeyError: x'})", Verdict.FAIL, Outcome.CRASH, "KeyError: x"),
    "is silent": ("time.sleep(60)", Verdict.FAIL, Outcome.HANG, "none came"),
    "spins": ("while True: pass", Verdict.FAIL, Outcome.HANG, "none came"),
    "prints": (
        "print('hello', flush=True); say({'data': ''})",
        Verdict.INCONCLUSIVE,
        Outcome.ADAPTER_ERROR,
        "hell",
    ),
    "says a length too long": (
        "say({'data': ''}, 13)",
        Verdict.INCONCLUSIVE,
        Outcome.ADAPTER_ERROR,
        "a part of an answer",
    ),
    "says a length too short": (
        "say({'data': ''}, 5)",
        Verdict.INCONCLUSIVE,
        Outcome.ADAPTER_ERROR,
        "more than one answer",
    ),
    "says no JSON": ("say(b'{]')", Verdict.INCONCLUSIVE, Outcome.ADAPTER_ERROR, "no JSON"),
    "says too much": (
        "say(None, 1 << 30)",
        Verdict.INCONCLUSIVE,
        Outcome.ADAPTER_ERROR,
        "a length of 1073741824",
    ),
    "says another answer": ("say([])", Verdict.INCONCLUSIVE, Outcome.ADAPTER_ERROR, "[]"),
    "says no base64": ("say({'data': '!'})", Verdict.INCONCLUSIVE, Outcome.ADAPTER_ERROR, "!"),
    "does not start sessions": (
        "say({'unsupported': True})",
        Verdict.INCONCLUSIVE,
        Outcome.ADAPTER_ERROR,
        "Unsupported",
    ),
}


@pytest.mark.parametrize("how", HOW)
def test_a_bad_one_that(how: str, tmp_path: Path) -> None:
    start, verdict, outcome, observed = HOW[how]
    result = ended(lambda t: takes(t, "requester", 1) and None, bad(tmp_path, start))
    assert (result.verdict, result.outcome) == (verdict, outcome)
    assert observed in result.observed
    if how == "dies loudly":
        assert "KeyError: 'x'" in result.check


@pytest.mark.parametrize(
    "answer",
    [
        {"done": True},
        ["delivered"],
        ["lost", None],
        ["failed", 5],
        ["delivered", {"kind": "list", "content": [[4, "gg=="], [9, ""]]}],
        ["delivered", {"kind": "list", "content": [[4, "GAE="]]}],
        ["delivered", {"kind": "x-thing", "content": []}],
    ],
    ids=repr,
)
def test_a_bad_outcome(answer: object, tmp_path: Path) -> None:
    adapter = bad(tmp_path, outcome=f"say({answer!r})")
    result = ended(lambda t: takes(t, "requester", 1).delivered([1]), adapter)
    assert (result.verdict, result.outcome) == (Verdict.INCONCLUSIVE, Outcome.ADAPTER_ERROR)


def test_a_bad_one_that_reads_nothing(tmp_path: Path) -> None:
    """A question that does not fit into the pipe is not waited for for ever."""
    adapter = bad(tmp_path, "say({'data': ''}); time.sleep(60)")
    result = ended(lambda t: takes(t, "requester", *[bytes(50_000)] * 20) and None, adapter)
    assert result.outcome is Outcome.HANG


def test_a_bad_one_that_gets_no_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, and what is asleep is not."""
    sleepy = "time.sleep(1.2); say({'data': ''})"
    for state, outcome in {"R": Outcome.OK, "S": Outcome.HANG}.items():
        monkeypatch.setattr(program.Program, "_state", lambda self, state=state: (state, 0.0))
        result = ended(lambda t: guard("start", t.wire("requester", "x").start), bad(tmp_path, sleepy))
        assert result.outcome is outcome


@pytest.mark.parametrize("claim", ["sites", "multi-target", "memory"])
def test_a_bad_one_that_claims_sites(claim: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text((ANSWERS % ("pass", "pass")).replace('"container"', f'"container", "{claim}"'), "utf-8")
    with pytest.raises(AdapterError, match=f"ends of sessions can have; observed {claim}"):
        Adapter(f"{sys.executable} {path}").describe()


def test_a_bad_one_is_started_anew(tmp_path: Path) -> None:
    adapter = bad(tmp_path, "sys.exit(3)")
    end = adapter.wire("requester", "x")
    for expected in ("ended with status 3", "was stopped"):
        with pytest.raises(Crash, match=expected):
            end.start()
    assert adapter.wire("requester", "x").outcome() is None


@pytest.mark.parametrize(
    ("text", "observed"),
    [
        ("print('hello')", "hell"),
        ("pass", "ended with status 0"),
        ("import sys; sys.stdout.buffer.write(bytes([0, 0, 0, 2]) + b'{}')", "{}"),
    ],
)
def test_a_bad_description(text: str, observed: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(AdapterError, match=observed):
        Adapter(f"{sys.executable} {path}").describe()


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(LookupError, match="cannot start"):
        load_adapter("testee:/no/such/program --fast").describe()
    with pytest.raises(LookupError, match="testee:COMMAND"):
        load_adapter("testee:")
    with pytest.raises(LookupError, match="quotation"):
        load_adapter("testee:node 'x")


def test_the_process_ends_with_the_adapter(tmp_path: Path) -> None:
    path = tmp_path / "pid.py"
    told = json.dumps({"version": "1", "roles": [], "capabilities": []})
    path.write_text(
        f"import os\n{ANSWERS % ('pass', 'pass')}".replace(
            'say({"name": "bad"', f'say({{**{told}, "name": str(os.getpid())'
        )
    )
    adapter = Adapter(f"{sys.executable} {path}")
    number = int(adapter.describe().name)
    os.kill(number, 0)
    assert adapter.describe().name == str(number)
    del adapter
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
