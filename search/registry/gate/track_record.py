"""A version's track record: its forecasts out of sample, beside its opponents' on the same days."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.exceptions import InputError

Array = npt.NDArray[np.float64]

MOST_RESTATED = 0.01
COLUMNS = ("date", "y", "p")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackRecord:
    """Out-of-sample forecasts of one version.

    Parameters
    ----------
    name : str
        Whose.
    source : str
        In words, where the forecasts are from: ``validation of trial 3, study …``.
    horizon : int
        Days that an outcome reaches ahead.
    threshold : float, optional
        Rise that the probabilities are of, as a fraction; None where the record does not say.
    dates_D : DatetimeIndex of shape (days,)
        Forecast days, ascending.
    y_D, p_D : ndarray of shape (days,)
        Outcomes and probabilities.
    walked : bool
        Whether they are a walk-forward's, of the recipe; else of the validation days that chose the spec.
    unchosen_D : ndarray of bool of shape (days,), optional
        Days on which the spec was not chosen; None where that does not apply.
    baseline : str
        Best baseline on these days; empty if there is none in the record.
    baseline_missing : str
        What is missing to name the best baseline, with the command that makes it; empty if nothing is.
    p_baseline_D : ndarray of shape (days,), optional
        Its probabilities.
    search_losses_MD : ndarray of shape (trials, search days), optional
        Log losses of every trial of the search on the days it selected on: of a track record that is not
        ``walked``, its own.
    benchmark : str
        Baseline that the search is held against: the best on the search's days.
    benchmark_losses_D : ndarray of shape (search days,), optional
        Its log losses.
    """

    name: str
    source: str
    horizon: int
    dates_D: pd.DatetimeIndex
    y_D: Array
    p_D: Array
    threshold: float | None = None
    walked: bool = False
    unchosen_D: npt.NDArray[np.bool_] | None = None
    baseline: str = ""
    baseline_missing: str = ""
    p_baseline_D: Array | None = None
    search_losses_MD: Array | None = None
    benchmark: str = ""
    benchmark_losses_D: Array | None = None

    @property
    def asked(self) -> str:
        """What the probabilities are of: ``+1 % within 1 day``."""
        rise = "a rise " if self.threshold is None else f"{100 * self.threshold:+g} % "
        return f"{rise}within {self.horizon} day{'' if self.horizon == 1 else 's'}"

    def on_unchosen(self) -> TrackRecord:
        """Leave out the days on which the spec was chosen."""
        kept = self.unchosen_D
        if kept is None:
            return self
        return replace(
            self,
            unchosen_D=None,
            dates_D=self.dates_D[kept],
            y_D=self.y_D[kept],
            p_D=self.p_D[kept],
            p_baseline_D=None if self.p_baseline_D is None else self.p_baseline_D[kept],
        )

    def frame(self) -> pd.DataFrame:
        """Date, outcome and probability, a row a day; the best baseline's beside them as ``p_baseline``."""
        table = pd.DataFrame({"date": self.dates_D, "y": self.y_D, "p": self.p_D})
        return table if self.p_baseline_D is None else table.assign(p_baseline=self.p_baseline_D)


@dataclass(frozen=True, kw_only=True, slots=True)
class CommonDays:
    """Two versions on the days that both forecast.

    Parameters
    ----------
    dates_D : DatetimeIndex of shape (days,)
        The days.
    y_D, p_a_D, p_b_D : ndarray of shape (days,)
        Outcomes and both probabilities.
    left_out : int
        Common days on which the two records disagree about the outcome: restated prices.
    """

    dates_D: pd.DatetimeIndex
    y_D: Array
    p_a_D: Array
    p_b_D: Array
    left_out: int


def stored_track_record(table: pd.DataFrame, *, name: str, source: str, horizon: int) -> TrackRecord:
    """Read stored predictions, as :meth:`TrackRecord.frame` writes them.

    Raises
    ------
    InputError
        If a column is missing.
    """
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(f"stored predictions of {name} must have {', '.join(COLUMNS)}, missing {', '.join(missing)}")
    return TrackRecord(
        name=name,
        source=source,
        horizon=horizon,
        dates_D=pd.DatetimeIndex(table["date"]),
        y_D=table["y"].to_numpy(dtype=np.float64),
        p_D=table["p"].to_numpy(dtype=np.float64),
    )


def no_track_record(name: str, *, source: str) -> TrackRecord:
    """Stand for a version whose forecasts can't be read: not a day."""
    nothing = np.empty(0)
    return TrackRecord(name=name, source=source, horizon=1, dates_D=pd.DatetimeIndex([]), y_D=nothing, p_D=nothing)


def common_days(a: TrackRecord, b: TrackRecord) -> CommonDays:
    """Put two track records on the days that both forecast.

    Restated prices can turn an outcome on the edge of the threshold: such days are left out.

    Raises
    ------
    InputError
        If the outcomes differ on more than 1 % of the common days: they are of different targets or data.
    """
    common = a.dates_D.intersection(b.dates_D)
    of_a, of_b = a.dates_D.get_indexer(common), b.dates_D.get_indexer(common)
    same = a.y_D[of_a] == b.y_D[of_b]
    left_out = int((~same).sum())
    if left_out > MOST_RESTATED * len(common):
        raise InputError(
            f"two versions must have the same outcomes on their common days, got {left_out} of {len(common)} that "
            f"differ between {a.name} and {b.name}; register one anew on the other's data"
        )
    of_a, of_b = of_a[same], of_b[same]
    return CommonDays(dates_D=common[same], y_D=a.y_D[of_a], p_a_D=a.p_D[of_a], p_b_D=b.p_D[of_b], left_out=left_out)
