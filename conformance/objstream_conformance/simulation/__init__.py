"""Deterministic simulation: whole sessions under virtual time, with an adversarial network, disk and application.

One integer decides everything about a session: the object, the sizes, the faults, the order in which the two sides
get their turns. After each session an oracle holds the outcome against the promises of the protocol. A federation is
several sessions at once between sites that crash and return; one integer decides about all of it too.
"""

from __future__ import annotations

from .campaign import Campaign, Examined, Finding, examine, quiet, shrink, simulate_many
from .command import simulate
from .federation import FederationPlan, Retriever, make_federation
from .oracle import Problem
from .plan import Fault, Plan, make_plan
from .world import Bench, Play, play

__all__ = [
    "Bench",
    "Campaign",
    "Examined",
    "Fault",
    "FederationPlan",
    "Finding",
    "Plan",
    "Play",
    "Problem",
    "Retriever",
    "examine",
    "make_federation",
    "make_plan",
    "play",
    "quiet",
    "shrink",
    "simulate",
    "simulate_many",
]
