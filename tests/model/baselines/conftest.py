from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.baselines import Baseline, fit_baseline
from model.windows import Windows
from pipeline.bars import COLUMNS, adjusted
from pipeline.datasets.dataset import DatasetVersion
from pipeline.tiers import compute_tier, tier_lookback

Predict = Callable[..., np.ndarray[tuple[int], np.dtype[np.float64]]]


@pytest.fixture(scope="session")
def predict() -> Predict:
    """``predict(baseline, dataset, windows)``: fitted, its probabilities of validation or of another part."""

    def predict(baseline: Baseline, dataset: DatasetVersion, windows: Windows, part: str = "validation") -> Any:
        fitted = fit_baseline(baseline, dataset, windows, horizon=1)
        return fitted.predict_rows(dataset, getattr(windows.rows, part))

    return predict


@pytest.fixture(scope="module")
def tiers(dataset: DatasetVersion) -> dict[str, DatasetVersion]:
    """The same bars in other tiers, with an index of implied volatility made of their ranges."""
    raw = dataset.frame[list(COLUMNS)]
    level = 1000 * (raw["high"] / raw["low"] - 1).rolling(10, min_periods=1).mean() + 5
    vix = raw.assign(open=level, high=level, low=level, close=level, adj_close=level)
    made = {}
    for tier in ("a25", "r55", "s33", "s40"):
        features = compute_tier(tier, adjusted(raw), {"^VIX": vix})
        frame = raw.join(features).iloc[tier_lookback(tier) :]
        made[tier] = replace(dataset, frame=frame, tier=tier, features=tuple(features.columns))
    return made
