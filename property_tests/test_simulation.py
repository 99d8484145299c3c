"""The simulation: the reference keeps its promises, wrong implementations are found out, and a seed is a seed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from objstream_conformance.simulation import (
    Bench,
    FederationPlan,
    Plan,
    examine,
    make_federation,
    make_plan,
    shrink,
    simulate,
    simulate_many,
)

from .planted import PLANTED, Planted

SESSIONS = {"quick": 4_000, "ci": 20_000, "thorough": 200_000, "nightly": 1_000_000}
PARTS = 4
WITHIN = 2_000


@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_is_kept(part: int) -> None:
    number = SESSIONS[os.environ.get("HYPOTHESIS_PROFILE", "quick")] // PARTS
    campaign = simulate_many(range(part * number, (part + 1) * number))
    assert [(finding.seed, finding.problems) for finding in campaign.findings] == []
    assert campaign.sessions == number
    assert campaign.outcomes["delivered", "delivered"] > number // 4


@pytest.mark.parametrize("part", range(2))
def test_every_promise_is_kept_by_several_sites(part: int) -> None:
    number = SESSIONS[os.environ.get("HYPOTHESIS_PROFILE", "quick")] // 10
    campaign = simulate_many(range(part * number, (part + 1) * number), federations=True)
    assert [(finding.seed, finding.problems) for finding in campaign.findings] == []
    assert campaign.sessions > 3 * number
    assert campaign.outcomes["delivered", "delivered"] > number


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found(name: str) -> None:
    planted = PLANTED[name]
    seed = first(planted, range(WITHIN))
    assert seed is not None, f"{name} was not found within {WITHIN} sessions"


def first(planted: Planted, seeds: range) -> int | None:
    """The first seed that shows it, within as many sessions as there are seeds."""
    sessions = 0
    for seed in seeds:
        plan = make_federation(seed) if planted.federations else make_plan(seed)
        examined = examine(plan, planted.bench)
        sessions += len(examined.plays)
        if sessions > len(seeds):
            return None
        if any(planted.found in str(problem) for problem in examined.problems):
            return seed
    return None


def test_a_finding_is_shrunk_and_keeps_its_promise() -> None:
    planted = PLANTED["a sender that reports success at END"]
    seed = first(planted, range(WITHIN))
    assert seed is not None
    plan = make_plan(seed)
    finding = shrink(plan, examine(plan, planted.bench).problems, planted.bench)
    assert isinstance(finding.plan, Plan)
    assert len(finding.plan.faults) <= len(plan.faults)
    assert any(planted.found in str(problem) for problem in finding.problems)
    assert examine(finding.plan, planted.bench).problems == finding.problems


def test_a_federation_is_shrunk_to_the_errands_that_matter() -> None:
    planted = PLANTED["senders that share their credit"]
    seed = first(planted, range(WITHIN))
    assert seed is not None
    plan = make_federation(seed)
    finding = shrink(plan, examine(plan, planted.bench).problems, planted.bench)
    assert isinstance(finding.plan, FederationPlan)
    assert len(finding.plan.errands) == 2
    assert finding.plan.happenings == ()
    assert examine(finding.plan, planted.bench).problems == finding.problems


def test_a_seed_plays_the_same_session_in_every_process() -> None:
    script = (
        "import hashlib\n"
        "from objstream_conformance.simulation import examine, make_federation, make_plan\n"
        "plans = [make(seed) for make in (make_plan, make_federation) for seed in range(40)]\n"
        "lines = [str(record) for plan in plans for record in examine(plan).trace]\n"
        "print(hashlib.sha256('\\n'.join(lines).encode()).hexdigest(), len(lines))\n"
    )
    plans = [make(seed) for make in (make_plan, make_federation) for seed in range(40)]
    lines = [str(record) for plan in plans for record in examine(plan).trace]
    here = f"{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()} {len(lines)}"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        there = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
        )
        assert there.stdout.strip() == here


def test_a_forger_leaves_damaged_frames_alone() -> None:
    assert examine(make_plan(1_011_136)).problems == []  # a truncated END, forged


def test_all_kinds_of_faults_strike() -> None:
    campaign = simulate_many(range(3_000), Bench(), traced=1_000_000)
    assert len(campaign.faults) == 20
    outcomes = {outcome for pair in campaign.outcomes for outcome in pair}
    assert {
        "delivered",
        "UNCONFIRMED",
        "STALLED",
        "CORRUPT",
        "LOST",
        "CANCELLED",
        "SOURCE_CHANGED",
    } <= outcomes


def test_the_command_counts_outcomes() -> None:
    result = CliRunner().invoke(simulate, ["--seed", "7", "--sessions", "50", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["sessions"] == 50
    assert sum(row["count"] for row in told["outcomes"]) == 50


def test_the_command_plays_one_seed_again() -> None:
    result = CliRunner().invoke(simulate, ["--only-seed", "12"])
    assert result.exit_code == 0, result.output
    assert "every promise was kept" in result.output
    assert CliRunner().invoke(simulate, ["--only-seed", "12", "--keep", "99"]).exit_code == 2


def test_the_command_plays_federations() -> None:
    result = CliRunner().invoke(simulate, ["--federations", "--sessions", "20", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sessions"] > 40
    result = CliRunner().invoke(simulate, ["--federations", "--only-seed", "5"])
    assert result.exit_code == 0, result.output
    assert "every promise was kept" in result.output
