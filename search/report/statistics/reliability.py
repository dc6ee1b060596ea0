"""Calibration: whether days called 30 % are positive on 30 % of days.

Legend: R resamples, D days, B bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from model.metrics import equal_mass_bins
from search.evidence.scores import Array
from search.report.statistics.proportions import share_intervals

N_BINS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """Brier score of binned probabilities, taken apart.

    Parameters
    ----------
    brier : float
        Of the probabilities as they are.
    base_rate_brier : float
        Of always saying the base rate, ``rate * (1 - rate)``.
    reliability : float
        Mean squared distance of a bin's probability from its share of positives; 0 is calibrated.
    resolution : float
        Mean squared distance of a bin's share of positives from the base rate; 0 is a constant's.
    """

    brier: float
    base_rate_brier: float
    reliability: float
    resolution: float


def calibration_bins(y_D: Array, p_D: Array, counts_RD: Array, *, n_bins: int = N_BINS) -> pd.DataFrame:
    """Group the days by probability into bins of about equally many days.

    Days of equal probability share a bin, so that the order of the days does not matter.

    Parameters
    ----------
    y_D, p_D : ndarray of shape (days,)
        Outcomes and probabilities.
    counts_RD : ndarray of shape (resamples, days)
        From :func:`search.evidence.bootstrap.day_counts`.
    n_bins : int
        At most so many.

    Returns
    -------
    DataFrame
        Columns mean_p, observed, low, high, n_days, n_positive; a row a bin that holds days, by mean_p.

    Examples
    --------
    >>> y, p = np.tile([0.0, 1.0], 10), np.repeat([0.2, 0.8], 10)
    >>> calibration_bins(y, p, np.ones((5, 20)), n_bins=2)[["mean_p", "observed", "n_days"]].to_dict("list")
    {'mean_p': [0.2, 0.8], 'observed': [0.5, 0.5], 'n_days': [10, 10]}
    """
    held, bin_D = np.unique(equal_mass_bins(p_D, n_bins), return_inverse=True)
    inside_DB = np.eye(len(held))[bin_D]
    days_B, hits_B = inside_DB.sum(0), y_D @ inside_DB
    low_B, high_B = share_intervals(hits_B, days_B, counts_RD @ (inside_DB * y_D[:, None]), counts_RD @ inside_DB)
    return pd.DataFrame(
        {
            "mean_p": p_D @ inside_DB / days_B,
            "observed": hits_B / days_B,
            "low": low_B,
            "high": high_B,
            "n_days": days_B.astype(int),
            "n_positive": hits_B.astype(int),
        }
    )


def reliability(y_D: Array, p_D: Array, *, n_bins: int = N_BINS) -> Reliability:
    """Take the Brier score apart.

    References
    ----------
    Murphy (1973), "A new vector partition of the probability score".

    Examples
    --------
    >>> found = reliability(np.tile([0.0, 1.0], 10), np.full(20, 0.5))
    >>> found.reliability, found.resolution, found.base_rate_brier
    (0.0, 0.0, 0.25)
    """
    bins = calibration_bins(y_D, p_D, np.ones((1, len(y_D))), n_bins=n_bins)
    share_B, rate = bins["n_days"].to_numpy() / len(y_D), float(y_D.mean())
    return Reliability(
        brier=float(np.mean((p_D - y_D) ** 2)),
        reliability=float(share_B @ (bins["mean_p"] - bins["observed"]).to_numpy() ** 2),
        resolution=float(share_B @ (bins["observed"].to_numpy() - rate) ** 2),
        base_rate_brier=rate * (1 - rate),
    )
