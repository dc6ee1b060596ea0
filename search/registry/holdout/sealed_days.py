"""The test days of a study as far as its data have them, and a version's score on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.baselines import BASELINES, fit_baseline
from model.training.refit import refit_rows
from model.windows import Windows, make_windows
from pipeline.exceptions import InputError, RecordError
from pipeline.splits.holdout import HoldoutOpening
from pipeline.splits.splits import MIN_EVALUATION_DAYS
from search.evidence.bootstrap import Interval
from search.evidence.difference import Difference, paired_difference
from search.evidence.long_run import score_intervals

if TYPE_CHECKING:
    from search.study.study import Study

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TestScores:
    """A version and the baselines on the test days.

    Parameters
    ----------
    table : DataFrame
        ``date``, ``y``, ``p`` of the version, and a column for each baseline.
    scores : dict
        By model, by metric, an interval.
    differences : dict
        Version less baseline, by baseline, in log loss.
    """

    __test__ = False
    table: pd.DataFrame
    scores: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Difference]

    @property
    def best_baseline(self) -> str:
        """Baseline of the lowest log loss on these days: the hardest to beat."""
        return min(self.differences, key=lambda name: self.scores[name]["loss"].value)


def sealed_windows(study: Study) -> Windows:
    """Windows of the study's plan, the test split sealed.

    Raises
    ------
    InputError
        If the data hold too few test days to evaluate on; nothing is opened then.
    """
    dataset, pooled = study.load_data()
    plan = study.plan
    context_length = plan.context_length
    windows = make_windows(dataset, plan.target, plan.split, context_length, pooled=pooled)
    if len(windows.rows.test) < MIN_EVALUATION_DAYS:
        raise InputError(
            f"a test needs at least {MIN_EVALUATION_DAYS} days, the data of study {plan.study} end on "
            f"{dataset.dates[-1].date()} and have {len(windows.rows.test)} of the split's {plan.split.test_start} to "
            f"{plan.split.test_end}; nothing was opened: start a study on newer data later"
        )
    return windows


def score_test_days(study: Study, p: pd.Series, *, as_is: bool, opening: HoldoutOpening) -> TestScores:
    """Forecast the test days with baselines fitted to the rows of a version, and score them and the version.

    Parameters
    ----------
    study : Study
        Of the version.
    p : Series
        The version's probability by date.
    as_is : bool
        Whether the version was trained on the training rows alone, not on validation too.
    opening : HoldoutOpening
        Recorded beforehand.

    Raises
    ------
    RecordError
        If the version leaves out a test day.
    """
    plan, (dataset, pooled) = study.plan, study.load_data()
    sealed = sealed_windows(study)
    rows = sealed.rows.test
    spec = plan.spec(plan.grid().architectures[0], {})
    train_rows = sealed.train_rows if as_is else refit_rows(sealed, spec, (dataset, *pooled))
    fit_on = replace(sealed, train_rows=train_rows)
    said = {"version": _on_days(p, dataset.dates[rows])}
    for name, baseline in BASELINES.items():
        fitted = fit_baseline(baseline, dataset, fit_on, horizon=plan.target.horizon, pooled=pooled)
        said[name] = fitted.predict_rows(dataset, rows)
    opened = make_windows(dataset, plan.target, plan.split, sealed.context_length, pooled=pooled, opening=opening)
    return compare_on_days(dataset.dates[rows], opened.outcomes(rows), said, horizon=plan.target.horizon)


def compare_on_days(dates_D: pd.DatetimeIndex, y_D: Array, said: Mapping[str, Array], *, horizon: int) -> TestScores:
    """Score models on days, and the first of them against each of the others.

    Parameters
    ----------
    dates_D : DatetimeIndex of shape (days,)
        The days.
    y_D : ndarray of shape (days,)
        Outcomes.
    said : mapping
        Probabilities of shape (days,) by model, the version first.
    horizon : int
        Days that an outcome reaches ahead.
    """
    version, *others = said
    beside = {f"p_{name}": said[name] for name in others}
    return TestScores(
        table=pd.DataFrame({"date": dates_D, "y": y_D, "p": said[version], **beside}),
        scores={name: score_intervals(y_D, p_D) for name, p_D in said.items()},
        differences={name: paired_difference(y_D, said[version], said[name], horizon=horizon) for name in others},
    )


def _on_days(p: pd.Series, dates_D: pd.DatetimeIndex) -> Array:
    found = p.reindex(dates_D)
    missing = dates_D[found.isna()]
    if len(missing):
        raise RecordError(
            f"a version must forecast every test day, {len(missing)} are missing, first {missing[0].date()}; "
            "check the snapshots under the data directory"
        )
    return found.to_numpy(dtype=np.float64)
