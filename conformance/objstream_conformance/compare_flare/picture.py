"""Memory over time, as SVG: a panel for each setting, a curve for each implementation."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from objstream.cli.words import size as words

from .runs import SETTINGS, Series

WIDTH: Final = 720
PANEL: Final = 230
LEFT, RIGHT, ABOVE, BELOW = 90, 20, 48, 40
AROUND: Final = 0.5
"""Seconds shown before a transfer, and after its end."""
COLOURS: Final = {"nvflare": "#b3541e", "objstream": "#0b6e99"}
NAMES: Final = {"nvflare": "FLARE", "objstream": "objstream.flare"}
TITLES: Final = {
    "regular": "Regular transmission: the model is in the task",
    "container": "Container streaming",
    "file": "File streaming",
}

Points = Sequence[tuple[float, float]]


def draw(all_series: Sequence[Series], title: str) -> str:
    """One page: all settings with the same scale of memory, each with its own scale of time.

    Memory is that of all processes of the job, over their memory before the transfer; of each combination the run is
    drawn whose transfer took the median time.

    Returns:
        an SVG document.
    """
    settings = [name for name in SETTINGS if any(one.combination.setting == name for one in all_series)]
    most = max(max(y for _, y in _curve(series)) for series in all_series)
    height = 30 + PANEL * len(settings)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(LEFT, 20, title, weight="bold"),
    ]
    for number, setting in enumerate(settings):
        shown = [series for series in all_series if series.combination.setting == setting]
        parts += _Panel(30 + number * PANEL, shown, most).draw(TITLES[setting])
    return "\n".join([*parts, "</svg>\n"])


def _curve(series: Series) -> Points:
    """The part of the run around its transfer."""
    record = series.typical
    until = record["transfer_s"] + AROUND
    return [(x, y) for x, y in record["memory"] if -AROUND <= x <= until] or [(0.0, 0.0)]


class _Panel:
    def __init__(self, top: float, shown: Sequence[Series], most: float) -> None:
        self._top = top + ABOVE
        self._shown = shown
        self._most = most
        self._until = max(series.typical["transfer_s"] for series in shown) + AROUND
        self._width, self._height = WIDTH - LEFT - RIGHT, PANEL - ABOVE - BELOW

    def draw(self, title: str) -> list[str]:
        parts = [_text(LEFT, self._top - 30, title)]
        for quarter in range(5):
            y = self._most * quarter / 4
            parts.append(self._line([(-AROUND, y), (self._until, y)], "#dddddd"))
            parts.append(_text(LEFT - 8, self._place(0, y)[1] + 4, words(y), anchor="end"))
        for x in (0.0, self._until - AROUND):
            parts.append(self._line([(x, 0), (x, self._most)], "#bbbbbb", "2 3"))
            parts.append(
                _text(self._place(x, 0)[0], self._top + self._height + 16, f"{x:.2f} s", anchor="middle")
            )
        received = self._shown[0].typical["bytes_in_memory"]
        if received:
            parts.append(self._line([(-AROUND, received), (self._until, received)], "#666666", "5 4"))
        for number, series in enumerate(self._shown):
            colour = COLOURS[series.combination.implementation]
            parts.append(self._line(_curve(series), colour))
            parts.append(_text(LEFT + number * 310, self._top - 12, _legend(series), colour=colour))
        return parts

    def _place(self, x: float, y: float) -> tuple[float, float]:
        across = (x + AROUND) / (self._until + AROUND)
        return LEFT + across * self._width, self._top + (1 - max(y, 0) / self._most) * self._height

    def _line(self, points: Points, colour: str, dashes: str = "none") -> str:
        placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._place(*point) for point in points))
        return (
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}" '
            f'points="{placed}"/>'
        )


def _legend(series: Series) -> str:
    record = series.typical
    name = NAMES[series.combination.implementation]
    return f"{name}: {record['transfer_s']:.2f} s, {words(max(record['extra_bytes'], 0))} beside the object"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#222222", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
