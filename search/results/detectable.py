"""Smallest differences that a number of days could show, by arithmetic, before anything is trained or loaded."""

from __future__ import annotations

import math
from statistics import NormalDist

ROC_AUC = 0.74
TRIALS_CORRELATION = 0.96
"""Of the AUC estimates of two trials of one study of SPY, the median."""
LOSS_DEVIATION = 0.128
"""Of the daily difference in log loss of SPY's best trial of 50 and the best baseline, as 502 days showed it."""
YEAR_DAYS = 251
USUAL_FOLDS = 8

LEAST_DAYS = 2
ERRORS_TO_DETECT = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
"""Standard errors that a difference must be of to be seen at 5 %, two-sided, with 80 % power."""


def auc_standard_error(roc_auc: float, n_positive: float, n_negative: float) -> float:
    """Estimate the standard error of an AUC from independent days.

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve", Radiology 143: equation 2 with the approximations of Q1 and Q2.

    Examples
    --------
    >>> round(auc_standard_error(0.74, 100.4, 401.6), 4)
    0.0303
    """
    q_1, q_2 = roc_auc / (2 - roc_auc), 2 * roc_auc**2 / (1 + roc_auc)
    spread = (n_positive - 1) * (q_1 - roc_auc**2) + (n_negative - 1) * (q_2 - roc_auc**2)
    return math.sqrt((roc_auc * (1 - roc_auc) + spread) / (n_positive * n_negative))


def smallest_gain(effective_days: float, *, base_rate: float, roc_auc: float, correlation: float) -> float:
    """Smallest AUC difference that days show which are worth so many independent ones.

    Examples
    --------
    >>> round(smallest_gain(502, base_rate=0.2, roc_auc=0.74, correlation=0.87), 3)
    0.043
    """
    error = auc_standard_error(roc_auc, base_rate * effective_days, (1 - base_rate) * effective_days)
    return ERRORS_TO_DETECT * error * math.sqrt(2 * (1 - correlation))


def smallest_loss(effective_days: float) -> float:
    """Smallest difference in log loss that they show.

    Examples
    --------
    >>> round(smallest_loss(502), 4)
    0.016
    """
    return ERRORS_TO_DETECT * LOSS_DEVIATION / math.sqrt(effective_days)


def days_of_folds(folds: int) -> int:
    """Days of so many whole years.

    Examples
    --------
    >>> days_of_folds(2), days_of_folds(8)
    (502, 2008)
    """
    return folds * YEAR_DAYS


def what_days_show(days: int, horizon: int, base_rate: float, *, years: int = 0) -> str:
    """Say which difference of two trials the chosen days could show, and which the days of more folds would.

    Parameters
    ----------
    days, horizon : int
        On which trials are judged, and sessions that a label looks ahead.
    base_rate : float
        Share of positive days.
    years : int
        Whole years before the test that could be folds; of more than eight, eight are spoken of.

    Returns
    -------
    str
        Empty if the days are too few for any figure.

    Examples
    --------
    >>> print(what_days_show(502, 1, 0.2, years=20))
    502 days could show two trials apart by 0.0160 in log loss or 0.024 in AUC; --folds 8 would show 0.0080 or 0.012
    """
    if min(base_rate, 1 - base_rate) * days / horizon < LEAST_DAYS:
        return ""

    def shown(n_days: int) -> tuple[float, float]:
        worth = n_days / horizon
        gain = smallest_gain(worth, base_rate=base_rate, roc_auc=ROC_AUC, correlation=TRIALS_CORRELATION)
        return smallest_loss(worth), gain

    loss, gain = shown(days)
    said = f"{days:,} days could show two trials apart by {loss:.4f} in log loss or {gain:.3f} in AUC"
    folds = min(years, USUAL_FOLDS)
    if days_of_folds(folds) <= days:
        return said
    loss, gain = shown(days_of_folds(folds))
    return f"{said}; --folds {folds} would show {loss:.4f} or {gain:.3f}"
