"""An evaluation: how good probabilities were on a set of days, and why a figure of it is undefined."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

CALIBRATION_BINS = 15
ONE_CLASS = "only one class on these days"


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
    ece : float
        Expected calibration error, see :func:`model.metrics.calibration_error`; NaN below 15 days.
    n_calls_30, n_calls_50 : int
        Days called positive, which is a probability of at least 0.3 or 0.5.
    precision_30, precision_50 : float
        Share of the called days that were positive; NaN if no day was called.
    recall_30, recall_50 : float
        Share of the positive days that were called; NaN if no day was positive.
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
    ece: float
    n_calls_30: int
    precision_30: float
    recall_30: float
    n_calls_50: int
    precision_50: float
    recall_50: float


def undefined_reasons(evaluation: Evaluation) -> dict[str, str]:
    """Say of every metric that is NaN why it is undefined.

    Examples
    --------
    >>> import numpy as np
    >>> from model.metrics import evaluate
    >>> undefined_reasons(evaluate(np.array([0.0, 1.0] * 10), np.array([0.1, 0.4] * 10)))
    {'precision_50': 'no day has a probability of at least 0.5'}
    """
    reasons = {
        "roc_auc": ONE_CLASS,
        "average_precision": ONE_CLASS,
        "skill": ONE_CLASS,
        "ece": f"fewer than {CALIBRATION_BINS} days",
        "precision_30": "no day has a probability of at least 0.3",
        "precision_50": "no day has a probability of at least 0.5",
        "recall_30": "no day is positive",
        "recall_50": "no day is positive",
    }
    return {name: reasons[name] for name, value in asdict(evaluation).items() if math.isnan(value)}
