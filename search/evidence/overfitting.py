"""Probability of backtest overfitting: how often the best of one half of the days is below the middle in the other.

Shapes: M models, D days, B blocks, C ways to choose half of the blocks.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from pipeline.exceptions import InputError
from search.evidence.scores import Array

N_BLOCKS = 16
ROUNDED = 12


def probability_of_overfitting(losses_MD: Array, *, horizon: int, n_blocks: int = N_BLOCKS) -> float:
    """Estimate the probability of backtest overfitting by combinatorially symmetric cross-validation.

    The days are cut into blocks; every way to take half of them chooses the model with
    the lowest mean loss there, and ranks it on the other half. The probability is the
    share of ways in which its rank there is in the worse half; the middle counts half, so that
    noise alone, and equal models, give 0.5. Luck that lasts longer than a block makes it less:
    50 noise forecasts of autocorrelation 0.95 against clustered outcomes of 502 days gave 0.39 on average.

    Parameters
    ----------
    losses_MD : ndarray of shape (models, days)
        Daily losses of **all** models that were tried.
    horizon : int
        Sessions that a label looks ahead; a block must not be shorter.
    n_blocks : int
        Blocks, an even number.

    Returns
    -------
    float
        NaN if there is one model only: nothing is chosen.

    Raises
    ------
    InputError
        If the number of blocks is not even and at least 2, or blocks would be shorter than the horizon.

    References
    ----------
    Bailey, Borwein, López de Prado and Zhu (2017), "The probability of backtest overfitting", Journal of
    Computational Finance 20 (working paper 2014), section 2.

    Examples
    --------
    >>> losses = np.random.default_rng(0).normal(size=(5, 480))
    >>> losses[3] -= 0.5
    >>> probability_of_overfitting(losses, horizon=1)
    0.0
    """
    n_models, n_days = losses_MD.shape
    if n_blocks < 2 or n_blocks % 2:
        raise InputError(f"n_blocks must be an even number, at least 2, got {n_blocks}")
    if n_days // n_blocks < horizon:
        raise InputError(
            f"blocks must be at least as long as the horizon of {horizon}, got {n_blocks} blocks of {n_days} days, "
            f"{n_days // n_blocks} each; take fewer blocks or more days"
        )
    if n_models < 2:
        return float("nan")
    halves_CB = halves(n_blocks).astype(np.float64)
    parts = np.array_split(losses_MD, n_blocks, axis=1)
    sums_BM = np.stack([part.sum(axis=1) for part in parts])
    days_B = np.array([part.shape[1] for part in parts])
    inside_CM, outside_CM = (half @ sums_BM / (half @ days_B)[:, None] for half in (halves_CB, 1 - halves_CB))
    best_C = inside_CM.argmin(axis=1)
    rank_C = rankdata(-outside_CM.round(ROUNDED), axis=1)[np.arange(len(best_C)), best_C]
    middle = (n_models + 1) / 2
    return float(np.mean(rank_C < middle) + np.mean(rank_C == middle) / 2)


def halves(n_blocks: int) -> npt.NDArray[np.bool_]:
    """Every way to choose half of the blocks, shape (ways, blocks).

    Examples
    --------
    >>> halves(2)
    array([[ True, False],
           [False,  True]])
    """
    chosen = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    return (chosen[:, :, None] == np.arange(n_blocks)).any(axis=1)
