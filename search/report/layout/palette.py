"""Colours of the figures, and the drawing of one: the hues of Okabe and Ito, told apart by every kind of eye.

References
----------
Okabe and Ito (2008), "Color universal design".
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from search.report.layout.blocks import WIDTH_INCHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from search.report.layout.blocks import Figure

DOTS_PER_INCH = 180
FONT_POINTS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Colours of one page scheme.

    Parameters
    ----------
    paper, ink, faint, line : str
        Background, text, secondary text, grid.
    model, baseline, third : str
        The search's own, its opponents, and whatever else there is.
    """

    paper: str
    ink: str
    faint: str
    line: str
    model: str
    baseline: str
    third: str


LIGHT = Palette(
    paper="#ffffff",
    ink="#1b1e23",
    faint="#5d646e",
    line="#dde1e6",
    model="#0072b2",
    baseline="#d55e00",
    third="#009e73",
)
DARK = Palette(
    paper="#181b20",
    ink="#e6e8eb",
    faint="#a0a7b1",
    line="#31363e",
    model="#56b4e9",
    baseline="#f0913a",
    third="#3cc79b",
)


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
