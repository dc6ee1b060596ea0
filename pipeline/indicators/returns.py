"""Returns over several spans, distances from extremes, parts of the day, and the calendar."""

from __future__ import annotations

import numpy as np
import talib

from pipeline.indicators.windows import Array, Dates, previous, trailing


def log_return(close: Array, period: int) -> Array:
    """Logarithm of the close over the close ``period`` days before."""
    return np.log(close / previous(close, period))


def below_highest(high: Array, close: Array, period: int) -> Array:
    """Close relative to the highest high of the last ``period`` days: 0 at it, negative below."""
    return close / trailing(high, period, lambda window: window.max(axis=1)) - 1.0


def above_lowest(low: Array, close: Array, period: int) -> Array:
    """Close relative to the lowest low of the last ``period`` days: 0 at it, positive above."""
    return close / trailing(low, period, lambda window: window.min(axis=1)) - 1.0


def volume_ratio(volume: Array, short: int, long: int) -> Array:
    """Logarithm of the short over the long mean of volume, both plus one."""
    return np.log((talib.SMA(volume, short) + 1.0) / (talib.SMA(volume, long) + 1.0))


def overnight_return(open_: Array, close: Array) -> Array:
    """Log return from the previous close to the open."""
    return np.log(open_ / previous(close))


def intraday_return(open_: Array, close: Array) -> Array:
    """Log return from the open to the close."""
    return np.log(close / open_)


def gap(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """How far the day opened outside the previous day's range, over the previous close; 0 if inside.

    Examples
    --------
    >>> high, low, close = np.array([11.0, 13.0, 13.0]), np.array([9.0, 11.0, 9.0]), np.array([10.0, 12.0, 12.0])
    >>> gap(np.array([10.0, 12.0, 12.0]), high, low, close).tolist()
    [nan, 0.1, 0.0]
    """
    above = np.maximum(open_ - previous(high), 0.0)
    below = np.minimum(open_ - previous(low), 0.0)
    return (above + below) / previous(close)


def day_of_week(date: Dates) -> Array:
    """Monday 0 to Friday 1, in equal steps."""
    return ((date.astype("datetime64[D]").astype(np.int64) + 3) % 7) / 4.0


def month(date: Dates) -> Array:
    """January 0 to December 1, in equal steps.

    Examples
    --------
    >>> month(np.array(["2024-01-02", "2024-12-31"], dtype="datetime64[D]")).tolist()
    [0.0, 1.0]
    """
    return (date.astype("datetime64[M]").astype(np.int64) % 12) / 11.0
