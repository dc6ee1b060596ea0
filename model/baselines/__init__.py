"""Baselines: what a user would take instead of a Transformer, fitted on the same rows, scored on the same days.

A baseline reads the last day of a window only. Its settings are fixed before any validation day is seen; where
one is left to the data, it is chosen inside the training rows, in order of time.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.baselines.baseline import Baseline, BaseRate, FittedBaseline, fit_baseline
from model.baselines.features import Boosting, Logistic
from model.baselines.volatility import HarLogistic, VolatilityLogistic

__all__ = ["BASELINES", "BaseRate", "Baseline", "Boosting", "FittedBaseline", "Logistic", "fit_baseline"]

BASELINES: Mapping[str, Baseline] = {
    each.name: each for each in (BaseRate(), VolatilityLogistic(), HarLogistic(), Logistic(), Boosting())
}
