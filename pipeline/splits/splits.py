"""Splits by forecast date, and the proof that no label crosses them.

A sample belongs to the split of the day its forecast is made.  Its context may
reach back as far as it likes; its label reaches forward over the next
``horizon`` sessions, and a sample whose label would end behind its own split is
purged.  So the evaluated days never depend on the context length.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline import trading_days
from pipeline.calendars import NEW_YORK
from pipeline.exceptions import InputError
from pipeline.splits.disjoint import Index as Index
from pipeline.splits.disjoint import assert_disjoint_labels
from pipeline.splits.ends import read_ends

CALENDAR = NEW_YORK
MIN_EVALUATION_DAYS = 200
AUTO_YEARS = 2
USUAL_HORIZONS = 10
SHORTEST_TRAINING = 120
"""Days that a short series should at least train on: a usual context, and as many windows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """First and last calendar day of each part, both inclusive."""

    train_start: date
    train_end: date
    validation_start: date
    validation_end: date
    test_start: date
    test_end: date

    def __post_init__(self) -> None:
        days = [getattr(self, field.name) for field in fields(self)]
        ordered = all(a <= b for a, b in zip(days[::2], days[1::2], strict=True))
        apart = all(a < b for a, b in zip(days[1:-1:2], days[2::2], strict=True))
        if not (ordered and apart):
            shown = ", ".join(f"{field.name} {day}" for field, day in zip(fields(self), days, strict=True))
            raise InputError(f"split dates must run train, validation, test without overlap, got {shown}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitRows:
    """Row numbers of the samples of each part, ascending."""

    train: Index
    validation: Index
    test: Index

    @property
    def parts(self) -> dict[str, Index]:
        """The parts that hold samples, by name, in order of time."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: index for name, index in named.items() if len(index)}


def parse_split(text: str, dates: pd.DatetimeIndex, calendar: str | None = CALENDAR) -> Split:
    """Read a split from the command line.

    Parameters
    ----------
    text : str
        ``auto``: the final two full calendar years are test, the two before
        them validation, everything earlier is training.  Or the last days of
        train, validation and test, ``2014-12-31/2016-12-31/2018-12-31``.
    dates : DatetimeIndex
        Sessions of the dataset version, ascending.
    calendar : str or None
        Of the ticker's exchange, which says when a year is full; None leaves it to the series' own days.

    Raises
    ------
    InputError
        If the text has neither form, or the series is too short for it; the message says what can be done.

    Examples
    --------
    >>> days = pd.bdate_range("2010-01-01", "2020-12-31")
    >>> parse_split("2016-12-31/2018-12-31/2020-12-31", days).validation_start
    datetime.date(2017, 1, 1)
    """
    ends = read_ends("split", text)
    return auto_split(dates, calendar) if ends is None else _split(dates, *ends)


def auto_split(dates: pd.DatetimeIndex, calendar: str | None = CALENDAR) -> Split:
    """Take the final two full calendar years for test, the two before them for validation."""
    years = full_years(dates, calendar)
    if len(years) < 2 * AUTO_YEARS + 1:
        raise InputError(
            f"split auto needs at least {2 * AUTO_YEARS + 1} full calendar years, got {len(years)} in the "
            f"{len(dates)} days from {dates[0].date()} to {dates[-1].date()}; {_short_series(dates)}"
        )
    train, validation, test = (date(years[-n], 12, 31) for n in (2 * AUTO_YEARS + 1, AUTO_YEARS + 1, 1))
    return _split(dates, train, validation, test)


def _split(dates: pd.DatetimeIndex, train_end: date, validation_end: date, test_end: date) -> Split:
    """From the first session on, each part from the day after the one before it."""
    return Split(
        train_start=dates[0].date(),
        train_end=train_end,
        validation_start=_day_after(train_end),
        validation_end=validation_end,
        test_start=_day_after(validation_end),
        test_end=test_end,
    )


def _short_series(dates: pd.DatetimeIndex) -> str:
    """Say what can be done with a series that is too short for whole years."""
    part = max(MIN_EVALUATION_DAYS + USUAL_HORIZONS, len(dates) // 5)
    if len(dates) < SHORTEST_TRAINING + 2 * part:
        return (
            f"it takes {SHORTEST_TRAINING + 2 * part} days to train, validate and test on: forecast a longer series "
            "and train on this one beside it with --train-tickers"
        )
    ends = "/".join(str(dates[row].date()) for row in (-2 * part - 1, -part - 1, -1))
    return f"give dates, TRAIN_END/VALIDATION_END/TEST_END, for instance {ends}"


def full_years(dates: pd.DatetimeIndex, calendar: str | None = CALENDAR) -> list[int]:
    """Calendar years of which the series reaches from the first to the last session of its exchange."""
    return trading_days.full_years(dates, calendar)


def require_test_days(dates: pd.DatetimeIndex, rows: SplitRows, split: Split, *, horizon: int) -> None:
    """Refuse a test part without a day whose label ends in it.

    Raises
    ------
    InputError
        Naming the least length.
    """
    if len(rows.test):
        return
    held = int(((dates >= pd.Timestamp(split.test_start)) & (dates <= pd.Timestamp(split.test_end))).sum())
    raise InputError(
        f"test must have at least {horizon + 1} days for a horizon of {horizon}, got {held} between {split.test_start} "
        f"and {split.test_end}; widen the split" + (f", or take a horizon of at most {held - 1}" if held > 1 else "")
    )


def split_rows(
    dates: pd.DatetimeIndex, labels: npt.NDArray[np.float64], split: Split, *, horizon: int, first_row: int
) -> SplitRows:
    """Assign every labelled day to the part of its forecast date.

    Parameters
    ----------
    dates : DatetimeIndex of shape (days,)
        Sessions, ascending.
    labels : ndarray of shape (days,)
        NaN where there is no label.
    split : Split
        The parts' dates.
    horizon : int
        Sessions that a label reaches ahead; samples are purged by it.
    first_row : int
        First day that has a whole context behind it.

    Raises
    ------
    InputError
        If validation has fewer than 200 days, training none, or a context
        would not fit before the first validation day.
    """
    rows = SplitRows(
        train=training_rows(dates, labels, split, horizon=horizon, first_row=first_row),
        validation=labelled_rows(dates, labels, split.validation_start, split.validation_end, horizon),
        test=labelled_rows(dates, labels, split.test_start, split.test_end, horizon),
    )
    if len(rows.validation) < MIN_EVALUATION_DAYS:
        raise InputError(
            f"validation must have at least {MIN_EVALUATION_DAYS} days, got {len(rows.validation)} "
            f"between {split.validation_start} and {split.validation_end} whose labels end there (a horizon of "
            f"{horizon} needs {MIN_EVALUATION_DAYS + horizon}); widen the split"
        )
    if not len(rows.train):
        raise InputError(
            f"training must have at least one whole context before {split.train_end}, got none; take a later train "
            "end, or a shorter context"
        )
    assert_disjoint_labels(rows.parts, horizon)
    return rows


def training_rows(
    dates: pd.DatetimeIndex, labels: npt.NDArray[np.float64], split: Split, *, horizon: int, first_row: int
) -> Index:
    """Labelled days of the training part that have a whole context behind them, as in :func:`split_rows`.

    Also of a further ticker that is trained on beside the forecast one: its labels end inside the same dates.
    """
    rows = labelled_rows(dates, labels, split.train_start, split.train_end, horizon)
    return rows[rows >= first_row]


def labelled_rows(
    dates: pd.DatetimeIndex, labels: npt.NDArray[np.float64], start: date, end: date, horizon: int
) -> Index:
    """Labelled days between two dates, both inclusive, whose labels end there too."""
    if horizon >= len(dates):
        raise InputError(f"horizon must be shorter than the series of {len(dates)} days, got {horizon}")
    row = np.arange(len(dates))
    first = int(dates.searchsorted(pd.Timestamp(start), side="left"))
    last = int(dates.searchsorted(pd.Timestamp(end), side="right")) - 1
    return row[(row >= first) & (row + horizon <= last) & np.isfinite(labels)]


def _day_after(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)
