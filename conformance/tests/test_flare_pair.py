"""A producer and a consumer factory are held against the specification without an adapter of their author's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import case_of, failed, run

pytest.importorskip("nvflare", reason="FLARE pairs need objstream[flare]")

from click.testing import CliRunner

from objstream_conformance.adapters.nvflare import NVFlareAdapter, NVFlareSite
from objstream_conformance.adapters.nvflare_pair import PairAdapter
from objstream_conformance.command import check
from objstream_conformance.contract import Description, Network, Unsupported
from objstream_conformance.outcomes import Outcome, Verdict
from objstream_conformance.verdicts import Assessment, Standing

HERE = Path(__file__).parent
OWN = HERE.parent / "testees" / "flare" / "pairs.py"
WRONG = HERE / "wrong_pairs.py"
CONTAINERS = f"container+multi-target={OWN}:container_producer,{OWN}:container_consumers"
FILES = f"file={OWN}:file_producer,{OWN}:file_consumers"
CARRIERS = {"OSP-SES-021"}
"""FLARE's stream runner asks the server when there are no targets; and, for files, it tells a consumer of no end when
its sender has gone, so that what was received in part stays.
"""
PRODUCER = f"container={OWN}:container_producer"


class PushOnly(NVFlareAdapter):
    """FLARE's streamers as the nvflare adapter uses them, and no more of them than a pair has."""

    def __init__(self, *capabilities: str) -> None:
        super().__init__()
        self.capabilities = frozenset(capabilities)

    def describe(self) -> Description:
        return Description("streamers", "0", frozenset({"sender", "receiver"}), self.capabilities | {"push"})  # type: ignore[arg-type]

    def site(self, name: str, network: Network, directory: Path) -> NVFlareSite:
        def refuse(*_: object, **__: object) -> Any:
            raise Unsupported("not of a pair")

        site: Any = super().site(name, network, directory)
        kinds = {"send_container": "container", "send_file": "file"}
        for operation in ("retrieve_container", "retrieve_file", *kinds):
            if kinds.get(operation, "") not in self.capabilities:
                setattr(site, operation, refuse)
        return site  # type: ignore[no-any-return]


def verdicts(assessment: Assessment) -> dict[str, tuple[Verdict, Outcome | None]]:
    return {
        one.requirement.id: (one.verdict, one.case.outcome if one.case else None)
        for one in assessment.requirements
    }


@pytest.mark.parametrize(
    ("given", "capabilities", "areas"),
    [(CONTAINERS, ("container", "multi-target"), ("CTR", "SES")), (FILES, ("file",), ("FIL", "SES"))],
    ids=["containers", "files"],
)
def test_flares_own_pairs_fail_as_flares_streamers_do(
    given: str, capabilities: tuple[str, ...], areas: tuple[str, ...]
) -> None:
    pair, streamers = run(PairAdapter(given), *areas), run(PushOnly(*capabilities), *areas)
    assert verdicts(pair) == verdicts(streamers)
    assert failed(pair)
    assert pair.executed > 10


@pytest.mark.parametrize(
    ("given", "areas", "failing"),
    [
        (f"container={OWN}:streamer_producer,{OWN}:assemblers,{OWN}:assembled", ("CTR", "SES"), CARRIERS),
        (
            f"file={OWN}:streamer_producer,{OWN}:file_assemblers,{OWN}:assembled",
            ("FIL", "SES"),
            CARRIERS | {"OSP-FIL-010"},
        ),
    ],
    ids=["containers", "files"],
)
def test_any_streamer_of_objstream_as_a_pair(given: str, areas: tuple[str, ...], failing: set[str]) -> None:
    """What still fails is FLARE's: see `CARRIERS`."""
    assessment = run(PairAdapter(given), *areas)
    assert failed(assessment) == failing
    assert [one.case for one in assessment.run.probes if one.verdict is Verdict.FAIL] == []
    assert assessment.executed > 18


def test_a_wrong_pair_fails_for_what_it_does() -> None:
    assert failed(run(PairAdapter(CONTAINERS), "OSP-CTR-012")) == set()
    wrong = run(PairAdapter(f"{PRODUCER},{WRONG}:forgetting"), "OSP-CTR-012")
    assert failed(wrong) == {"OSP-CTR-012"}
    assert "entries were sent" in case_of(wrong, "OSP-CTR-012").observed


def test_a_pair_says_where_it_leaves_the_object() -> None:
    assert failed(run(PairAdapter(f"{PRODUCER},{WRONG}:elsewhere,{WRONG}:mine"), "OSP-CTR-012")) == set()
    silent = run(PairAdapter(f"{PRODUCER},{WRONG}:elsewhere"), "OSP-CTR-012")
    assert silent.standing is Standing.SUITE_ERROR
    found = case_of(silent, "OSP-CTR-012")
    assert found.outcome is Outcome.ADAPTER_ERROR
    assert "'mine'" in found.observed


def test_a_factory_that_crashes_has_refused_nothing() -> None:
    crashed = run(PairAdapter(f"{WRONG}:crashing,{OWN}:container_consumers"), "OSP-CTR-003")
    assert case_of(crashed, "OSP-CTR-003").outcome is Outcome.CRASH


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"{OWN}:container_producer", "PRODUCER,CONSUMER"),
        (f"wire={OWN}:container_producer,{OWN}:container_consumers", "a pair offers container"),
        (f"numpy={OWN}:container_producer,{OWN}:container_consumers", "a pair offers container"),
        (f"{OWN}:nothing,{OWN}:container_consumers", "has no nothing"),
        ("container_producer,container_consumers", "not of the form module:name"),
    ],
)
def test_what_is_no_pair(given: str, said: str) -> None:
    with pytest.raises(LookupError, match=said):
        PairAdapter(given)


def test_the_command() -> None:
    arguments = ["--flare-pair", CONTAINERS, "--only", "OSP-CTR-012"]
    result = CliRunner().invoke(check, arguments, catch_exceptions=False)
    assert result.exit_code == 1  # FLARE delivers what was altered on the way, and an honesty probe says so
    assert "pairs.container_producer" in result.output
    assert "1 requirements apply, 1 were tested: 1 PASS" in result.output.replace("\n", " ")


def test_a_check_of_nothing_is_an_error() -> None:
    invoke: Callable[..., Any] = CliRunner().invoke
    assert invoke(check, ["--only", "CTR"]).exit_code == 2
