"""The command `objstream simulate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .campaign import TRACED, Campaign, Examined, Finding, examine, shrink, simulate_many
from .federation import FederationPlan, make_federation
from .plan import Plan, make_plan

_EVERY = 100


@click.command()
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option(
    "--sessions", type=click.IntRange(min=1), default=10_000, show_default=True, help="How many seeds."
)
@click.option("--only-seed", type=int, help="Play this one again, and print all of it.")
@click.option("--keep", help="With --only-seed: only these of its faults, by number, as in 0,2.")
@click.option(
    "--most", type=click.IntRange(min=1), default=1, show_default=True, help="End after so many findings."
)
@click.option(
    "--traced",
    type=click.IntRange(min=1),
    default=TRACED,
    show_default=True,
    help="Trace one session in so many.",
)
@click.option(
    "--federations",
    is_flag=True,
    help="Each seed is several sites at once, which add and remove objects, crash and return.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def simulate(
    seed: int,
    sessions: int,
    only_seed: int | None,
    keep: str | None,
    most: int,
    traced: int,
    federations: bool,
    as_json: bool,
) -> None:
    """Play whole sessions of the reference implementation under virtual time, with all that can go wrong.

    Exit status: 0 every promise was kept; 1 one was broken.
    """
    if only_seed is not None:
        plan = make_federation(only_seed) if federations else _kept(make_plan(only_seed), keep)
        examined = examine(plan)
        click.echo(json.dumps(_examined(plan, examined), indent=1) if as_json else _told(plan, examined))
        sys.exit(1 if examined.problems else 0)
    seeds = range(seed, seed + sessions)
    campaign = _run(seeds, most, traced, federations)
    click.echo(json.dumps(_campaign(campaign), indent=1) if as_json else _summary(campaign))
    sys.exit(1 if campaign.findings else 0)


def _run(seeds: range, most: int, traced: int, federations: bool) -> Campaign:
    columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("sessions", total=len(seeds))

        def told(seed: int) -> None:
            if seed % _EVERY == 0:
                bars.update(task, completed=seed - seeds.start)

        return simulate_many(seeds, federations=federations, most=most, traced=traced, told=told)


def _kept(plan: Plan, keep: str | None) -> Plan:
    if keep is None:
        return plan
    try:
        numbers = [int(number) for number in keep.split(",") if number]
        faults = tuple(plan.faults[number] for number in numbers)
    except (ValueError, IndexError):
        raise click.BadParameter(f"{keep!r} is no list of fault numbers of seed {plan.seed}") from None
    return plan.having(faults)


def _summary(campaign: Campaign) -> str:
    lines = [
        f"{count:9}  sender {sender}, receiver {receiver}"
        for (sender, receiver), count in sorted(campaign.outcomes.items(), key=lambda row: (-row[1], row[0]))
    ]
    speed = campaign.sessions / campaign.worked if campaign.worked else 0.0
    lines.append(
        f"{campaign.sessions} sessions in {campaign.seconds:.1f} s, {campaign.worked:.1f} s of CPU time "
        f"({speed:.0f}/s), {campaign.virtual / max(1, campaign.sessions):.1f} virtual seconds each"
    )
    for finding in campaign.findings:
        lines += _finding(finding)
    return "\n".join(lines)


def _finding(finding: Finding) -> Iterable[str]:
    yield f"seed {finding.seed} breaks a promise:"
    for problem in finding.problems:
        yield f"  {problem}"
    yield from _planned(finding.plan)
    several = " --federations" if isinstance(finding.plan, FederationPlan) else ""
    yield f"  again: objstream simulate --only-seed {finding.seed}{several}"


def _planned(plan: Plan | FederationPlan) -> Iterable[str]:
    """A smallest plan in words."""
    if isinstance(plan, Plan):
        yield f"  smallest plan: {_oddities(plan)}"
        yield from (f"    {fault}" for fault in plan.faults)
        return
    yield f"  smallest plan: {plan.sites} sites"
    yield from (f"    {happening}" for happening in plan.happenings)
    for errand in plan.errands:
        yield f"    {errand}: {_oddities(errand.plan)}"
        yield from (f"      {fault}" for fault in errand.plan.faults)


def _told(plan: Plan | FederationPlan, examined: Examined) -> str:
    lines: list[str] = []
    if isinstance(plan, Plan):
        lines.append(f"seed {plan.seed}: {_oddities(plan)}")
        lines += [f"  fault {number}: {fault}" for number, fault in enumerate(plan.faults)]
    else:
        lines += [f"seed {plan.seed}: {plan.sites} sites"]
        lines += [f"  {event}" for event in (*plan.happenings, *plan.errands)]
    lines += [f"{record.connection:>3} {record}" for record in examined.trace]
    lines += [f"broken promise: {problem}" for problem in examined.problems] or ["every promise was kept"]
    if examined.problems:
        lines += _planned(shrink(plan, examined.problems).plan)
    return "\n".join(lines)


def _oddities(plan: Plan) -> str:
    """What distinguishes a plan from the plainest."""
    plain = Plan(plan.seed)
    fields = {name: value for name, value in asdict(plan).items() if name not in ("seed", "faults")}
    odd = [f"{name}={value}" for name, value in fields.items() if value != getattr(plain, name)]
    return ", ".join(odd) or "nothing special"


def _campaign(campaign: Campaign) -> dict[str, object]:
    return {
        "sessions": campaign.sessions,
        "seconds": round(campaign.seconds, 3),
        "cpu_seconds": round(campaign.worked, 3),
        "outcomes": [
            {"sender": sender, "receiver": receiver, "count": count}
            for (sender, receiver), count in sorted(campaign.outcomes.items())
        ],
        "faults": dict(sorted(campaign.faults.items())),
        "findings": [
            {
                "seed": finding.seed,
                "problems": [str(problem) for problem in finding.problems],
                "smallest": asdict(finding.plan),
            }
            for finding in campaign.findings
        ],
    }


def _examined(plan: Plan | FederationPlan, examined: Examined) -> dict[str, object]:
    return {
        "plan": asdict(plan),
        "problems": [str(problem) for problem in examined.problems],
        "trace": [str(record) for record in examined.trace],
    }
