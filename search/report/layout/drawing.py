"""The drawing of a figure in the colours of a palette."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from search.report.layout.blocks import WIDTH_INCHES, Figure
from search.report.layout.palette import Palette

DOTS_PER_INCH = 180
FONT_POINTS = 10.0


def png(figure: Figure, palette: Palette) -> bytes:
    """Draw a figure; the same data give the same bytes."""
    with mpl.rc_context(_style(palette)):
        canvas = Canvas(figsize=(WIDTH_INCHES, figure.height), layout="constrained")
        figure.draw(canvas, palette)
        buffer = io.BytesIO()
        canvas.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def label_line(axes: Axes, x: float, text: str, colour: str, *, row: int = 0) -> None:
    """Name a vertical line at the top of the axes, rows apart where lines stand close."""
    low, high = axes.get_xlim()
    right = (x - low) / (high - low) > 0.6
    axes.annotate(
        text,
        (x, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if right else 4, -11 - 13 * row),
        textcoords="offset points",
        ha="right" if right else "left",
        color=colour,
        fontsize=FONT_POINTS - 1,
        bbox={"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
    )


def _style(palette: Palette) -> Any:
    papers = ("axes.facecolor", "figure.facecolor", "savefig.facecolor", "legend.facecolor", "legend.edgecolor")
    return {
        **dict.fromkeys(papers, palette.paper),
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), palette.ink),
        **dict.fromkeys(("xtick.color", "ytick.color"), palette.faint),
        **dict.fromkeys(("axes.edgecolor", "grid.color"), palette.line),
        **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), FONT_POINTS),
        **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
        **dict.fromkeys(("axes.grid", "axes.axisbelow", "axes.unicode_minus", "legend.frameon"), True),
        "font.family": "DejaVu Sans",
        "grid.linewidth": 0.7,
        "legend.framealpha": 0.85,
        "legend.fontsize": FONT_POINTS - 1,
        "lines.linewidth": 1.8,
    }
