from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.indicators import returns


def arrays(bars: pd.DataFrame, *names: str) -> list[np.ndarray]:
    return [bars[name].to_numpy() for name in names]


def test_overnight_and_intraday_make_the_day(bars):
    opened, close = arrays(bars, "open", "close")
    total = returns.overnight_return(opened, close) + returns.intraday_return(opened, close)
    np.testing.assert_allclose(total, returns.log_return(close, 1))


def test_distances_from_extremes_have_their_sign(bars):
    high, low, close = arrays(bars, "high", "low", "close")
    assert np.nanmax(returns.below_highest(high, close, 252)) <= 0
    assert np.nanmin(returns.above_lowest(low, close, 252)) >= 0
    expected = bars["close"] / bars["high"].rolling(252).max() - 1
    np.testing.assert_allclose(returns.below_highest(high, close, 252), expected)


def test_a_gap_down_is_negative():
    high, low, close = np.array([11.0, 9.0]), np.array([9.0, 8.0]), np.array([10.0, 8.5])
    assert returns.gap(np.array([10.0, 8.0]), high, low, close)[-1] == -0.1


def test_volume_that_stays_has_ratio_zero():
    assert returns.volume_ratio(np.full(70, 500.0), 5, 63)[-1] == 0.0


def test_the_calendar_is_that_of_the_date(bars):
    dates = bars.index.to_numpy()
    np.testing.assert_allclose(returns.day_of_week(dates) * 4, bars.index.dayofweek)
    np.testing.assert_allclose(returns.month(dates) * 11 + 1, bars.index.month)
