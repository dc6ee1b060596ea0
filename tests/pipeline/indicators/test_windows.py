from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.indicators.windows import completed_weeks, previous, trailing, trailing_mean


@pytest.mark.slow
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(1, 40))
def test_trailing_windows_equal_a_loop(values, period):
    array = np.array(values)
    expected = [np.nan if day + 1 < period else array[day + 1 - period : day + 1].max() for day in range(len(array))]
    result = trailing(array, period, lambda window: window.max(axis=1))
    np.testing.assert_array_equal(result, expected)


def test_a_trailing_mean_carries_no_rounding_along():
    values = np.concatenate(([1e12, -1e12], np.full(50, 0.1)))
    assert trailing_mean(values, 5)[-1] == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize("days", [1, 3, 10, 20])
def test_previous_moves_values_down(days):
    moved = previous(np.arange(10.0), days)
    assert len(moved) == 10
    assert np.isnan(moved[:days]).all()
    assert moved[days:].tolist() == list(range(max(10 - days, 0)))


def weeks_by_loop(dates: np.ndarray, close: np.ndarray) -> list[float]:
    """Last close of the newest week that is complete: its Friday is today or past."""
    known = []
    for today in range(len(dates)):
        day = dates[today].astype("datetime64[D]")
        friday = day - (int(day.astype(int)) + 3 - 4) % 7  # the newest Friday, today included
        inside = [row for row in range(today + 1) if friday - 7 < dates[row] <= friday]
        earlier = [row for row in range(today + 1) if dates[row] <= friday]
        known.append(close[(inside or earlier)[-1]] if earlier else np.nan)
    return known


@pytest.mark.lesson("L11")
def test_weeks_are_known_once_they_are_over(bars):
    dates, close = bars.index.to_numpy(), bars["close"].to_numpy()
    np.testing.assert_array_equal(completed_weeks(dates, close, lambda c: c), weeks_by_loop(dates, close))


@pytest.mark.lesson("L11")
def test_monday_to_thursday_do_not_reach_the_week_they_are_in(bars):
    dates, close = bars.index.to_numpy(), bars["close"].to_numpy()
    weekly = completed_weeks(dates, close, lambda c: c)
    inside = bars.index.dayofweek < 4
    assert not np.any(weekly[inside] == close[inside])
