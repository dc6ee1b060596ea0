"""Tier ``r55``: ``r33``, returns over five spans, realised volatility, extremes, parts of the day, calendar."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.indicators import returns, volatility
from pipeline.indicators.windows import Array
from pipeline.tiers.feature import Feature
from pipeline.tiers.implied import R33

OHLC = ("open", "high", "low", "close")
MONTH = 21
QUARTER = 63
YEAR = 252


def _return(period: int) -> Feature:
    return Feature(
        name=f"return_{period}",
        inputs=("close",),
        function=returns.log_return,
        lookback=period,
        parameters={"period": period},
    )


def _realised(period: int) -> Feature:
    return Feature(
        name=f"realised_volatility_{period}",
        inputs=("close",),
        function=volatility.realised_volatility,
        lookback=period,
        parameters={"period": period},
    )


def _har(period: int) -> Feature:
    return Feature(
        name=f"har_volatility_{period}",
        inputs=OHLC,
        function=volatility.har_volatility,
        lookback=period,
        parameters={"period": period},
    )


def _range(function: Callable[..., Array], inputs: tuple[str, ...], lookback: int) -> Feature:
    return Feature(
        name=f"{function.__name__}_{MONTH}",
        inputs=inputs,
        function=function,
        lookback=lookback,
        parameters={"period": MONTH},
    )


RETURNS_AND_VOLATILITY = (
    _return(1),
    _return(5),
    _return(MONTH),
    _return(QUARTER),
    _return(YEAR),
    _realised(MONTH),
    _realised(QUARTER),
    _range(volatility.parkinson, ("high", "low"), MONTH - 1),
    _range(volatility.garman_klass, OHLC, MONTH - 1),
    _range(volatility.yang_zhang, OHLC, MONTH),
    _har(1),
    _har(5),
    _har(22),
    Feature(
        name="variance_premium",
        inputs=("^VIX.close", "close"),
        function=volatility.variance_premium,
        lookback=MONTH,
        parameters={"period": MONTH},
    ),
    Feature(
        name="close_over_high_252",
        inputs=("high", "close"),
        function=returns.below_highest,
        lookback=YEAR - 1,
        parameters={"period": YEAR},
    ),
    Feature(
        name="close_over_low_252",
        inputs=("low", "close"),
        function=returns.above_lowest,
        lookback=YEAR - 1,
        parameters={"period": YEAR},
    ),
    Feature(
        name="volume_ratio_5_63",
        inputs=("volume",),
        function=returns.volume_ratio,
        lookback=QUARTER - 1,
        parameters={"short": 5, "long": QUARTER},
    ),
    Feature(name="overnight_return", inputs=("open", "close"), function=returns.overnight_return, lookback=1),
    Feature(name="intraday_return", inputs=("open", "close"), function=returns.intraday_return, lookback=0),
    Feature(name="gap", inputs=OHLC, function=returns.gap, lookback=1),
    Feature(name="day_of_week", inputs=("date",), function=returns.day_of_week, lookback=0),
    Feature(name="month", inputs=("date",), function=returns.month, lookback=0),
)

R55 = (*R33, *RETURNS_AND_VOLATILITY)
