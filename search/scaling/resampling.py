"""Resamples days and trials, and fits the curves to every resample.

All trials are scored on the same days, so their losses move together when other days are drawn. The days are
therefore drawn once for all trials of a resample. What is left to vary, the trial itself (its seed, shape and
setting), is drawn within each budget.

A trial's distance from its budget's mean contains chance of the days too, which the drawing of days has
brought in already: two-way resampling as it stands counts it thrice (Owen 2007, "The pigeonhole bootstrap").
Here the days are drawn for the budgets' means, and that share is taken out of the trials' distances.

Shapes: R resamples, T trials, D days, B budgets.
"""

from __future__ import annotations

import numpy as np

from search.evidence.bootstrap import day_counts, resampled_days
from search.scaling.curves import Array, Fit, Groups
from search.scaling.fitting import huber_delta, polynomial, reference_size
from search.scaling.huber import fit_linear, fit_power_law
from search.scaling.points import Points

SMALLEST_LOSS = 1e-6


def resample_losses(points: Points, curve: Fit, share_RD: Array, *, seed: int) -> Array:
    """Draw mean losses of the trials on other days, with other trials of the same sizes.

    Parameters
    ----------
    points : Points
    curve : Fit
        How loss depends on size inside a budget, where sizes differ a little.
    share_RD : ndarray of shape (resamples, days)
        From :func:`day_shares`.
    seed : int
        Of the drawing of trials.

    Returns
    -------
    ndarray of shape (resamples, trials)
    """
    budget_T, counts_B = points.budget_T, np.array(points.counts, dtype=np.int64)
    member_BT = (budget_T == np.arange(len(counts_B))[:, None]) / counts_B[:, None]
    on_days_RT = share_RD @ points.losses_TD.T
    mean_RB = on_days_RT @ member_BT.T
    expected_T = curve.predict(points.n_params_T)
    within_T = expected_T - (member_BT @ expected_T)[budget_T]
    residual_T = points.loss_T - (member_BT @ points.loss_T)[budget_T] - within_T
    repeated_T = counts_B[budget_T] > 1
    if not repeated_T.any():
        free = max(1, len(expected_T) - len(curve.parameters))
        residual_T = (points.loss_T - expected_T) * np.sqrt(len(expected_T) / free)
    scale = _spread_beyond_days(residual_T, on_days_RT - mean_RB[:, budget_T])
    drawn_RT = _draw_within(residual_T * scale, budget_T, counts_B, len(share_RD), seed)
    return np.maximum(mean_RB[:, budget_T] + within_T + drawn_RT, SMALLEST_LOSS)


def day_shares(n_days: int, *, block: int, n_resamples: int, seed: int) -> Array:
    """Share of every day in every resample: a mean loss on resampled days is one matrix product."""
    return day_counts(resampled_days(n_days, block=block, n_resamples=n_resamples, seed=seed)) / n_days


def _spread_beyond_days(residual_T: Array, deviation_RT: Array) -> float:
    """Factor that leaves of the trials' distances what is not chance of the days."""
    total = float(np.sum(residual_T**2))
    by_days = float(deviation_RT.var(axis=0).sum())
    return float(np.sqrt(max(0.0, 1.0 - by_days / total))) if total > 0 else 0.0


def _draw_within(residual_T: Array, budget_T: Groups, counts_B: Groups, n_resamples: int, seed: int) -> Array:
    """Draw distances within each budget, widened for the mean that was taken out; lone trials draw from all."""
    random = np.random.default_rng(seed)
    count_T = counts_B[budget_T]
    widened_T = residual_T * np.sqrt(count_T / np.maximum(count_T - 1, 1))
    repeated = np.flatnonzero(count_T > 1)
    drawn_RT = np.empty((n_resamples, len(residual_T)))
    for budget, count in enumerate(counts_B):
        mine = np.flatnonzero(budget_T == budget)
        pool = mine if count > 1 else repeated if len(repeated) else np.arange(len(residual_T))
        drawn_RT[:, mine] = widened_T[random.choice(pool, size=(n_resamples, count))]
    return drawn_RT


def refit(points: Points, losses_RT: Array) -> dict[str, Array]:
    """Fit line, U-shape and power law to every resample, as far as the budgets allow.

    Returns
    -------
    dict of str to ndarray of shape (resamples,)
        From two budgets on ``change``, the loss at the largest size less that at the smallest by a straight line. From
        three on ``power_change``, the same by the power law; its E, A and ``alpha``, 0 where the losses do not fall;
        ``curvature`` and ``vertex`` of the U-shape, the latter a log size, NaN where the curve opens downwards.
    """
    reference = reference_size(points.n_params_T)
    log_size_T, log_loss_RT = np.log(points.n_params_T / reference), np.log(losses_RT)
    delta = huber_delta(np.log(points.loss_T), points.budget_T)
    smallest, largest = log_size_T.min(), log_size_T.max()
    found = {}
    if len(points.budgets) > 1:
        line_RP, _ = fit_linear(polynomial(log_size_T, 1), log_loss_RT, delta)
        ends_RE = np.exp(line_RP @ polynomial(np.array([smallest, largest]), 1).T)
        found["change"] = ends_RE[:, 1] - ends_RE[:, 0]
    if len(points.budgets) > 2:
        bent_RP, _ = fit_linear(polynomial(log_size_T, 2), log_loss_RT, delta)
        found["curvature"] = bent_RP[:, 2]
        upwards = np.where(bent_RP[:, 2] > 0, bent_RP[:, 2], np.nan)
        found["vertex"] = -bent_RP[:, 1] / (2 * upwards) + np.log(reference)
        floor_R, gain_R, alpha_R, _ = fit_power_law(log_size_T, log_loss_RT, delta)
        alpha_R = np.where(gain_R > 0, alpha_R, 0.0)
        found["power_change"] = gain_R * (np.exp(-alpha_R * largest) - np.exp(-alpha_R * smallest))
        found |= {"E": floor_R, "A": gain_R * reference**alpha_R, "alpha": alpha_R}
    return found
