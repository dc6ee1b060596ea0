"""The best trial of a budget, scored on days that did not choose it."""

from __future__ import annotations

import numpy as np

from search.evidence.overfitting import halves
from search.scaling.curves import Array

N_BLOCKS = 8


def selected_losses(losses_TD: Array, n_blocks: int = N_BLOCKS) -> Array:
    """Daily loss of the trial that is best on the other half of the days.

    The days are cut into blocks. For every half of the blocks the trial with the lowest loss on
    it is scored on the other half; a day's loss is the mean over all the halves that leave it out.
    Its mean does not fall for trying more trials of the same worth, as the lowest loss does. It is a little
    pessimistic: half the days choose worse than all of them.

    Parameters
    ----------
    losses_TD : ndarray of shape (trials, days)
    n_blocks : int
        Even, and at most the number of days.

    Returns
    -------
    ndarray of shape (days,)

    References
    ----------
    Bailey, Borwein, López de Prado and Zhu (2017), "The probability of backtest overfitting", Journal of
    Computational Finance 20 (the halves of combinatorially symmetric cross-validation).

    Examples
    --------
    Two models, each good on one half of the days: what is chosen on one half is bad on the other.

    >>> good, bad = np.full(4, 0.2), np.full(4, 0.6)
    >>> losses = np.stack([np.concatenate([good, bad]), np.concatenate([bad, good])])
    >>> selected_losses(losses, n_blocks=2)
    array([0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    """
    block_D = np.arange(losses_TD.shape[1]) * n_blocks // losses_TD.shape[1]
    sums_TB = np.stack([losses_TD[:, block_D == block].sum(axis=1) for block in range(n_blocks)], axis=1)
    total_D, times_D = np.zeros(len(block_D)), np.zeros(len(block_D))
    for choosing_B in halves(n_blocks):
        best = int(sums_TB[:, choosing_B].sum(axis=1).argmin())
        scored_D = ~choosing_B[block_D]
        total_D += np.where(scored_D, losses_TD[best], 0.0)
        times_D += scored_D
    return total_D / times_D
