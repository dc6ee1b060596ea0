"""The split of a study by folds: validation is the last whole years before the test."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from pipeline.exceptions import InputError
from pipeline.splits.splits import Split

WHOLE_YEARS = 4
"""Before the first test year: three to train on, and one on which the number of epochs is chosen."""


def folded_split(split: Split, n_folds: int, dates: pd.DatetimeIndex) -> Split:
    """Validate on the last whole years before the test of a split, and train on what lies before them.

    Parameters
    ----------
    split : Split
        Whose test and whose first training day stay.
    n_folds : int
        Years.
    dates : DatetimeIndex
        Sessions of the forecast ticker.

    Raises
    ------
    InputError
        If fewer than four whole years are left before the first.

    Examples
    --------
    >>> split = Split(train_start=date(2000, 1, 3), train_end=date(2020, 12, 31), validation_start=date(2021, 1, 1),
    ...               validation_end=date(2022, 12, 31), test_start=date(2023, 1, 1), test_end=date(2024, 12, 31))
    >>> found = folded_split(split, 8, pd.bdate_range("2000-01-03", "2024-12-31"))
    >>> str(found.train_end), str(found.validation_start), str(found.validation_end)
    ('2014-12-31', '2015-01-01', '2022-12-31')
    """
    last, earliest = split.test_start.year - 1, earliest_year(dates)
    first, most = last - n_folds + 1, max(0, last - earliest + 1)
    if first < earliest:
        raise InputError(
            f"folds must be whole years before the test of {split.test_start} with {WHOLE_YEARS} whole years before "
            f"them, of which there are {most}, got {n_folds}; take --folds {most} or fewer, or a longer series"
        )
    return replace(
        split,
        train_end=date(first - 1, 12, 31),
        validation_start=date(first, 1, 1),
        validation_end=date(last, 12, 31),
    )


def earliest_year(dates: pd.DatetimeIndex) -> int:
    """First year that can be forecast: with enough whole years before it."""
    whole = dates[0].year if dates[0].dayofyear <= 7 else dates[0].year + 1
    return int(whole + WHOLE_YEARS)
