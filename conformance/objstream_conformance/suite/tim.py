"""Time, as seen from outside (chapter 12)."""

from __future__ import annotations

from ..case import Case
from ..cases import requirement
from ..sites import PATIENCE

TIMEOUT = 0.8
TOTAL = 2.0


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
