"""The page: one HTML file that holds everything it shows."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from search.report.layout.blocks import Section
from search.report.layout.drawing import png
from search.report.layout.palette import DARK, LIGHT

TEMPLATE = "template"
WHOLE = re.compile(r"\[[^\[\]]{1,24}\]|\d{4}-\d\d-\d\d|p (?:=|&lt;) [\d.]+\d|[+−]?[\d.]+ %")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the study comes to: an answer in one or two plain sentences, and in others the figures that it rests on."""

    answer: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A large figure of the first screen: what it is, its value, and what has to be said with it."""

    what: str
    value: str
    more: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The first screen.

    Parameters
    ----------
    study, title, question : str
        Its name, heading, and the question in full.
    verdict : Verdict
        The answer.
    numbers : tuple of Number
        Raw and corrected figures, side by side.
    cautions : tuple of str
        What a reader must not overlook.
    facts : tuple of (str, str)
        Days, data, code, openings of the sealed test.
    footer : str
        Last line of the page.
    """

    study: str
    title: str
    question: str
    verdict: Verdict
    numbers: tuple[Number, ...]
    cautions: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    footer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A figure as drawn: the PNG for light pages, and data addresses of both with the size in pixels."""

    content: bytes
    light: str
    dark: str
    width: int
    height: int


def draw_pictures(sections: Sequence[Section]) -> dict[str, Picture]:
    """Draw every figure, by name."""
    drawn = {}
    for figure in (figure for section in sections for figure in section.figures):
        assert figure.name not in drawn, figure.name
        light, dark = png(figure, LIGHT), png(figure, DARK)
        width, height = _size(light)
        drawn[figure.name] = Picture(
            content=light, light=_address(light), dark=_address(dark), width=width, height=height
        )
    return drawn


def render_page(head: Head, sections: Sequence[Section], pictures: Mapping[str, Picture]) -> str:
    """Write the page; every text is escaped, since names of studies are a user's."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["unbroken"] = unbroken
    template = environment.from_string(_read("page.html"))
    return template.render(head=head, sections=sections, pictures=pictures, css=_read("page.css"))


def unbroken(text: str) -> Markup:
    """Escape a text, and keep intervals, dates, percentages and p-values of it on one line each.

    Examples
    --------
    >>> unbroken("p < 0.001 & 5 %")
    Markup('<span class="whole">p &lt; 0.001</span> &amp; <span class="whole">5 %</span>')
    """
    return Markup(WHOLE.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def _read(name: str) -> str:
    return (files("search.report.layout") / TEMPLATE / name).read_text(encoding="utf-8")


def _address(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _size(content: bytes) -> tuple[int, int]:
    """Width and height from a PNG's header."""
    width, height = struct.unpack(">II", content[16:24])
    return width, height
