from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bars import PRICES, adjusted
from pipeline.share_splits import RATIOS, share_splits, split_consistent
from pipeline.splits.target import Target
from tests.pipeline.conftest import random_bars

BARS = random_bars(300)


def as_traded(bars, splits, dividends=()):
    """Prices before each split in its own shares; the adjusted close knows splits and dividends."""
    raw, factor = bars.copy(), np.ones(len(bars))
    for row, ratio in splits:
        raw.iloc[:row, [raw.columns.get_loc(name) for name in PRICES]] *= ratio
        raw.iloc[:row, raw.columns.get_loc("volume")] /= ratio
        factor[:row] /= ratio
    for row, share in dividends:
        factor[:row] *= 1 - share
    return raw.assign(adj_close=raw["close"] * factor)


@pytest.mark.lesson("L49")
@given(
    ratio=st.sampled_from([float(ratio) for ratio in RATIOS if not 1 / 1.15 < ratio < 1.15]),
    row=st.integers(5, 295),
    dividend=st.floats(0, 0.02),
)
def test_labels_are_those_of_prices_without_the_split(ratio, row, dividend):
    raw = as_traded(BARS, [(row, ratio)], [(row + 3, dividend)])
    (found,) = share_splits(raw)
    assert found.day == BARS.index[row].date() and found.ratio == pytest.approx(ratio)
    whole = split_consistent(raw)
    for target in (Target(horizon=3), Target(horizon=1, rule="close")):
        np.testing.assert_array_equal(target.labels(whole), target.labels(BARS))
    np.testing.assert_allclose(whole[[*PRICES, "volume"]], BARS[[*PRICES, "volume"]], rtol=1e-12)
    np.testing.assert_allclose(adjusted(whole)["open"], adjusted(raw)["open"], rtol=1e-12)


@pytest.mark.lesson("L49")
def test_several_splits_are_put_on_the_last_basis():
    raw = as_traded(BARS, [(50, 4.0), (150, 0.1), (250, 1.5)])
    assert [str(split).split(" on ")[0] for split in share_splits(raw)] == ["4 for 1", "1 for 10", "1.5 for 1"]
    np.testing.assert_allclose(split_consistent(raw)["close"], BARS["close"], rtol=1e-12)


@pytest.mark.lesson("L49")
@given(share=st.floats(0.0, 0.15), row=st.integers(5, 295))
def test_dividends_are_left_alone_and_bars_without_splits_are_the_same_object(share, row):
    raw = as_traded(BARS, [], [(row, share)])
    assert share_splits(raw) == [] and split_consistent(raw) is raw


def test_an_adjusted_close_that_steps_where_no_price_jumps_is_no_split():
    raw = BARS.assign(adj_close=BARS["close"] * np.where(np.arange(len(BARS)) < 100, 0.25, 1.0))
    assert share_splits(raw) == []


def test_a_crash_is_no_split():
    crashed = BARS.copy()
    crashed.iloc[100:, :5] *= 0.5
    assert share_splits(crashed) == []
