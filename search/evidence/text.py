"""Figures of the evidence as tables and lines show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from search.evidence.bootstrap import Interval
from search.evidence.difference import POWER, Difference
from search.results.class_counts import MIN_CLASS_DAYS


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
    >>> interval_text(Interval(value=0.906, low=math.nan, high=math.nan), 3)
    '0.906 (no interval)'
    """
    if math.isnan(found.low) and math.isnan(found.high) and math.isfinite(found.value):
        return f"{number_text(found.value, digits, sign=sign)} (no interval)"
    value, low, high = (number_text(each, digits, sign=sign) for each in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def json_ready(value: Any) -> Any:
    """Turn what is not defined into None, at any depth: JSON knows no NaN.

    Examples
    --------
    >>> json_ready({"low": math.nan, "high": (1.0, math.inf)})
    {'low': None, 'high': [1.0, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: json_ready(each) for name, each in value.items()}
    return [json_ready(each) for each in value] if isinstance(value, list | tuple) else value


def difference_text(found: Difference) -> str:
    """Say a paired difference, with the smallest that its days could show."""
    if math.isnan(found.p_value) and math.isfinite(found.value):
        few = f"fewer than {MIN_CLASS_DAYS} of the {found.n_days:,} days are of one class: no interval, no p-value"
        return f"difference in {found.metric} {number_text(found.value, sign=True)}; {few}"
    return (
        f"difference in {found.metric} {interval_text(found, sign=True)}, one-sided p {number_text(found.p_value)}; "
        f"{found.n_days:,} days can show {number_text(found.detectable)} (two-sided, {POWER:.0%} power)"
    )
