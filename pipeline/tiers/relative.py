"""Tier ``r25``: price, volume and twenty indicators in relative form."""

from __future__ import annotations

from pipeline.indicators import relative
from pipeline.tiers.feature import DEMA_MEMORY, WEEK_DAYS, WEEKLY_MEMORY, WILDER_MEMORY, Feature, feature

HLC, HLCV = "high low close", "high low close volume"


def _dema(n: int) -> Feature:
    return feature(f"close_over_dema_{n}", "close", relative.over_dema, 2 * (n - 1), DEMA_MEMORY * n, period=n)


def _sma(n: int) -> Feature:
    return feature(f"close_over_sma_{n}", "close", relative.over_sma, n - 1, period=n)


R25 = (
    *(
        feature(f"{price}_over_previous_close", f"{price} close", relative.over_previous_close, 1)
        for price in ("open", "high", "low", "close")
    ),
    feature("volume_over_mean_20", "volume", relative.over_volume_mean, 19, period=20),
    *(_dema(9), _dema(10), _sma(12), _dema(20), _dema(25), _sma(50), _dema(90), _sma(100), _sma(200)),
    feature("rsi_daily", "close", relative.rsi, 14, WILDER_MEMORY, period=14),
    feature("rsi_weekly", "date close", relative.rsi_weekly, 16 * WEEK_DAYS, WEEKLY_MEMORY, period=14),
    feature("stochrsi_daily", "close", relative.stochastic_rsi, 20, WILDER_MEMORY, period=14, fast_k=5, fast_d=3),
    feature(
        "stochrsi_weekly",
        "date close",
        relative.stochastic_rsi_weekly,
        22 * WEEK_DAYS,
        WEEKLY_MEMORY,
        period=14,
        fast_k=5,
        fast_d=3,
    ),
    feature("macd_over_close", "close", relative.macd_over_close, 33, WILDER_MEMORY, fast=12, slow=26, signal=9),
    feature("obv_change_20", "close volume", relative.obv_change, 20, period=20),
    feature("adosc_over_volume", HLCV, relative.adosc_over_volume, 19, WILDER_MEMORY, fast=3, slow=10),
    feature("atr_over_close_14", HLC, relative.atr_over_close, 14, WILDER_MEMORY, period=14),
    feature("adx_14", HLC, relative.adx, 27, WILDER_MEMORY, period=14),
    feature("bb_percent_b", "close", relative.bollinger_percent_b, 19, period=20, deviations=2.0),
    feature("close_over_vwap_20", HLCV, relative.over_vwap, 19, period=20),
)
