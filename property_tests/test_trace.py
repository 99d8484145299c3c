"""Logs of sessions: good ones are without fault, each doctored one shows the requirement that it breaks."""

from __future__ import annotations

import dataclasses
import io
import queue
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from objstream import ContainerRetriever, MemoryNetwork, Options, Outcome, SocketSite, TransferError
from objstream_conformance.cbor import Map, cbor
from objstream_conformance.frames import Type
from objstream_conformance.registry import load as requirements
from objstream_conformance.simulation import Plan, examine, make_plan
from objstream_conformance.trace import Record, check, dump, load, recording, trace
from objstream_conformance.trace.recorder import named

PULL = Plan(3, size=6, chunk=50, window=100, inline=64)
PUSH = dataclasses.replace(PULL, push=True)

Log = list[Record]


def log_of(plan: Plan, role: str) -> Log:
    """The log of one side."""
    records = examine(plan).trace
    names = {record.connection for record in records if record.event == "begin" and record.role == role}
    return [record for record in records if record.connection in names]


SENDER, RECEIVER = log_of(PULL, "sender"), log_of(PULL, "receiver")
OFFERER, TAKER = log_of(PUSH, "sender"), log_of(PUSH, "receiver")


def test_the_logs_are_of_whole_sessions() -> None:
    for log in (SENDER, RECEIVER, OFFERER, TAKER):
        assert check(log) == []
        assert log[-1].event == "closed"
        assert [record.outcome for record in log if record.event == "end"] == ["delivered"]
        assert sum(record.type in (Type.ENTRIES, Type.DATA) for record in log) > 3


def at(log: Log, event: str, type_: int | None = None, nth: int = 0) -> int:
    """Where in a log the n-th record of that kind is."""
    return [i for i, one in enumerate(log) if one.event == event and type_ in (None, one.type)][nth]


def changed(index: int, **fields: Any) -> Callable[[Log], Log]:
    """The log with other fields in one record; fields of meta by `meta_` and their names."""

    def change(log: Log) -> Log:
        meta = {
            name.removeprefix("meta_"): fields.pop(name) for name in list(fields) if name.startswith("meta_")
        }
        record = log[index]
        if meta:
            kept = {
                name: value for name, value in {**(record.meta or {}), **meta}.items() if value is not ...
            }
            record = dataclasses.replace(record, meta=kept)
        return [*log[:index], dataclasses.replace(record, **fields), *log[index + 1 :]]

    return change


def without(*indices: int) -> Callable[[Log], Log]:
    return lambda log: [one for index, one in enumerate(log) if index not in indices]


def inserted(index: int, *records: Record) -> Callable[[Log], Log]:
    return lambda log: [*log[:index], *records, *log[index:]]


def sent(type_: int, seq: int = 0, **meta: Any) -> Record:
    return Record(0.0, "sent", log_name, type=type_, seq=seq, meta=meta)


def came(type_: int, seq: int = 0, **meta: Any) -> Record:
    return Record(0.0, "received", log_name, type=type_, seq=seq, meta=meta)


log_name = SENDER[0].connection
RESET = {"code": 8, "message": ""}

S_OPEN, S_END = at(SENDER, "sent", Type.OPEN), at(SENDER, "sent", Type.END)
S_REQUEST, S_DONE = at(SENDER, "received", Type.REQUEST), at(SENDER, "received", Type.DONE)
S_CONTENT, S_OVER = at(SENDER, "sent", Type.ENTRIES), at(SENDER, "end")
R_OPEN, R_END = at(RECEIVER, "received", Type.OPEN), at(RECEIVER, "received", Type.END)
R_CONTENT, R_DONE = at(RECEIVER, "received", Type.ENTRIES), at(RECEIVER, "sent", Type.DONE)
R_OVER = at(RECEIVER, "end")

