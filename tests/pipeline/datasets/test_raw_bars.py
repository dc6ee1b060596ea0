from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline.bars import adjusted
from pipeline.datasets.raw_bars import check_raw_bars, raw_bars, raw_columns, raw_features
from pipeline.exceptions import DataError
from pipeline.tiers import TIERS, auxiliary_tickers, compute_tier


@pytest.fixture
def sent(bars, vix) -> pd.DataFrame:
    """What a caller sends for tier r33."""
    return bars.rename_axis("date").reset_index().assign(vix_close=vix["close"].to_numpy())


def _checked(frame, ticker="SPY", tier="r33"):
    return check_raw_bars(frame, ticker=ticker, tier=tier)


def _at(frame, row, column, value):
    changed = frame.astype({column: object}) if isinstance(value, str | list) else frame.copy()
    changed.at[row, column] = value
    return changed


@pytest.mark.lesson("L17")
@pytest.mark.parametrize("tier", TIERS)
def test_the_columns_follow_from_what_the_tier_reads(tier):
    assert {ticker for ticker, _ in raw_columns(tier).values()} == set(auxiliary_tickers(tier))


@pytest.mark.lesson("L17")
@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier != "a25"])
def test_what_is_rebuilt_from_a_dataset_version_gives_its_features_to_the_bit(market, tier):
    root, dataset = market(tier)
    frame = raw_bars(root, dataset)
    assert list(frame.columns) == ["date", "open", "high", "low", "close", "adj_close", "volume", *raw_columns(tier)]
    features = raw_features(*check_raw_bars(frame, ticker=dataset.ticker, tier=tier), tier, dataset.ticker)
    np.testing.assert_array_equal(features[-len(dataset.frame) :], dataset.feature_matrix)


def test_a_snapshot_that_is_gone_is_named(market, tmp_path):
    root, dataset = market("r33")
    shutil.copytree(root / "snapshots", tmp_path / "snapshots")
    shutil.rmtree(tmp_path / "snapshots" / "_VIX")
    with pytest.raises(DataError, match=r"snapshot \w{12} of \^VIX must be under .*pull it again"):
        raw_bars(tmp_path, dataset)


def test_bars_come_out_as_they_went_in(sent, bars, vix):
    read, further = _checked(sent[sent.columns[::-1]])
    pd.testing.assert_frame_equal(read, bars, check_freq=False)
    np.testing.assert_array_equal(further["vix_close"], vix["close"])
    np.testing.assert_array_equal(
        raw_features(read, further, "r33", "SPY"),
        compute_tier("r33", adjusted(bars), {"^VIX": vix}).to_numpy(np.float32),
    )


def test_the_adjusted_close_may_be_left_out_and_counts_where_it_is_given(sent):
    without, _ = _checked(sent.drop(columns="adj_close"))
    empty, _ = _checked(sent.assign(adj_close=np.nan))
    for read in (without, empty):
        np.testing.assert_array_equal(read["adj_close"], sent["close"])
    halved, _ = _checked(sent.assign(adj_close=sent["close"] / 2))
    np.testing.assert_array_equal(halved["adj_close"], sent["close"] / 2)


@pytest.mark.parametrize(
    "form",
    [
        lambda dates: dates.dt.strftime("%Y-%m-%d"),
        lambda dates: dates.dt.strftime("%Y-%m-%dT00:00:00"),
        lambda dates: dates.dt.date,
        lambda dates: dates.dt.tz_localize("America/New_York"),
        lambda dates: dates + pd.Timedelta(hours=16),
        lambda dates: dates.astype("datetime64[us]"),
        lambda dates: dates.dt.strftime("%Y-%m-%dT00:00:00Z"),
        lambda dates: dates.dt.tz_localize("America/New_York").map(str),
        lambda dates: dates.dt.tz_localize("America/New_York").astype(object),
        lambda dates: dates.map(lambda day: day.to_datetime64()).astype(object),
    ],
)
def test_dates_may_come_in_any_usual_form(sent, bars, form):
    read, _ = _checked(sent.assign(date=form(sent["date"])))
    pd.testing.assert_index_equal(read.index, bars.index, exact="equiv")


def test_an_evening_date_with_an_offset_is_of_its_own_day(sent, bars):
    evening = sent["date"].dt.strftime("%Y-%m-%dT20:30:00-04:00")
    pd.testing.assert_index_equal(_checked(sent.assign(date=evening))[0].index, bars.index, exact="equiv")


def test_whole_numbers_are_numbers_and_so_are_written_ones(sent, bars):
    _checked(sent.assign(volume=sent["volume"].astype("int64")))
    written = sent.assign(**{name: sent[name].map(repr) for name in ("open", "volume", "vix_close")})
    pd.testing.assert_frame_equal(_checked(written)[0], bars, check_freq=False)


