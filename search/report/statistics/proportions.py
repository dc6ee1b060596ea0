"""Shares of days with their intervals: the wider of the bootstrap's and the binomial one.

Legend: R resamples, D days, K shares.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from search.evidence.bootstrap import LEVEL
from search.evidence.scores import Array

TAILS = (100 * (1 - LEVEL) / 2, 100 - 100 * (1 - LEVEL) / 2)


def share_intervals(hits_K: Array, totals_K: Array, hits_RK: Array, totals_RK: Array) -> tuple[Array, Array]:
    """Find the ends of 95 % intervals of shares of days.

    The stationary bootstrap allows for days that depend on each other, but says
    ``[0, 0]`` of a share without a hit; Wilson's interval does not, but takes the
    days to be independent. The ends are the outer ones of the two.

    Parameters
    ----------
    hits_K, totals_K : ndarray of shape (shares,)
        Days that are hits, of how many.
    hits_RK, totals_RK : ndarray of shape (resamples, shares)
        The same in each resample.

    Returns
    -------
    low_K, high_K : ndarray of shape (shares,)
        NaN where there is no day.

    References
    ----------
    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    Politis and Romano (1994), "The stationary bootstrap".

    Examples
    --------
    >>> nothing = np.zeros((100, 1))
    >>> low, high = share_intervals(np.array([0.0]), np.array([30.0]), nothing, nothing + 30)
    >>> low.round(3), high.round(3)
    (array([0.]), array([0.114]))
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        shares_RK = hits_RK / totals_RK
        wilson_low_K, wilson_high_K = _wilson(hits_K, totals_K)
    low_K, high_K = np.full(len(hits_K), np.nan), np.full(len(hits_K), np.nan)
    for k in np.flatnonzero(totals_K > 0):
        drawn = shares_RK[:, k][np.isfinite(shares_RK[:, k])]
        low, high = np.percentile(drawn, TAILS) if len(drawn) else (np.nan, np.nan)
        low_K[k], high_K[k] = np.fmin(low, wilson_low_K[k]), np.fmax(high, wilson_high_K[k])
    return low_K, high_K


def _wilson(hits_K: Array, totals_K: Array) -> tuple[Array, Array]:
    z = float(norm.ppf((1 + LEVEL) / 2))
    share_K = hits_K / totals_K
    middle_K = (share_K + z**2 / (2 * totals_K)) / (1 + z**2 / totals_K)
    half_K = z / (1 + z**2 / totals_K) * np.sqrt(share_K * (1 - share_K) / totals_K + z**2 / (4 * totals_K**2))
    return np.clip(middle_K - half_K, 0, 1), np.clip(middle_K + half_K, 0, 1)
