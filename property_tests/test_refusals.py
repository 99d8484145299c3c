"""What is not in the model is refused by its sender, by name and path, and nothing of it arrives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objstream import (
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    MemoryNetwork,
    Options,
    Outcome,
    TransferError,
)
from objstream.engines.memory import SESSION_ID_BYTES
from objstream.frames import FrameType
from objstream_conformance import strategies
from objstream_conformance.strategies import Refusal


class Watched:
    """Two sites and what went between them: the types of the frames."""

    def __init__(self) -> None:
        self.frames: list[FrameType] = []
        self.network = MemoryNetwork(self._carry)
        self.owner = self.network.site("owner")
        self.requester = self.network.site("requester")
        self.outcomes: list[Outcome] = []
        self.requester.accept(lambda request: ContainerAssembler())
        self.requester.watch(lambda request, outcome: self.outcomes.append(outcome))

    def _carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        self.frames.append(FrameType(message[SESSION_ID_BYTES]))
        return [message]


@given(strategies.refused(), strategies.chunk_sizes())
def test_a_push_of_what_is_refused_sends_nothing(refusal: Refusal, chunk: int) -> None:
    sites = Watched()
    streamer = ContainerStreamer(refusal.container, name="model", chunk=chunk)
    outcome = sites.owner.push(["requester"], streamer)["requester"]
    assert outcome.error is not None
    assert outcome.error.code.name == refusal.code
    assert outcome.error.message.startswith(f"model{refusal.path}: "), outcome.error.message
    assert set(sites.frames) <= {FrameType.RESET}
    assert sites.outcomes == []


@given(strategies.refused(), strategies.chunk_sizes(), strategies.windows())
def test_a_pull_of_what_is_refused_brings_the_path(refusal: Refusal, chunk: int, window: int) -> None:
    sites = Watched()
    ContainerRetriever(sites.owner, chunk=chunk).add_container("model", refusal.container)
    entries: list[Any] = []
    with pytest.raises(TransferError) as caught:
        ContainerRetriever(sites.requester).retrieve_container(
            "owner", "model", observe=entries.append, options=Options(window=window)
        )
    error = caught.value
    assert (error.code.name, error.from_peer) == (refusal.code, True)
    beginning = f"model{refusal.path}: "
    assert error.message.startswith(beginning[:500]), error.message
    assert sites.frames == [FrameType.REQUEST, FrameType.RESET]
    assert entries == []


@given(strategies.refused_containers(), st.booleans())
def test_what_is_no_container_is_refused_at_once(refusal: Refusal, push: bool) -> None:
    sites = Watched()

    def give() -> None:
        if push:
            sites.owner.push(["requester"], ContainerStreamer(refusal.container, name="model"))
        else:
            ContainerRetriever(sites.owner).add_container("model", refusal.container)

    with pytest.raises(TransferError) as caught:
        give()
    assert caught.value.code.name == refusal.code
    assert sites.frames == []
