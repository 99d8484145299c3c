"""The evidence of a failure on the wire: what both sides said, frame by frame."""

from __future__ import annotations

from pathlib import Path

from objstream_conformance.adapters.reference import ReferenceAdapter
from objstream_conformance.case import Case
from objstream_conformance.cases import CaseInfo
from objstream_conformance.frames import PREFACE, Type, step
from objstream_conformance.peer import Peer
from objstream_conformance.worker import run_case


def test_a_failure_shows_the_frames(tmp_path: Path) -> None:
    def body(t: Case) -> None:
        peer = Peer(t, "requester", deadline=5.0)
        peer.say(step(Type.OPEN, kind="list"))
        peer.advance(1.0)
        peer.say(step(Type.END, count=1, header_crc=7))
        peer.eof()
        t.expect(False, "a", "b")

    adapter = ReferenceAdapter()
    info = CaseInfo("here.case", ("OSP-CTR-001",), frozenset(), frozenset(), "A scenario.", body)
    evidence = run_case(info, adapter, adapter.describe(), seed=1).evidence
    assert "messages" not in evidence
    wire = evidence["wire"]
    assert isinstance(wire, list)
    assert wire[0] == "the end is a requester of 'object' with {'deadline': 5.0}"
    begins = [
        "end: preface",
        "end: REQUEST #0 {versions: [1], ",
        "peer: preface",
        "peer: OPEN #0 {versions: 1, digests: 'sha-256', kind: 'list'}",
        "1 s pass",
        "peer: END #1 {size: 0, count: 1, chain: ",
        "end: RESET #1 {code: 'CORRUPT', message: ",
        "peer: end of input",
    ]
    assert len(wire) == 1 + len(begins)
    for line, begin in zip(wire[1:], begins, strict=True):
        assert line.startswith(begin)
    assert wire[6].endswith(", header checksum wrong")


def test_bytes_that_are_no_frames(tmp_path: Path) -> None:
    t = Case(adapter := ReferenceAdapter(), adapter.describe(), tmp_path, "0")
    t.wire("owner", "x", [1]).feed(b"GET / HTTP/1.0\r\n")
    wire = t.evidence()["wire"]
    assert isinstance(wire, list)
    reset = wire.pop(3)
    assert reset.startswith("end: RESET #0 {code: 'PROTOCOL', message: ")
    assert wire[1:] == [
        f"peer: preface {b'GET / HT'.hex()}",
        "end: preface",
        f"peer: 8 bytes that are no whole frame: {b'TP/1.0'.hex()}0d0a",
    ]


def test_long_sessions_are_cut(tmp_path: Path) -> None:
    t = Case(adapter := ReferenceAdapter(), adapter.describe(), tmp_path, "0")
    end = t.wire("requester", "x")
    end.start()
    end.feed(PREFACE)
    end.feed(bytes(2 << 20))
    wire = t.evidence()["wire"]
    assert isinstance(wire, list)
    assert wire[-1].startswith("and more: 2097")
