"""The seal on the test split: its labels are there for an evaluation of a registered version, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.exceptions import SealedError
from pipeline.splits.splits import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldoutOpening:
    """One recorded opening of the test split; who holds it may read the labels.

    Parameters
    ----------
    model_version : str
        Registered version that is evaluated, as ``patchscale-SPY-h1/3``.
    opened_at : str
        UTC time, ISO 8601.
    commit, dirty : str
        Code version that asked.
    """

    model_version: str
    opened_at: str
    commit: str
    dirty: str


def sealed_from(dates: pd.DatetimeIndex, split: Split, horizon: int) -> pd.Timestamp:
    """First forecast day that is sealed: the first whose label looks at a day of the test split.

    Parameters
    ----------
    dates : DatetimeIndex
        Sessions, ascending.
    split : Split
        Whose test part is sealed.
    horizon : int
        Sessions that a label looks ahead.

    Examples
    --------
    >>> from datetime import date
    >>> split = Split(train_start=date(2020, 1, 1), train_end=date(2020, 1, 2), validation_start=date(2020, 1, 3),
    ...               validation_end=date(2020, 1, 4), test_start=date(2020, 1, 5), test_end=date(2020, 1, 6))
    >>> sealed_from(pd.date_range("2020-01-01", periods=6), split, horizon=2)
    Timestamp('2020-01-03 00:00:00')
    """
    start = pd.Timestamp(split.test_start)
    first = int(dates.searchsorted(start))
    return start if first == len(dates) else dates[max(first - horizon, 0)]


def seal_labels(
    labels: npt.NDArray[np.float64],
    dates: pd.DatetimeIndex,
    split: Split,
    *,
    horizon: int,
    opening: HoldoutOpening | None = None,
) -> npt.NDArray[np.float64]:
    """Copy labels without those that look at the test split, unless it was opened.

    Parameters
    ----------
    labels : ndarray of shape (days,)
        Of every day; not changed.
    dates : DatetimeIndex of shape (days,)
        Their sessions.
    split : Split
        Whose test part is sealed.
    horizon : int
        Sessions that a label looks ahead.
    opening : HoldoutOpening, optional
        From :func:`search.results.holdout.record_opening`.

    Returns
    -------
    ndarray of shape (days,)
        NaN on sealed days.

    Examples
    --------
    >>> from datetime import date
    >>> split = Split(train_start=date(2020, 1, 1), train_end=date(2020, 1, 2), validation_start=date(2020, 1, 3),
    ...               validation_end=date(2020, 1, 4), test_start=date(2020, 1, 5), test_end=date(2020, 1, 6))
    >>> seal_labels(np.ones(4), pd.date_range("2020-01-03", periods=4), split, horizon=1).tolist()
    [1.0, nan, nan, nan]
    """
    return labels.copy() if opening else np.where(dates >= sealed_from(dates, split, horizon), np.nan, labels)


def require_unsealed(dates: pd.DatetimeIndex, split: Split, doing: str) -> None:
    """Refuse days of the test split.

    Parameters
    ----------
    dates : DatetimeIndex
        Days that somebody is about to read outcomes of.
    split : Split
        Whose test part is sealed.
    doing : str
        What they are wanted for, as in ``report``.

    Raises
    ------
    SealedError
        Naming the first sealed day.
    """
    sealed = dates[dates >= pd.Timestamp(split.test_start)]
    if len(sealed):
        raise SealedError(
            f"{doing} must end before the sealed test split of {split.test_start}, got {sealed[0].date()}; "
            "only patchscale evaluate MODEL_VERSION opens it"
        )
