from __future__ import annotations

import pandas as pd
import pytest

from pipeline.datasets.join import align
from pipeline.exceptions import DataError


@pytest.mark.lesson("L14")
def test_every_day_is_kept_once(bars, vix):
    kept, aligned = align("SPY", bars, {"^VIX": vix})
    assert kept.index.equals(bars.index)
    assert aligned["^VIX"].index.equals(bars.index)
    pd.testing.assert_series_equal(aligned["^VIX"]["close"], vix["close"])


def test_days_that_only_the_other_has_are_left_out(bars, vix):
    kept, aligned = align("SPY", bars.iloc[5:-5], {"^VIX": vix})
    assert len(kept) == len(aligned["^VIX"]) == len(bars) - 10


@pytest.mark.lesson("L14")
@pytest.mark.parametrize("days", [1, 40])
def test_a_stale_ticker_is_named_and_does_not_shorten_the_series(bars, vix, days):
    with pytest.raises(DataError, match=f"\\^VIX must reach SPY's last session .*, got {vix.index[-1 - days].date()}"):
        align("SPY", bars, {"^VIX": vix.iloc[:-days]})


@pytest.mark.lesson("L14")
def test_a_gap_is_named_and_not_filled(bars, vix):
    with pytest.raises(DataError, match=f"1 missing: {vix.index[300].date()}; pull"):
        align("SPY", bars, {"^VIX": vix.drop(vix.index[300])})


@pytest.mark.lesson("L14")
@pytest.mark.parametrize("offset", [pd.Timedelta(hours=5), pd.Timedelta(hours=16)])
def test_dates_that_are_off_make_no_empty_join(bars, vix, offset):
    with pytest.raises(DataError, match="missing"):
        align("SPY", bars, {"^VIX": vix.set_axis(vix.index + offset)})


def test_a_ticker_that_starts_later_starts_the_series(bars, vix):
    kept, aligned = align("SPY", bars, {"^VIX": vix.iloc[30:]})
    assert kept.index[0] == aligned["^VIX"].index[0] == vix.index[30]


def test_without_a_common_day_there_is_no_series(bars, vix):
    later = vix.set_axis(vix.index + pd.Timedelta(days=3650))
    with pytest.raises(DataError, match="must share days"):
        align("SPY", bars, {"^VIX": later})
