"""Baselines that read every feature of the tier's last day: logistic regression and gradient boosting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from model.baselines.baseline import Array, Baseline
from pipeline.exceptions import InputError
from pipeline.splits.splits import Index


@dataclass(frozen=True, kw_only=True)
class Logistic(Baseline):
    """Logistic regression on every feature of the last day, standardised, penalty chosen in order of time.

    Parameters
    ----------
    c_least, c_most : float
        Inverse strengths of the penalty that are tried, from the one to the other by factors of 10.
    n_folds : int
        Inner validations, each on days after those it trains on.
    """

    name = "logistic"
    c_least: float = 1e-4
    c_most: float = 10.0
    n_folds: int = 5

    def fit(self, x_NF: Array, y_N: Array, day_N: Index, horizon: int) -> tuple[Any, dict[str, float]]:
        """Choose the penalty with the lowest loss of all inner validation days, and fit with it to all rows."""
        steps = round(np.log10(self.c_most / self.c_least)) + 1
        candidates = np.geomspace(self.c_least, self.c_most, steps)
        losses = np.zeros(steps)
        for inner, held in time_ordered_folds(y_N, day_N, n_folds=self.n_folds, gap=horizon):
            for i, c in enumerate(candidates):
                losses[i] += total_loss(
                    y_N[held], logistic_regression(c).fit(x_NF[inner], y_N[inner]).predict_proba(x_NF[held])
                )
        c = float(candidates[np.argmin(losses)])
        return logistic_regression(c).fit(x_NF, y_N), {"c": c}


@dataclass(frozen=True, kw_only=True)
class Boosting(Baseline):
    """Histogram gradient boosting on every feature of the last day, its length chosen in order of time.

    Parameters
    ----------
    learning_rate : float
        Weight of a tree.
    max_iter : int
        Most trees.
    max_leaf_nodes, min_samples_leaf : int
        Size of a tree.
    l2_regularization : float
        Penalty of leaf values.
    n_folds : int
        As in :class:`Logistic`.
    seed : int
        Of the binning.
    """

    name = "boosting"
    learning_rate: float = 0.03
    max_iter: int = 200
    max_leaf_nodes: int = 8
    min_samples_leaf: int = 50
    l2_regularization: float = 1.0
    n_folds: int = 5
    seed: int = 0

    def fit(self, x_NF: Array, y_N: Array, day_N: Index, horizon: int) -> tuple[Any, dict[str, float]]:
        """Choose the number of trees with the lowest loss of all inner validation days, and fit it to all rows."""
        losses = np.zeros(self.max_iter)
        for inner, held in time_ordered_folds(y_N, day_N, n_folds=self.n_folds, gap=horizon):
            trees = self._classifier(self.max_iter).fit(x_NF[inner], y_N[inner])
            losses += [total_loss(y_N[held], p) for p in trees.staged_predict_proba(x_NF[held])]
        n_trees = int(np.argmin(losses)) + 1
        return self.grow(x_NF, y_N, n_trees), {"max_iter": float(n_trees)}

    def grow(self, x_NF: Array, y_N: Array, n_trees: int) -> HistGradientBoostingClassifier:
        """Fit so many trees to all rows."""
        return self._classifier(n_trees).fit(x_NF, y_N)

    def _classifier(self, n_trees: int) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=n_trees,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            early_stopping=False,
            random_state=self.seed,
        )


def time_ordered_folds(y_N: Array, day_N: Index, *, n_folds: int, gap: int) -> Iterator[tuple[Index, Index]]:
    """Inner training and validation samples, the latter always on later days, ``gap`` days apart.

    Folds whose training part has one outcome only are left out.

    Parameters
    ----------
    y_N, day_N : ndarray of shape (samples,)
        Outcomes, and the days of their forecasts numbered from 0; samples of one day stay together.
    n_folds, gap : int
        Number of folds, and days left out between the parts of each.

    Raises
    ------
    InputError
        If no fold is left.

    Examples
    --------
    >>> for inner, held in time_ordered_folds(np.array([0.0, 1.0] * 4), np.arange(8), n_folds=2, gap=1):
    ...     print(inner, held)
    [0 1 2] [4 5]
    [0 1 2 3 4] [6 7]
    """
    n_used, n_days = 0, int(day_N.max()) + 1
    held_days = n_days // (n_folds + 1)
    if held_days > 0 and n_days > gap + n_folds * held_days:
        for earlier, later in TimeSeriesSplit(n_splits=n_folds, gap=gap).split(np.arange(n_days)):
            inner = np.flatnonzero(day_N <= earlier[-1])
            if len(np.unique(y_N[inner])) == 2:
                n_used += 1
                yield inner, np.flatnonzero((day_N >= later[0]) & (day_N <= later[-1]))
    if not n_used:
        raise InputError(f"inner validation needs both outcomes early in training, got {n_days} days; train longer")


def logistic_regression(c: float) -> Pipeline:
    """Logistic regression on inputs standardised by its own training rows; c is the penalty's inverse."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, solver="newton-cholesky", max_iter=200))


def total_loss(y_N: Array, p_N2: Array) -> float:
    """Sum of the samples' log losses: scikit-learn's ``log_loss``, without the checks that cost it a millisecond.

    Parameters
    ----------
    y_N : ndarray of shape (samples,)
        Outcomes, 0 or 1.
    p_N2 : ndarray of shape (samples, 2)
        Probabilities of both.

    Examples
    --------
    >>> round(total_loss(np.array([0.0, 1.0]), np.array([[0.5, 0.5], [0.75, 0.25]])), 4)
    2.0794
    """
    p_N = p_N2[:, 1]
    eps = np.finfo(p_N.dtype).eps
    return float(-np.log(np.clip(np.where(y_N == 1, p_N, 1 - p_N), eps, 1 - eps)).sum())
