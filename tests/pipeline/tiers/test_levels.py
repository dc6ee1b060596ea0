from __future__ import annotations

import numpy as np
import talib

from pipeline.tiers import compute_tier
from pipeline.tiers.levels import A25

NAMES = (
    "Open High Low Close Volume dema_9 dema_10 sma_12 dema_20 dema_25 sma_50 dema_90 sma_100 sma_200 rsi_daily "
    "rsi_weekly stochrsi_daily stochrsi_weekly macd_line obv adosc atr_14 adx_14 bb_percent_b vwap_20"
).split()


def test_the_order_is_that_of_the_earlier_study():
    assert [feature.name for feature in A25] == NAMES


def test_values_are_those_of_the_library(bars):
    features = compute_tier("a25", bars)
    close, high, low, volume = (bars[name].to_numpy() for name in ("close", "high", "low", "volume"))
    expected = {
        "Close": close,
        "dema_9": talib.DEMA(close, 9),
        "sma_200": talib.SMA(close, 200),
        "rsi_daily": talib.RSI(close, 14),
        "stochrsi_daily": talib.STOCHRSI(close, 14, 5, 3)[0],
        "macd_line": talib.MACD(close, 12, 26, 9)[0],
        "obv": talib.OBV(close, volume),
        "adosc": talib.ADOSC(high, low, close, volume, 3, 10),
        "atr_14": talib.ATR(high, low, close, 14),
        "adx_14": talib.ADX(high, low, close, 14),
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(features[name], values, err_msg=name)
