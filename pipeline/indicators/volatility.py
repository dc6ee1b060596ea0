"""Realised volatility, from closes and from daily ranges, as fractions a year.

References
----------
Parkinson (1980), "The extreme value method for estimating the variance of the rate of return".
Garman and Klass (1980), "On the estimation of security price volatilities from historical data", estimator 4.
Yang and Zhang (2000), "Drift-independent volatility estimation based on high, low, open, and close prices".
Corsi (2009), "A simple approximate long-memory model of realized volatility" (HAR: means over 1, 5 and 22 days).
"""

from __future__ import annotations

import numpy as np

from pipeline.indicators.windows import Array, previous, trailing, trailing_mean

SESSIONS_A_YEAR = 252


def _annualised(variance: Array) -> Array:
    return np.sqrt(np.maximum(variance, 0.0) * SESSIONS_A_YEAR)


def realised_variance(close: Array, period: int) -> Array:
    """Mean squared log return of the last ``period`` days, a year."""
    return trailing_mean(np.square(np.log(close / previous(close))), period) * SESSIONS_A_YEAR


def realised_volatility(close: Array, period: int) -> Array:
    """Square root of the realised variance of the last ``period`` days.

    Examples
    --------
    >>> round(float(realised_volatility(np.array([100.0, 101.0]), 1)[-1]), 4)
    0.158
    """
    return np.sqrt(realised_variance(close, period))


def parkinson(high: Array, low: Array, period: int) -> Array:
    """Volatility from the range of high and low."""
    daily = np.square(np.log(high / low)) / (4.0 * np.log(2.0))
    return _annualised(trailing_mean(daily, period))


def garman_klass(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """Volatility from range and open-to-close return."""
    return _annualised(trailing_mean(_garman_klass_daily(open_, high, low, close), period))


def _garman_klass_daily(open_: Array, high: Array, low: Array, close: Array) -> Array:
    body = np.square(np.log(close / open_))
    return 0.5 * np.square(np.log(high / low)) - (2.0 * np.log(2.0) - 1.0) * body


def yang_zhang(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """Volatility from overnight, open-to-close and Rogers-Satchell variance; free of drift."""

    def variance(window: Array) -> Array:
        return window.var(axis=1, ddof=1)

    overnight = trailing(np.log(open_ / previous(close)), period, variance)
    body = trailing(np.log(close / open_), period, variance)
    rogers_satchell = trailing_mean(
        np.log(high / close) * np.log(high / open_) + np.log(low / close) * np.log(low / open_), period
    )
    weight = 0.34 / (1.34 + (period + 1) / (period - 1))
    return _annualised(overnight + weight * body + (1.0 - weight) * rogers_satchell)


def har_volatility(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """HAR component: root mean of daily variance, overnight plus Garman-Klass, over ``period`` days."""
    overnight = np.square(np.log(open_ / previous(close)))
    daily = overnight + np.maximum(_garman_klass_daily(open_, high, low, close), 0.0)
    return _annualised(trailing_mean(daily, period))


def variance_premium(vix: Array, close: Array, period: int) -> Array:
    """Implied less realised variance, both a year: what insurance costs above what happened."""
    return np.square(vix / 100.0) - realised_variance(close, period)
