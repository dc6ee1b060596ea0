"""Folds of a study: one a test year, with the rows that each model may read before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from model.training.refit import rows_between
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, SealedError
from pipeline.splits.splits import Index, Split, SplitRows, assert_disjoint_labels
from pipeline.splits.walk_forward import WalkForward


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
    for year in (first_year, last_year):
        if year is not None and year >= split.test_start.year:
            raise SealedError(
                f"walk-forward years must end before the sealed test split of {split.test_start}, got {year}; "
                f"take --last-year {split.test_start.year - 1} or earlier"
            )
    dates = datasets[0].dates
    labels = windows.y_host_D[: len(dates)].astype(np.float64)
    labels[max(0, int(dates.searchsorted(np.datetime64(split.test_start))) - horizon) :] = np.nan
    splitter = WalkForward(
        horizon=horizon, first_year=first_year, last_year=min(last_year or 9999, split.test_start.year - 1)
    )
    folds = []
    for fold in splitter.split(dates, labels, first_row=windows.context_length - 1):
        train, inner_train = (
            rows_between(windows, datasets, horizon=horizon, first=split.train_start, last=date(fold.year - n, 12, 31))
            for n in (1, 2)
        )
        if not len(inner_train):
            raise InputError(
                f"walk-forward year {fold.year} must leave training days after the split's train_start "
                f"{split.train_start}, got none; choose later years"
            )
        validation, test = fold.rows.validation, fold.rows.test
        for read, held in ((train, validation[:0]), (inner_train, validation)):
            own = read[read < len(dates)]
            assert_disjoint_labels(SplitRows(train=own, validation=held, test=test), horizon)
        folds.append(
            YearFold(year=fold.year, train=train, inner_train=inner_train, inner_validation=validation, test=test)
        )
    return folds
