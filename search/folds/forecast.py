"""Forecasts of one year: by a spec's models, or by a baseline; nothing of the year or after it is read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from model.spec.spec import Spec
from model.training.execution import choose_execution
from model.training.refit import refit
from model.training.trainer import Trainer, build_model, predict_rows
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import TrainingError
from pipeline.splits.splits import SplitRows
from search.folds.folds import YearFold

if TYPE_CHECKING:
    from model.baselines import Baseline


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One thing to compute: how many epochs a year's models are trained, or one seed's forecasts of a year.

    Parameters
    ----------
    year : int
        That is forecast.
    seed : int
        Of the model.
    n_epochs : int, optional
        To train for; None is the job of choosing that number.
    """

    year: int
    seed: int
    n_epochs: int | None = None

    @property
    def name(self) -> str:
        """Of what it leaves: ``2008-epochs`` or ``2008-seed0``."""
        return f"{self.year}-epochs" if self.n_epochs is None else f"{self.year}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a job found.

    Parameters
    ----------
    n_epochs : int
        Chosen, or trained for.
    seconds : float
        It took.
    p : tuple of float
        Probability of every day of the year; empty where the number of epochs was chosen.
    figures : mapping
        What else was measured, by metric.
    """

    n_epochs: int
    seconds: float
    p: tuple[float, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, held: dict[str, Any]) -> Outcome:
        """Inverse of ``asdict``, also by way of JSON, which keeps every bit of a float."""
        return cls(
            n_epochs=int(held["n_epochs"]),
            seconds=float(held["seconds"]),
            p=tuple(map(float, held["p"])),
            figures={str(name): float(value) for name, value in held.get("figures", {}).items()},
        )


@dataclass(frozen=True)
class SpecForecaster:
    """Forecasts by models of a spec.

    Parameters
    ----------
    spec : Spec
        What is trained.
    windows : Windows
        Of its dataset versions, on the device to train on.
    folds : sequence of YearFold
        From :func:`search.folds.folds.year_folds`.
    """

    spec: Spec
    windows: Windows
    folds: Sequence[YearFold]

    def run(self, job: Job) -> Outcome:
        """Choose a number of epochs, or train for it and forecast.

        Raises
        ------
        TrainingError
            If a loss, a weight or a probability is not finite.
        """
        started = time.perf_counter()
        if job.n_epochs is None:
            n_epochs = self._choose_epochs(job)
            return Outcome(n_epochs=n_epochs, seconds=time.perf_counter() - started)
        fold = fold_of(self.folds, job)
        execution = choose_execution(self.spec, self.windows.x_DF.device, rows=len(self.windows.x_DF))
        model = refit(self.spec, self.windows, fold.train, n_epochs=job.n_epochs, seed=job.seed, execution=execution)
        p = finite(predict_rows(model, self.windows, fold.test), job)
        return Outcome(n_epochs=job.n_epochs, seconds=time.perf_counter() - started, p=p)

    def _choose_epochs(self, job: Job) -> int:
        """Epoch with the lowest loss on the year before, by early stopping as in a trial."""
        fold = fold_of(self.folds, job)
        rows = SplitRows(train=fold.inner_train, validation=fold.inner_validation, test=fold.test[:0])
        inner, seeded = replace(self.windows, rows=rows, train_rows=fold.inner_train), replace(self.spec, seed=job.seed)
        execution = choose_execution(self.spec, inner.x_DF.device, rows=len(inner.x_DF))
        trainer = Trainer(seeded, inner, build_model(seeded, inner), execution)
        for _ in trainer.epochs():
            pass
        return trainer.best_epoch


@dataclass(frozen=True)
class BaselineForecaster:
    """Forecasts by a baseline.

    Parameters
    ----------
    baseline : Baseline
        What is fitted.
    windows, folds
        As in :class:`SpecForecaster`, on the CPU.
    datasets : sequence of DatasetVersion
        The forecast ticker's, then those that are trained on beside it.
    horizon : int
        Sessions that a label looks ahead.
    """

    baseline: Baseline
    windows: Windows
    folds: Sequence[YearFold]
    datasets: Sequence[DatasetVersion]
    horizon: int

    def run(self, job: Job) -> Outcome:
        """Fit to all rows before the year, and forecast it."""
        from model.baselines import fit_baseline  # half a second that a worker of trials need not spend

        started = time.perf_counter()
        fold, (own, *pooled) = fold_of(self.folds, job), self.datasets
        known = replace(self.windows, train_rows=fold.train)
        fitted = fit_baseline(self.baseline, own, known, horizon=self.horizon, pooled=pooled)
        p = finite(fitted.predict_rows(own, fold.test), job)
        return Outcome(n_epochs=job.n_epochs or 1, seconds=time.perf_counter() - started, p=p)


Forecaster = SpecForecaster | BaselineForecaster


def fold_of(folds: Sequence[YearFold], job: Job) -> YearFold:
    """Fold of the year that a job is about."""
    return next(fold for fold in folds if fold.year == job.year)


def finite(p_D: np.ndarray[Any, np.dtype[np.float64]], job: Job) -> tuple[float, ...]:
    """Probabilities as numbers.

    Raises
    ------
    TrainingError
        If one is not finite.
    """
    if not np.isfinite(p_D).all():
        raise TrainingError(
            f"forecasts of {job.year} by seed {job.seed} must be finite, got others; lower learning_rate"
        )
    return tuple(map(float, p_D))
