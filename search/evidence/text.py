"""Figures of the evidence as tables and lines show them."""

from __future__ import annotations

import math

from search.evidence.bootstrap import Interval
from search.evidence.difference import POWER, Difference


def number_text(value: float, digits: int = 4, *, sign: bool = False) -> str:
    """Write a figure; what is not defined is unknown.

    Examples
    --------
    >>> number_text(0.0123), number_text(0.0123, sign=True), number_text(math.nan)
    ('0.0123', '+0.0123', 'unknown')
    """
    return f"{value:{'+' if sign else ''}.{digits}f}" if math.isfinite(value) else "unknown"


def interval_text(found: Interval | Difference, digits: int = 4, *, sign: bool = False) -> str:
    """Write a figure and its interval.

    Examples
    --------
    >>> interval_text(Interval(value=-0.01234, low=-0.02, high=0.001))
    '-0.0123 [-0.0200, 0.0010]'
    """
    value, low, high = (number_text(each, digits, sign=sign) for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def difference_text(found: Difference) -> str:
    """Say a paired difference, with the smallest that its days could show."""
    return (
        f"difference in {found.metric} {interval_text(found, sign=True)}, one-sided p {found.p_value:.4f}; "
        f"{found.n_days:,} days can show {found.detectable:.4f} (two-sided, {POWER:.0%} power)"
    )