DOCTORED: dict[str, tuple[Log, Callable[[Log], Log], str]] = {
    "a gap in the numbers": (SENDER, changed(S_CONTENT, seq=77), "OSP-FRM-014"),
    "an undefined flag": (SENDER, changed(S_CONTENT, flags=2), "OSP-FRM-009"),
    "an unknown frame": (SENDER, changed(S_CONTENT, type=99), "OSP-FRM-011"),
    "an empty content frame": (SENDER, changed(S_CONTENT, data=0), "OSP-FRM-017"),
    "data in END": (SENDER, changed(S_END, data=3), "OSP-FRM-016"),
    "OPEN without a kind": (SENDER, changed(S_OPEN, meta_kind=...), "OSP-FRM-019"),
    "a kind that is a number": (SENDER, changed(S_OPEN, meta_kind=1), "OSP-FRM-020"),
    "a size that is nothing": (SENDER, changed(S_OPEN, meta_size=None), "OSP-FRM-020"),
    "attributes that are a list": (RECEIVER, changed(R_OPEN, meta_attributes=[]), "OSP-FRM-020"),
    "a digest that is nothing": (RECEIVER, changed(R_CONTENT, meta_digest=None), "OSP-FRM-020"),
    "meta that is no map": (SENDER, changed(S_OPEN, meta=None), "OSP-FRM-018"),
    "a frame that is too large": (SENDER, changed(S_REQUEST, meta_max_frame=5), "OSP-FRM-021"),
    "OPEN without a REQUEST": (SENDER, without(S_REQUEST), "OSP-FLW-001"),
    "content beyond the credit": (SENDER, changed(S_REQUEST, meta_credit=5), "OSP-FLW-002"),
    "an object that is too large": (SENDER, changed(S_REQUEST, meta_max_bytes=5), "OSP-FLW-007"),
    "a digest that was not offered": (SENDER, changed(S_REQUEST, meta_digests=["x"]), "OSP-INT-029"),
    "a version that was not offered": (SENDER, changed(S_REQUEST, meta_versions=[2]), "OSP-VER-001"),
    "content without a digest": (SENDER, changed(S_CONTENT, meta_digest=...), "OSP-INT-020"),
    "a wrong chain in END": (SENDER, changed(S_END, meta_chain=bytes(32)), "OSP-INT-022"),
    "success without DONE": (SENDER, without(S_DONE), "OSP-SES-001"),
    "success with another DONE": (SENDER, changed(S_DONE, meta_chain=bytes(32)), "OSP-INT-025"),
    "doubt that is called LOST": (
        SENDER,
        lambda log: changed(S_OVER - 1, outcome="LOST")(without(S_DONE)(log)),
        "OSP-SES-034",
    ),
    "success after RESET": (SENDER, inserted(S_OVER, came(Type.RESET, 99, **RESET)), "OSP-FRM-015"),
    "another code than that of RESET": (
        SENDER,
        lambda log: changed(S_OVER, outcome="PROTOCOL")(
            changed(S_DONE, type=Type.RESET, meta={"code": 12, "message": ""})(log)
        ),
        "OSP-SES-036",
    ),
    "a frame after RESET": (SENDER, changed(S_OPEN, type=Type.RESET, meta=RESET), "OSP-SES-037"),
    "RESET with LOST": (SENDER, changed(S_OPEN, type=Type.RESET, meta={**RESET, "code": 14}), "OSP-SES-038"),
    "doubt before END": (SENDER, changed(S_OPEN, type=Type.RESET, meta={**RESET, "code": 15}), "OSP-SES-038"),
    "a failure without a word": (SENDER, changed(S_OVER, outcome="SOURCE_FAILED"), "OSP-SES-035"),
    "an answer to another offer": (
        OFFERER,
        changed(at(OFFERER, "received", Type.REQUEST), meta_name="other"),
        "OSP-SES-041",
    ),
    "a second OPEN that came": (RECEIVER, inserted(R_CONTENT, RECEIVER[R_OPEN]), "OSP-FRM-015"),
    "an END that comes first": (
        RECEIVER,
        changed(R_OPEN, type=Type.END, meta=RECEIVER[R_END].meta),
        "OSP-SES-032",
    ),
    "another kind": (RECEIVER, changed(R_OPEN, meta_kind="file"), "OSP-SES-040"),
    "another version": (RECEIVER, changed(R_OPEN, meta_versions=2), "OSP-VER-004"),
    "another digest": (RECEIVER, changed(R_OPEN, meta_digests="blake3"), "OSP-INT-030"),
    "OPEN of too much": (RECEIVER, changed(R_OPEN, meta_size=1 << 40), "OSP-FLW-008"),
    "more than announced": (RECEIVER, changed(R_OPEN, meta_size=3), "OSP-INT-032"),
    "more than the credit": (
        RECEIVER,
        changed(at(RECEIVER, "sent", Type.REQUEST), meta_credit=3),
        "OSP-FLW-006",
    ),
    "another chain": (RECEIVER, changed(R_END, meta_chain=bytes(32)), "OSP-INT-023"),
    "another size": (RECEIVER, changed(R_END, meta_size=1), "OSP-INT-026"),
    "another count": (RECEIVER, changed(R_END, meta_count=99), "OSP-INT-027"),
    "a damaged header": (RECEIVER, changed(R_CONTENT, fault="header", meta=None), "OSP-FRM-004"),
    "damaged meta": (RECEIVER, changed(R_CONTENT, fault="meta", meta=None), "OSP-FRM-005"),
    "damaged data": (RECEIVER, changed(R_CONTENT, fault="data", meta=None), "OSP-INT-021"),
    "a known frame that is ignorable": (RECEIVER, changed(R_CONTENT, flags=1), "OSP-FRM-012"),
    "DONE before END": (RECEIVER, without(R_END), "OSP-SES-033"),
    "DONE with another chain": (RECEIVER, changed(R_DONE, meta_chain=bytes(32)), "OSP-INT-024"),
    "impatience": (
        RECEIVER,
        lambda log: [*log[:R_END], Record(0.5, "end", log[0].connection, outcome="STALLED")],
        "OSP-TIM-006",
    ),
}


@pytest.mark.parametrize("name", DOCTORED)
def test_what_is_wrong_is_named(name: str) -> None:
    log, doctor, requirement = DOCTORED[name]
    found = [violation.requirement for violation in check(doctor(log))]
    assert requirement in found, found
    assert requirement in requirements()


