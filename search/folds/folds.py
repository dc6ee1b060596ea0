"""Folds of a study: one a test year, with the rows that each model may read before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from model.training.refit import rows_between
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, SealedError
from pipeline.splits.disjoint import Index, assert_disjoint_labels
from pipeline.splits.folded import WHOLE_YEARS, earliest_year
from pipeline.splits.splits import Split, labelled_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class YearFold:
    """A test year and the rows before it.

    Parameters
    ----------
    year : int
        That is forecast.
    train : ndarray
        Rows of every ticker whose labels end before the year.
    inner_train, inner_validation : ndarray
        Rows of every ticker whose labels end before the year before, and that year's days of the forecast
        ticker: here the number of epochs is chosen.
    test : ndarray
        Days of the year, of the forecast ticker.
    """

    year: int
    train: Index
    inner_train: Index
    inner_validation: Index
    test: Index


def year_folds(
    windows: Windows,
    datasets: Sequence[DatasetVersion],
    split: Split,
    *,
    horizon: int,
    first_year: int | None = None,
    last_year: int | None = None,
) -> list[YearFold]:
    """Make the folds of a study, none of which reads a sealed day.

    Parameters
    ----------
    windows : Windows
        Of the study, its test split sealed.
    datasets : sequence of DatasetVersion
        The forecast ticker's, then those that are trained on beside it.
    split : Split
        Of the study: training starts where its training starts, and every test day's label ends before its test.
    horizon : int
        Sessions that a label looks ahead; labels are purged by it.
    first_year, last_year : int, optional
        Test years; the earliest with four whole years before it, and the last whole one before the test split.

    Raises
    ------
    SealedError
        If a year reaches into the sealed test split.
    InputError
        If the years leave too little history.
    """
    years = forecast_years(datasets[0].dates, split, first_year, last_year)
    return [_fold(windows, datasets, split, year, horizon) for year in years]


def forecast_years(dates: pd.DatetimeIndex, split: Split, first_year: int | None, last_year: int | None) -> range:
    """Test years, as in :func:`year_folds`; the training before them grows, and they cover every day once."""
    for year in (first_year, last_year):
        if year is not None and year >= split.test_start.year:
            raise SealedError(
                f"walk-forward years must end before the sealed test split of {split.test_start}, got {year}; "
                f"take --last-year {split.test_start.year - 1} or earlier"
            )
    earliest, last = earliest_year(dates), last_year or split.test_start.year - 1
    first = earliest if first_year is None else first_year
    if not earliest <= first <= last:
        raise InputError(
            f"walk-forward years must run from {earliest} (after {WHOLE_YEARS} whole years) to the last, "
            f"got {first} to {last}; choose later years or take a longer series"
        )
    return range(first, last + 1)


def _fold(windows: Windows, datasets: Sequence[DatasetVersion], split: Split, year: int, horizon: int) -> YearFold:
    dates = datasets[0].dates
    labels = windows.y_host_D[: len(dates)].astype(np.float64)
    labels[max(0, int(dates.searchsorted(np.datetime64(split.test_start))) - horizon) :] = np.nan
    train, inner_train = (
        rows_between(windows, datasets, horizon=horizon, first=split.train_start, last=date(year - n, 12, 31))
        for n in (1, 2)
    )
    validation = labelled_rows(dates, labels, date(year - 1, 1, 1), date(year - 1, 12, 31), horizon)
    test = labelled_rows(dates, labels, date(year, 1, 1), date(year, 12, 31), horizon=0)
    if not (len(inner_train) and len(test)):
        raise InputError(
            f"walk-forward year {year} must leave training days after the split's train_start {split.train_start} "
            f"and test days, got {len(inner_train)} and {len(test)}; choose other years"
        )
    for read, held in ((train, validation[:0]), (inner_train, validation)):
        own = read[read < len(dates)]
        assert_disjoint_labels({"train": own, "validation": held, "test": test}, horizon)
    return YearFold(year=year, train=train, inner_train=inner_train, inner_validation=validation, test=test)
