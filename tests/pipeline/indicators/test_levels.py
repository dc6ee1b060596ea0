from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.indicators import levels


def test_vwap_equals_a_loop(bars):
    typical = (bars["high"] + bars["low"] + bars["close"]) / 3
    weight = bars["volume"] + 1
    expected = (typical * weight).rolling(20).sum() / weight.rolling(20).sum()
    arrays = [bars[name].to_numpy() for name in ("high", "low", "close", "volume")]
    np.testing.assert_allclose(levels.vwap(*arrays, period=20), expected)


def test_moving_averages_equal_pandas(bars):
    close = bars["close"]
    np.testing.assert_allclose(levels.sma(close.to_numpy(), 12), close.rolling(12).mean())


def test_obv_counts_from_the_first_day():
    volume = np.array([5.0, 3.0, 2.0, 4.0])
    assert levels.obv(np.array([1.0, 2.0, 1.5, 1.5]), volume).tolist() == [5.0, 8.0, 6.0, 6.0]


def test_a_level_is_a_copy(bars):
    volume = bars["volume"].to_numpy()
    assert not np.shares_memory(levels.level(volume), volume)
    pd.testing.assert_series_equal(pd.Series(levels.level(volume)), pd.Series(volume))
