"""What choosing the best of many models is worth: the chosen one scored on days that did not choose it.

Shapes: M models, D days, R resamples, S shifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from pipeline.exceptions import InputError
from search.evidence.bootstrap import SAME, day_counts, resampled_days
from search.evidence.long_run import score_interval
from search.evidence.scores import Array, daily_errors, score, score_weights, sign_of, weighted_scores

N_RESAMPLES = 1000
CLUSTER_DAYS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The best of many models, before and after the correction for having chosen it.

    Parameters
    ----------
    metric : str
        ``roc_auc``, ``loss`` or ``brier``.
    raw : float
        Score of the best model on the days that chose it.
    corrected : float
        Score of models chosen on resampled days, on days apart from those; NaN if none were.
    corrected_low, corrected_high : float
        95 % interval of the best model's score, moved by the correction; NaN on fewer than ten days of a class.
    null_maximum : float
        What the best of these models scores on average against outcomes that have nothing to do with them: the same
        outcomes, shifted in a ring.
    null_p_value : float
        How often it then scores as well as ``raw``, all shifts together counted as ``n_independent`` draws; never
        below :attr:`smallest_p_value`.
    n_shifts, n_independent : int
        Shifts, and how many independent draws their scores are worth: neighbouring shifts score alike where forecasts
        and outcomes persist.
    n_models, n_days, block : int
        Models chosen from, days, and the mean block length that was used.
    """

    metric: str
    raw: float
    corrected: float
    corrected_low: float
    corrected_high: float
    null_maximum: float
    null_p_value: float
    n_shifts: int
    n_independent: int
    n_models: int
    n_days: int
    block: int

    @property
    def smallest_p_value(self) -> float:
        """The p-value of a score that no shift reaches: these days can't resolve a smaller one."""
        return 1 / (1 + self.n_independent)


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

    Each resample of days chooses a model, which is scored on the days that were not
    drawn and are more than a quarter of a block from any that was: volatility clusters, and a model
    that was lucky on one day is lucky on the next. Blocks are at least two months (a tenth of the days, if that
    is less) for the same reason. All resamples' pairs of days (for the loss, days) are pooled, so
    that one with few days outside does not count like the others.

    The null shifts the outcomes in a ring against the forecasts, which keeps the autocorrelation of
    both; shuffled blocks would lose it. Shifts are as many as days allow, but they are no independent
    draws, so the p-value counts them as as many as :func:`independent_draws` says.

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
        Of the bootstrap.

    Raises
    ------
    InputError
        If there is no model, days differ, or there is no such metric.

    References
    ----------
    Tsamardinos, Greasidou and Borboudakis (2018), "Bootstrapping the out-of-sample predictions for efficient
    and accurate cross-validation", Machine Learning 107, algorithm 4; blocks, distance, pooling and the
    interval are ours. Geyer (1992), "Practical Markov chain Monte Carlo", Statistical Science 7, section 3.3,
    for the number of independent draws.

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
    block = max(block, min(CLUSTER_DAYS, len(y_D) // 10))
    counts_RD = day_counts(resampled_days(len(y_D), block=block, n_resamples=n_resamples, seed=seed))
    inside_MR = np.stack([weighted_scores(metric, y_D, p_D, counts_RD) for p_D in p_MD])
    raw_M = np.array([score(metric, y_D, p_D) for p_D in p_MD])
    best = int(_defined(sign * raw_M).argmax())
    outside_RD = days_apart(counts_RD, block // 4)
    corrected = _pooled_score(metric, y_D, p_MD, _defined(sign * inside_MR).argmax(axis=0), outside_RD)
    moved, interval = corrected - raw_M[best], score_interval(metric, y_D, p_MD[best])
    null_S = null_best(metric, y_D, p_MD, block=block, n_shifts=n_resamples)
    n_independent = independent_draws(null_S)
    return Selection(
        metric=metric,
        raw=float(raw_M[best]),
        corrected=corrected,
        corrected_low=interval.low + moved,
        corrected_high=interval.high + moved,
        null_maximum=float(null_S.mean()),
        null_p_value=shift_p_value(sign * null_S, sign * float(raw_M[best]), n_independent),
        n_shifts=len(null_S),
        n_independent=n_independent,
        n_models=len(p_MD),
        n_days=len(y_D),
        block=block,
    )


def days_apart(counts_RD: Array, distance: int) -> Array:
    """Mark with 1 the days that are further than this from every drawn day, shape (resamples, days).

    Examples
    --------
    >>> days_apart(np.array([[1.0, 0.0, 0.0, 0.0, 2.0, 0.0]]), 1)
    array([[0., 0., 1., 0., 0., 0.]])
    """
    drawn_RD = np.pad(counts_RD > 0, ((0, 0), (distance + 1, distance)))
    seen_RD = np.cumsum(drawn_RD, axis=1)
    width = 2 * distance + 1
    return (seen_RD[:, width:] == seen_RD[:, :-width]).astype(np.float64)


def null_best(metric: str, y_D: Array, p_MD: Array, *, block: int, n_shifts: int) -> Array:
    """Best score of any model against outcomes that are shifted in a ring by at least a block, shape (shifts,).

    A shift keeps every autocorrelation of the outcomes and of the forecasts, and every
    correlation between models; it breaks only the tie of a forecast to its day.
    """
    n_days, sign = len(y_D), sign_of(metric)
    least = min(block, n_days // 4)
    shifts = np.unique(np.linspace(least, n_days - least, n_shifts).astype(np.int64))
    y_SD = y_D[(np.arange(n_days) - shifts[:, None]) % n_days]
    if metric == "roc_auc":
        n_positive = float(y_D.sum())
        pairs = n_positive * (n_days - n_positive)
        ranks_SM = y_SD @ rankdata(p_MD, axis=1).T
        scores_SM = (ranks_SM - n_positive * (n_positive + 1) / 2) / pairs if pairs else np.full_like(ranks_SM, np.nan)
    else:
        if_one_MD, if_nought_MD = (daily_errors(metric, np.full(n_days, y), p_MD) for y in (1.0, 0.0))
        scores_SM = (y_SD @ (if_one_MD - if_nought_MD).T + if_nought_MD.sum(axis=1)) / n_days
    return sign * (sign * scores_SM).max(axis=1)


def independent_draws(series_S: Array) -> int:
    """Count the independent draws that a series in order is worth: its length over its autocorrelation time.

    The time sums the autocorrelation in pairs of lags until a pair is no longer positive (Geyer 1992).

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=1000)
    >>> independent_draws(draws) > 800, independent_draws(np.repeat(draws[:50], 20)) < 100
    (True, True)
    """
    centred_S = series_S - series_S.mean()
    n, spread = len(centred_S), float(centred_S @ centred_S)
    if not spread > SAME:
        return 1
    correlation_S = np.correlate(centred_S, centred_S, "full")[n - 1 :] / spread
    pairs = correlation_S[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    kept = pairs[: negative[0]] if len(negative) else pairs
    return max(1, int(n / max(1.0, 2 * float(kept.sum()) - 1)))


def shift_p_value(null_S: Array, observed: float, n_independent: int) -> float:
    """P-value of shifts that are worth so many independent draws; what was observed counts as one more.

    Examples
    --------
    >>> shift_p_value(np.zeros(400), 1.0, 19)
    0.05
    """
    if not math.isfinite(observed):
        return math.nan
    share = float(np.mean(null_S >= observed - SAME))
    return (1 + n_independent * share) / (1 + n_independent)


def _pooled_score(metric: str, y_D: Array, p_MD: Array, chosen_R: Array, outside_RD: Array) -> float:
    """Score of the models chosen, on the days outside, weighted by what each resample has there."""
    weight_R = score_weights(metric, y_D, outside_RD)
    total = 0.0
    for model in np.unique(chosen_R[weight_R > 0]):
        rows = np.flatnonzero((chosen_R == model) & (weight_R > 0))
        total += float(weight_R[rows] @ weighted_scores(metric, y_D, p_MD[model], outside_RD[rows]))
    return total / float(weight_R.sum()) if weight_R.any() else math.nan


def _defined(scores: Array) -> Array:
    """Put what is undefined last."""
    return np.where(np.isfinite(scores), scores, -np.inf)
