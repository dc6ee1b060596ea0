"""Moves, ranges and volumes in units of a day's volatility, sigma: a daily fraction that knows only the past.

References
----------
Garman and Klass (1980), "On the estimation of security price volatilities from historical data", estimator 4.
J.P. Morgan/Reuters (1996), "RiskMetrics technical document" (exponentially weighted variance).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.indicators.windows import Array, Dates, previous, trailing, trailing_mean

SPAN = 22
"""Sessions of the exponential weights of sigma."""
LEAST_VARIANCE = 1e-8
"""Of a day, a volatility of one basis point: what stands still has no logarithm."""
SESSIONS_A_YEAR, PERCENT = 252, 100.0


def daily_variance(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Variance of a day: overnight return squared, plus Garman and Klass's of its range."""
    return np.square(np.log(open_ / previous(close))) + range_variance(open_, high, low, close)


def range_variance(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Garman and Klass's variance from the open to the close."""
    body = np.square(np.log(close / open_))
    return np.maximum(0.5 * np.square(np.log(high / low)) - (2.0 * np.log(2.0) - 1.0) * body, 0.0)


def log_sigma(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Logarithm of sigma: root of the exponentially weighted mean (span 22) of the daily variance, a daily fraction.

    Examples
    --------
    >>> still = np.full(40, 100.0)
    >>> round(float(np.exp(log_sigma(still, still * 1.01, still, still))[-1]), 4)
    0.007
    """
    variance = pd.Series(daily_variance(open_, high, low, close))
    mean = variance.ewm(span=SPAN, min_periods=SPAN).mean().to_numpy(dtype=np.float64)
    return _log_root(mean)


def log_volatility(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Logarithm of a day's volatility between open and close."""
    return _log_root(range_variance(open_, high, low, close))


def volatility_over(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """Logarithm of the root mean daily variance of the last ``period`` days, less that of sigma."""
    variance = trailing_mean(daily_variance(open_, high, low, close), period)
    return _log_root(variance) - log_sigma(open_, high, low, close)


def _log_root(variance: Array) -> Array:
    return 0.5 * np.log(np.maximum(variance, LEAST_VARIANCE))


def overnight(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Log return from the previous close to the open, in sigma."""
    return np.log(open_ / previous(close)) / np.exp(log_sigma(open_, high, low, close))


def intraday(open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Log return from the open to the close, in sigma."""
    return np.log(close / open_) / np.exp(log_sigma(open_, high, low, close))


def upper_wick(open_: Array, high: Array, close: Array) -> Array:
    """Logarithm of the high over the higher of open and close."""
    return np.log(high / np.maximum(open_, close))


def lower_wick(open_: Array, low: Array, close: Array) -> Array:
    """Logarithm of the lower of open and close over the low."""
    return np.log(np.minimum(open_, close) / low)


def return_over(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """Log return over ``period`` days, in sigma times the root of the days."""
    return np.log(close / previous(close, period)) / (np.exp(log_sigma(open_, high, low, close)) * np.sqrt(period))


def drawdown(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """Log of the close over the highest high of the last ``period`` days, in sigma."""
    highest = trailing(high, period, lambda window: window.max(axis=1))
    return np.log(close / highest) / np.exp(log_sigma(open_, high, low, close))


def mean_range(open_: Array, high: Array, low: Array, close: Array, period: int) -> Array:
    """Mean log range of the last ``period`` days, in sigma."""
    return trailing_mean(np.log(high / low), period) / np.exp(log_sigma(open_, high, low, close))


def close_location(high: Array, low: Array, close: Array) -> Array:
    """Where in the day's range the close lies: -0.5 at the low, 0.5 at the high, 0 in a day without a range.

    Examples
    --------
    >>> close_location(np.array([3.0, 1.0]), np.array([1.0, 1.0]), np.array([3.0, 1.0])).tolist()
    [0.5, 0.0]
    """
    width = high - low
    return np.where(width > 0, (close - low) / np.where(width > 0, width, 1.0) - 0.5, 0.0)


def volume_over_mean(volume: Array, period: int) -> Array:
    """Logarithm of the volume plus one, less its mean over ``period`` days."""
    logarithm = np.log1p(volume)
    return logarithm - trailing_mean(logarithm, period)


def log_implied(vix: Array) -> Array:
    """Logarithm of the implied volatility index as a daily fraction."""
    return np.log(vix / PERCENT / np.sqrt(SESSIONS_A_YEAR))


def implied_over_sigma(vix: Array, open_: Array, high: Array, low: Array, close: Array) -> Array:
    """Logarithm of the implied over the realised volatility, sigma."""
    return log_implied(vix) - log_sigma(open_, high, low, close)


def implied_change(vix: Array, period: int) -> Array:
    """Logarithm of the implied volatility over what it was ``period`` days before."""
    return np.log(vix / previous(vix, period))


def implied_over_mean(vix: Array, period: int) -> Array:
    """Logarithm of the implied volatility less its mean over ``period`` days."""
    return np.log(vix) - trailing_mean(np.log(vix), period)


def is_weekday(date: Dates, day: int) -> Array:
    """Whether it is this day of the week, Monday 0.

    Examples
    --------
    >>> is_weekday(np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"), day=0).tolist()
    [1.0, 0.0]
    """
    return ((date.astype("datetime64[D]").astype(np.int64) + 3) % 7 == day).astype(np.float64)


def follows(ticker: npt.NDArray[np.str_], index: int) -> Array:
    """Whether a series follows the S&P 500 (0), the Dow (1) or a Nasdaq index (2), by its ticker.

    Examples
    --------
    >>> follows(np.array(["QQQ", "SPY", "ABC"]), index=2).tolist()
    [1.0, 0.0, 0.0]
    """
    return np.isin(ticker, FOLLOWERS[index]).astype(np.float64)


FOLLOWERS = (("^GSPC", "SPY", "^SPX"), ("^DJI", "DIA"), ("^IXIC", "^NDX", "QQQ"))
