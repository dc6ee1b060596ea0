"""Whether an axis of the search changes the loss beyond noise, axis by axis.

Legend: M trials, V values of the axis, S shuffles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.results.seed_noise import SeedNoise

Array = npt.NDArray[np.float64]

MIN_TRIALS, MIN_AT_VALUE = 20, 3
"""Trials that a verdict takes, and trials of a value that enters.

By simulation an axis that explains half of the loss's variance is found in 74 to 98 of 100 cases with 20 trials (six
values to two), and one that explains a fifth in 69 to 93 with 50.
"""
SIGNIFICANT = 0.05
N_SHUFFLES = 2000
DECIDES, NOTHING, UNKNOWN = "decides", "nothing beyond noise", "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class AxisEffect:
    """How much the loss differs over the values of an axis, beside noise.

    Parameters
    ----------
    axis : str
        Its name.
    verdict : str
        ``decides``, ``nothing beyond noise`` or ``unknown``.
    words : str
        The verdict with its figures, or why it is unknown.
    n_trials, n_values : int
        Finished trials at values that have enough of them, and these values.
    p_value : float or None
        Of losses as different between values if they were dealt out at random.
    spread : float or None
        Highest less lowest median loss of a value.
    scatter : float or None
        Standard deviation among trials that share a value, from the median deviation.
    """

    axis: str
    verdict: str
    words: str
    n_trials: int
    n_values: int
    p_value: float | None = None
    spread: float | None = None
    scatter: float | None = None


def axis_effect(
    axis: str, values_M: Sequence[float], losses_M: Sequence[float], seed_noise: SeedNoise | None = None
) -> AxisEffect:
    """Judge one axis: a test of Kruskal and Wallis, whose p-value is that of shuffled losses.

    Other axes and the training settings differ too; what they do to the loss is part of the noise.  Where seeds were
    repeated, values whose medians differ by no more than a seed does decide nothing, however sure the difference is.
    Too few trials are unknown, never nothing.

    Parameters
    ----------
    axis : str
        Its name.
    values_M, losses_M : sequence of float
        Value and validation loss of each finished trial.
    seed_noise : SeedNoise, optional
        Of repeated seeds.

    References
    ----------
    Kruskal and Wallis (1952), "Use of ranks in one-criterion variance analysis".

    Examples
    --------
    >>> found = axis_effect("n_heads", [2, 4] * 15, [0.4 + 0.001 * i for i in range(30)])
    >>> found.verdict
    'nothing beyond noise'
    >>> axis_effect("n_layers", [2] * 15 + [8] * 15, [0.4 + 0.001 * i for i in range(30)]).verdict
    'decides'
    >>> axis_effect("n_heads", [2, 4], [0.41, 0.43]).words
    'unknown, too few trials: 0 at values tried 3 times or more, at least 20 are needed'
    """
    values, losses = np.asarray(values_M, dtype=np.float64), np.asarray(losses_M, dtype=np.float64)
    options, counts = np.unique(values, return_counts=True)
    kept = options[counts >= MIN_AT_VALUE]
    inside = np.isin(values, kept)
    n_trials, n_values = int(inside.sum()), len(kept)
    unknown = _unknown(options, n_trials, n_values)
    if unknown:
        return AxisEffect(axis=axis, verdict=UNKNOWN, words=unknown, n_trials=n_trials, n_values=n_values)
    inside_MV, loss_M = values[inside, None] == kept, losses[inside]
    median_V = np.array([np.median(loss_M[inside_MV[:, v]]) for v in range(len(kept))])
    spread = float(np.ptp(median_V))
    scatter = float(1.4826 * np.median(np.abs(loss_M - inside_MV @ median_V)))
    p_value = _share_of_shuffles(loss_M, inside_MV.astype(np.float64))
    beyond_seeds = seed_noise is None or spread > seed_noise.deviation
    verdict = DECIDES if p_value < SIGNIFICANT and beyond_seeds else NOTHING
    seeds = "" if seed_noise is None else f", seeds alone by {seed_noise.deviation:.4f} ({seed_noise.source})"
    words = (
        f"{verdict if seed_noise is None or verdict == DECIDES else 'nothing beyond seed noise'}: medians of "
        f"{len(kept)} values differ by {spread:.4f} (p {p_value:.3f}), trials of the same value by {scatter:.4f}{seeds}"
    )
    return AxisEffect(
        axis=axis,
        verdict=verdict,
        words=words,
        n_trials=n_trials,
        n_values=n_values,
        p_value=p_value,
        spread=spread,
        scatter=scatter,
    )


def _unknown(options_V: Array, n_trials: int, n_values: int) -> str:
    """Say why nothing can be said; empty if it can."""
    if len(options_V) == 1:
        return f"{UNKNOWN}, one value tried: {options_V[0]:g}"
    if n_trials >= MIN_TRIALS and n_values > 1:
        return ""
    lack = f"at least {MIN_TRIALS} are needed" if n_trials < MIN_TRIALS else "all at one value"
    return f"{UNKNOWN}, too few trials: {n_trials} at values tried {MIN_AT_VALUE} times or more, {lack}"


def _share_of_shuffles(loss_M: Array, inside_MV: Array) -> float:
    """Share of shuffles in which the ranks of the losses differ at least as much between values."""
    ranks_M = _ranks(loss_M)
    shuffled_SM = np.random.default_rng(0).permuted(np.tile(ranks_M, (N_SHUFFLES, 1)), axis=1)
    n_V = inside_MV.sum(0)
    apart, apart_S = (((ranks @ inside_MV) ** 2 / n_V).sum(-1) for ranks in (ranks_M, shuffled_SM))
    return float((1 + np.count_nonzero(apart_S >= apart * (1 - 1e-12))) / (1 + N_SHUFFLES))


def _ranks(loss_M: Array) -> Array:
    """Ranks less their mean; equal losses share one."""
    _, place_M, counts = np.unique(loss_M, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(rank[place_M] - (len(loss_M) + 1) / 2, dtype=np.float64)
