"""Many models at once: is any better than the benchmark, which ones, and which can't be told from the best.

Shapes: M models, D days, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.exceptions import InputError
from search.evidence.bootstrap import SAME, Index, day_counts, resampled_days
from search.evidence.scores import Array

N_RESAMPLES = 1000
SIZE = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Superiority:
    """Whether the best of many models beats a benchmark, the number of tries counted.

    Parameters
    ----------
    p_value, p_lower, p_upper : float
        Of Hansen's test: consistent, and its lower and upper bound.
    superior : ndarray of int
        Rows of the models that beat the benchmark, with a family-wise error of ``size`` (StepM).
    n_models, block : int
        Models tried, and mean block length of the bootstrap.
    size : float
        Of StepM.
    """

    p_value: float
    p_lower: float
    p_upper: float
    superior: Index
    n_models: int
    block: int
    size: float = SIZE


def superior_predictive_ability(
    losses_MD: Array,
    benchmark_D: Array,
    *,
    block: int,
    size: float = SIZE,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> Superiority:
    """Test whether any model has a lower expected loss than the benchmark.

    Differences are divided by their bootstrap standard errors first, as the test is
    defined; arch resamples and centres them. A model whose loss is the benchmark's
    on every day differs by nothing and is left out of the test.

    A benchmark that is a constant should be the base rate of these same days. Against one fixed before,
    noise that drifts wins by luck more often than the p-value says: in 100 simulations of 50 noise forecasts
    against clustered outcomes of 502 days 8 to 19 fell below 0.05, with the days' own base rate 5 to 8.

    Parameters
    ----------
    losses_MD : ndarray of shape (models, days)
        Daily losses of **all** models that were tried, not of the best ones.
    benchmark_D : ndarray of shape (days,)
        Daily losses of the benchmark.
    block : int
        Mean block length, at least the horizon; see :func:`search.evidence.bootstrap.block_length`.
    size : float
        Family-wise error of the models named superior.
    n_resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If there is no model, or days differ.

    References
    ----------
    Hansen (2005), "A test for superior predictive ability", JBES 23.
    Romano and Wolf (2005), "Stepwise multiple testing as formalized data snooping", Econometrica 73.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> benchmark = rng.normal(size=500)
    >>> losses = np.stack([benchmark, benchmark - 0.2 + rng.normal(size=500)])
    >>> found = superior_predictive_ability(losses, benchmark, block=5)
    >>> found.p_value < 0.05, found.superior
    (True, array([1]))
    """
    _require_models(losses_MD, len(benchmark_D))
    gain_MD = benchmark_D - losses_MD
    tested = np.flatnonzero(np.abs(gain_MD).max(axis=1) > SAME)
    superior, p_values = tested, {"consistent": 1.0, "lower": 1.0, "upper": 1.0}
    if len(tested):
        from arch.bootstrap import StepM

        counts_RD = day_counts(resampled_days(len(benchmark_D), block=block, n_resamples=n_resamples, seed=seed))
        error_M = (counts_RD @ gain_MD[tested].T / len(benchmark_D)).std(axis=0)
        losses_DM = -(gain_MD[tested] / np.maximum(error_M, SAME)[:, None]).T
        step = StepM(np.zeros(len(losses_DM)), losses_DM, size=size, block_size=block, reps=n_resamples, seed=seed)
        step.compute()
        step.spa.compute()
        superior, p_values = tested[np.asarray(step.superior_models, dtype=np.int64)], dict(step.spa.pvalues)
    return Superiority(
        p_value=float(p_values["consistent"]),
        p_lower=float(p_values["lower"]),
        p_upper=float(p_values["upper"]),
        superior=superior,
        n_models=len(losses_MD),
        block=block,
        size=size,
    )


def model_confidence_set(
    losses_MD: Array, *, block: int, size: float = SIZE, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Index:
    """Find the models that can't be told from the best one.

    Models whose losses differ by the same amount on every day can't be resampled
    against each other: the worse of them is left out, equals stay or go together.

    Parameters
    ----------
    losses_MD : ndarray of shape (models, days)
        Daily losses.
    block : int
        Mean block length, at least the horizon.
    size : float
        Chance that the best model is not in the set.
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    ndarray of int
        Rows kept, ascending.

    References
    ----------
    Hansen, Lunde and Nason (2011), "The model confidence set", Econometrica 79: range statistic.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> good = rng.normal(size=500)
    >>> model_confidence_set(np.stack([good, good, good + 0.5 + rng.normal(size=500)]), block=5)
    array([0, 1])
    """
    _require_models(losses_MD, losses_MD.shape[1])
    leader_M = _leaders(losses_MD)
    leaders = np.unique(leader_M[leader_M >= 0])
    if len(leaders) > 1:
        from arch.bootstrap import MCS

        found = MCS(losses_MD[leaders].T, size, reps=n_resamples, block_size=block, seed=seed)
        found.compute()
        leaders = leaders[np.asarray(found.included, dtype=np.int64)]
    return np.flatnonzero(np.isin(leader_M, leaders))


def _leaders(losses_MD: Array) -> Index:
    """Row that stands for each model: the first of its equals; -1 for one that another beats by the same every day."""
    mean_M = losses_MD.mean(axis=1)
    centred_MD = losses_MD - mean_M[:, None]
    leader_M = np.arange(len(losses_MD))
    for row, centred_D in enumerate(centred_MD):
        alike = np.flatnonzero(np.abs(centred_MD - centred_D).max(axis=1) <= SAME)
        best = mean_M[alike].min()
        leader_M[row] = alike[mean_M[alike] <= best + SAME][0] if mean_M[row] <= best + SAME else -1
    return leader_M


def _require_models(losses_MD: Array, n_days: int) -> None:
    if losses_MD.ndim != 2 or not len(losses_MD) or losses_MD.shape[1] != n_days:
        raise InputError(f"losses must be of at least one model on {n_days} days, got shape {losses_MD.shape}")
