"""Indicators as plain functions of daily arrays, oldest day first.

Each returns one float64 value a day, NaN where its look-back is not filled, and
is causal: the value at day t depends on days up to t only.  TA-Lib does the
indicator maths; the relative forms divide a price level by a price, and a
volume level by a volume, so that a value means the same in 1999 and in 2024.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import talib

Array = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

VOLUME_SCALE_DAYS = 20


def previous(values: Array) -> Array:
    """Value of the day before; NaN on the first day."""
    return np.concatenate(([np.nan], values[:-1]))


def over_previous_close(price: Array, close: Array) -> Array:
    """Price relative to the close of the day before, as a fraction."""
    return price / previous(close) - 1.0


def over_volume_mean(volume: Array, period: int) -> Array:
    """Logarithm of volume over its mean of the last ``period`` days, both plus one."""
    return np.log((volume + 1.0) / (talib.SMA(volume, period) + 1.0))


def over_dema(close: Array, period: int) -> Array:
    """Close relative to its double exponential moving average."""
    return close / talib.DEMA(close, period) - 1.0


def over_sma(close: Array, period: int) -> Array:
    """Close relative to its simple moving average."""
    return close / talib.SMA(close, period) - 1.0


def rsi(close: Array, period: int) -> Array:
    """Relative strength index, as a fraction between 0 and 1."""
    return talib.RSI(close, period) / 100.0


def stochastic_rsi(close: Array, period: int, fast_k: int, fast_d: int) -> Array:
    """Fast %K of the stochastic RSI, as a fraction between 0 and 1."""
    return talib.STOCHRSI(close, period, fast_k, fast_d)[0] / 100.0


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


def rsi_weekly(date: Dates, close: Array, period: int) -> Array:
    """Relative strength index of completed weeks, between 0 and 1."""
    return completed_weeks(date, close, lambda weekly: rsi(weekly, period))


def stochastic_rsi_weekly(date: Dates, close: Array, period: int, fast_k: int, fast_d: int) -> Array:
    """Fast %K of the stochastic RSI of completed weeks, between 0 and 1."""
    return completed_weeks(date, close, lambda weekly: stochastic_rsi(weekly, period, fast_k, fast_d))


def macd_over_close(close: Array, fast: int, slow: int, signal: int) -> Array:
    """MACD line as a fraction of the close."""
    return talib.MACD(close, fast, slow, signal)[0] / close


def obv_change(close: Array, volume: Array, period: int) -> Array:
    """Share of the last ``period`` days' volume that went with rising closes, less the falling."""
    direction = np.sign(close - previous(close))
    return talib.SUM(direction * volume, period) / (talib.SUM(volume, period) + 1.0)


def adosc_over_volume(high: Array, low: Array, close: Array, volume: Array, fast: int, slow: int) -> Array:
    """Chaikin oscillator over the mean volume of the last 20 days."""
    return talib.ADOSC(high, low, close, volume, fast, slow) / (talib.SMA(volume, VOLUME_SCALE_DAYS) + 1.0)


def atr_over_close(high: Array, low: Array, close: Array, period: int) -> Array:
    """Average true range as a fraction of the close: the level of volatility."""
    return talib.ATR(high, low, close, period) / close


def adx(high: Array, low: Array, close: Array, period: int) -> Array:
    """Average directional movement index, as a fraction between 0 and 1."""
    return talib.ADX(high, low, close, period) / 100.0


def bollinger_percent_b(close: Array, period: int, deviations: float) -> Array:
    """Where the close stands between the Bollinger bands: 0 lower, 1 upper, 0.5 if they coincide."""
    upper, _, lower = talib.BBANDS(close, period, deviations, deviations)
    width = upper - lower
    return np.where(
        width > 0, (close - lower) / np.where(width > 0, width, 1.0), np.where(np.isnan(width), np.nan, 0.5)
    )


def over_vwap(high: Array, low: Array, close: Array, volume: Array, period: int) -> Array:
    """Close relative to the volume-weighted mean of the typical price."""
    typical = (high + low + close) / 3.0
    weight = volume + 1.0
    return close / (talib.SUM(typical * weight, period) / talib.SUM(weight, period)) - 1.0
