"""Tier ``r25``: price, volume and twenty indicators in relative form."""

from __future__ import annotations

from pipeline.indicators import relative
from pipeline.tiers.feature import DEMA_MEMORY, WEEK_DAYS, WEEKLY_MEMORY, WILDER_MEMORY, Feature


def _over_dema(period: int) -> Feature:
    return Feature(
        name=f"close_over_dema_{period}",
        inputs=("close",),
        function=relative.over_dema,
        lookback=2 * (period - 1),
        parameters={"period": period},
        memory=DEMA_MEMORY * period,
    )


def _over_sma(period: int) -> Feature:
    return Feature(
        name=f"close_over_sma_{period}",
        inputs=("close",),
        function=relative.over_sma,
        lookback=period - 1,
        parameters={"period": period},
    )


def _over_previous_close(column: str) -> Feature:
    return Feature(
        name=f"{column}_over_previous_close",
        inputs=(column, "close"),
        function=relative.over_previous_close,
        lookback=1,
    )


R25 = (
    _over_previous_close("open"),
    _over_previous_close("high"),
    _over_previous_close("low"),
    _over_previous_close("close"),
    Feature(
        name="volume_over_mean_20",
        inputs=("volume",),
        function=relative.over_volume_mean,
        lookback=19,
        parameters={"period": 20},
    ),
    _over_dema(9),
    _over_dema(10),
    _over_sma(12),
    _over_dema(20),
    _over_dema(25),
    _over_sma(50),
    _over_dema(90),
    _over_sma(100),
    _over_sma(200),
    Feature(
        name="rsi_daily",
        inputs=("close",),
        function=relative.rsi,
        lookback=14,
        parameters={"period": 14},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="rsi_weekly",
        inputs=("date", "close"),
        function=relative.rsi_weekly,
        lookback=16 * WEEK_DAYS,
        parameters={"period": 14},
        memory=WEEKLY_MEMORY,
    ),
    Feature(
        name="stochrsi_daily",
        inputs=("close",),
        function=relative.stochastic_rsi,
        lookback=20,
        parameters={"period": 14, "fast_k": 5, "fast_d": 3},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="stochrsi_weekly",
        inputs=("date", "close"),
        function=relative.stochastic_rsi_weekly,
        lookback=22 * WEEK_DAYS,
        parameters={"period": 14, "fast_k": 5, "fast_d": 3},
        memory=WEEKLY_MEMORY,
    ),
    Feature(
        name="macd_over_close",
        inputs=("close",),
        function=relative.macd_over_close,
        lookback=33,
        parameters={"fast": 12, "slow": 26, "signal": 9},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="obv_change_20",
        inputs=("close", "volume"),
        function=relative.obv_change,
        lookback=20,
        parameters={"period": 20},
    ),
    Feature(
        name="adosc_over_volume",
        inputs=("high", "low", "close", "volume"),
        function=relative.adosc_over_volume,
        lookback=19,
        parameters={"fast": 3, "slow": 10},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="atr_over_close_14",
        inputs=("high", "low", "close"),
        function=relative.atr_over_close,
        lookback=14,
        parameters={"period": 14},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="adx_14",
        inputs=("high", "low", "close"),
        function=relative.adx,
        lookback=27,
        parameters={"period": 14},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="bb_percent_b",
        inputs=("close",),
        function=relative.bollinger_percent_b,
        lookback=19,
        parameters={"period": 20, "deviations": 2.0},
    ),
    Feature(
        name="close_over_vwap_20",
        inputs=("high", "low", "close", "volume"),
        function=relative.over_vwap,
        lookback=19,
        parameters={"period": 20},
    ),
)
