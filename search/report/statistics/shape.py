"""Shape insensitivity: whether models of equal size and other shape differ by more than the days' noise.

Legend: M models, D days, R resamples, V values of a shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from search.evidence.difference import ERRORS_TO_DETECT, share_as_large
from search.evidence.scores import Array
from search.report.statistics.proportions import TAILS

SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class ShapeEffect:
    """How much one dimension of the shape matters.

    Parameters
    ----------
    table : DataFrame
        A row a value: value, n_trials, name of its best trial, loss, difference to the lowest of all
        with ``low``, ``high`` and the smallest ``detectable`` one.
    spread : float
        Largest less smallest loss in the table.
    standard_error : float
        Bootstrap standard error of that difference.
    p_value : float
        Probability of so large a spread if all values had the same expected loss.
    """

    table: pd.DataFrame
    spread: float
    standard_error: float
    p_value: float

    @property
    def is_larger_than_noise(self) -> bool:
        """Whether the spread would be rare by chance."""
        return self.p_value < SIGNIFICANT


def aspect_octave(d_model: int, n_layers: int) -> float:
    """Width over depth, to the nearest power of two, so that few groups hold many trials.

    Examples
    --------
    >>> aspect_octave(64, 48), aspect_octave(512, 6)
    (1.0, 64.0)
    """
    return float(2.0 ** round(float(np.log2(d_model / n_layers))))


def shape_effect(
    values_M: Sequence[float], losses_MD: Array, names_M: Sequence[str], counts_RD: Array
) -> ShapeEffect | None:
    """Compare the best trial at each value of a shape on the same days.

    The spread is set against a bootstrap in which every value's loss is
    centred, so that it shows how far the largest and the smallest of so many equal
    models come apart by the days alone.

    Parameters
    ----------
    values_M, names_M : sequence
        Value of the shape and name of each trial.
    losses_MD : ndarray of shape (models, days)
        Log loss.
    counts_RD : ndarray of shape (resamples, days)
        From :func:`search.evidence.bootstrap.day_counts`.

    Returns
    -------
    ShapeEffect or None
        None if only one value was tried.

    References
    ----------
    White (2000), "A reality check for data snooping", for the centring.

    Examples
    --------
    >>> losses = np.array([[0.4, 0.5], [0.5, 0.6], [0.3, 0.4]])
    >>> found = shape_effect([1, 2, 2], losses, ["a", "b", "c"], np.ones((3, 2)))
    >>> found.table[["value", "n_trials", "name"]].to_dict("list"), round(found.spread, 3)
    ({'value': [1, 2], 'n_trials': [1, 2], 'name': ['a', 'c']}, 0.1)
    """
    values = np.asarray(values_M)
    mean_M = losses_MD.mean(1)
    options = np.unique(values)
    if len(options) < 2:
        return None
    best_V = np.array([np.flatnonzero(values == v)[mean_M[values == v].argmin()] for v in options])
    loss_V = mean_M[best_V]
    loss_RV = counts_RD @ losses_MD[best_V].T / counts_RD.sum(1, keepdims=True)
    low, high = int(loss_V.argmin()), int(loss_V.argmax())
    spread = float(loss_V[high] - loss_V[low])
    spread_R = np.ptp(loss_RV - loss_V, axis=1)
    difference_RV = loss_RV - loss_RV[:, [low]]
    low_V, high_V = np.percentile(difference_RV, TAILS, axis=0)
    table = pd.DataFrame(
        {
            "value": options,
            "n_trials": [int((values == v).sum()) for v in options],
            "name": [names_M[m] for m in best_V],
            "loss": loss_V,
            "difference": loss_V - loss_V[low],
            "low": low_V,
            "high": high_V,
            "detectable": ERRORS_TO_DETECT * difference_RV.std(axis=0),
        }
    )
    return ShapeEffect(
        table=table,
        spread=spread,
        standard_error=float(difference_RV[:, high].std()),
        p_value=share_as_large(spread_R, spread),
    )


def retrial_deviation(labels_M: Sequence[str], loss_M: npt.ArrayLike) -> float | None:
    """Pooled standard deviation of the loss among trials of the same architecture, which differ in training only.

    Returns
    -------
    float or None
        None if no architecture was tried twice.

    Examples
    --------
    >>> retrial_deviation(["a", "a", "b"], [0.40, 0.42, 0.5]).__round__(4)
    0.0141
    """
    frame = pd.DataFrame({"label": list(labels_M), "loss": np.asarray(loss_M)})
    groups = frame.groupby("label")["loss"]
    freedom = int((groups.size() - 1).sum())
    if not freedom:
        return None
    squares = ((frame["loss"] - groups.transform("mean")) ** 2).sum()
    return float(np.sqrt(squares / freedom))
