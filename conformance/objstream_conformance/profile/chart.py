"""Memory over time: curves on one picture, drawn as SVG."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from objstream.cli.words import size as words

WIDTH, PLOT, LEFT, RIGHT, BELOW = 760, 230, 86, 20, 40
TITLE, LEGEND_ROW, LEGEND_COLUMNS = 30, 18, 2
POINTS = 600
"""Most points that are drawn of a curve: more than a screen can tell apart."""
PALETTE = ("#0b6e99", "#b3541e", "#18794e", "#7a5ccc", "#946800", "#c2255c", "#4a5560", "#2f9e9e")
TEXT, GRID, BACK = "#222222", "#dddddd", "#ffffff"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """Bytes over time.

    Attributes:
        label: what the legend says of it; an empty one is not listed.
        points: (seconds, bytes), in order of time.
        colour: any of CSS; "" takes the next of `PALETTE`.
        dashed: the line is broken.
    """

    label: str
    points: Points
    colour: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """A level that is worth comparing with, such as the size of the object: a broken line across, with its name."""

    label: str
    bytes: float
    colour: str = TEXT


def draw(
    title: str, curves: Sequence[Curve], marks: Sequence[Mark] = (), *, seconds: float = 0, most: float = 0
) -> str:
    """The curves on one pair of axes.

    Args:
        seconds: how far the axis of time reaches at least, and
        most: that of bytes, so that several pictures can have one scale.

    Returns:
        an SVG document, which may stand within a page as it is.
    """
    colours = itertools.cycle(PALETTE)
    shown = [(one, one.colour or next(colours)) for one in curves if one.points]
    seconds = max([seconds, *(one.points[-1][0] for one, _ in shown)]) or 1.0
    most = (
        max([most, *(y for one, _ in shown for _, y in one.points), *(mark.bytes for mark in marks)]) or 1.0
    )
    listed = [(one, colour) for one, colour in shown if one.label]
    above = TITLE + LEGEND_ROW * -(-len(listed) // LEGEND_COLUMNS)
    height, width = above + PLOT + BELOW, WIDTH - LEFT - RIGHT

    def x(time: float) -> float:
        return LEFT + time / seconds * width

    def y(count: float) -> float:
        return above + (1 - count / most) * PLOT

    def line(points: Points, colour: str, *, dashed: bool = False, thick: float = 1.6) -> str:
        places = " ".join(f"{x(time):.1f},{y(count):.1f}" for time, count in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        return f'<polyline fill="none" stroke="{colour}" stroke-width="{thick}"{dashes} points="{places}"/>'

    def parts() -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            f'font-size="12"><rect width="{WIDTH}" height="{height}" fill="{BACK}"/>'
        )
        yield _text(12, 18, title, weight="bold")
        for number, (one, colour) in enumerate(listed):
            row, column = divmod(number, LEGEND_COLUMNS)
            left, middle = 12 + column * (WIDTH - 12) / LEGEND_COLUMNS, TITLE + row * LEGEND_ROW + 5
            dashes = ' stroke-dasharray="5 4"' if one.dashed else ""
            yield (
                f'<line x1="{left:.0f}" x2="{left + 22:.0f}" y1="{middle}" y2="{middle}" stroke="{colour}" '
                f'stroke-width="3"{dashes}/>'
            )
            yield _text(left + 28, middle + 4, one.label)
        for quarter in range(5):
            share = quarter / 4
            yield line([(0, most * share), (seconds, most * share)], GRID, thick=1)
            yield _text(LEFT - 8, y(most * share) + 4, words(most * share), anchor="end")
            yield _text(x(seconds * share), height - 14, f"{seconds * share:.3g} s", anchor="middle")
        for mark in marks:
            yield line([(0, mark.bytes), (seconds, mark.bytes)], mark.colour, dashed=True, thick=1)
            beside = 13 if mark.bytes > 0.9 * most else -4
            yield _text(
                WIDTH - RIGHT - 4, y(mark.bytes) + beside, mark.label, anchor="end", colour=mark.colour
            )
        for one, colour in shown:
            yield line(thinned(one.points), colour, dashed=one.dashed)
        yield "</svg>\n"

    return "\n".join(parts())


def thinned(points: Points, count: int = POINTS) -> Points:
    """At most `count` points, the highest of each stretch of time among them."""
    if len(points) <= count:
        return points
    began, ended = points[0][0], points[-1][0]
    stretch = (ended - began) / (count - 3) or 1.0
    groups = itertools.groupby(points, lambda point: int((point[0] - began) / stretch))
    return [points[0], *(max(group, key=lambda point: point[1]) for _, group in groups), points[-1]]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = TEXT, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
