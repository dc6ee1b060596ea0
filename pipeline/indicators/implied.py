"""Features of the implied volatility index (^VIX, in percent a year)."""

from __future__ import annotations

import numpy as np
import talib

from pipeline.indicators.windows import Array, previous, trailing

PERCENT = 100.0


def implied_volatility(vix: Array) -> Array:
    """Close of the index as a fraction a year: 0.2 is 20 %."""
    return vix / PERCENT


def implied_mean(vix: Array, period: int) -> Array:
    """Mean close of the last ``period`` days, as a fraction a year."""
    return talib.SMA(vix, period) / PERCENT


def percentile(values: Array, period: int) -> Array:
    """Share of the last ``period`` days, today included, that were at or below today.

    Examples
    --------
    >>> percentile(np.array([3.0, 1.0, 2.0]), 3).tolist()[-1]
    0.6666666666666666
    """
    return trailing(values, period, lambda window: (window <= window[:, -1:]).mean(axis=1))


def z_score(values: Array, period: int) -> Array:
    """Distance from the mean of the last ``period`` days in their standard deviations; 0 if these are all equal."""

    def score(window: Array) -> Array:
        deviation = window.std(axis=1)
        spread = window.max(axis=1) > window.min(axis=1)
        return np.where(spread, (window[:, -1] - window.mean(axis=1)) / np.where(spread, deviation, 1.0), 0.0)

    return trailing(values, period, score)


def regime(vix: Array, calm: float, stressed: float) -> Array:
    """Regime of the index: 0 below ``calm``, 2 from ``stressed`` on, 1 between.

    Examples
    --------
    >>> regime(np.array([14.9, 15.0, 24.9, 25.0]), calm=15, stressed=25).tolist()
    [0.0, 1.0, 1.0, 2.0]
    """
    return (vix >= calm).astype(np.float64) + (vix >= stressed)


def change(values: Array, period: int) -> Array:
    """Change over ``period`` days, as a fraction."""
    return values / previous(values, period) - 1.0
