"""Memory over time, drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from objstream.cli.words import size as words

from .measure import Measurement
from .scenarios import Scenario

WIDTH, HEIGHT, LEFT, BELOW, ABOVE = 720, 300, 90, 40, 50
COLOURS = {"sender": "#0b6e99", "receiver": "#b3541e"}

Points = Sequence[tuple[float, float]]


def draw(scenario: Scenario, measurements: Sequence[Measurement]) -> str:
    """The heap of both sides during one transfer, and the size of the object as a line.

    Returns:
        an SVG document.
    """
    times = [time for one in measurements for time, _ in one.heap.timeline] or [0.0]
    began, seconds = min(times), max(times) - min(times) or 1.0
    most = max(*(one.heap.peak for one in measurements), *(one.object_heap for one in measurements), 1)
    plot_width, plot_height = WIDTH - LEFT - 20, HEIGHT - BELOW - ABOVE

    def place(points: Points) -> str:
        return " ".join(
            f"{LEFT + x / seconds * plot_width:.1f},{ABOVE + (1 - y / most) * plot_height:.1f}"
            for x, y in points
        )

    def line(points: Points, colour: str, dashes: str = "none") -> str:
        return (
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}" '
            f'points="{place(points)}"/>'
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 18, f"{scenario.name}, {words(measurements[0].size)}: {scenario.summary}", weight="bold"),
    ]
    for quarter in range(5):
        y = most * quarter / 4
        parts.append(line([(0, y), (seconds, y)], "#dddddd"))
        parts.append(_text(LEFT - 8, ABOVE + (1 - quarter / 4) * plot_height + 4, words(y), anchor="end"))
    parts.append(_text(LEFT, HEIGHT - 14, "0 s"))
    parts.append(_text(WIDTH - 20, HEIGHT - 14, f"{seconds:.2f} s", anchor="end"))
    for number, one in enumerate(measurements):
        colour = COLOURS[one.side]
        parts.append(line([(time - began, heap) for time, heap in one.heap.timeline], colour))
        if one.object_heap:
            parts.append(line([(0, one.object_heap), (seconds, one.object_heap)], colour, "4 4"))
        label = f"{one.side}: {words(one.extra_heap)} beside the object"
        parts.append(_text(LEFT + number * 280, 38, label, colour=colour))
    return "\n".join([*parts, "</svg>\n"])


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#222222", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