@pytest.mark.lesson("L16")
@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (lambda f: f.drop(columns="close"), "must have the columns date, open, .*missing close; add"),
        (lambda f: f.drop(columns=["date", "vix_close"]), "missing date, vix_close"),
        (lambda f: f.iloc[:0], "at least one session, got no rows"),
        (lambda f: f.iloc[::-1], "dates must be ascending"),
        (lambda f: pd.concat([f, f.iloc[-1:]]), "a date must be there once, got 2017-"),
        (lambda f: _at(f.astype({"date": object}), 5, "date", "yesterday"), "date must be a day.*'yesterday' in row 5"),
        (lambda f: _at(f, 5, "date", pd.NaT), "got none in row 5"),
        (
            lambda f: f.assign(date=f["date"].astype("int64") // 10**6),
            "must be text as 2024-12-31 or datetimes, got 14",
        ),
        (lambda f: _at(f.astype({"date": object}), 5, "date", 20240703), "datetimes, got 20240703 in row 5"),
        (lambda f: _at(f.astype({"date": object}), 5, "date", True), "datetimes, got True in row 5"),
        (lambda f: _at(f.astype({"date": object}), 5, "date", [1]), r"datetimes, got \[1\] in row 5"),
        (lambda f: _at(f.astype({"date": object}), 5, "date", None), "got none in row 5"),
        (lambda f: _at(f.astype({"date": object}), 5, "date", "9999-01-01"), "to today, got 9999-01-01 in row 5"),
        (lambda f: _at(f, 5, "date", pd.Timestamp("1815-06-18")), "from 1900-01-01 to today, got 1815-06-18 in row 5"),
        (lambda f: f[[*f.columns, "close", "date"]], "a column must be there once, got date, close more than once"),
        (lambda f: _at(f.astype({"volume": object}), 5, "volume", 10**400), r"volume must be at most 1e\+15, got more"),
        (lambda f: f.assign(volume=f["date"]), "volume must be a number, got Timestamp"),
        (lambda f: _at(f, 5, "close", -1.0), "close must be positive, got -1 at 2015-01-09"),
        (lambda f: _at(f, 5, "open", 0.0), "open must be positive, got 0"),
        (lambda f: _at(f, 5, "adj_close", -2.0), "adj_close must be positive"),
        (lambda f: _at(f, 5, "vix_close", 0.0), "vix_close must be positive"),
        (lambda f: _at(f, 5, "volume", -3.0), "volume must be 0 or more, got -3"),
        (lambda f: _at(f, 5, "high", np.nan), "high must be finite, got nan"),
        (lambda f: _at(f, 5, "low", np.inf), "low must be finite, got inf"),
        (lambda f: _at(f, 5, "high", 1e16), r"high must be at most 1e\+15, got 1e\+16"),
        (lambda f: _at(f, 5, "low", 1e-13), "low must be at least 1e-12, got 1e-13"),
        (lambda f: _at(f, 5, "close", "ten"), "close must be a number, got 'ten' at 2015-01-09"),
        (lambda f: _at(f, 5, "close", [1.0]), r"close must be a number, got \[1.0\]"),
        (lambda f: f.assign(volume=True), "volume must be a number, got True"),
        (lambda f: _at(f, 5, "high", 1.0), "high must bound the bar.*2015-01-09 open"),
        (lambda f: _at(f, 5, "low", 1e6), "low from below"),
        (lambda f: f.drop(index=300), "every session .* must have a bar, got 20"),
        (lambda f: _at(f, len(f) - 1, "date", pd.Timestamp("2017-10-14")), "must be of a session of the exchange"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(sent, break_it, rule):
    with pytest.raises(DataError, match=rule) as caught:
        _checked(break_it(sent))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_sessions_are_those_of_the_tickers_own_exchange(sent):
    without = sent.drop(index=300)
    _checked(without, ticker="BTC-USD")
    with pytest.raises(DataError, match="session"):
        _checked(sent, ticker="VOD.L")


def test_the_frame_is_not_changed(sent):
    before = sent.copy()
    _checked(sent)
    pd.testing.assert_frame_equal(sent, before)


@pytest.mark.lesson("L42")
def test_adjusted_bars_whose_close_is_one_rounding_above_the_high_are_taken(sent):
    high = sent["high"].to_numpy()
    above = sent.assign(close=np.nextafter(high, np.inf), open=high)
    _checked(above)
    with pytest.raises(DataError, match="high must bound the bar"):
        _checked(sent.assign(close=high * (1 + 1e-6)))


@pytest.mark.lesson("L14")
def test_midnights_of_the_exchange_in_utc_are_its_days(sent, bars):
    midnights = pd.DatetimeIndex(sent["date"]).tz_localize("America/New_York").tz_convert("UTC")
    for written in (midnights, midnights.map(str), midnights.tz_convert("Asia/Tokyo")):
        pd.testing.assert_index_equal(_checked(sent.assign(date=written))[0].index, bars.index, exact="equiv")
    mixed = midnights.map(str).to_list()
    mixed[5] = mixed[5][:10]
    with pytest.raises(DataError, match=r"every date must have an offset from UTC or none, got .* in row 5"):
        _checked(sent.assign(date=mixed))
