"""Time, as seen from outside (chapter 12)."""

from __future__ import annotations

import time

from ..case import Case
from ..cases import requirement
from ..network import Message
from ..sites import PATIENCE

TIMEOUT = 0.8
TOTAL = 2.0
LOOK = 0.4
"""How long a message is held up, in seconds, so that whoever looks at a clock now and then does so meanwhile."""


@requirement("OSP-TIM-001", needs=["deadline"])
def progress_counts(t: Case) -> None:
    """Each message is held up for less than the deadline, all together for much longer: it succeeds."""
    load = t.load(pieces=12)
    sender = t.sites()[0].name
    count = len(t.rehearse(lambda: load.move(PATIENCE)).way(source=sender))
    pause = TOTAL / count
    t.exercised(pause <= TIMEOUT / 2, f"a transfer of more than {count} messages")
    t.fault("delay", source=sender, times=0, seconds=pause)
    got = t.succeeds(
        lambda: load.move(TIMEOUT),
        f"a transfer of {TOTAL} s that moves every {pause:.2f} s to keep a deadline of {TIMEOUT} s",
    )
    t.same(load.sent, got)


@requirement("OSP-TIM-009", needs=["sites"], any_of=["pull"])
def clock_that_is_set(t: Case) -> None:
    """While a message is under way the clock on the wall is put an hour forward, then back: both retrievals succeed."""
    owner = t.sites()[0].name
    load = t.load("pull", size=20_000)
    content = t.rehearse(lambda: load.move(PATIENCE)).way(source=owner).content()
    middle = content.messages[len(content) // 2]
    real = time.time
    for hour in (3600.0, -3600.0):

        def put(_: Message, hour: float = hour) -> None:
            time.time = lambda: real() + hour

        t.network.hook(put, source=owner, nth=middle.nth)
        t.hit("delay", middle, seconds=LOOK)
        try:
            got = t.succeeds(
                lambda: load.move(TIMEOUT * 4),
                f"a retrieval during which the clock is put {hour / 3600:+.0f} h to succeed",
            )
        finally:
            time.time = real
        t.same(load.sent, got, "measure time with a clock that nobody sets")
        t.network.heal()
