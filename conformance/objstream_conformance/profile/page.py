"""One HTML page that needs nothing else: sections with a table, a picture and links each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        text: a sentence or two about it.
        header: of the table; none when it is empty.
        rows: cells of the table. One that reads "holds", "does not hold" or "inconclusive" is coloured.
        pictures: SVG documents, as :func:`.chart.draw` makes them.
        links: (words, address relative to the page).
    """

    heading: str
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


def render(title: str, about: str, sections: Sequence[Section]) -> str:
    """The page: its title, a line about where and how it was made, and its sections."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = resources.files(__package__).joinpath("page.html.j2").read_text("utf-8")
    return environment.from_string(template).render(title=title, about=about, sections=sections)
