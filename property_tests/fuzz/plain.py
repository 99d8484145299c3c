"""Fuzzing without a tool: inputs are altered at random, and those that come to something new are kept."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence

INTERESTING = (0, 1, 0x17, 0x18, 0x1B, 0x1F, 0x3F, 0x5F, 0x7F, 0x80, 0x9F, 0xBF, 0xD8, 0xDD, 0xF6, 0xFB, 0xFF)
LONGEST = 4096


class Found(Exception):
    """An input for which something does not hold."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


def fuzz(
    target: Callable[[bytes], str],
    seeds: Sequence[bytes],
    *,
    inputs: int,
    seed: int,
    seconds: float = float("inf"),
) -> tuple[int, list[bytes]]:
    """Try the seeds, then alterations of them; returns how many inputs were tried and those that were kept.

    Raises:
        Found: from what the target has raised.
    """
    rng = random.Random(seed)
    pool, known, count = list(seeds), set[str](), 0
    until = time.monotonic() + seconds
    while count < inputs and time.monotonic() < until:
        data = pool[count] if count < len(seeds) else altered(rng, pool)
        try:
            outcome = re.sub(r"\d+|'[^']*'", "", target(data))
        except Exception as problem:
            raise Found(data) from problem
        if outcome not in known:
            known.add(outcome)
            if count >= len(seeds):
                pool.append(data)
        count += 1
    return count, pool


def altered(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """One of the inputs, with a few things done to it."""
    data = bytearray(rng.choice(pool))
    for _ in range(1 + min(rng.getrandbits(3), rng.getrandbits(3))):
        _alter(rng, data, pool)
    return bytes(data[:LONGEST])


def _alter(rng: random.Random, data: bytearray, pool: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + 1 + min(rng.getrandbits(5), rng.getrandbits(5)))
    what = rng.randrange(7)
    if what == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif what == 1 and at < len(data):
        data[at] = rng.choice(INTERESTING) if rng.random() < 0.7 else rng.randrange(256)
    elif what == 2:
        data[at:at] = rng.randbytes(rng.randint(1, 4))
    elif what == 3:
        del data[at:end]
    elif what == 4:
        data[at:at] = data[at:end]
    elif what == 5:
        other = rng.choice(pool)
        start = rng.randrange(len(other) + 1)
        data[at:end] = other[start : start + rng.randint(1, 60)]
    elif at < len(data):
        data[at] = (data[at] + rng.choice((-1, 1))) & 0xFF
