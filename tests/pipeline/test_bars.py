from __future__ import annotations

import pandas as pd
import pytest

from pipeline.bars import COLUMNS, adjusted, content_hash, normalise, session_dates
from pipeline.exceptions import DataError


@pytest.mark.lesson("L14")
@pytest.mark.parametrize(
    "written",
    [
        ["2024-03-08", "2024-03-11"],
        ["2024-03-08 00:00:00-05:00", "2024-03-11 00:00:00-04:00"],
        ["2024-03-08 09:30:00-05:00", "2024-03-11 16:00:00-04:00"],
        [pd.Timestamp("2024-03-08", tz="America/New_York"), pd.Timestamp("2024-03-11", tz="America/New_York")],
        [pd.Timestamp("2024-03-08 23:59"), pd.Timestamp("2024-03-11 00:01")],
    ],
)
def test_dates_are_those_of_the_exchange_however_written(written):
    dates = session_dates(pd.Index(written))
    assert dates.equals(pd.DatetimeIndex(["2024-03-08", "2024-03-11"], name="date"))
    assert dates.tz is None and dates.unit == "ns"


def test_rows_are_sorted_and_the_argument_stays(bars):
    shuffled = bars.sample(frac=1, random_state=0)
    before = shuffled.copy()
    pd.testing.assert_frame_equal(normalise(shuffled), bars)
    pd.testing.assert_frame_equal(shuffled, before)


@pytest.mark.lesson("L16")
def test_a_duplicate_date_is_refused_at_ingest(bars):
    with pytest.raises(DataError, match="more than once"):
        normalise(pd.concat([bars, bars.iloc[:1]]))


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_a_missing_column_is_named(bars, name):
    with pytest.raises(DataError, match=name):
        normalise(bars.drop(columns=name))


def test_adjustment_keeps_relations_within_a_day(bars):
    restated = bars.assign(adj_close=bars["close"] * 0.5)
    factors = adjusted(restated)[["open", "high", "low", "close"]] / bars[["open", "high", "low", "close"]]
    assert factors.to_numpy() == pytest.approx(0.5)
    assert restated["close"].equals(bars["close"])


def test_the_hash_sees_each_column_each_date_and_the_order(bars):
    known = {content_hash(bars)}
    for name in COLUMNS:
        changed = bars.copy()
        changed.iloc[10, changed.columns.get_loc(name)] += 1e-9
        known.add(content_hash(changed))
    known.add(content_hash(bars.set_axis(bars.index + pd.Timedelta(days=1))))
    known.add(content_hash(bars[list(COLUMNS[::-1])]))
    known.add(content_hash(bars.iloc[:-1]))
    assert len(known) == len(COLUMNS) + 4
