from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline.tiers as tiers
from pipeline.bars import adjusted
from pipeline.exceptions import DataError, InputError
from pipeline.sources.sample import SampleSource
from pipeline.tiers import (
    TIERS,
    auxiliary_tickers,
    compute_tier,
    find_tier,
    n_static,
    tier_code_version,
    tier_lookback,
    tier_memory,
)

DAYS = 50
FEATURES = {id(feature): (name, feature) for name in TIERS for feature in TIERS[name]}.values()
RESOLUTION = float(np.finfo(np.float32).eps) / 2
LONGEST = max(tier_lookback(name) for name in TIERS)
PRICES = ["open", "high", "low", "close", "adj_close"]
random_days = st.integers(LONGEST, 698)
fifty_days = settings(max_examples=DAYS)


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
    by_ticker = {"follows_sp500", "follows_dow", "follows_nasdaq"}
    weekdays = {"monday", "tuesday", "wednesday", "thursday", "friday"}
    by_calendar_or_week = {*by_ticker, *weekdays} | {
        "rsi_weekly",
        "stochrsi_weekly",
        "day_of_week",
        "month",
        "vix_regime",
        "gap",
    }
    assert set(changed.index[~changed]) <= by_calendar_or_week | by_ticker | weekdays


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
        "s33": (),
        "s40": ("^VIX",),
    }
    assert [feature for feature in TIERS["s40"] if not feature.tickers] == list(TIERS["s33"])


def test_a_tier_of_two_parts_has_its_window_first_and_sigma_first_beside_it():
    for name in ("s33", "s40"):
        static = [feature.static for feature in TIERS[name]]
        assert static == sorted(static) and sum(static) == n_static(name)
        assert TIERS[name][static.index(True)].name == "log_sigma"
    assert [n_static(name) for name in ("a25", "r25", "r33", "r55")] == [0] * 4
    assert len(TIERS["s40"]) == 40 and n_static("s40") == 33


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


@pytest.fixture(scope="module", params=["^GSPC", "^IXIC", "made up"])
def long_history(request, make_bars) -> pd.DataFrame:
    return make_bars(3000) if request.param == "made up" else adjusted(SampleSource().fetch(request.param).bars)


def _difference(feature, bars: pd.DataFrame, memory: int, days: int = 40) -> float:
    """Largest difference between a history of ``memory`` sessions and the whole one, in standard deviations."""
    level = bars["close"] / bars["close"].mean() * 20
    vix = pd.DataFrame({"close": level.to_numpy()[::-1].copy()}, index=bars.index)
    whole = feature.compute(bars, {"^VIX": vix})
    scale, worst = np.nanstd(whole) or 1.0, 0.0
    for end in range(len(bars), memory + days, -301):
        span = slice(end - days - memory, end)
        cut = feature.compute(bars.iloc[span], {"^VIX": vix.iloc[span]})[memory:]
        worst = max(worst, float(np.abs(cut - whole[end - days : end]).max() / scale))
    return worst


@pytest.mark.lesson("L17")
def test_after_its_memory_the_start_of_the_series_no_longer_matters(long_history):
    bounded = {
        f"{tier} {f.name}": _difference(f, long_history, f.memory) for tier, f in FEATURES if f.memory is not None
    }
    assert len(bounded) == 25 - 1 + 55 + 40
    assert {name: worst for name, worst in bounded.items() if not worst < RESOLUTION} == {}


@pytest.mark.parametrize("name", ["rsi_weekly", "stochrsi_weekly", "close_over_dema_90", "adx_14", "rsi_daily"])
def test_a_recursive_feature_needs_more_than_its_look_back(name, long_history):
    feature = next(feature for feature in TIERS["r25"] if feature.name == name)
    assert feature.memory > feature.lookback
    assert _difference(feature, long_history, feature.lookback) > 1000 * RESOLUTION


def test_a_running_total_never_forgets_and_its_tier_says_so(long_history):
    obv = next(feature for feature in TIERS["a25"] if feature.name == "obv")
    assert _difference(obv, long_history, 2000) > 0.01
    with pytest.raises(InputError, match="obv of tier a25 is a running total; take tier r25"):
        tier_memory("a25")


def test_the_memory_is_no_part_of_what_names_the_code(monkeypatch):
    before = tier_code_version("r25")
    longer = tuple(replace(feature, memory=5000) for feature in TIERS["r25"])
    monkeypatch.setattr(tiers, "TIERS", {**TIERS, "r25": longer})
    assert tier_code_version("r25") == before and tier_memory("r25") == 5000
