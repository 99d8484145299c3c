"""Deterministic simulation: whole sessions under virtual time, with an adversarial network, disk and application.

One integer decides everything about a session: the object, the sizes, the faults, the order in which the two sides
get their turns. After each session an oracle holds the outcome against the promises of the protocol.
"""

from __future__ import annotations

from .campaign import Campaign, Examined, Finding, examine, shrink, simulate_many
from .command import simulate
from .oracle import Problem
from .plan import Fault, Plan, make_plan
from .world import Bench, Play, play

__all__ = [
    "Bench",
    "Campaign",
    "Examined",
    "Fault",
    "Finding",
    "Plan",
    "Play",
    "Problem",
    "examine",
    "make_plan",
    "play",
    "shrink",
    "simulate",
    "simulate_many",
]
