"""Baselines that know volatility only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.baselines.baseline import Array, Baseline
from model.baselines.features import logistic_regression
from pipeline.bars import adjusted
from pipeline.datasets.dataset import DatasetVersion
from pipeline.indicators.volatility import SESSIONS_A_YEAR, har_volatility, realised_volatility
from pipeline.splits.splits import Index

VIX = "vix_close"
MONTH = 21
LOG_VIX = "implied_level"
"""Log of the VIX as a daily fraction, of the tiers in sigma."""
VOLATILITIES = (f"realised_volatility_{MONTH}", "atr_over_close_14")
HAR_PERIODS = (1, 5, 22)
LEAST_VOLATILITY = 1e-4


@dataclass(frozen=True, kw_only=True)
class VolatilityLogistic(Baseline):
    """Logistic regression on the log of one volatility.

    The VIX if the tier has it, else the month's realised volatility or the
    average true range over the close, else realised volatility computed from
    the bars.

    Parameters
    ----------
    c : float
        Inverse strength of the penalty, on standardised inputs; 1 is next to none on thousands of days.
    """

    name = "volatility_logistic"
    c: float = 1.0

    def inputs(self, dataset: DatasetVersion) -> pd.DataFrame:
        """Log volatility."""
        if (vix := implied_volatility(dataset)) is not None:
            return _log(vix)
        found = next((name for name in VOLATILITIES if name in dataset.features), None)
        if found is not None:
            return _log(dataset.frame[[found]])
        close = adjusted(dataset.frame)["close"].to_numpy()
        return _log(pd.DataFrame({VOLATILITIES[0]: realised_volatility(close, MONTH)}, index=dataset.frame.index))

    def fit(self, x_NF: Array, y_N: Array, day_N: Index, horizon: int) -> tuple[Any, dict[str, float]]:
        """Fit with the fixed penalty."""
        return logistic_regression(self.c).fit(x_NF, y_N), {}


@dataclass(frozen=True, kw_only=True)
class HarLogistic(VolatilityLogistic):
    """Logistic regression on log volatilities over 1, 5 and 22 days, and on the VIX if the tier has it.

    References
    ----------
    Corsi (2009), "A simple approximate long-memory model of realized volatility".
    """

    name = "har_logistic"

    def inputs(self, dataset: DatasetVersion) -> pd.DataFrame:
        """Log of the three volatilities, computed from the bars where the tier has them not, and of the VIX."""
        names = {period: f"har_volatility_{period}" for period in HAR_PERIODS}
        bars = adjusted(dataset.frame)
        open_, high, low, close = (bars[column].to_numpy() for column in ("open", "high", "low", "close"))
        columns = {
            name: dataset.frame[name] if name in dataset.features else har_volatility(open_, high, low, close, period)
            for period, name in names.items()
        }
        vix = implied_volatility(dataset)
        own = pd.DataFrame(columns, index=dataset.frame.index)
        return _log(own if vix is None else own.join(vix))


def implied_volatility(dataset: DatasetVersion) -> pd.DataFrame | None:
    """VIX as a fraction a year, one column, if the tier has it in one form or the other."""
    if VIX in dataset.features:
        return dataset.frame[[VIX]]
    if LOG_VIX in dataset.features:
        return np.exp(dataset.frame[[LOG_VIX]]).rename(columns={LOG_VIX: VIX}) * np.sqrt(SESSIONS_A_YEAR)
    return None


def _log(volatility: pd.DataFrame) -> pd.DataFrame:
    """Log, floored: volatilities are nearly log-normal, and a day without a trade has none."""
    return volatility.clip(lower=LEAST_VOLATILITY).transform(np.log).add_prefix("log_")
