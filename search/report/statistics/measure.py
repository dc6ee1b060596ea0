"""The statistics of a page, each worked out once.

Legend: M models, D days, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.evidence import (
    Difference,
    Forecasts,
    Interval,
    Selection,
    Superiority,
    block_length,
    metric_intervals,
    model_confidence_set,
    probability_of_overfitting,
    resampled_days,
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
        Mean block length of every bootstrap that compares many models.
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
        Of the intervals and differences.
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
        Of the intervals and differences; the tests of many models take as many, at most 1,000.
    """
    y_D, trials = forecasts.y_D, forecasts.of_role("trial")
    best, baseline = forecasts.best("trial"), forecasts.best("baseline")
    benchmark_D = forecasts.losses_MD[baseline]
    block = block_length(forecasts.losses_MD[best] - benchmark_D, forecasts.horizon)
    days_RD = resampled_days(len(y_D), block=block, n_resamples=n_resamples)
    many = {"block": block, "n_resamples": min(n_resamples, 1000)}
    rate = float(y_D.mean())
    kept = model_confidence_set(forecasts.losses_MD, **many)
    return Statistics(
        block=block,
        counts_RD=day_counts(days_RD),
        base_rate_loss=-(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) if 0 < rate < 1 else 0.0,
        intervals={
            name: metric_intervals(y_D, p_D, days_RD) for name, p_D in zip(forecasts.names, forecasts.p_MD, strict=True)
        },
        against_baseline={
            name: forecasts.difference(row, baseline, n_resamples=n_resamples)
            for row, name in enumerate(forecasts.names)
            if row != baseline
        },
        auc_against_baseline=forecasts.difference(best, baseline, metric=ROC_AUC, n_resamples=n_resamples),
        selection=selection_corrected(y_D, trials.p_MD, metric=ROC_AUC, **many),
        loss_selection=selection_corrected(y_D, trials.p_MD, metric=LOSS, **many),
        superiority=superior_predictive_ability(trials.losses_MD, benchmark_D, **many),
        confidence_set=frozenset(forecasts.names[row] for row in kept),
        overfitting=probability_of_overfitting(trials.losses_MD, horizon=forecasts.horizon),
        n_resamples=n_resamples,
    )


def blocks_in_words(block: int) -> str:
    """Say how days are drawn.

    Examples
    --------
    >>> blocks_in_words(5), blocks_in_words(1)
    ('in blocks of 5 on average', 'one by one, since their differences show no dependence')
    """
    return f"in blocks of {block} on average" if block > 1 else "one by one, since their differences show no dependence"
