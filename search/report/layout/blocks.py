"""What a page is made of: sections of text, tables and figures; each table and figure keeps its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure as Canvas

from search.report.layout.palette import Palette

WIDTH_INCHES, HEIGHT_INCHES = 5.2, 3.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A paragraph.

    Parameters
    ----------
    text : str
        Plain; the page escapes it.
    lead : str
        Set strong before it: the question, or the thing, that it is about.
    tone : str
        ``plain``, ``method`` for how it was done, or ``caution``.
    """

    text: str
    lead: str = ""
    tone: str = "plain"
    kind: str = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table that scrolls in its own box; an interval behind a figure is set below it.

    Parameters
    ----------
    name : str
        Of its CSV file, which a figure of the same data may share.
    caption : str
        What to see.
    head : tuple of str
        Names of the columns.
    rows : tuple of tuple of str
        As shown; the first column is text, the others are set right.
    data : DataFrame
        What the CSV holds: unrounded, and not only the rows shown.
    marked : frozenset of int
        Numbers of the rows that stand out.
    """

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: pd.DataFrame
    marked: frozenset[int] = frozenset()
    kind: str = "table"

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.head) for row in self.rows), self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A picture, drawn once for light and once for dark pages.

    Parameters
    ----------
    name : str
        Of its PNG and CSV files.
    alt : str
        What somebody who can't see it should know.
    caption : str
        What to see.
    data : DataFrame
        What is drawn.
    draw : callable
        Draws on an empty canvas in the colours of a palette.
    height : float
        Inches; the width is the same for all.
    """

    name: str
    alt: str
    caption: str
    data: pd.DataFrame
    draw: Callable[[Canvas, Palette], None]
    height: float = HEIGHT_INCHES
    kind: str = "figure"


Block = Text | Table | Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the page: its anchor, its heading, what the list of contents calls it, and its blocks in order."""

    slug: str
    title: str
    short: str
    blocks: tuple[Block, ...]

    @property
    def figures(self) -> list[Figure]:
        """Of the section."""
        return [block for block in self.blocks if isinstance(block, Figure)]
