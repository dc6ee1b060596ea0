from __future__ import annotations

import numpy as np

from pipeline.indicators import implied


def test_levels_are_fractions_a_year():
    assert implied.implied_volatility(np.array([20.0])).tolist() == [0.2]
    assert implied.implied_mean(np.array([10.0, 30.0]), 2)[-1] == 0.2


def test_the_percentile_equals_pandas(vix):
    close = vix["close"]
    expected = close.rolling(60).rank(method="max", pct=True)
    np.testing.assert_allclose(implied.percentile(close.to_numpy(), 60), expected)


def test_the_z_score_equals_pandas(vix):
    close = vix["close"]
    expected = (close - close.rolling(20).mean()) / close.rolling(20).std(ddof=0)
    np.testing.assert_allclose(implied.z_score(close.to_numpy(), 20), expected, rtol=1e-6, atol=1e-9)


def test_equal_values_have_z_score_zero():
    assert implied.z_score(np.full(25, 17.76), 20)[-1] == 0.0
