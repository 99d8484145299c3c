"""A streamer of one's own kind is validated by itself, and one that is wrong fails for what it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import case_of, failed, run

from objstream_conformance.adapters.streamer import StreamerAdapter
from objstream_conformance.command import check
from objstream_conformance.outcomes import Outcome, Verdict
from objstream_conformance.verdicts import Standing

HERE = Path(__file__).parent
EXAMPLE = f"{HERE.parents[1] / 'reference_impl' / 'examples' / 'archive.py'}:ArchiveStreamer"


def wrong(name: str) -> StreamerAdapter:
    return StreamerAdapter(f"{HERE / 'wrong_streamers.py'}:{name}")


def test_the_example_conforms() -> None:
    assessment = run(StreamerAdapter(EXAMPLE))
    unclear = assessment.with_verdict(Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert [(one.requirement.id, one.case and one.case.observed) for one in unclear] == []
    assert assessment.standing is Standing.CONFORMANT
    assert assessment.notes == []
    areas = {one.requirement.area for one in assessment.with_verdict(Verdict.PASS)}
    assert areas == {"OBJ", "SES", "INT", "RTV", "TIM", "MEM", "SEC"}
    assert assessment.executed > 40


@pytest.mark.parametrize(
    ("name", "only", "ids", "said"),
    [
        (
            "Losing",
            ("OSP-OBJ-001", "OSP-OBJ-002", "OSP-OBJ-005"),
            {"OSP-OBJ-001", "OSP-OBJ-005"},
            "entries were sent",
        ),
        ("Hoarding", ("OBJ",), {"OSP-OBJ-003"}, "MiB"),
        ("Littering", ("OBJ",), {"OSP-OBJ-002"}, "files left"),
        ("Leaking", ("OBJ", "OSP-RTV-007"), {"OSP-RTV-007"}, ""),
        ("Crashing", ("OSP-OBJ-001",), {"OSP-OBJ-001"}, "rejected"),
    ],
)
def test_wrong_ones(name: str, only: tuple[str, ...], ids: set[str], said: str) -> None:
    assessment = run(wrong(name), *only)
    assert failed(assessment) == ids
    assert said in case_of(assessment, min(ids)).observed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"{HERE / 'wrong_streamers.py'}:Untried", "has no sample"),
        (f"{HERE / 'wrong_streamers.py'}:Unnamed", "kind has to be x-"),
        (f"{HERE / 'wrong_streamers.py'}:Path", "is no subclass of objstream.ObjectStreamer"),
        ("nowhere:Class", "cannot import nowhere"),
    ],
)
def test_what_is_no_streamer(given: str, said: str) -> None:
    with pytest.raises(LookupError, match=said):
        StreamerAdapter(given)


def test_the_command() -> None:
    arguments = ["--streamer", EXAMPLE, "--only", "OSP-OBJ-005", "--only", "CTR"]
    result = CliRunner().invoke(check, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "1 were tested: 1 PASS, " in result.output  # containers are not what it streams


def test_containers_are_not_on_offer() -> None:
    assessment = run(StreamerAdapter(EXAMPLE), "OSP-OBJ-005")
    probe = next(one for one in assessment.run.probes if one.case == "probe.unsupported")
    assert (probe.verdict, probe.outcome) == (Verdict.PASS, Outcome.OK)
