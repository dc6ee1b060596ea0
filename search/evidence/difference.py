"""Paired differences of two models on the same days, and what these days could have shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from pipeline.exceptions import InputError
from search.evidence.bootstrap import (
    N_RESAMPLES,
    SAME,
    block_length,
    day_counts,
    has_support,
    percentile_interval,
    resampled_days,
)
from search.evidence.scores import Array, daily_scores, score, sign_of, weighted_scores

SIZE, POWER = 0.05, 0.8
ERRORS_TO_DETECT = float(norm.ppf(1 - SIZE / 2) + norm.ppf(POWER))


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How much a model's score differs from another's.

    Parameters
    ----------
    metric : str
        ``roc_auc``, ``loss`` or ``brier``.
    value, low, high : float
        Score of the first less that of the second, with its 95 % interval.
    p_value : float
        One-sided: how often resampling would show the first better by as much if it were not better.
    detectable : float
        Smallest true difference, of either sign, that these days would show at 5 % (two-sided) with 80 % power.
    n_days : int
        Days compared.
    block : int
        Mean block length of the bootstrap.
    """

    metric: str
    value: float
    low: float
    high: float
    p_value: float
    detectable: float
    n_days: int
    block: int


def paired_difference(
    y_D: Array,
    p_a_D: Array,
    p_b_D: Array,
    *,
    horizon: int,
    metric: str = "loss",
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare model a with model b on the same days by the stationary bootstrap.

    Every resample scores both models on the same drawn days. The block is optimal for
    the series of daily differences (for the AUC, of the days' influences), and at least
    the horizon. The p-value compares the difference with resampled ones centred on
    nought, so that equal models have 1. On fewer than ten days of a class only the value is known, the rest is NaN.

    Parameters
    ----------
    y_D : ndarray of shape (days,)
        Outcomes, 0 or 1.
    p_a_D, p_b_D : ndarray of shape (days,)
        Probabilities of 1 by either model.
    horizon : int
        Sessions that a label looks ahead.
    metric : str
        ``loss``, ``roc_auc`` or ``brier``.
    n_resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If lengths differ, the horizon does not fit or there is no such metric.

    Examples
    --------
    >>> y = np.tile([0.0, 0.0, 1.0], 100)
    >>> same = paired_difference(y, np.full(300, 0.3), np.full(300, 0.3), horizon=1)
    >>> same.value, same.p_value, same.detectable
    (0.0, 1.0, 0.0)
    """
    if not len(y_D) == len(p_a_D) == len(p_b_D):
        raise InputError(
            f"a paired difference needs both models on the same days, got {len(y_D)} outcomes, "
            f"{len(p_a_D)} and {len(p_b_D)} probabilities"
        )
    sign = sign_of(metric)
    block = block_length(daily_scores(metric, y_D, p_a_D) - daily_scores(metric, y_D, p_b_D), horizon)
    value = score(metric, y_D, p_a_D) - score(metric, y_D, p_b_D)
    if not has_support(y_D):
        unknown = dict.fromkeys(("low", "high", "p_value", "detectable"), math.nan)
        return Difference(metric=metric, value=value, n_days=len(y_D), block=block, **unknown)
    counts_RD = day_counts(resampled_days(len(y_D), block=block, n_resamples=n_resamples, seed=seed))
    drawn_R = weighted_scores(metric, y_D, p_a_D, counts_RD) - weighted_scores(metric, y_D, p_b_D, counts_RD)
    interval = percentile_interval(value, drawn_R)
    centred_R = drawn_R[np.isfinite(drawn_R)] - value
    error = float(np.std(centred_R)) if len(centred_R) else math.nan
    return Difference(
        metric=metric,
        value=value,
        low=interval.low,
        high=interval.high,
        p_value=share_as_large(sign * centred_R, sign * value),
        detectable=ERRORS_TO_DETECT * error if error > SAME else error * 0,
        n_days=len(y_D),
        block=block,
    )


def share_as_large(drawn_R: Array, observed: float) -> float:
    """P-value by simulation: the share of draws as large as what was observed, which counts as one of them.

    Examples
    --------
    >>> share_as_large(np.zeros(99), 1.0)
    0.01
    """
    if not math.isfinite(observed):
        return math.nan
    return float((1 + np.count_nonzero(drawn_R >= observed - SAME)) / (1 + len(drawn_R)))
