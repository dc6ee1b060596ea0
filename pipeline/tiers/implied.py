"""Tier ``r33``: ``r25`` and eight features of the implied volatility index ^VIX."""

from __future__ import annotations

from pipeline.indicators import implied
from pipeline.tiers.feature import Feature
from pipeline.tiers.relative import R25

VIX_CLOSE = ("^VIX.close",)


def _mean(period: int) -> Feature:
    return Feature(
        name=f"vix_mean_{period}",
        inputs=VIX_CLOSE,
        function=implied.implied_mean,
        lookback=period - 1,
        parameters={"period": period},
    )


def _change(period: int) -> Feature:
    return Feature(
        name=f"vix_change_{period}",
        inputs=VIX_CLOSE,
        function=implied.change,
        lookback=period,
        parameters={"period": period},
    )


IMPLIED = (
    Feature(name="vix_close", inputs=VIX_CLOSE, function=implied.implied_volatility, lookback=0),
    _mean(10),
    _mean(20),
    Feature(
        name="vix_percentile_60",
        inputs=VIX_CLOSE,
        function=implied.percentile,
        lookback=59,
        parameters={"period": 60},
    ),
    Feature(
        name="vix_zscore_20",
        inputs=VIX_CLOSE,
        function=implied.z_score,
        lookback=19,
        parameters={"period": 20},
    ),
    Feature(
        name="vix_regime",
        inputs=VIX_CLOSE,
        function=implied.regime,
        lookback=0,
        parameters={"calm": 15.0, "stressed": 25.0},
    ),
    _change(1),
    _change(5),
)

R33 = (*R25, *IMPLIED)
