"""Tier ``a25``: the same information as ``r25`` in raw levels, as the earlier study used it.

Levels drift with the price, and past levels on an adjusted basis are restated
by later dividends; the tier is there for comparison, ``r25`` for work.
"""

from __future__ import annotations

from pipeline.indicators import levels, relative
from pipeline.tiers.feature import DEMA_MEMORY, WEEK_DAYS, WEEKLY_MEMORY, WILDER_MEMORY, Feature, feature

HLC, HLCV = "high low close", "high low close volume"


def _dema(period: int) -> Feature:
    return feature(f"dema_{period}", "close", levels.dema, 2 * (period - 1), DEMA_MEMORY * period, period=period)


def _sma(period: int) -> Feature:
    return feature(f"sma_{period}", "close", levels.sma, period - 1, period=period)


A25 = (
    *(feature(name, name.lower(), levels.level, 0) for name in ("Open", "High", "Low", "Close", "Volume")),
    *(_dema(9), _dema(10), _sma(12), _dema(20), _dema(25), _sma(50), _dema(90), _sma(100), _sma(200)),
    feature("rsi_daily", "close", levels.rsi, 14, WILDER_MEMORY, period=14),
    feature("rsi_weekly", "date close", levels.rsi_weekly, 16 * WEEK_DAYS, WEEKLY_MEMORY, period=14),
    feature("stochrsi_daily", "close", levels.stochastic_rsi, 20, WILDER_MEMORY, period=14, fast_k=5, fast_d=3),
    feature(
        "stochrsi_weekly",
        "date close",
        levels.stochastic_rsi_weekly,
        22 * WEEK_DAYS,
        WEEKLY_MEMORY,
        period=14,
        fast_k=5,
        fast_d=3,
    ),
    feature("macd_line", "close", levels.macd_line, 33, WILDER_MEMORY, fast=12, slow=26, signal=9),
    feature("obv", "close volume", levels.obv, 0, memory=None),
    feature("adosc", HLCV, levels.adosc, 9, WILDER_MEMORY, fast=3, slow=10),
    feature("atr_14", HLC, levels.atr, 14, WILDER_MEMORY, period=14),
    feature("adx_14", HLC, levels.adx, 27, WILDER_MEMORY, period=14),
    feature("bb_percent_b", "close", relative.bollinger_percent_b, 19, period=20, deviations=2.0),
    feature("vwap_20", HLCV, levels.vwap, 19, period=20),
)
