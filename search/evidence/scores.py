"""Scores of probabilistic binary forecasts under weights of the days, many weightings at once.

Shapes: M models, D days, R weightings (resamples) of the days.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from pipeline.exceptions import InputError

Array = npt.NDArray[np.float64]

METRICS = ("roc_auc", "loss", "brier")
CHUNK_NUMBERS = 50_000
"""Numbers of an array that are worked on at a time: they stay in a core's cache."""


def sign_of(metric: str) -> int:
    """1 for a metric of which more is better, -1 for one of which less is.

    Raises
    ------
    InputError
        If there is no such metric.
    """
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    return 1 if metric == "roc_auc" else -1


def daily_losses(y_D: Array, p_MD: Array) -> Array:
    """Log loss in nats by model and day; probabilities are kept off 0 and 1 as scikit-learn does.

    Examples
    --------
    >>> daily_losses(np.array([1.0, 0.0]), np.array([[0.5, 0.25]])).round(4)
    array([[0.6931, 0.2877]])
    """
    epsilon = np.finfo(np.float64).eps
    kept_MD = np.clip(p_MD, epsilon, 1 - epsilon)
    return -np.where(y_D == 1, np.log(kept_MD), np.log1p(-kept_MD))


def daily_errors(metric: str, y_D: Array, p_MD: Array) -> Array:
    """Log loss or squared error by model and day."""
    return daily_losses(y_D, p_MD) if metric == "loss" else np.square(p_MD - y_D)


def score(metric: str, y_D: Array, p_D: Array) -> float:
    """Score of one model on all its days, each once; AUC is NaN if only one class occurs.

    Examples
    --------
    >>> score("roc_auc", np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.5, 0.5]))
    0.75
    """
    return float(weighted_scores(metric, y_D, p_D, np.ones((1, len(y_D))))[0])


def weighted_scores(metric: str, y_D: Array, p_D: Array, weights_RD: Array) -> Array:
    """Score of one model under each weighting of its days.

    Parameters
    ----------
    metric : str
        ``roc_auc``, ``loss`` or ``brier``.
    y_D, p_D : ndarray of shape (days,)
        Outcomes, 0 or 1, and probabilities of 1.
    weights_RD : ndarray of shape (resamples, days)
        How often each day counts.

    Returns
    -------
    ndarray of shape (resamples,)
        NaN where an AUC sees one class only, or no day counts.
    """
    sign_of(metric)
    if metric == "roc_auc":
        return _weighted_auc(y_D, p_D, weights_RD)
    return _ratio(weights_RD @ daily_errors(metric, y_D, p_D), weights_RD.sum(axis=1))


def score_weights(metric: str, y_D: Array, weights_RD: Array) -> Array:
    """Count what a score under each weighting is a mean of, days or for the AUC pairs of days: shape (resamples,)."""
    if metric == "roc_auc":
        return (weights_RD @ y_D) * (weights_RD @ (1 - y_D))
    return weights_RD.sum(axis=1)


def daily_scores(metric: str, y_D: Array, p_D: Array) -> Array:
    """Series of days whose mean is the score: what the score's sampling error is made of.

    Loss and Brier score are means of it by definition. For the AUC it is the
    first-order influence of each day, by placement values: a positive day's share
    of the negative days below it, and the other way round.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver
    operating characteristic curves", Biometrics 44.

    Examples
    --------
    >>> y, p = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.2, 0.3, 0.4, 0.9])
    >>> float(daily_scores("roc_auc", y, p).mean()), score("roc_auc", y, p)
    (0.75, 0.75)
    """
    sign_of(metric)
    if metric != "roc_auc":
        return daily_errors(metric, y_D, p_D)
    positive_D = y_D == 1
    n_positive, n_negative = int(positive_D.sum()), int((~positive_D).sum())
    if not (n_positive and n_negative):
        return np.full(len(y_D), np.nan)
    rank_D = rankdata(p_D)
    placement_D = np.empty(len(y_D))
    placement_D[positive_D] = (rank_D[positive_D] - rankdata(p_D[positive_D])) / n_negative
    placement_D[~positive_D] = 1 - (rank_D[~positive_D] - rankdata(p_D[~positive_D])) / n_positive
    auc = placement_D[positive_D].mean()
    share_D = np.where(positive_D, n_positive, n_negative) / len(y_D)
    return auc + (placement_D - auc) / share_D


def _weighted_auc(y_D: Array, p_D: Array, weights_RD: Array) -> Array:
    """Share of pairs of a positive and a negative day that are in order; ties count half."""
    order_D = np.argsort(p_D, kind="stable")
    starts = np.flatnonzero(np.diff(p_D[order_D], prepend=-np.inf) > 0)
    y_sorted_D = y_D[order_D]
    rows = max(1, CHUNK_NUMBERS // len(y_D))
    parts = [weights_RD[start : start + rows] for start in range(0, len(weights_RD), rows)]
    return np.concatenate([_auc_of_sorted(y_sorted_D, part[:, order_D], starts) for part in parts])


def _auc_of_sorted(y_D: Array, weights_RD: Array, starts: npt.NDArray[np.int64]) -> Array:
    positive_RD = weights_RD * y_D
    negative_RD = weights_RD - positive_RD
    if len(starts) < len(y_D):
        positive_RD = np.add.reduceat(positive_RD, starts, axis=1)
        negative_RD = np.add.reduceat(negative_RD, starts, axis=1)
    below_RD = np.cumsum(negative_RD, axis=1)
    in_order_R = np.einsum("rd,rd->r", positive_RD, below_RD - negative_RD / 2)
    return _ratio(in_order_R, positive_RD.sum(axis=1) * below_RD[:, -1])


def _ratio(above_R: Array, below_R: Array) -> Array:
    return np.divide(above_R, below_R, out=np.full(len(above_R), np.nan), where=below_R > 0)
