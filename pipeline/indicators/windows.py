"""What indicators share: the day before, trailing windows, completed weeks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]


def previous(values: Array, days: int = 1) -> Array:
    """Value of ``days`` sessions before; NaN on the first ones.

    Examples
    --------
    >>> previous(np.array([1.0, 2.0, 3.0])).tolist()
    [nan, 1.0, 2.0]
    """
    return np.concatenate((np.full(days, np.nan), values[:-days]))[: len(values)]


def trailing(values: Array, period: int, reduce: Callable[[Array], Array]) -> Array:
    """Reduce each window of the last ``period`` days, the day itself included; NaN before the first whole one.

    Every window is reduced from its own days, so that no rounding error of
    earlier days is carried along.

    Parameters
    ----------
    values : ndarray of shape (days,)
        One value a day.
    period : int
        Length of a window.
    reduce : callable
        From an array of shape (windows, period) to one of shape (windows,).

    Examples
    --------
    >>> trailing(np.array([1.0, 2.0, 6.0]), 2, lambda window: window.mean(axis=1)).tolist()
    [nan, 1.5, 4.0]
    """
    result = np.full(len(values), np.nan)
    if len(values) >= period:
        result[period - 1 :] = reduce(np.lib.stride_tricks.sliding_window_view(values, period))
    return result


def trailing_mean(values: Array, period: int) -> Array:
    """Mean of the last ``period`` days."""
    return trailing(values, period, lambda window: window.mean(axis=1))


def completed_weeks(date: Dates, close: Array, indicator: Callable[[Array], Array]) -> Array:
    """Weekly indicator, known at each day from completed weeks only.

    A week runs from Saturday to Friday and ends with its last close.  It is
    known from Friday's close on; when Friday is no session, from the first
    session after it.  So the value at day t needs neither prices after t nor a
    calendar of what will be a holiday.

    Examples
    --------
    >>> days = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
    >>> weekly = completed_weeks(days, np.arange(12.0), lambda close: close)
    >>> [None if np.isnan(v) else float(v) for v in weekly]
    [None, None, None, None, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 11.0]
    """
    day = date.astype("datetime64[D]").astype(np.int64)
    week = (day + 5) // 7
    is_friday = (day + 5) % 7 == 6
    weeks, position = np.unique(week, return_inverse=True)
    last_row = np.searchsorted(week, weeks, side="right") - 1
    weekly = indicator(close[last_row])
    known = np.where(is_friday, position, position - 1)
    return np.where(known >= 0, weekly[np.maximum(known, 0)], np.nan)
