"""Profiles of Hypothesis: `HYPOTHESIS_PROFILE=quick` (the default), `ci`, `thorough` or `nightly`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

COMMON = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
settings.register_profile("quick", COMMON, max_examples=60)
settings.register_profile("ci", COMMON, max_examples=200)
settings.register_profile("thorough", COMMON, max_examples=2_000)
settings.register_profile("nightly", COMMON, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
