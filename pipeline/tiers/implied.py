"""Tier ``r33``: ``r25`` and eight features of the implied volatility index ^VIX."""

from __future__ import annotations

from pipeline.indicators import implied
from pipeline.tiers.feature import feature
from pipeline.tiers.relative import R25

VIX_CLOSE = "^VIX.close"

IMPLIED = (
    feature("vix_close", VIX_CLOSE, implied.implied_volatility, 0),
    feature("vix_mean_10", VIX_CLOSE, implied.implied_mean, 9, period=10),
    feature("vix_mean_20", VIX_CLOSE, implied.implied_mean, 19, period=20),
    feature("vix_percentile_60", VIX_CLOSE, implied.percentile, 59, period=60),
    feature("vix_zscore_20", VIX_CLOSE, implied.z_score, 19, period=20),
    feature("vix_regime", VIX_CLOSE, implied.regime, 0, calm=15.0, stressed=25.0),
    feature("vix_change_1", VIX_CLOSE, implied.change, 1, period=1),
    feature("vix_change_5", VIX_CLOSE, implied.change, 5, period=5),
)

R33 = (*R25, *IMPLIED)
