"""Yearly walk-forward: each year is forecast by what was known before it.

The training window expands.  Between training, validation and test, samples
whose labels would look into the next part are purged, and an embargo can leave
out further sessions.  The test year itself is never shortened: its evaluated
days are all its labelled days, whatever the context length, and the years
together cover every day once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.exceptions import InputError
from pipeline.splits.disjoint import Index
from pipeline.splits.splits import SplitRows, assert_disjoint_labels

MIN_TRAIN_YEARS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """One test year and the rows of its parts."""

    year: int
    rows: SplitRows


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkForward:
    """A splitter that gives one fold a test year.

    Parameters
    ----------
    horizon : int
        Sessions that a label looks ahead; samples before a boundary are purged by it.
    first_year, last_year : int or None
        Test years; None is the earliest that leaves three years of training,
        and the last year of the labels.
    validation_years : int
        Years right before the test year that are held out of training; 0 for none.
    embargo : int
        Further sessions left out before each boundary, beyond the purge.

    Examples
    --------
    >>> days = pd.bdate_range("2010-01-01", "2016-12-30")
    >>> folds = list(WalkForward(horizon=5).split(days, np.zeros(len(days))))
    >>> [fold.year for fold in folds], len(folds[0].rows.train), len(folds[1].rows.train)
    ([2014, 2015, 2016], 777, 1038)
    """

    horizon: int
    first_year: int | None = None
    last_year: int | None = None
    validation_years: int = 1
    embargo: int = 0

    def __post_init__(self) -> None:
        for name, least in (("horizon", 1), ("validation_years", 0), ("embargo", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"walk-forward {name} must be a whole number, at least {least}, got {value!r}")

    def split(self, dates: pd.DatetimeIndex, labels: npt.NDArray[np.float64], *, first_row: int = 0) -> Iterator[Fold]:
        """Yield the folds in order of time, each with its proof.

        Parameters
        ----------
        dates : DatetimeIndex of shape (days,)
            Sessions, ascending.
        labels : ndarray of shape (days,)
            NaN where there is no label.
        first_row : int
            First day that has a whole context behind it; training starts there.

        Raises
        ------
        InputError
            If the years asked for leave too little history.
        """
        labelled = np.flatnonzero(np.isfinite(labels))
        if not len(labelled):
            raise InputError("walk-forward needs labelled days, got none; take a shorter horizon or a longer series")
        before = MIN_TRAIN_YEARS + self.validation_years
        earliest = _first_whole_year(dates) + before
        first = earliest if self.first_year is None else self.first_year
        last = int(dates[labelled[-1]].year) if self.last_year is None else self.last_year
        if not earliest <= first <= last:
            raise InputError(
                f"walk-forward years must run from {earliest} (after {before} whole years) to the last, "
                f"got {first} to {last}; choose later years or take a longer series"
            )
        for year in range(first, last + 1):
            yield Fold(year=year, rows=self._rows(dates, labelled, year, first_row))

    def _rows(self, dates: pd.DatetimeIndex, labelled: Index, year: int, first_row: int) -> SplitRows:
        start, stop = _row_of(dates, year), _row_of(dates, year + 1)
        held_out = _row_of(dates, year - self.validation_years)
        gap = self.horizon + self.embargo
        rows = SplitRows(
            train=_between(labelled, first_row, held_out - gap),
            validation=_between(labelled, held_out, start - gap) if self.validation_years else labelled[:0],
            test=_between(labelled, start, stop),
        )
        if not (len(rows.train) and len(rows.test)):
            raise InputError(
                f"walk-forward year {year} must leave training and test days, got {len(rows.train)} and "
                f"{len(rows.test)}; choose other years or a shorter context"
            )
        return replace(rows, proof=assert_disjoint_labels(rows, self.horizon))


def _row_of(dates: pd.DatetimeIndex, year: int) -> int:
    return int(dates.searchsorted(pd.Timestamp(date(year, 1, 1))))


def _between(rows: Index, first: int, stop: int) -> Index:
    return rows[(rows >= first) & (rows < stop)]


def _first_whole_year(dates: pd.DatetimeIndex) -> int:
    """First calendar year that the series covers from its first week on."""
    return dates[0].year if dates[0].dayofyear <= 7 else dates[0].year + 1
