"""What every baseline is: settings, inputs and a fit to training rows; and the one that always says the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.dummy import DummyClassifier
from threadpoolctl import threadpool_limits

from model.spec.spec import flatten
from model.windows import Windows
from pipeline.datasets.dataset import DatasetVersion
from pipeline.exceptions import InputError, TrainingError
from pipeline.splits.splits import Index

Array = npt.NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True, kw_only=True)
class Baseline(ABC):
    """One baseline: which inputs it reads, and how it is fitted to them."""

    name: ClassVar[str]

    def inputs(self, dataset: DatasetVersion) -> pd.DataFrame:
        """Take every feature of the tier, shape (days, inputs); a row knows nothing of later days."""
        return dataset.frame[list(dataset.features)]

    @abstractmethod
    def fit(self, x_NF: Array, y_N: Array, day_N: Index, horizon: int) -> tuple[Any, dict[str, float]]:
        """Fit to training samples: the classifier, and the settings that it chose.

        Parameters
        ----------
        x_NF, y_N : ndarray of shape (samples, inputs) and (samples,)
            Inputs and outcomes.
        day_N : ndarray of shape (samples,)
            Days of the forecasts, numbered from 0 in order of time.
        horizon : int
            Days that an outcome reaches ahead.
        """

    def params(self) -> dict[str, str]:
        """Name and settings as flat text.

        Examples
        --------
        >>> BaseRate().params()
        {'baseline': 'base_rate'}
        """
        return {"baseline": self.name, **{f"baseline.{name}": value for name, value in flatten(self)}}


@dataclass(frozen=True, kw_only=True)
class FittedBaseline:
    """A baseline fitted to the training rows of a split.

    Parameters
    ----------
    baseline : Baseline
        Its settings.
    inputs : tuple of str
        Names of what it reads.
    classifier : object
        Of scikit-learn, with ``predict_proba``.
    chosen : dict
        Settings that were chosen inside the training rows.
    n_train : int
        Samples it was fitted to.
    """

    baseline: Baseline
    inputs: tuple[str, ...]
    classifier: Any
    chosen: Mapping[str, float]
    n_train: int

    def predict_rows(self, dataset: DatasetVersion, rows: Index) -> Array:
        """Probabilities of these forecast rows, inside (0, 1).

        Raises
        ------
        TrainingError
            If one is not finite, with its day.
        """
        x_NF = self.baseline.inputs(dataset).to_numpy(dtype=np.float64)[rows]
        finite = np.isfinite(x_NF).all(axis=1)
        if not finite.all():
            day = dataset.dates[rows[int(np.argmin(finite))]].date()
            raise TrainingError(f"inputs of {self.baseline.name} must be finite, got one that is not on {day}")
        with threadpool_limits(1):
            p = np.asarray(self.classifier.predict_proba(x_NF)[:, 1], dtype=np.float64)
        if not np.isfinite(p).all():
            raise TrainingError(f"probabilities of {self.baseline.name} must be finite, got {p[~np.isfinite(p)][0]}")
        return np.clip(p, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)


def fit_baseline(
    baseline: Baseline,
    dataset: DatasetVersion,
    windows: Windows,
    *,
    horizon: int,
    pooled: Sequence[DatasetVersion] = (),
) -> FittedBaseline:
    """Fit a baseline to the training rows of the Transformer's windows.

    Parameters
    ----------
    baseline : Baseline
        One of :data:`model.baselines.BASELINES`, or with settings of its own.
    dataset : DatasetVersion
        What the windows were made of.
    windows : Windows
        From :func:`model.windows.make_windows`; their training rows and labels are read, no others.
    horizon : int
        Days that a label reaches ahead: so many are left out between inner training and inner validation.
    pooled : sequence of DatasetVersion, optional
        The windows' other tickers.

    Raises
    ------
    InputError
        If the training rows hold one outcome only.
    """
    table = pd.concat([baseline.inputs(each) for each in (dataset, *pooled)])
    assert len(table) == len(windows.dates_D)
    x_DF = table.to_numpy(dtype=np.float64)
    rows = windows.train_rows[np.isfinite(x_DF[windows.train_rows]).all(axis=1)]
    x_NF, y_N = x_DF[rows], windows.outcomes(rows)
    if len(np.unique(y_N)) < 2:
        raise InputError(
            f"training rows must hold both outcomes, got {len(y_N)} of one kind; take another threshold or horizon"
        )
    with threadpool_limits(1):
        classifier, chosen = baseline.fit(x_NF, y_N, windows.day_numbers(rows), horizon)
    return FittedBaseline(
        baseline=baseline, inputs=tuple(table.columns), classifier=classifier, chosen=chosen, n_train=len(y_N)
    )


@dataclass(frozen=True, kw_only=True)
class BaseRate(Baseline):
    """Always the training rows' share of positive days."""

    name = "base_rate"

    def inputs(self, dataset: DatasetVersion) -> pd.DataFrame:
        """None."""
        return pd.DataFrame(index=dataset.frame.index)

    def fit(self, x_NF: Array, y_N: Array, day_N: Index, horizon: int) -> tuple[Any, dict[str, float]]:
        """Count."""
        return DummyClassifier(strategy="prior").fit(x_NF, y_N), {}
