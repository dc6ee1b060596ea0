"""Tiers: named sets of features, declared once and read by everybody.

A feature names its inputs (columns of the bars, or ``date``), its parameters,
its look-back in days and its function in :mod:`pipeline.indicators`.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import pandas as pd

from pipeline import indicators
from pipeline.exceptions import DataError, InputError

WEEK_DAYS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """One column of a tier.

    Parameters
    ----------
    name : str
        Column name in the dataset version.
    inputs : tuple of str
        Columns of the bars, in the order of the function's arguments.
    function : callable
        From input arrays of shape (days,) and the parameters to shape (days,).
    lookback : int
        Number of earlier days after which a value must exist.
    parameters : mapping
        Keyword arguments of the function.
    """

    name: str
    inputs: tuple[str, ...]
    function: Callable[..., indicators.Array]
    lookback: int
    parameters: Mapping[str, float] = field(default_factory=dict)

    def compute(self, bars: pd.DataFrame) -> indicators.Array:
        """Value of every day of the bars, NaN where the look-back is not filled."""
        columns = [bars.index.to_numpy() if name == "date" else bars[name].to_numpy() for name in self.inputs]
        return np.asarray(self.function(*columns, **self.parameters), dtype=np.float64)


def _over_dema(period: int) -> Feature:
    return Feature(
        name=f"close_over_dema_{period}",
        inputs=("close",),
        function=indicators.over_dema,
        lookback=2 * (period - 1),
        parameters={"period": period},
    )


def _over_sma(period: int) -> Feature:
    return Feature(
        name=f"close_over_sma_{period}",
        inputs=("close",),
        function=indicators.over_sma,
        lookback=period - 1,
        parameters={"period": period},
    )


def _over_previous_close(column: str) -> Feature:
    return Feature(
        name=f"{column}_over_previous_close",
        inputs=(column, "close"),
        function=indicators.over_previous_close,
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
        function=indicators.over_volume_mean,
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
    Feature(name="rsi_daily", inputs=("close",), function=indicators.rsi, lookback=14, parameters={"period": 14}),
    Feature(
        name="rsi_weekly",
        inputs=("date", "close"),
        function=indicators.rsi_weekly,
        lookback=16 * WEEK_DAYS,
        parameters={"period": 14},
    ),
    Feature(
        name="stochrsi_daily",
        inputs=("close",),
        function=indicators.stochastic_rsi,
        lookback=20,
        parameters={"period": 14, "fast_k": 5, "fast_d": 3},
    ),
    Feature(
        name="stochrsi_weekly",
        inputs=("date", "close"),
        function=indicators.stochastic_rsi_weekly,
        lookback=22 * WEEK_DAYS,
        parameters={"period": 14, "fast_k": 5, "fast_d": 3},
    ),
    Feature(
        name="macd_over_close",
        inputs=("close",),
        function=indicators.macd_over_close,
        lookback=33,
        parameters={"fast": 12, "slow": 26, "signal": 9},
    ),
    Feature(
        name="obv_change_20",
        inputs=("close", "volume"),
        function=indicators.obv_change,
        lookback=20,
        parameters={"period": 20},
    ),
    Feature(
        name="adosc_over_volume",
        inputs=("high", "low", "close", "volume"),
        function=indicators.adosc_over_volume,
        lookback=19,
        parameters={"fast": 3, "slow": 10},
    ),
    Feature(
        name="atr_over_close_14",
        inputs=("high", "low", "close"),
        function=indicators.atr_over_close,
        lookback=14,
        parameters={"period": 14},
    ),
    Feature(
        name="adx_14", inputs=("high", "low", "close"), function=indicators.adx, lookback=27, parameters={"period": 14}
    ),
    Feature(
        name="bb_percent_b",
        inputs=("close",),
        function=indicators.bollinger_percent_b,
        lookback=19,
        parameters={"period": 20, "deviations": 2.0},
    ),
    Feature(
        name="close_over_vwap_20",
        inputs=("high", "low", "close", "volume"),
        function=indicators.over_vwap,
        lookback=19,
        parameters={"period": 20},
    ),
)

TIERS: Mapping[str, tuple[Feature, ...]] = {"r25": R25}


def find_tier(name: str) -> tuple[Feature, ...]:
    """Return the features of a tier.

    Raises
    ------
    InputError
        If no tier has this name.
    """
    if name not in TIERS:
        raise InputError(f"tier must be one of {', '.join(TIERS)}, got {name!r}")
    return TIERS[name]


def compute_tier(name: str, bars: pd.DataFrame) -> pd.DataFrame:
    """Compute every feature of a tier for every day of the bars.

    Returns
    -------
    DataFrame
        Shape (days, features), float64, same index; NaN only inside a look-back.

    Raises
    ------
    DataError
        If there are fewer days than the look-back, or a value is missing after it.
    """
    features = find_tier(name)
    needed = tier_lookback(name) + 1
    if len(bars) < needed:
        raise DataError(f"tier {name} needs at least {needed} days of history, got {len(bars)}; take a longer series")
    frame = pd.DataFrame({feature.name: feature.compute(bars) for feature in features}, index=bars.index)
    for feature in features:
        values = frame[feature.name].to_numpy()[feature.lookback :]
        if not np.isfinite(values).all():
            day = frame.index[feature.lookback + int(np.argmin(np.isfinite(values)))].date()
            raise DataError(f"{feature.name} must be finite after {feature.lookback} days, got none at {day}")
    return frame


def tier_lookback(name: str) -> int:
    """Days of history before the first day on which every feature has a value."""
    return max(feature.lookback for feature in find_tier(name))


def tier_code_version(name: str) -> str:
    """Name what computes this tier: its declaration, the indicator code, TA-Lib's version."""
    declared = [(f.name, f.inputs, f.lookback, sorted(f.parameters.items())) for f in find_tier(name)]
    text = f"{declared}\n{inspect.getsource(indicators)}\nTA-Lib {version('TA-Lib')}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
