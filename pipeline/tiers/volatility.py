"""Tier ``r55``: ``r33``, returns over five spans, realised volatility, extremes, parts of the day, calendar."""

from __future__ import annotations

from pipeline.indicators import returns, volatility
from pipeline.tiers.feature import feature
from pipeline.tiers.implied import R33

OHLC = "open high low close"
MONTH, QUARTER, YEAR = 21, 63, 252

RETURNS_AND_VOLATILITY = (
    *(feature(f"return_{n}", "close", returns.log_return, n, period=n) for n in (1, 5, MONTH, QUARTER, YEAR)),
    *(
        feature(f"realised_volatility_{n}", "close", volatility.realised_volatility, n, period=n)
        for n in (MONTH, QUARTER)
    ),
    feature("parkinson_21", "high low", volatility.parkinson, MONTH - 1, period=MONTH),
    feature("garman_klass_21", OHLC, volatility.garman_klass, MONTH - 1, period=MONTH),
    feature("yang_zhang_21", OHLC, volatility.yang_zhang, MONTH, period=MONTH),
    *(feature(f"har_volatility_{n}", OHLC, volatility.har_volatility, n, period=n) for n in (1, 5, 22)),
    feature("variance_premium", "^VIX.close close", volatility.variance_premium, MONTH, period=MONTH),
    feature("close_over_high_252", "high close", returns.below_highest, YEAR - 1, period=YEAR),
    feature("close_over_low_252", "low close", returns.above_lowest, YEAR - 1, period=YEAR),
    feature("volume_ratio_5_63", "volume", returns.volume_ratio, QUARTER - 1, short=5, long=QUARTER),
    feature("overnight_return", "open close", returns.overnight_return, 1),
    feature("intraday_return", "open close", returns.intraday_return, 0),
    feature("gap", OHLC, returns.gap, 1),
    feature("day_of_week", "date", returns.day_of_week, 0),
    feature("month", "date", returns.month, 0),
)

R55 = (*R33, *RETURNS_AND_VOLATILITY)
