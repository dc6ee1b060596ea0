from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.windows import make_windows
from pipeline.calendars import sessions
from pipeline.exceptions import InputError, SealedError
from pipeline.splits.splits import parse_split
from search.folds.folds import forecast_years, year_folds


def folds_of(plan, datasets, horizon=1, split=None, context=60, **years):
    own, *pooled = datasets
    target, split = replace(plan.target, horizon=horizon), split or plan.split
    windows = make_windows(own, target, split, context, pooled=pooled)
    return windows, year_folds(windows, datasets, split, horizon=horizon, **years)


@pytest.mark.lesson("L22")
@pytest.mark.parametrize("horizon", [1, 5])
def test_every_label_before_a_year_ends_before_it_in_every_ticker(pooled, horizon):
    plan, datasets, _ = pooled
    _, folds = folds_of(plan, datasets, horizon)
    assert len(folds) > 10
    for fold in folds:
        start = 0
        for each in datasets:
            for rows, year in ((fold.train, fold.year), (fold.inner_train, fold.year - 1)):
                own = rows[(rows >= start) & (rows < start + len(each.dates))] - start
                assert len(own) and own[0] >= 59
                ends = each.dates[own + horizon]
                assert (ends < pd.Timestamp(year, 1, 1)).all()
                assert each.dates[own[-1] + horizon + 1].year == year, "nothing is left out needlessly"
            start += len(each.dates)
        validation, test = datasets[0].dates[fold.inner_validation], datasets[0].dates[fold.test]
        assert set(validation.year) == {fold.year - 1} and set(test.year) == {fold.year}
        assert (datasets[0].dates[fold.inner_validation + horizon] < pd.Timestamp(fold.year, 1, 1)).all()


@pytest.mark.lesson("L19")
@pytest.mark.lesson("L22")
@pytest.mark.parametrize("horizon", [1, 5])
def test_the_years_cover_every_day_once_and_no_label_reaches_a_sealed_day(planned, horizon):
    plan, dataset, _ = planned
    windows, folds = folds_of(plan, [dataset], horizon)
    tested = np.concatenate([fold.test for fold in folds])
    first_sealed = int(dataset.dates.searchsorted(pd.Timestamp(plan.split.test_start)))
    assert np.array_equal(tested, np.arange(tested[0], first_sealed - horizon))
    assert folds[-1].year == plan.split.test_start.year - 1
    assert np.isfinite(windows.outcomes(tested)).all()


@pytest.mark.lesson("L22")
@pytest.mark.parametrize("years", [{"last_year": 2017}, {"first_year": 2018}, {"first_year": 2010, "last_year": 2030}])
def test_a_year_of_the_sealed_test_is_refused(planned, years):
    plan, dataset, _ = planned
    assert plan.split.test_start == date(2017, 1, 1)
    with pytest.raises(SealedError, match=r"sealed test split of 2017-01-01, got 20\d\d; take --last-year 2016"):
        folds_of(plan, [dataset], **years)


def test_a_year_that_is_sealed_in_part_is_left_out(planned):
    plan, dataset, _ = planned
    split = replace(plan.split, validation_end=date(2016, 6, 30), test_start=date(2016, 7, 1))
    assert folds_of(plan, [dataset], split=split)[1][-1].year == 2015
    with pytest.raises(SealedError, match="got 2016; take --last-year 2015"):
        folds_of(plan, [dataset], split=split, last_year=2016)


def test_years_without_history_are_refused(planned):
    plan, dataset, _ = planned
    with pytest.raises(InputError, match="walk-forward years must run from"):
        folds_of(plan, [dataset], first_year=2000)
    with pytest.raises(InputError, match="walk-forward years must run from"):
        folds_of(plan, [dataset], first_year=2015, last_year=2014)
    late = replace(plan.split, train_start=date(2013, 6, 1))
    assert folds_of(plan, [dataset], split=late, first_year=2015)[1][0].year == 2015
    with pytest.raises(InputError, match=r"year 2014 must leave training days after the split's train_start"):
        folds_of(plan, [dataset], split=late, first_year=2014)


def test_training_starts_where_the_study_s_does(planned):
    plan, dataset, _ = planned
    late = replace(plan.split, train_start=date(2010, 1, 1))
    (fold,) = folds_of(plan, [dataset], split=late, first_year=2014, last_year=2014)[1]
    assert dataset.dates[fold.train[0]] == dataset.dates[fold.inner_train[0]] == pd.Timestamp(2010, 1, 4)


@pytest.mark.slow
@pytest.mark.lesson("L19")
@given(horizon=st.integers(1, 60))
@settings(max_examples=20)
def test_label_intervals_are_disjoint_in_every_fold(planned, horizon):
    plan, dataset, _ = planned
    for fold in folds_of(plan, [dataset], horizon)[1]:
        assert fold.inner_train[-1] + horizon < fold.inner_validation[0]
        assert fold.inner_validation[-1] + horizon < fold.test[0]
        assert fold.train[-1] + horizon < fold.test[0]


@pytest.mark.lesson("L19")
def test_evaluated_days_do_not_depend_on_the_context_and_training_expands(planned):
    plan, dataset, _ = planned
    plain, longer = (folds_of(plan, [dataset], 3, context=context)[1] for context in (20, 120))
    for fold, other in zip(plain, longer, strict=True):
        np.testing.assert_array_equal(fold.test, other.test)
        np.testing.assert_array_equal(fold.inner_validation, other.inner_validation)
        assert (fold.train[0], other.train[0]) == (fold.inner_train[0], other.inner_train[0]) == (19, 119)
    for ends in ([fold.train[-1] for fold in plain], [fold.inner_train[-1] for fold in plain]):
        assert ends == sorted(set(ends))


def test_a_series_that_starts_within_a_year_counts_from_the_next(planned):
    plan, dataset, _ = planned
    for start, first in (("2000-01-01", 2004), ("2000-03-01", 2005)):
        dates = dataset.dates[dataset.dates >= start]
        assert forecast_years(dates, plan.split, None, None)[0] == first


def test_years_without_days_are_refused(planned):
    plan, dataset, _ = planned
    split = replace(plan.split, test_start=date(2030, 1, 1), test_end=date(2031, 1, 1))
    with pytest.raises(InputError, match=r"year 2019 must leave training days .* and test days, got \d+ and 0"):
        folds_of(plan, [dataset], split=split)


@pytest.mark.lesson("L43")
@pytest.mark.parametrize("calendar", ["XTKS", "XETR", "XASX", None])
def test_years_of_every_exchange_are_walked(calendar):
    """Tokyo begins on January 4, Frankfurt ends on December 30, what trades around the clock has no holidays."""
    span = (date(2008, 1, 1), date(2019, 12, 31))
    days = sessions(calendar, *span) if calendar else pd.date_range(*span)
    assert list(forecast_years(days, parse_split("auto", days, calendar), None, None)) == list(range(2012, 2018))
