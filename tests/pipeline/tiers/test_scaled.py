"""The tiers in sigma: their two parts, and what a change of the price's level, or of volatility, leaves alone."""

import numpy as np
import pandas as pd
import pytest

from pipeline.tiers import TIERS, compute_tier, find_tier
from pipeline.tiers.feature import IN_SIGMA, OVER_SIGMA


def test_the_parts_have_the_stated_sizes_and_without_a_vix_the_rest_is_left():
    sizes = {name: [sum(f.static is part for f in TIERS[name]) for part in (False, True)] for name in ("s33", "s40")}
    assert sizes == {"s33": [6, 27], "s40": [7, 33]}
    assert {f.name for f in TIERS["s40"]} - {f.name for f in TIERS["s33"]} == {
        f.name for f in TIERS["s40"] if "^VIX" in f.tickers
    }


def test_every_channel_has_a_limit_and_moves_have_a_unit():
    channels = [feature for feature in find_tier("s40") if not feature.static]
    assert all(feature.limit > 0 for feature in find_tier("s40"))
    assert [feature.unit for feature in channels] == [IN_SIGMA] * 4 + [OVER_SIGMA] * 2 + [""]


def test_another_currency_changes_nothing(bars):
    dearer = bars.copy()
    dearer[["open", "high", "low", "close", "adj_close"]] *= 7.0
    pd.testing.assert_frame_equal(compute_tier("s33", dearer), compute_tier("s33", bars), atol=1e-9, rtol=1e-9)


def test_twice_the_volatility_is_one_constant_in_sigma_and_nothing_in_what_is_measured_in_it(bars):
    """Log prices spread out twice as far: sigma doubles, and everything in it stays what it was."""
    first = bars["close"].iloc[0]
    wider = bars.copy()
    for name in ("open", "high", "low", "close", "adj_close"):
        wider[name] = first * (bars[name] / first) ** 2
    before, after = compute_tier("s33", bars), compute_tier("s33", wider)
    known = before.index[252:]
    assert np.allclose(after.loc[known, "log_sigma"] - before.loc[known, "log_sigma"], np.log(2), atol=1e-6)
    same = [f.name for f in TIERS["s33"] if f.static and f.name not in ("log_sigma", "close_location")]
    pd.testing.assert_frame_equal(after.loc[known, same], before.loc[known, same], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("ticker", "family"), [("SPY", "sp500"), ("DIA", "dow"), ("^IXIC", "nasdaq"), ("ABC", None)])
def test_which_index_a_series_follows_is_known_by_its_ticker(bars, ticker, family):
    row = compute_tier("s33", bars, ticker=ticker).iloc[-1]
    assert {name for name in ("sp500", "dow", "nasdaq") if row[f"follows_{name}"]} == {family} - {None}
