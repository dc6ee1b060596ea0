"""The statistics of a page, each worked out once.

Legend: M models, D days, R resamples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from search.evidence import (
    Difference,
    Forecasts,
    Interval,
    Selection,
    Superiority,
    draw_days,
    has_support,
    model_confidence_set,
    probability_of_overfitting,
    score_intervals,
    selection_corrected,
    superior_predictive_ability,
)
from search.evidence.bootstrap import N_RESAMPLES, day_counts
from search.evidence.scores import Array

LOSS, ROC_AUC = "loss", "roc_auc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What the forecasts of a study are worth.

    Parameters
    ----------
    block : int
        Mean block length of every bootstrap: the outcomes determine it.
    counts_RD : ndarray of shape (resamples, days)
        How often each resample drew each day.
    base_rate_loss : float
        Of always saying the base rate of these days.
    intervals : dict
        By model and metric.
    against_baseline : dict
        Log loss of each model less the best baseline's; without that baseline itself.
    auc_against_baseline : Difference
        AUC of the best trial less that of the best baseline.
    selection : Selection
        AUC of the best of the trials, before and after the correction.
    loss_selection : Selection
        The same of the log loss.
    superiority : Superiority
        All trials against the best baseline.
    confidence_set : frozenset of str
        Names of the models, baselines among them, that can't be told from the best.
    overfitting : float
        Probability that the best trial of one half is below the middle in the other; NaN for one trial.
    n_resamples : int
        Of the shares of days and of shapes.
    """

    block: int
    counts_RD: Array
    base_rate_loss: float
    intervals: dict[str, dict[str, Interval]]
    against_baseline: dict[str, Difference]
    auc_against_baseline: Difference
    selection: Selection
    loss_selection: Selection
    superiority: Superiority
    confidence_set: frozenset[str]
    overfitting: float
    n_resamples: int


def measure(forecasts: Forecasts, *, n_resamples: int = N_RESAMPLES) -> Statistics:
    """Work out every figure that a page shows of forecasts.

    Parameters
    ----------
    forecasts : Forecasts
        With at least one trial and one baseline.
    n_resamples : int
        Of the shares of days and of shapes; the tests of many models take as many, at most 1,000.
    """
    y_D, trials = forecasts.y_D, forecasts.of_role("trial")
    best, baseline = forecasts.best("trial"), forecasts.best("baseline")
    benchmark_D = forecasts.losses_MD[baseline]
    block, days_RD = draw_days(y_D, forecasts.horizon, n_resamples=n_resamples)
    many = {"block": block, "n_resamples": min(n_resamples, 1000)}
    rate = float(y_D.mean())
    kept = model_confidence_set(forecasts.losses_MD, **many)
    return Statistics(
        block=block,
        counts_RD=day_counts(days_RD),
        base_rate_loss=-(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) if 0 < rate < 1 else 0.0,
        intervals={name: score_intervals(y_D, p_D) for name, p_D in zip(forecasts.names, forecasts.p_MD, strict=True)},
        against_baseline={
            name: forecasts.difference(row, baseline) for row, name in enumerate(forecasts.names) if row != baseline
        },
        auc_against_baseline=forecasts.difference(best, baseline, metric=ROC_AUC),
        selection=selection_corrected(y_D, trials.p_MD, metric=ROC_AUC, **many),
        loss_selection=selection_corrected(y_D, trials.p_MD, metric=LOSS, **many),
        superiority=_superiority(y_D, trials.losses_MD, benchmark_D, many),
        confidence_set=frozenset(forecasts.names[row] for row in kept),
        overfitting=probability_of_overfitting(trials.losses_MD, horizon=forecasts.horizon),
        n_resamples=n_resamples,
    )


def _superiority(y_D: Array, losses_MD: Array, benchmark_D: Array, many: dict[str, int]) -> Superiority:
    """All trials against the benchmark; without a p-value where days of a class are too few for one."""
    found = superior_predictive_ability(losses_MD, benchmark_D, **many)
    if has_support(y_D):
        return found
    return replace(found, superior=found.superior[:0], p_value=math.nan, p_lower=math.nan, p_upper=math.nan)


def blocks_in_words(block: int) -> str:
    """Say how days are drawn.

    Examples
    --------
    >>> blocks_in_words(5), blocks_in_words(1)
    ('in blocks of 5 on average', 'one by one, since their differences show no dependence')
    """
    return f"in blocks of {block} on average" if block > 1 else "one by one, since their differences show no dependence"
