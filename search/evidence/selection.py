"""What choosing the best of many models is worth: scores of the chosen one on days that did not choose it.

Shapes: M models, D days, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from pipeline.exceptions import InputError
from search.evidence.bootstrap import day_counts, percentile_interval, resampled_days
from search.evidence.difference import share_as_large
from search.evidence.scores import Array, daily_losses, score, sign_of, weighted_scores

N_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The best of many models, before and after the correction for having chosen it.

    Parameters
    ----------
    metric : str
        ``roc_auc``, ``loss`` or ``brier``.
    raw : float
        Score of the best model on the days that chose it.
    corrected, corrected_low, corrected_high : float
        Mean score of a model chosen on resampled days, on the days that were not drawn, and where 95 % of them lie.
    null_maximum : float
        What the best of as many would score on average if outcomes had nothing to do with forecasts.
    null_p_value : float
        How often it would then score as well as ``raw``.
    n_models, n_days, block : int
        Models chosen from, days, and mean block length.
    """

    metric: str
    raw: float
    corrected: float
    corrected_low: float
    corrected_high: float
    null_maximum: float
    null_p_value: float
    n_models: int
    n_days: int
    block: int


def selection_corrected(
    y_D: Array,
    p_MD: Array,
    *,
    block: int,
    metric: str = "roc_auc",
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Selection:
    """Score the choice of the best of many models, not the model that happened to be it.

    Parameters
    ----------
    y_D : ndarray of shape (days,)
        Outcomes, 0 or 1.
    p_MD : ndarray of shape (models, days)
        Probabilities of 1 of **all** models that were tried.
    block : int
        Mean block length, at least the horizon.
    metric : str
        ``roc_auc``, ``loss`` or ``brier``: chosen by and scored with.
    n_resamples, seed : int
        Of the bootstrap and of the shuffles.

    Raises
    ------
    InputError
        If there is no model, days differ, or there is no such metric.

    References
    ----------
    Tsamardinos, Greasidou and Borboudakis (2018), "Bootstrapping the out-of-sample predictions for efficient
    and accurate cross-validation", Machine Learning 107, algorithm 4.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = (rng.random(500) < 0.2).astype(float)
    >>> found = selection_corrected(y, rng.random((50, 500)), block=1, n_resamples=200)
    >>> found.raw > 0.55 > found.corrected, found.null_p_value > 0.05
    (True, True)
    """
    sign = sign_of(metric)
    if p_MD.ndim != 2 or not len(p_MD) or p_MD.shape[1] != len(y_D):
        raise InputError(f"probabilities must be of at least one model on {len(y_D)} days, got shape {p_MD.shape}")
    raw = sign * max(sign * score(metric, y_D, p_D) for p_D in p_MD)
    counts_RD = day_counts(resampled_days(len(y_D), block=block, n_resamples=n_resamples, seed=seed))
    outside_R = _outside_scores(metric, y_D, p_MD, counts_RD)
    corrected = float(np.nanmean(outside_R)) if np.isfinite(outside_R).any() else float("nan")
    interval = percentile_interval(corrected, outside_R)
    null_R = sign * null_best(metric, y_D, p_MD, block=block, n_shuffles=n_resamples, seed=seed)
    return Selection(
        metric=metric,
        raw=raw,
        corrected=corrected,
        corrected_low=interval.low,
        corrected_high=interval.high,
        null_maximum=float(sign * null_R.mean()),
        null_p_value=share_as_large(null_R, sign * raw),
        n_models=len(p_MD),
        n_days=len(y_D),
        block=block,
    )


def null_best(metric: str, y_D: Array, p_MD: Array, *, block: int, n_shuffles: int, seed: int) -> Array:
    """Best score of any model when outcomes are shuffled in blocks against the forecasts, shape (shuffles,)."""
    y_SD = shuffled_in_blocks(y_D, block=block, n_shuffles=n_shuffles, seed=seed)
    sign = sign_of(metric)
    if metric == "roc_auc":
        n_positive = y_D.sum()
        rank_MD = rankdata(p_MD, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores_SM = (y_SD @ rank_MD.T - n_positive * (n_positive + 1) / 2) / (n_positive * (len(y_D) - n_positive))
    else:
        one_MD, nought_MD = (_by_day(metric, np.full(len(y_D), y), p_MD) for y in (1.0, 0.0))
        scores_SM = (y_SD @ (one_MD - nought_MD).T + nought_MD.sum(axis=1)) / len(y_D)
    return sign * (sign * scores_SM).max(axis=1)


def shuffled_in_blocks(y_D: Array, *, block: int, n_shuffles: int, seed: int) -> Array:
    """Cut a series, closed to a ring, into blocks from a random day on, and put them in random order.

    Within blocks the autocorrelation stays.

    Examples
    --------
    >>> shuffled_in_blocks(np.arange(6.0), block=2, n_shuffles=2, seed=1)
    array([[4., 5., 0., 1., 2., 3.],
           [2., 3., 0., 1., 4., 5.]])
    """
    rng = np.random.default_rng(seed)
    n_blocks = max(1, len(y_D) // block)
    order = [
        np.concatenate([parts[i] for i in rng.permutation(n_blocks)])
        for parts in (
            np.array_split(np.roll(np.arange(len(y_D)), rng.integers(len(y_D))), n_blocks) for _ in range(n_shuffles)
        )
    ]
    return y_D[np.stack(order)]


def _outside_scores(metric: str, y_D: Array, p_MD: Array, counts_RD: Array) -> Array:
    """Score, on the days not drawn, of the model that was best on the days drawn."""
    sign = sign_of(metric)
    inside_MR = np.stack([sign * weighted_scores(metric, y_D, p_D, counts_RD) for p_D in p_MD])
    chosen_R = np.where(np.isfinite(inside_MR), inside_MR, -np.inf).argmax(axis=0)
    outside_RD = (counts_RD == 0).astype(np.float64)
    scores_R = np.full(len(counts_RD), np.nan)
    for model in np.unique(chosen_R):
        rows = np.flatnonzero(chosen_R == model)
        scores_R[rows] = weighted_scores(metric, y_D, p_MD[model], outside_RD[rows])
    return scores_R


def _by_day(metric: str, y_D: Array, p_MD: Array) -> Array:
    return daily_losses(y_D, p_MD) if metric == "loss" else np.square(p_MD - y_D)
