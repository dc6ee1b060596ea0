"""Indicators in relative form, so that a value means the same in 1999 and in 2024.

A price level is divided by a price, and a volume level by a volume.
"""

from __future__ import annotations

import numpy as np
import talib

from pipeline.indicators.windows import Array, Dates, completed_weeks, previous

VOLUME_SCALE_DAYS = 20


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
