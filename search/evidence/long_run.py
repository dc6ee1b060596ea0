"""Intervals of means over days that remember: long-run variance by a few cosines, Student's t.

Shapes: D days, K cosines.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t as student

from search.evidence.bootstrap import LEVEL, SAME, Interval, has_support
from search.evidence.scores import METRICS, Array, daily_scores, score

LEAST_LEVEL_COSINES = 3
LEVEL_SHARE = 0.38
FEW_DAYS = 500
"""Days below which a score's interval holds the truth in less than 92 % where outcomes remember a month."""


def difference_cosines(n_days: int, horizon: int = 1) -> int:
    """Cosines for a difference of two models on the same days: the cube root of the days, 7 of 502 and 12 of 2,000.

    Two models share most of what persists, so their difference remembers less than either. No cosine turns within
    two horizons, inside which overlapping labels are one.

    Examples
    --------
    >>> difference_cosines(502), difference_cosines(2000), difference_cosines(502, horizon=60)
    (7, 12, 4)
    """
    return max(2, min(int(n_days ** (1 / 3)), n_days // (2 * horizon)))


def level_cosines(n_days: int) -> int:
    """Cosines for a score itself, which remembers as long as the outcomes cluster: 3 below 1,170 days, 4 of 2,000.

    Examples
    --------
    >>> [level_cosines(n) for n in (250, 502, 1170, 2000, 3777)]
    [3, 3, 4, 4, 5]
    """
    return max(LEAST_LEVEL_COSINES, int(LEVEL_SHARE * n_days ** (1 / 3)))


def standard_error(series_D: Array, n_cosines: int) -> float:
    """Estimate the standard error of the mean of a series that remembers.

    The series is projected on the slowest cosines; where its memory is short beside them the mean square of the
    projections is the long-run variance, with as many degrees of freedom as cosines. The fewer, the longer a memory
    they bear and the wider Student's t.

    Parameters
    ----------
    series_D : ndarray of shape (days,)
        What is averaged.
    n_cosines : int
        How many.

    References
    ----------
    Lazarus, Lewis, Stock and Watson (2018), "HAR inference: recommendations for practice", Journal of Business and
    Economic Statistics 36: the equal-weighted cosine estimator. They take 0.4 times the two-third power of the days,
    25 of 502; outcomes that cluster for months want fewer (``python -m benchmarks.coverage``).

    Examples
    --------
    >>> draws_D = np.random.default_rng(0).normal(size=40_000)
    >>> round(standard_error(draws_D, 2000) * 200, 1)
    1.0
    """
    n_days = len(series_D)
    phase_D = np.pi * (np.arange(n_days) + 0.5) / n_days
    cosines_KD = np.cos(np.arange(1, n_cosines + 1)[:, None] * phase_D)
    projected_K = math.sqrt(2 / n_days) * cosines_KD @ (series_D - series_D.mean())
    return math.sqrt(float(np.mean(np.square(projected_K))) / n_days)


def mean_interval(series_D: Array, n_cosines: int, *, level: float = LEVEL) -> Interval:
    """Interval of the mean of a series.

    Examples
    --------
    >>> found = mean_interval(np.tile([0.0, 1.0], 250), 7)
    >>> found.value, found.low < 0.5 < found.high
    (0.5, True)
    """
    value = float(series_D.mean())
    reach = _reach(series_D, n_cosines, level)
    return Interval(value=value, low=value - reach, high=value + reach, level=level)


def score_intervals(y_D: Array, p_D: Array, *, level: float = LEVEL) -> dict[str, Interval]:
    """Intervals of one model's AUC, log loss and Brier score, by its own days and outcomes alone.

    Nothing is drawn: there is no seed, and the same model on the same days has the same interval whoever stands beside
    it. The AUC's is made on the scale of its log-odds, errors' end at nought. Fewer than ten days of a class carry no
    interval: its ends are NaN.

    Parameters
    ----------
    y_D, p_D : ndarray of shape (days,)
        Outcomes, 0 or 1, and probabilities of 1.
    level : float
        Of the intervals.

    Examples
    --------
    >>> y, p = np.tile([0.0, 0.0, 1.0], 100), np.tile([0.2, 0.4, 0.3], 100)
    >>> found = score_intervals(y, p)["roc_auc"]
    >>> found.value, found.low <= 0.5 <= found.high
    (0.5, True)
    """
    return {metric: score_interval(metric, y_D, p_D, level=level) for metric in METRICS}


def score_interval(metric: str, y_D: Array, p_D: Array, *, level: float = LEVEL) -> Interval:
    """Interval of one score; see :func:`score_intervals`."""
    value = score(metric, y_D, p_D)
    if not has_support(y_D):
        return Interval(value=value, low=math.nan, high=math.nan, level=level)
    reach = _reach(daily_scores(metric, y_D, p_D), level_cosines(len(y_D)), level)
    if metric == "roc_auc":
        return Interval(value=value, low=_moved_odds(value, -reach), high=_moved_odds(value, reach), level=level)
    return Interval(value=value, low=max(0.0, value - reach), high=value + reach, level=level)


def level_in_words(n_days: int) -> str:
    """Say how the intervals of scores are made.

    Examples
    --------
    >>> level_in_words(502)
    "long-run variance by 3 cosines, Student's t; nothing is drawn, so there is no seed"
    >>> level_in_words(250)[-63:]
    'too few days, where outcomes cluster for months a little narrow'
    """
    few = "" if n_days >= FEW_DAYS else "; too few days, where outcomes cluster for months a little narrow"
    return (
        f"long-run variance by {level_cosines(n_days)} cosines, Student's t; nothing is drawn, so there is no seed{few}"
    )


def _reach(series_D: Array, n_cosines: int, level: float) -> float:
    error = standard_error(series_D, n_cosines)
    return float(student.ppf((1 + level) / 2, n_cosines)) * error if error > SAME else 0.0


def _moved_odds(share: float, reach: float) -> float:
    """Move a share by so much at its own slope on the scale of log-odds, on which it can't leave 0 to 1."""
    if not 0 < share < 1:
        return share
    odds = math.log(share / (1 - share)) + reach / (share * (1 - share))
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
