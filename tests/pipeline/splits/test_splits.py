from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calendars import sessions
from pipeline.exceptions import InputError
from pipeline.splits.splits import (
    MIN_EVALUATION_DAYS,
    Split,
    auto_split,
    full_years,
    parse_split,
    require_test_days,
    split_rows,
)

DATES = sessions("XNYS", date(2005, 1, 1), date(2018, 12, 31))


def labels(horizon: int) -> np.ndarray:
    values = (np.arange(len(DATES)) % 4 == 0).astype(float)
    values[len(DATES) - horizon :] = np.nan
    return values


def test_auto_takes_two_full_years_each():
    split = auto_split(DATES)
    assert (split.train_end, split.validation_start) == (date(2014, 12, 31), date(2015, 1, 1))
    assert (split.validation_end, split.test_start, split.test_end) == (
        date(2016, 12, 31),
        date(2017, 1, 1),
        date(2018, 12, 31),
    )


def test_a_year_that_is_not_over_is_not_full():
    assert full_years(DATES[:-1])[-1] == 2017
    assert full_years(DATES[1:])[0] == 2006
    assert auto_split(DATES[:-1]).test_end == date(2017, 12, 31)


def test_auto_needs_five_years():
    with pytest.raises(InputError, match="at least 5 full calendar years, got 4"):
        auto_split(DATES[DATES.year >= 2015])


@given(
    horizon=st.integers(1, 60),
    first_row=st.integers(0, 500),
    ends=st.tuples(st.integers(600, 1200), st.integers(300, 900), st.integers(1, 1400)),
)
@pytest.mark.lesson("L19")
def test_label_intervals_are_disjoint_whatever_the_dates(horizon, first_row, ends):
    train, validation, test = np.minimum(np.cumsum(ends), len(DATES) - 1)
    if not train < validation < test:
        return
    text = "/".join(str(DATES[row].date()) for row in (train, validation, test))
    rows = split_rows(DATES, labels(horizon), parse_split(text, DATES), horizon=horizon, first_row=first_row)
    seen = {name: {t + ahead for t in index for ahead in range(1, horizon + 1)} for name, index in rows.parts.items()}
    assert not seen["train"] & seen["validation"]
    assert not seen.get("test", set()) & (seen["train"] | seen["validation"])


@pytest.mark.lesson("L19")
@pytest.mark.parametrize("horizon", [1, 5])
def test_evaluated_days_do_not_depend_on_the_context(horizon):
    split = auto_split(DATES)
    parts = [
        split_rows(DATES, labels(horizon), split, horizon=horizon, first_row=context - 1)
        for context in (1, 20, 60, 250, 1000)
    ]
    for rows in parts[1:]:
        np.testing.assert_array_equal(rows.validation, parts[0].validation)
        np.testing.assert_array_equal(rows.test, parts[0].test)
    assert [len(rows.train) for rows in parts] == [len(parts[0].train) - lost for lost in (0, 19, 59, 249, 999)]


@pytest.mark.lesson("L19")
def test_only_labels_are_purged():
    """Validation starts on its first day, whatever the horizon, and loses the horizon at its end alone."""
    split = auto_split(DATES)
    for horizon in (1, 3, 20):
        rows = split_rows(DATES, labels(horizon), split, horizon=horizon, first_row=0)
        inside = np.flatnonzero((DATES.year == 2015) | (DATES.year == 2016))
        np.testing.assert_array_equal(rows.validation, inside[:-horizon])


def test_days_without_a_label_are_no_samples():
    values = labels(1)
    values[::7] = np.nan
    rows = split_rows(DATES, values, auto_split(DATES), horizon=1, first_row=0)
    assert all(np.isfinite(values[index]).all() for index in rows.parts.values())


@pytest.mark.parametrize("text", ["", "auto ", "2014-12-31", "2014-12-31/2016-12-31", "a/b/c", "2014/2016/2018"])
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(InputError, match="split must be auto or"):
        parse_split(text, DATES)


@pytest.mark.parametrize("text", ["2016-12-31/2014-12-31/2018-12-31", "2014-12-31/2014-12-31/2018-12-31"])
def test_parts_must_follow_each_other(text):
    with pytest.raises(InputError, match="without overlap"):
        parse_split(text, DATES)


def test_a_split_is_checked_when_it_is_made():
    days = {name: date(2000 + place, 1, 1) for place, name in enumerate(Split.__dataclass_fields__)}
    Split(**days)
    with pytest.raises(InputError):
        Split(**{**days, "test_end": date(1999, 1, 1)})


def test_too_few_evaluated_days_are_refused():
    split = parse_split("2014-12-31/2015-09-30/2018-12-31", DATES)
    with pytest.raises(InputError, match=f"at least {MIN_EVALUATION_DAYS} days, got 187"):
        split_rows(DATES, labels(1), split, horizon=1, first_row=0)


def test_training_must_have_a_whole_context():
    with pytest.raises(InputError, match="at least one whole context"):
        split_rows(DATES, labels(1), auto_split(DATES), horizon=1, first_row=len(DATES))


def test_dates_are_those_of_the_series():
    assert parse_split("2014-12-31/2016-12-31/2018-12-31", pd.DatetimeIndex(DATES)) == auto_split(DATES)


@pytest.mark.slow
@pytest.mark.lesson("L43")
@pytest.mark.parametrize("calendar", ["XTKS", "XETR", "XLON", "XMAD", "XASX", None])
def test_auto_ends_with_the_last_year_of_every_exchange(calendar):
    span = (date(2008, 1, 1), date(2019, 12, 31))
    days = sessions(calendar, *span) if calendar else pd.date_range(*span)
    assert parse_split("auto", days, calendar).test_end == date(2019, 12, 31)
    assert parse_split("auto", days, None).test_end == date(2019, 12, 31)


@pytest.mark.parametrize("years", [1, 2, 3, 4])
def test_a_short_series_is_told_what_can_be_done_with_it(years):
    days = DATES[DATES.year > 2018 - years]
    with pytest.raises(InputError, match=f"got {years} in the {len(days)} days from") as raised:
        auto_split(days)
    said = str(raised.value)
    if years < 3:
        assert "forecast a longer series and train on this one beside it with --train-tickers" in said
        return
    split = parse_split(said.rpartition("for instance ")[2], days)
    values = (np.arange(len(days)) % 4 == 0).astype(float)
    rows = split_rows(days, values, split, horizon=5, first_row=59)
    require_test_days(days, rows, split, horizon=5)
    assert len(rows.test) >= MIN_EVALUATION_DAYS
