"""Threshold sweep: what calling every day above a probability would have brought.

Legend: R resamples, D days, T thresholds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from search.evidence.scores import Array
from search.report.statistics.proportions import TAILS, share_intervals

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
FEW_CALLS = 30


def threshold_sweep(
    y_D: Array, p_D: Array, counts_RD: Array, *, thresholds: tuple[float, ...] = THRESHOLDS
) -> pd.DataFrame:
    """Precision, recall and number of calls at each threshold.

    Parameters
    ----------
    y_D, p_D : ndarray of shape (days,)
        Outcomes and probabilities.
    counts_RD : ndarray of shape (resamples, days)
        From :func:`search.evidence.bootstrap.day_counts`.
    thresholds : tuple of float
        A day is called where its probability is at least this.

    Returns
    -------
    DataFrame
        Columns threshold, n_calls, precision, recall, each of the last three with ``_low`` and ``_high``
        (95 %), and few, which is fewer than 30 calls. Precision is NaN without a call.

    Examples
    --------
    >>> y, p = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.6, 0.6, 0.9])
    >>> found = threshold_sweep(y, p, np.ones((5, 4)), thresholds=(0.5, 0.95))
    >>> found[["threshold", "n_calls", "precision", "recall", "few"]].to_dict("list")
    {'threshold': [0.5, 0.95], 'n_calls': [3, 0], 'precision': [0.6666666666666666, nan], 'recall': [1.0, 0.0], \
'few': [True, True]}
    """
    called_DT = (p_D[:, None] >= np.array(thresholds)).astype(float)
    calls_T, hits_T = called_DT.sum(0), y_D @ called_DT
    positives_T = np.full(len(thresholds), y_D.sum())
    calls_RT, hits_RT = counts_RD @ called_DT, counts_RD @ (called_DT * y_D[:, None])
    positives_RT = np.broadcast_to((counts_RD @ y_D)[:, None], hits_RT.shape)
    calls_low_T, calls_high_T = np.percentile(calls_RT, TAILS, axis=0)
    precision = share_intervals(hits_T, calls_T, hits_RT, calls_RT)
    recall = share_intervals(hits_T, positives_T, hits_RT, positives_RT)
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "threshold": thresholds,
                "n_calls": calls_T.astype(int),
                "n_calls_low": calls_low_T,
                "n_calls_high": calls_high_T,
                "precision": hits_T / calls_T,
                "precision_low": precision[0],
                "precision_high": precision[1],
                "recall": hits_T / positives_T,
                "recall_low": recall[0],
                "recall_high": recall[1],
                "few": calls_T < FEW_CALLS,
            }
        )