@pytest.mark.parametrize(
    "fields",
    [
        {"flags": 2},
        {"flags": 1},
        {"seq": 99},
        {"type": 99},
        {"data": 0},
        {"data": 1 << 30},
    ],
)
def test_what_the_header_shows_comes_before_damaged_meta(fields: dict[str, int]) -> None:
    due = "TOO_LARGE" if fields.get("data") else "PROTOCOL"
    for outcome in ("PROTOCOL", "CORRUPT", "TOO_LARGE"):
        end = Record(0.0, "end", log_name, outcome=outcome)
        log = changed(R_CONTENT, fault="meta", meta=None, **fields)(RECEIVER)[: R_CONTENT + 1]
        told = check([*log, dataclasses.replace(end, connection=log[0].connection)])
        assert bool(told) == (outcome != due), (outcome, told)


@pytest.mark.parametrize(
    "meta",
    [
        cbor({-1: 1}),
        cbor({"digest": 1}),
        cbor({True: 1}),
        cbor(Map(((1, 1), (1, 2)))),
        cbor([]),
        b"\xa1\x00" + b"\x81" * 4000,
        b"\xa1\x00",
        b"\xff",
    ],
)
def test_what_is_no_meta_is_recorded_as_such(meta: bytes) -> None:
    assert named(meta) is None


def test_every_rule_names_a_requirement_that_exists() -> None:
    rules = Path(check.__code__.co_filename)
    source = rules.read_text("utf-8") + rules.with_name("metas.py").read_text("utf-8")
    named = set(re.findall(r"OSP-[A-Z]{3}-\d{3}", source))
    assert len(named) > 30
    assert named <= set(requirements())
    shown = {requirement for _, _, requirement in DOCTORED.values()}
    assert named - shown <= {
        *("OSP-FRM-004", "OSP-FRM-007", "OSP-SES-030", "OSP-SES-031", "OSP-BUF-010"),
        "OSP-RES-004",
    }


@given(st.integers(0, 1 << 30))
def test_a_log_is_the_same_when_it_is_read_back(seed: int) -> None:
    records = examine(make_plan(seed)).trace
    file = io.StringIO()
    dump(records, file)
    assert list(load(file.getvalue().splitlines())) == records


@pytest.mark.parametrize(
    "line", ["x", "[]", '{"time": 0}', '{"time": 0, "event": "sent", "type": "OPENED"}', "1"]
)
def test_what_is_no_log_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is no record"):
        list(load(["", line]))


def test_real_sockets_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    log: Log = []
    monkeypatch.setattr("objstream.engines.socket.Connection", recording(log.append, hashing=True))
    with SocketSite("tcp://127.0.0.1:0") as owner, SocketSite() as requester:
        ContainerRetriever(owner, chunk=1000).add_container("it", {"a": bytes(50_000), "b": 1})
        told: queue.Queue[Outcome] = queue.Queue()
        owner.watch(lambda request, outcome: told.put(outcome))
        for _ in range(2):
            got = ContainerRetriever(requester).retrieve_container(
                owner.address, "it", options=Options(window=2000, deadline=20.0)
            )
            assert got == {"a": bytes(50_000), "b": 1}
            assert told.get(timeout=20).delivered
    assert check(log) == []
    assert sum(record.event == "end" and record.outcome == "delivered" for record in log) == 4
    assert sum(record.type == Type.CREDIT for record in log) > 20


def test_a_resumed_session_is_judged_from_its_point(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log: Log = []
    monkeypatch.setattr("objstream.engines.memory.Connection", recording(log.append, hashing=True))
    left = [6]

    def carry(source: str, target: str, message: bytes) -> list[bytes]:
        left[0] -= source == "owner"
        return [message] if left[0] > 0 else []

    network = MemoryNetwork(carry)
    owner, requester = ContainerRetriever(network.site("owner"), chunk=1000), network.site("requester")
    owner.add_container("it", [bytes(3000) for _ in range(5)])
    retrieve = ContainerRetriever(requester).retrieve_container
    with pytest.raises(TransferError):
        retrieve("owner", "it", resume=tmp_path / "kept")
    left[0] = 1000
    assert retrieve("owner", "it", resume=tmp_path / "kept") == [bytes(3000)] * 5
    assert check(log) == []
    opens = [at for at, record in enumerate(log) if record.type == Type.OPEN]
    assert [bool((log[at].meta or {}).get("resume")) for at in opens] == [False, False, True, True]
    for where in opens[2:]:
        for resume in (..., [0, 0, bytes(32)]):
            found = {violation.requirement for violation in check(changed(where, meta_resume=resume)(log))}
            assert "OSP-RES-004" in found


def test_the_command_judges_a_file(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    for log, code in ((SENDER, 0), (without(S_DONE)(SENDER), 1), ([], 3)):
        with file.open("w") as lines:
            dump(log, lines)
        result = CliRunner().invoke(trace, [str(file), "--show"])
        assert result.exit_code == code, result.output
    assert "OSP-SES-001" in CliRunner().invoke(trace, [str(file)]).output or code == 3
    file.write_text("nonsense")
    assert CliRunner().invoke(trace, [str(file)]).exit_code == 2
