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
    return {
        "font.family": "DejaVu Sans",
        "font.size": FONT_POINTS,
        "axes.titlesize": FONT_POINTS,
        "axes.labelsize": FONT_POINTS,
        "axes.facecolor": palette.paper,
        "figure.facecolor": palette.paper,
        "savefig.facecolor": palette.paper,
        "text.color": palette.ink,
        "axes.labelcolor": palette.ink,
        "xtick.color": palette.faint,
        "ytick.color": palette.faint,
        "xtick.labelcolor": palette.ink,
        "ytick.labelcolor": palette.ink,
        "axes.edgecolor": palette.line,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": palette.line,
        "grid.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": True,
        "legend.facecolor": palette.paper,
        "legend.edgecolor": palette.paper,
        "legend.framealpha": 0.85,
        "legend.fontsize": FONT_POINTS - 1,
        "lines.linewidth": 1.8,
        "axes.unicode_minus": True,
    }
