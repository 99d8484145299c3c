"""Sizes, rates and foreign texts as people read them."""

from __future__ import annotations

import re

import click

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?B?)", re.IGNORECASE)


def size(count: float) -> str:
    """Bytes in the largest unit that leaves at least 1."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.{1 if unit else 0}f} {_UNITS[unit]}"


def rate(count: int, seconds: float) -> str:
    return f"{seconds:.2f} s, {size(count / max(seconds, 1e-9))}/s"


def clean(text: str) -> str:
    """One line, without the control characters that a peer may have put in."""
    return "".join(char if char.isprintable() else " " for char in text)


def parse_size(text: str) -> int:
    """A number of bytes: 1048576, 512MiB, 2GiB; units are powers of 1024. Raises click.BadParameter."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no size: write for instance 512MiB")
    number, prefix, _ = match.groups()
    count = int(float(number) * 1024 ** " KMGT".index(prefix.upper() or " "))
    if count < 1:
        raise click.BadParameter(f"{text!r} is less than a byte")
    return count
