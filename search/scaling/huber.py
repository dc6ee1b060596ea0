"""Huber regression on log losses, of many resamples at once.

Shapes: R resamples, T trials, P coefficients, G values of alpha.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from search.scaling.curves import Array

ALPHA_RANGE = (0.01, 3.0)
N_ALPHAS, N_ZOOMS, N_ZOOMED = 24, 3, 7
CHUNK = 50_000
"""Numbers of an array that one step of the fit goes through: they stay in a core's cache."""


class Profile(NamedTuple):
    """Floor, gain at the reference size and Huber cost, for every resample and alpha."""

    floor_RG: Array
    gain_RG: Array
    cost_RG: Array


def huber_cost(residual: Array, delta: float) -> Array:
    """Sum Huber's loss of residuals over the last axis: quadratic up to ``delta``, linear beyond.

    Examples
    --------
    >>> huber_cost(np.array([0.1, -3.0]), 1.0)
    np.float64(2.505)
    """
    size = np.abs(residual)
    inside = np.minimum(size, delta)
    return (inside * (size - 0.5 * inside)).sum(axis=-1)


def fit_linear(design_TP: Array, log_loss_RT: Array, delta: float, n_steps: int = 30) -> tuple[Array, Array]:
    """Regress log losses on columns by iteratively reweighted least squares.

    Returns
    -------
    coefficients_RP, cost_R : ndarray
    """
    weight_RT = np.ones_like(log_loss_RT)
    previous = np.inf
    for _ in range(n_steps):
        gram = np.einsum("rt,tp,tq->rpq", weight_RT, design_TP, design_TP, optimize=True)
        moment = np.einsum("rt,tp->rp", weight_RT * log_loss_RT, design_TP)
        coefficients_RP = np.linalg.solve(gram, moment[..., None])[..., 0]
        residual_RT = log_loss_RT - coefficients_RP @ design_TP.T
        cost_R = huber_cost(residual_RT, delta)
        if previous - cost_R.sum() <= 1e-9 * cost_R.sum():
            break
        previous = cost_R.sum()
        weight_RT = delta / np.maximum(np.abs(residual_RT), delta)
    return coefficients_RP, cost_R


def profile_alpha(alpha_RG: Array, log_size_T: Array, log_loss_RT: Array, delta: float, n_steps: int) -> Profile:
    """Fit floor and gain, neither negative, at given exponents (variable projection).

    For a fixed alpha, ``log(E + A·x)`` is linearised about the last step, which leaves a weighted
    linear regression on ``(1, x)``.
    """
    x = np.exp(-alpha_RG[..., None] * log_size_T)
    log_loss = log_loss_RT[:, None, :]
    fitted = np.broadcast_to(np.exp(np.mean(log_loss, axis=-1, keepdims=True)), x.shape)
    for _ in range(n_steps):
        residual = log_loss - np.log(fitted)
        weight = delta / np.maximum(np.abs(residual), delta) / fitted**2
        response = fitted * (1.0 + residual)
        floor, gain = _nonnegative(x, response, weight)
        fitted = np.maximum(floor[..., None] + gain[..., None] * x, 1e-12)
    return Profile(floor, gain, huber_cost(log_loss - np.log(fitted), delta))


def _nonnegative(x: Array, response: Array, weight: Array) -> tuple[Array, Array]:
    """Weighted regression of the response on 1 and x, with neither coefficient below 0."""
    weighted = weight * x
    s_0, s_1, s_2 = weight.sum(axis=-1), weighted.sum(axis=-1), np.einsum("rgt,rgt->rg", weighted, x)
    t_0, t_1 = np.einsum("rgt,rgt->rg", weight, response), np.einsum("rgt,rgt->rg", weighted, response)
    determinant = np.maximum(s_0 * s_2 - s_1**2, 1e-300)
    floor, gain = (t_0 * s_2 - t_1 * s_1) / determinant, (s_0 * t_1 - s_1 * t_0) / determinant
    no_floor, no_gain = floor < 0, gain <= 0
    gain = np.where(no_gain, 0.0, np.where(no_floor, t_1 / s_2, gain))
    return np.where(no_gain, t_0 / s_0, np.where(no_floor, 0.0, floor)), gain


def fit_power_law(log_size_T: Array, log_loss_RT: Array, delta: float) -> tuple[Array, Array, Array, Array]:
    """Fit ``E + A·N^-alpha`` to every resample: a grid of alpha, then finer grids about the best.

    Parameters
    ----------
    log_size_T : ndarray of shape (trials,)
        Log of the size over a reference size; sizes near the reference condition the fit well.
    log_loss_RT : ndarray of shape (resamples, trials)
    delta : float
        Residual from which Huber's loss is linear.

    Returns
    -------
    floor_R, gain_R, alpha_R, cost_R : ndarray of shape (resamples,)
        The gain is A at the reference size; where it is 0 the losses do not fall, and alpha means nothing.
    """
    rows = max(1, CHUNK // (N_ALPHAS * len(log_size_T)))
    chunks = [log_loss_RT[start : start + rows] for start in range(0, len(log_loss_RT), rows)]
    fitted = [_fit_chunk(log_size_T, chunk, delta) for chunk in chunks]
    floor_R, gain_R, alpha_R, cost_R = (np.concatenate(parts) for parts in zip(*fitted, strict=True))
    return floor_R, gain_R, alpha_R, cost_R


def _fit_chunk(log_size_T: Array, log_loss_RT: Array, delta: float) -> tuple[Array, Array, Array, Array]:
    grid = np.geomspace(*ALPHA_RANGE, N_ALPHAS)
    row = np.arange(len(log_loss_RT))
    alpha_RG = np.broadcast_to(grid, (len(row), N_ALPHAS))
    for zoom in range(N_ZOOMS + 1):
        profile = profile_alpha(alpha_RG, log_size_T, log_loss_RT, delta, n_steps=3 if zoom < N_ZOOMS else 8)
        best = profile.cost_RG.argmin(axis=1)
        if zoom < N_ZOOMS:
            low = alpha_RG[row, np.maximum(best - 1, 0)]
            high = alpha_RG[row, np.minimum(best + 1, alpha_RG.shape[1] - 1)]
            alpha_RG = np.geomspace(low, high, N_ZOOMED, axis=1)
    return profile.floor_RG[row, best], profile.gain_RG[row, best], alpha_RG[row, best], profile.cost_RG[row, best]
