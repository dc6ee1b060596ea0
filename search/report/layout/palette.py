"""Colours of the figures: the hues of Okabe and Ito, told apart by every kind of eye.

References
----------
Okabe and Ito (2008), "Color universal design".
"""

from __future__ import annotations

from dataclasses import dataclass


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
