"""Finalists of a study: trials that can't be told from the best, put in order of their loss.

Shapes: M models, D days.
"""

from __future__ import annotations

import numpy as np

from pipeline.exceptions import InputError
from search.evidence.bootstrap import Index
from search.evidence.scores import Array
from search.evidence.superior import model_confidence_set

SIZE = 0.1
N_RESAMPLES = 500


def choose_finalists(
    losses_MD: Array, most: int, *, block: int, size: float = SIZE, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Index:
    """Rows of the finalists: of the model confidence set, the lowest losses, the lowest first.

    A trial that the days tell from the best is no finalist, however few others there are.

    Parameters
    ----------
    losses_MD : ndarray of shape (models, days)
        Daily losses of **all** trials.
    most : int
        Finalists at most.
    block, size, n_resamples, seed
        Of :func:`search.evidence.superior.model_confidence_set`.

    Raises
    ------
    InputError
        If there is no model, or none is wanted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> good = rng.normal(size=500)
    >>> losses = np.stack([good + 0.5 + rng.normal(size=500), good + 0.001 * rng.normal(size=500), good])
    >>> sorted(choose_finalists(losses, 5, block=5).tolist())
    [1, 2]
    """
    if most < 1:
        raise InputError(f"finalists must be at least 1, got {most}")
    kept = model_confidence_set(losses_MD, block=block, size=size, n_resamples=n_resamples, seed=seed)
    mean = losses_MD[kept].mean(axis=1)
    rows: Index = kept[np.argsort(mean, kind="stable")][:most]
    return rows
