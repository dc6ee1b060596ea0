"""Sigma and what is measured in it, by hand and on random bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.indicators import scaled
from pipeline.indicators.volatility import har_volatility

OHLC = ("open", "high", "low", "close")


def test_sigma_is_the_exponentially_weighted_mean_of_the_daily_variance(bars):
    columns = [bars[name].to_numpy() for name in OHLC]
    variance = scaled.daily_variance(*columns)
    day = len(bars) - 1
    weights = (1 - 2 / 23) ** np.arange(day)
    expected = 0.5 * np.log((weights * variance[day:0:-1]).sum() / weights.sum())
    assert scaled.log_sigma(*columns)[-1] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(scaled.log_sigma(*columns)[: scaled.SPAN]).all()
    assert np.isfinite(scaled.log_sigma(*columns)[scaled.SPAN :]).all()


def test_a_day_s_variance_is_that_of_har_and_never_below_nothing(bars):
    columns = [bars[name].to_numpy() for name in OHLC]
    annual = har_volatility(*columns, period=1)[1:]
    assert np.sqrt(scaled.daily_variance(*columns)[1:] * 252) == pytest.approx(annual, rel=1e-9)


@given(st.floats(1, 1e4))
def test_a_series_that_stands_still_has_finite_features(price):
    still = np.full(300, price)
    four = (still, still, still, still)
    assert np.exp(scaled.log_sigma(*four)[-1]) == pytest.approx(1e-4)
    for values in (
        scaled.volatility_over(*four, period=5),
        scaled.return_over(*four, period=22),
        scaled.drawdown(*four, period=252),
        scaled.mean_range(*four, period=5),
        scaled.log_volatility(*four),
        scaled.close_location(still, still, still),
        scaled.volume_over_mean(np.zeros(300), period=60),
    ):
        assert np.isfinite(values[-1])


def test_wicks_and_returns_add_up_to_the_day(bars):
    open_, high, low, close = (bars[name].to_numpy() for name in OHLC)
    body = np.abs(np.log(close / open_))
    whole = scaled.upper_wick(open_, high, close) + body + scaled.lower_wick(open_, low, close)
    assert whole == pytest.approx(np.log(high / low), abs=1e-12)
    sigma = np.exp(scaled.log_sigma(open_, high, low, close))
    moved = (scaled.overnight(open_, high, low, close) + scaled.intraday(open_, high, low, close)) * sigma
    assert moved[30:] == pytest.approx(np.diff(np.log(close))[29:], abs=1e-12)


def test_an_implied_volatility_is_a_daily_fraction():
    assert np.exp(scaled.log_implied(np.array([16.0])))[0] == pytest.approx(0.16 / np.sqrt(252))
    assert scaled.implied_change(np.array([10.0, 20.0]), period=1)[1] == pytest.approx(np.log(2))
