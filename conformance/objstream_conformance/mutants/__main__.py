"""Holds the suite against all variants: `python -m objstream_conformance.mutants`."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import get_args

import click
from rich.console import Console

from . import Liar, Mutant, Variant, load
from .judge import GOOD, NEITHER, Finding, Judgement
from .trials import Scope, trial, without_mutant
from .ways import Way


@click.command()
@click.option("--only", multiple=True, metavar="AREA|ID|NAME|KIND", help="Only these; may be repeated.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Variants at a time.")
@click.option("--full", "scope", flag_value="full", help="Hold each variant against all cases.")
@click.option("--own", "scope", flag_value="own", help="... against the cases that it is to fail, no others.")
@click.option(
    "--way",
    type=click.Choice(get_args(Way)),
    default="in-process",
    show_default=True,
    help="How the suite meets the variants.",
)
def main(only: tuple[str, ...], jobs: int, scope: Scope | None, way: Way) -> None:
    """Hold the suite against wrong implementations, and against odd but conforming ones.

    Without --full, cases that take seconds are left out unless a mutant is meant for them. KIND is mutants, liars or
    oddities.

    By the way of testees, each is a program behind its standard input and output, with sites that the suite builds.
    What cannot be seen so is named, with the capability that is missing.

    Exit status: 0 when each mutant is killed exactly as it declares, each liar is caught and each oddity passes.
    """
    chosen = [variant for variant in load() if not only or any(_matches(variant, one) for one in only)]
    console = Console(highlight=False, soft_wrap=True)
    found: Counter[Finding] = Counter()
    broken: set[str] = set()
    with ThreadPoolExecutor(jobs) as pool:
        for judgement in pool.map(partial(trial, scope=scope or "quick", way=way), chosen):
            found[judgement.finding] += 1
            show(console, judgement)
            if judgement.finding is Finding.KILLED and isinstance(judgement.variant, Mutant):
                broken |= judgement.variant.reasons.keys()
    console.print(", ".join(f"{count} {finding.value}" for finding, count in found.items()) or "nothing ran")
    unbroken = [] if only else without_mutant(broken, way)
    for requirement in unbroken:
        console.print(f"no mutant breaks {requirement.id} {requirement.title}")
    sys.exit(0 if found and found.keys() <= GOOD | NEITHER and not unbroken else 1)


def show(console: Console, judgement: Judgement) -> None:
    """One line for a variant, and what is wrong in a second one."""
    variant, good = judgement.variant, judgement.finding in GOOD
    ids = " ".join(variant.reasons) if isinstance(variant, Mutant) else ""
    colour = "green" if good else "yellow" if judgement.finding in NEITHER else "red"
    console.print(
        f"[{colour}]{judgement.finding.value:16}[/] {judgement.seconds:5.1f} s  {variant.name}  [dim]{ids}[/]"
    )
    if judgement.detail:
        console.print(f"    {judgement.detail}", markup=False)


def _matches(variant: Variant, only: str) -> bool:
    ids = variant.reasons if isinstance(variant, Mutant) else {}
    kind = "mutants" if isinstance(variant, Mutant) else "liars" if isinstance(variant, Liar) else "oddities"
    wanted = only.upper()
    return only in (variant.name, kind) or any(wanted in (id_, id_.split("-")[1]) for id_ in ids)


if __name__ == "__main__":
    main()
