"""Calibration: whether outcomes drawn from the probabilities could look as far from them as the real ones do.

More days show ever smaller errors, and no model's are nought: an error inside a stated tolerance holds whatever
the number of days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from model.metrics import calibration_error

Array = npt.NDArray[np.float64]

N_SIMULATED = 1000
LEVEL = 0.99
TOLERANCE = 0.05
"""Calibration error that holds on any number of days."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Expected calibration error beside what perfectly calibrated probabilities would show.

    Parameters
    ----------
    ece : float
        Of the outcomes that came; see :func:`model.metrics.calibration_error`.
    limit : float
        Which the error of simulated outcomes stays below in a share :data:`LEVEL` of simulations.
    """

    ece: float
    limit: float

    @property
    def holds(self) -> bool | None:
        """Whether the error is tolerable, or one that calibrated probabilities show too; None on too few days."""
        return None if math.isnan(self.ece) else self.ece <= max(self.limit, TOLERANCE)


def calibration_of(
    y_D: Array, p_D: Array, *, horizon: int, n_simulated: int = N_SIMULATED, seed: int = 0
) -> Calibration:
    """Compare the calibration error with that of simulated outcomes, whose probabilities are ``p_D``.

    Outcomes of overlapping windows go together, so they are simulated together: day t's is positive if the
    mean of the standard normal noise of days t+1 to t+horizon falls into its probability (a Gaussian copula
    with a moving average).  At horizon 1 the days are independent.

    Parameters
    ----------
    y_D, p_D : ndarray of shape (days,)
        Outcomes and probabilities, finite.
    horizon : int
        Days that an outcome reaches ahead.
    n_simulated : int
        How often outcomes are drawn.
    seed : int
        Of the draws.

    References
    ----------
    Bröcker and Smith (2007), "Increasing the reliability of reliability diagrams", section 3 (consistency
    resampling).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.05, 0.5, 500)
    >>> y = (rng.random(500) < p).astype(float)
    >>> calibration_of(y, p, horizon=1).holds, calibration_of(y, p**0.5, horizon=1).holds
    (True, False)
    """
    rng = np.random.default_rng(seed)
    limit_D = norm.ppf(p_D)
    errors = np.empty(n_simulated)
    for i in range(n_simulated):
        noise = rng.standard_normal(len(p_D) + horizon - 1)
        mean_D = np.convolve(noise, np.ones(horizon), mode="valid") / np.sqrt(horizon)
        errors[i] = calibration_error((mean_D < limit_D).astype(np.float64), p_D)
    return Calibration(ece=calibration_error(y_D, p_D), limit=float(np.quantile(errors, LEVEL)))
