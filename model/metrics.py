"""Metrics of probabilistic binary forecasts; undefined is NaN, never another metric's value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.evaluation import CALIBRATION_BINS, Evaluation

Array = npt.NDArray[np.float64]


def evaluate(y: Array, p: Array) -> Evaluation:
    """Evaluate probabilities against outcomes of the same days.

    Parameters
    ----------
    y : ndarray of shape (days,)
        Outcomes, 0 or 1.
    p : ndarray of shape (days,)
        Probabilities of 1.

    Examples
    --------
    >>> y = np.array([0.0, 0.0, 1.0, 1.0])
    >>> good = evaluate(y, np.array([0.1, 0.4, 0.6, 0.9]))
    >>> good.roc_auc, round(good.loss, 4), round(good.base_rate_loss, 4)
    (1.0, 0.3081, 0.6931)
    >>> good.n_calls_30, round(good.precision_30, 4), good.recall_30
    (3, 0.6667, 1.0)
    >>> evaluate(np.zeros(2), np.full(2, 0.1)).roc_auc
    nan
    """
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    both = 0 < y.sum() < len(y)
    base_rate = float(y.mean())
    loss = float(log_loss(y, p, labels=[0, 1]))
    base_rate_loss = float(log_loss(y, np.full(len(y), base_rate), labels=[0, 1])) if both else 0.0
    n_calls_30, precision_30, recall_30 = _calls(y, p, 0.3)
    n_calls_50, precision_50, recall_50 = _calls(y, p, 0.5)
    return Evaluation(
        loss=loss,
        roc_auc=float(roc_auc_score(y, p)) if both else float("nan"),
        average_precision=float(average_precision_score(y, p)) if both else float("nan"),
        brier=float(brier_score_loss(y, p, labels=[0, 1])),
        base_rate=base_rate,
        base_rate_loss=base_rate_loss,
        skill=skill_over(loss, base_rate_loss),
        prediction_std=float(np.std(p)),
        n_days=len(y),
        ece=calibration_error(y, p),
        n_calls_30=n_calls_30,
        precision_30=precision_30,
        recall_30=recall_30,
        n_calls_50=n_calls_50,
        precision_50=precision_50,
        recall_50=recall_50,
    )


def skill_over(loss: float, reference_loss: float) -> float:
    """Skill over a reference: the share of its loss that is avoided; NaN where the reference has none.

    Examples
    --------
    >>> skill_over(0.45, 0.50), skill_over(0.1, 0.0)
    (0.09999999999999998, nan)
    """
    return 1.0 - loss / reference_loss if reference_loss > 0 else float("nan")


def calibration_error(y: Array, p: Array) -> float:
    """Measure the expected calibration error over 15 bins of equally many days.

    The mean over days of the distance between their bin's mean probability and
    its share of positives. Days of equal probability share a bin, so that the
    order of the days does not matter and a constant has one bin.

    Returns
    -------
    float
        NaN if there are fewer days than bins.

    References
    ----------
    Nguyen and O'Connor (2015), "Posterior calibration and exploratory analysis for natural language
    processing models", section 2.2 (bins of equal mass).

    Examples
    --------
    >>> calibration_error(np.tile([0.0, 1.0], 15), np.full(30, 0.75))
    0.25
    """
    if len(y) < CALIBRATION_BINS:
        return float("nan")
    bins = equal_mass_bins(p, CALIBRATION_BINS)
    excess = np.bincount(bins, weights=p - y, minlength=CALIBRATION_BINS)
    return float(np.abs(excess).sum() / len(y))


def equal_mass_bins(p: Array, n_bins: int) -> npt.NDArray[np.int64]:
    """Put every day into one of so many bins of about equally many days; equal probabilities share a bin.

    Examples
    --------
    >>> equal_mass_bins(np.array([0.4, 0.1, 0.1, 0.2]), 2)
    array([1, 0, 0, 1])
    """
    edges = np.sort(p)[np.arange(1, n_bins) * len(p) // n_bins]
    return np.searchsorted(edges, p, side="right")


def _calls(y: Array, p: Array, threshold: float) -> tuple[int, float, float]:
    """Count the days called, and their precision and recall."""
    called = p >= threshold
    hits, calls, positives = float(y[called].sum()), int(called.sum()), float(y.sum())
    return calls, hits / calls if calls else float("nan"), hits / positives if positives else float("nan")
