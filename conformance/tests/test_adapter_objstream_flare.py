"""objstream inside FLARE meets what is asked of it, and the suite sees when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import failed, run

pytest.importorskip("nvflare", reason="the binding needs objstream[flare]")

from objstream import flare
from objstream_conformance.adapters.nvflare_pair import PairAdapter
from objstream_conformance.adapters.objstream_flare import ObjstreamFlareAdapter

PAIR = Path(__file__).parent.parent / "testees" / "flare" / "objstream_pair.py"
PARTS = ",".join(f"{PAIR}:{name}" for name in ("producer", "consumers", "result"))


@pytest.mark.parametrize("area", ["CTR", "INT", "RTV"])
def test_it_meets_the_requirements(area: str) -> None:
    assessment = run(ObjstreamFlareAdapter(), area)
    assert failed(assessment) == set()
    assert assessment.executed > 4


def test_a_wrong_binding_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reports success whatever has happened."""
    original = flare.ContainerStreamer.stream_container

    def boastful(*arguments: Any, **options: Any) -> flare.Result:
        result = original(*arguments, **options)
        return flare.Result(flare.Deliveries(dict.fromkeys(list(result[1]), None)))

    monkeypatch.setattr(flare.ContainerStreamer, "stream_container", staticmethod(boastful))
    assert "OSP-SES-018" in failed(run(ObjstreamFlareAdapter(), "OSP-SES-018"))


def test_any_streamer_goes_through_flares_own_engine() -> None:
    assessment = run(PairAdapter(f"container+multi-target={PARTS}"), "CTR", "INT")
    assert failed(assessment) == set()
    assert assessment.executed > 10
