"""Indicators as chart programs show them: in the unit of price, volume or percent."""

from __future__ import annotations

import numpy as np
import talib

from pipeline.indicators.windows import Array, Dates, completed_weeks


def level(values: Array) -> Array:
    """Return the input itself, as a new array."""
    return values.astype(np.float64)


def dema(close: Array, period: int) -> Array:
    """Double exponential moving average (Mulloy, 1994)."""
    return talib.DEMA(close, period)


def sma(close: Array, period: int) -> Array:
    """Arithmetic moving average."""
    return talib.SMA(close, period)


def rsi(close: Array, period: int) -> Array:
    """Relative strength index (Wilder, 1978), 0 to 100."""
    return talib.RSI(close, period)


def stochastic_rsi(close: Array, period: int, fast_k: int, fast_d: int) -> Array:
    """Fast %K of the stochastic RSI, 0 to 100."""
    return talib.STOCHRSI(close, period, fast_k, fast_d)[0]


def rsi_weekly(date: Dates, close: Array, period: int) -> Array:
    """Relative strength index of completed weeks, 0 to 100."""
    return completed_weeks(date, close, lambda weekly: rsi(weekly, period))


def stochastic_rsi_weekly(date: Dates, close: Array, period: int, fast_k: int, fast_d: int) -> Array:
    """Fast %K of the stochastic RSI of completed weeks, 0 to 100."""
    return completed_weeks(date, close, lambda weekly: stochastic_rsi(weekly, period, fast_k, fast_d))


def macd_line(close: Array, fast: int, slow: int, signal: int) -> Array:
    """Fast less slow exponential moving average; known once the signal line is."""
    return talib.MACD(close, fast, slow, signal)[0]


def obv(close: Array, volume: Array) -> Array:
    """On-balance volume (Granville, 1963), counted from the series' first day."""
    return talib.OBV(close, volume)


def adosc(high: Array, low: Array, close: Array, volume: Array, fast: int, slow: int) -> Array:
    """Chaikin oscillator of accumulation and distribution."""
    return talib.ADOSC(high, low, close, volume, fast, slow)


def atr(high: Array, low: Array, close: Array, period: int) -> Array:
    """Average true range, in price."""
    return talib.ATR(high, low, close, period)


def adx(high: Array, low: Array, close: Array, period: int) -> Array:
    """Average directional movement index, 0 to 100."""
    return talib.ADX(high, low, close, period)


def vwap(high: Array, low: Array, close: Array, volume: Array, period: int) -> Array:
    """Volume-weighted mean of the typical price; each day weighs its volume plus one unit."""
    typical = (high + low + close) / 3.0
    weight = volume + 1.0
    return talib.SUM(typical * weight, period) / talib.SUM(weight, period)
