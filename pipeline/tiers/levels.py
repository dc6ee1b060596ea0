"""Tier ``a25``: the same information as ``r25`` in raw levels, as the earlier study used it.

Levels drift with the price, and past levels on an adjusted basis are restated
by later dividends; the tier is there for comparison, ``r25`` for work.
"""

from __future__ import annotations

from pipeline.indicators import levels, relative
from pipeline.tiers.feature import DEMA_MEMORY, WEEK_DAYS, WEEKLY_MEMORY, WILDER_MEMORY, Feature


def _column(name: str) -> Feature:
    return Feature(name=name, inputs=(name.lower(),), function=levels.level, lookback=0)


def _dema(period: int) -> Feature:
    return Feature(
        name=f"dema_{period}",
        inputs=("close",),
        function=levels.dema,
        lookback=2 * (period - 1),
        parameters={"period": period},
        memory=DEMA_MEMORY * period,
    )


def _sma(period: int) -> Feature:
    return Feature(
        name=f"sma_{period}",
        inputs=("close",),
        function=levels.sma,
        lookback=period - 1,
        parameters={"period": period},
    )


A25 = (
    _column("Open"),
    _column("High"),
    _column("Low"),
    _column("Close"),
    _column("Volume"),
    _dema(9),
    _dema(10),
    _sma(12),
    _dema(20),
    _dema(25),
    _sma(50),
    _dema(90),
    _sma(100),
    _sma(200),
    Feature(
        name="rsi_daily",
        inputs=("close",),
        function=levels.rsi,
        lookback=14,
        parameters={"period": 14},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="rsi_weekly",
        inputs=("date", "close"),
        function=levels.rsi_weekly,
        lookback=16 * WEEK_DAYS,
        parameters={"period": 14},
        memory=WEEKLY_MEMORY,
    ),
    Feature(
        name="stochrsi_daily",
        inputs=("close",),
        function=levels.stochastic_rsi,
        lookback=20,
        parameters={"period": 14, "fast_k": 5, "fast_d": 3},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="stochrsi_weekly",
        inputs=("date", "close"),
        function=levels.stochastic_rsi_weekly,
        lookback=22 * WEEK_DAYS,
        parameters={"period": 14, "fast_k": 5, "fast_d": 3},
        memory=WEEKLY_MEMORY,
    ),
    Feature(
        name="macd_line",
        inputs=("close",),
        function=levels.macd_line,
        lookback=33,
        parameters={"fast": 12, "slow": 26, "signal": 9},
        memory=WILDER_MEMORY,
    ),
    Feature(name="obv", inputs=("close", "volume"), function=levels.obv, lookback=0, memory=None),
    Feature(
        name="adosc",
        inputs=("high", "low", "close", "volume"),
        function=levels.adosc,
        lookback=9,
        parameters={"fast": 3, "slow": 10},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="atr_14",
        inputs=("high", "low", "close"),
        function=levels.atr,
        lookback=14,
        parameters={"period": 14},
        memory=WILDER_MEMORY,
    ),
    Feature(
        name="adx_14",
        inputs=("high", "low", "close"),
        function=levels.adx,
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
        name="vwap_20",
        inputs=("high", "low", "close", "volume"),
        function=levels.vwap,
        lookback=19,
        parameters={"period": 20},
    ),
)
