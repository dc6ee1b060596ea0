from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calendars import sessions
from pipeline.exceptions import InputError
from pipeline.splits.walk_forward import WalkForward

DATES = sessions("XNYS", date(2005, 1, 1), date(2016, 12, 31))


def labels(horizon: int) -> np.ndarray:
    values = (np.arange(len(DATES)) % 4 == 0).astype(float)
    values[len(DATES) - horizon :] = np.nan
    return values


@pytest.mark.lesson("L19")
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(horizon=st.integers(1, 40), embargo=st.integers(0, 30), validation_years=st.integers(0, 2))
def test_label_intervals_are_disjoint_in_every_fold(horizon, embargo, validation_years):
    splitter = WalkForward(horizon=horizon, embargo=embargo, validation_years=validation_years)
    for fold in splitter.split(DATES, labels(horizon)):
        parts = list(fold.rows.parts.values())
        assert len(parts) == (3 if validation_years else 2)
        for earlier, later in itertools.pairwise(parts):
            assert earlier[-1] + horizon + embargo < later[0]
        assert fold.rows.proof is not None and not any(fold.rows.proof.shared.values())


@pytest.mark.lesson("L19")
def test_the_test_years_cover_every_labelled_day_once():
    folds = list(WalkForward(horizon=5, embargo=10).split(DATES, labels(5)))
    assert [fold.year for fold in folds] == list(range(2009, 2017))
    tested = np.concatenate([fold.rows.test for fold in folds])
    np.testing.assert_array_equal(tested, np.flatnonzero((DATES.year >= 2009) & np.isfinite(labels(5))))


@pytest.mark.lesson("L19")
def test_evaluated_days_depend_on_neither_context_nor_embargo():
    plain = list(WalkForward(horizon=3).split(DATES, labels(3)))
    for settings_ in ({"embargo": 20}, {"validation_years": 0, "first_year": 2009}):
        for fold, other in zip(plain, WalkForward(horizon=3, **settings_).split(DATES, labels(3)), strict=True):
            np.testing.assert_array_equal(fold.rows.test, other.rows.test)
    for fold, other in zip(plain, WalkForward(horizon=3).split(DATES, labels(3), first_row=300), strict=True):
        np.testing.assert_array_equal(fold.rows.test, other.rows.test)
        np.testing.assert_array_equal(fold.rows.validation, other.rows.validation)
        assert other.rows.train[0] == 300


def test_training_expands():
    folds = list(WalkForward(horizon=1).split(DATES, labels(1)))
    assert all(fold.rows.train[0] == 0 for fold in folds)
    ends = [fold.rows.train[-1] for fold in folds]
    assert ends == sorted(set(ends))


def test_an_embargo_leaves_out_as_many_sessions():
    plain, apart = (next(WalkForward(horizon=2, embargo=e).split(DATES, labels(2))) for e in (0, 7))
    assert plain.rows.train[-1] - apart.rows.train[-1] == 7
    assert plain.rows.validation[-1] - apart.rows.validation[-1] == 7


def test_years_can_be_chosen():
    splitter = WalkForward(horizon=1, first_year=2012, last_year=2013)
    assert [fold.year for fold in splitter.split(DATES, labels(1))] == [2012, 2013]


def test_a_series_that_starts_within_a_year_counts_from_the_next():
    later = DATES[DATES >= "2005-03-01"]
    first = next(WalkForward(horizon=1).split(later, labels(1)[-len(later) :]))
    assert first.year == 2010


@pytest.mark.parametrize(
    "setting", [{"horizon": 0}, {"horizon": 1, "embargo": -1}, {"horizon": 1, "validation_years": 0.5}]
)
def test_a_setting_out_of_its_range_is_refused(setting):
    with pytest.raises(InputError, match="whole number"):
        WalkForward(**setting)


@pytest.mark.parametrize("years", [{"first_year": 2006}, {"first_year": 2014, "last_year": 2013}, {"last_year": 1990}])
def test_years_without_history_are_refused(years):
    with pytest.raises(InputError, match="walk-forward years must run from 2009"):
        list(WalkForward(horizon=1, **years).split(DATES, labels(1)))


def test_years_without_days_are_refused():
    with pytest.raises(InputError, match="must leave training and test days"):
        list(WalkForward(horizon=1, last_year=2020).split(DATES, labels(1)))
    with pytest.raises(InputError, match="labelled days"):
        list(WalkForward(horizon=1).split(DATES, np.full(len(DATES), np.nan)))
