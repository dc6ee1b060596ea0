"""Metrics of probabilistic binary forecasts; undefined is NaN, never another metric's value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """How good probabilities were on a set of days.

    Parameters
    ----------
    loss : float
        Log loss, in nats a day.
    roc_auc, average_precision : float
        Ranking quality; NaN if only one class occurs.
    brier : float
        Mean squared error of the probability.
    base_rate : float
        Share of positive days.
    base_rate_loss : float
        Log loss of always saying the base rate of these same days, the best constant there is.
    skill : float
        ``1 - loss / base_rate_loss``; 0 is a constant's, NaN if that has no loss.
    prediction_std : float
        Standard deviation of the probabilities; 0 is a model that says always the same.
    n_days : int
        Days evaluated.
    """

    loss: float
    roc_auc: float
    average_precision: float
    brier: float
    base_rate: float
    base_rate_loss: float
    skill: float
    prediction_std: float
    n_days: int


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
    >>> evaluate(np.zeros(2), np.full(2, 0.1)).roc_auc
    nan
    """
    both = 0 < y.sum() < len(y)
    base_rate = float(y.mean())
    loss = float(log_loss(y, p, labels=[0, 1]))
    base_rate_loss = float(log_loss(y, np.full(len(y), base_rate), labels=[0, 1])) if both else 0.0
    return Evaluation(
        loss=loss,
        roc_auc=float(roc_auc_score(y, p)) if both else float("nan"),
        average_precision=float(average_precision_score(y, p)) if both else float("nan"),
        brier=float(brier_score_loss(y, p, labels=[0, 1])),
        base_rate=base_rate,
        base_rate_loss=base_rate_loss,
        skill=1.0 - loss / base_rate_loss if both else float("nan"),
        prediction_std=float(np.std(p)),
        n_days=len(y),
    )
