from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.tiers as tiers
from pipeline.exceptions import DataError, InputError
from pipeline.tiers import TIERS, auxiliary_tickers, compute_tier, find_tier, tier_code_version, tier_lookback

DAYS = 50
LONGEST = max(tier_lookback(name) for name in TIERS)
PRICES = ["open", "high", "low", "close", "adj_close"]
random_days = st.integers(LONGEST, 698)
fifty_days = settings(
    max_examples=DAYS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module", params=TIERS)
def whole(request, bars, vix) -> tuple[str, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return request.param, bars, vix, compute_tier(request.param, bars, {"^VIX": vix})


@pytest.mark.lesson("L11")
@fifty_days
@given(day=random_days)
def test_no_feature_reads_a_later_day(whole, day):
    """Every feature of every tier: on data cut after a day, all values up to that day are the same, to the bit."""
    name, bars, vix, features = whole
    cut = compute_tier(name, bars.iloc[: day + 1], {"^VIX": vix.iloc[: day + 1]})
    pd.testing.assert_frame_equal(cut, features.iloc[: day + 1], check_exact=True, check_freq=False)


@pytest.mark.lesson("L11")
@fifty_days
@given(day=random_days, factor=st.sampled_from([0.5, 0.99, 1.01, 3.0]))
def test_a_change_of_a_later_day_changes_nothing_earlier(whole, day, factor):
    name, bars, vix, features = whole
    later, later_vix = bars.copy(), vix.copy()
    for frame in (later, later_vix):
        frame.iloc[day + 1 :] *= factor
    changed = compute_tier(name, later, {"^VIX": later_vix})
    pd.testing.assert_frame_equal(changed.iloc[: day + 1], features.iloc[: day + 1], check_exact=True)


@pytest.mark.lesson("L12")
def test_the_newest_day_reaches_its_features(whole):
    """Nothing is lagged: a change of the last day's bar is seen in its own row."""
    name, bars, vix, features = whole
    newest, newest_vix = bars.copy(), vix.copy()
    newest.iloc[-1, [newest.columns.get_loc(column) for column in PRICES]] *= [1.01, 1.03, 0.97, 1.02, 1.02]
    newest.iloc[-1, newest.columns.get_loc("volume")] *= 3
    newest_vix.iloc[-1] *= 1.4
    changed = compute_tier(name, newest, {"^VIX": newest_vix}).iloc[-1] != features.iloc[-1]
    by_calendar_or_week = {"rsi_weekly", "stochrsi_weekly", "day_of_week", "month", "vix_regime", "gap"}
    assert set(changed.index[~changed]) <= by_calendar_or_week


def test_values_are_missing_inside_the_look_back_only(whole):
    name, _, _, features = whole
    for feature in find_tier(name):
        assert np.isfinite(features[feature.name].to_numpy()[feature.lookback :]).all()
    assert tier_lookback(name) == max(feature.lookback for feature in find_tier(name))


@pytest.mark.lesson("L17")
def test_the_columns_are_the_declared_names_in_their_order(whole):
    name, _, _, features = whole
    assert tuple(features.columns) == tuple(feature.name for feature in find_tier(name))
    assert len(set(features.columns)) == len(features.columns) == int(name[1:])


def test_the_bars_are_not_changed(whole):
    name, bars, vix, _ = whole
    before = bars.copy()
    compute_tier(name, bars, {"^VIX": vix})
    pd.testing.assert_frame_equal(bars, before)


def test_tiers_build_upon_each_other():
    assert TIERS["r33"][:25] == TIERS["r25"]
    assert TIERS["r55"][:33] == TIERS["r33"]
    assert {name: auxiliary_tickers(name) for name in TIERS} == {
        "a25": (),
        "r25": (),
        "r33": ("^VIX",),
        "r55": ("^VIX",),
    }


def test_another_ticker_must_be_there_and_on_the_same_days(bars, vix):
    with pytest.raises(DataError, match="tier r33 needs the bars of \\^VIX, got none"):
        compute_tier("r33", bars)
    with pytest.raises(DataError, match="same days"):
        compute_tier("r33", bars, {"^VIX": vix.iloc[1:]})


def test_too_few_days_are_refused(bars):
    with pytest.raises(DataError, match="at least 200 days of history, got 199"):
        compute_tier("r25", bars.iloc[:199])
    assert len(compute_tier("r25", bars.iloc[:200])) == 200


def test_a_value_that_does_not_exist_is_named(bars):
    broken = bars.copy()
    broken.iloc[400, broken.columns.get_loc("volume")] = np.nan
    with pytest.raises(DataError, match="volume_over_mean_20 must be finite after 19 days, got none at"):
        compute_tier("r25", broken)


def test_an_unknown_tier_is_named():
    with pytest.raises(InputError, match="got 'r99'"):
        find_tier("r99")


def test_the_code_version_follows_the_declaration_and_the_code(monkeypatch):
    before = {name: tier_code_version(name) for name in TIERS}
    assert len(set(before.values())) == len(TIERS)
    first, *others = TIERS["r25"]
    monkeypatch.setattr(tiers, "TIERS", {**TIERS, "r25": (replace(first, lookback=2), *others)})
    assert tier_code_version("r25") != before["r25"]
    source = tiers.inspect.getsource
    changed = "pipeline.indicators.windows"
    monkeypatch.setattr(tiers.inspect, "getsource", lambda m: source(m) + "#" * (m.__name__ == changed))
    assert tier_code_version("a25") != before["a25"]
    changed = "pipeline.indicators.volatility"
    assert tier_code_version("a25") == before["a25"]
    assert tier_code_version("r55") != before["r55"]
