"""The application's own code, called in the middle of a transfer, may cancel, close and raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    MemoryNetwork,
    Options,
    Outcome,
)

from .helpers import failure

VALUE = {"w": b"w" * 50_000, "n": [1, "text", None]}


class Pair:
    """An owner and a receiver, and how the owner saw its transfers end."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.owner = self.network.site("owner")
        self.receiver = self.network.site("receiver")
        ContainerRetriever(self.owner, chunk=5000).add_container("m", VALUE)
        self.outcomes: list[Outcome] = []
        self.owner.watch(lambda asked, outcome: self.outcomes.append(outcome))

    def pull(self) -> Any:
        return ContainerRetriever(self.receiver).retrieve_container("owner", "m")

    def nothing_is_left(self) -> bool:
        return not self.owner.live and not self.receiver.live


def test_a_site_cancels_everything_that_runs_even_from_inside() -> None:
    pair = Pair()
    seen: list[Any] = []

    def observe(entry: object) -> None:
        seen.append(entry)
        pair.receiver.cancel()

    retriever = ContainerRetriever(pair.receiver)
    options = Options(window=5000, progress=lambda now: None)
    problem = failure(lambda: retriever.retrieve_container("owner", "m", observe=observe, options=options))
    assert problem.code is Code.CANCELLED
    assert len(seen) == 1
    assert [outcome.error.code for outcome in pair.outcomes if outcome.error] == [Code.CANCELLED]
    assert pair.pull() == VALUE


SENDING = ["describe", "pieces", "entries", "confirm", "close"]
RECEIVING = [
    "accepts",
    "begin",
    "room",
    "buffer",
    "filled",
    "feed",
    "entry",
    "check_complete",
    "finish",
    "result",
]


def hooked(base: type, hook: str, act: Callable[[], None]) -> type:
    """A streamer or assembler that does this first in that method."""

    def method(self: object, *arguments: object) -> object:
        act()
        return getattr(base, hook)(self, *arguments)

    return type("Hooked", (base,), {hook: method})


def transfers(hook: str, act: Callable[[Pair], None], what: str) -> tuple[Pair, Callable[[], object]]:
    """A pair of sites, and a transfer between them in which this is done in that method of the application's."""
    pair = Pair()
    value = [b"x" * 20_000, 1]
    streamer: Any = ContainerStreamer
    assembler: Any = ContainerAssembler
    if hook in SENDING:
        streamer = hooked(streamer, hook, lambda: act(pair))
    else:
        assembler = hooked(assembler, hook, lambda: act(pair))
    if what == "pull":
        pair.owner.provide(lambda asked: streamer(value, name="x"))
        return pair, lambda: pair.receiver.pull("owner", "container", "x", assembler())
    pair.receiver.accept(lambda offer: assembler())

    def push() -> object:
        (outcome,) = pair.owner.push(["receiver"], streamer(value, name="x")).values()
        if outcome.error is not None:
            raise outcome.error
        return value

    return pair, push


@pytest.mark.parametrize("what", ["pull", "push"])
@pytest.mark.parametrize("hook", SENDING + RECEIVING)
@pytest.mark.parametrize("who", ["owner", "receiver"])
def test_a_site_may_cancel_in_any_callback(hook: str, what: str, who: str) -> None:
    pair, transfer = transfers(hook, lambda pair: getattr(pair, who).cancel(), what)
    before = (hook, what) == ("describe", "push")
    after_end = hook in ("check_complete", "finish", "result") and who == "owner"
    if hook == "close" or before or (after_end and what == "pull"):
        assert transfer() == [b"x" * 20_000, 1]
    else:
        assert failure(transfer).code is (Code.UNCONFIRMED if after_end else Code.CANCELLED)
    assert pair.nothing_is_left()
    assert pair.pull() == VALUE


@pytest.mark.parametrize("what", ["pull", "push"])
@pytest.mark.parametrize("hook", SENDING[1:] + RECEIVING)
def test_an_interrupt_in_any_callback_reaches_the_one_who_waits(hook: str, what: str) -> None:
    interrupts = iter([KeyboardInterrupt])

    def interrupt(pair: Pair) -> None:
        for problem in interrupts:
            raise problem

    pair, transfer = transfers(hook, interrupt, what)
    with pytest.raises(KeyboardInterrupt):
        transfer()
    assert pair.nothing_is_left()
    assert pair.pull() == VALUE
