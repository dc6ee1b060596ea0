"""The parts of a trial: the trainings that it consists of, one a fold and seed, and the days that each forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.spec.spec import Spec
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.splits.splits import Split, SplitRows
from search.folds.folds import year_folds
from search.folds.forecast import Job


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One training of a trial.

    Parameters
    ----------
    spec : Spec
        With the seed of this part.
    windows : Windows
        What is trained on before, and forecast in, the year of the fold; of a trial without folds the split's.
    year : int, optional
        Of the fold; None without folds.
    number : int
        Of the seed, from 0.
    """

    spec: Spec
    windows: Windows
    year: int | None
    number: int

    @property
    def name(self) -> str:
        """Under which what it found is kept: ``2016-seed0``, or ``seed1`` without folds."""
        return (
            f"seed{self.spec.seed}" if self.year is None else Job(year=self.year, seed=self.spec.seed, n_epochs=1).name
        )

    def prefix(self, *, several_seeds: bool) -> str:
        """Beginning of its metrics: ``fold/2016/``, ``seed/1/``, ``fold/2016/seed/1/``, or nothing."""
        fold = "" if self.year is None else f"fold/{self.year}/"
        return fold + (f"seed/{self.spec.seed}/" if several_seeds else "")


def trial_parts(spec: Spec, windows: Windows, datasets: Sequence[DatasetVersion]) -> list[Part]:
    """List the trainings of a spec, fold by fold, in a fold seed by seed.

    Parameters
    ----------
    spec : Spec
        Of the trial.
    windows : Windows
        From :func:`model.windows.make_windows`; its validation days are those of all folds together.
    datasets : sequence of DatasetVersion
        The forecast ticker's, then those that are trained on beside it.
    """
    several = spec.n_seeds > 1
    own = [replace(spec, seed=seed, n_seeds=1) if several else spec for seed in spec.seeds]
    return [
        Part(spec=each, windows=seen, year=year, number=number)
        for year, seen in folds_of(spec.split, spec.n_folds, windows, datasets, horizon=spec.target.horizon)
        for number, each in enumerate(own)
    ]


def folds_of(
    split: Split, n_folds: int, windows: Windows, datasets: Sequence[DatasetVersion], *, horizon: int
) -> list[tuple[int | None, Windows]]:
    """Windows of each fold: trained on what lies before the year, validated on its days; of none, the split's.

    Parameters
    ----------
    split : Split
        Whose validation days are those of all folds.
    n_folds : int
        Years; 0 is no fold.
    windows, datasets
        As in :func:`trial_parts`.
    horizon : int
        Sessions that a label looks ahead.
    """
    if not n_folds:
        return [(None, windows)]
    found = list[tuple[int | None, Windows]]()
    first, last = split.validation_start.year, split.validation_end.year
    own_days = len(datasets[0].dates)
    for fold in year_folds(windows, datasets, split, horizon=horizon, first_year=first, last_year=last):
        days = np.intersect1d(fold.test, windows.rows.validation)
        rows = SplitRows(train=fold.train[fold.train < own_days], validation=days, test=windows.rows.test)
        found.append((fold.year, replace(windows, rows=rows, train_rows=fold.train)))
    assert np.array_equal(np.concatenate([seen.rows.validation for _, seen in found]), windows.rows.validation)
    return found
