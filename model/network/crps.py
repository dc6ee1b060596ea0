"""The continuous ranked probability score of how far the price goes, in percent of the close.

It is the integral of the squared distance between the distribution of the rise and the step at the rise that came,
over all rises: the mean absolute error of a forecast that is a single number, and proper for any other.

References
----------
Gneiting and Raftery (2007), "Strictly proper scoring rules, prediction, and estimation", section 4.2.

Shapes in names: B windows, H horizons, K components, U knots, N of a sample.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.network.float64 import in_float64
from model.network.reach import Reach

Array = npt.NDArray[np.float64]

SCALES_AROUND = (-30.0, -12.0, -5.0, -2.0, 0.0, 2.0, 5.0, 12.0, 30.0)
"""Where the line of prices is cut, in scales from each component's location: beyond 30 there is e^-30 left."""
NODES_BETWEEN = 8
WINDOWS_AT_ONCE = 128
SAMPLE = 999


def reach_crps(reach: Reach, came_B: Tensor) -> Tensor:
    """Score the distribution of each window, shape (windows,), in percent of the close.

    The survival function is integrated by Gauss-Legendre quadrature between knots that follow the components, and the
    outcome, where the integrand jumps, is a knot: nothing is drawn.

    Parameters
    ----------
    reach : Reach
        Predictive distributions.
    came_B : Tensor of shape (windows,)
        Log of the price that was reached over the close; NaN where it is not known, which has no score.

    Examples
    --------
    >>> from model.network.distribution import Mixture
    >>> reach = Reach.of(Mixture.of(torch.zeros(1, 36)), (1, 2, 3, 5), torch.tensor([0.01]).log(), 1)
    >>> round(reach_crps(reach, torch.tensor([0.005])).item(), 4)
    0.1621
    """
    parts = [
        _scores(reach[first : first + WINDOWS_AT_ONCE], in_float64(came_B[first : first + WINDOWS_AT_ONCE]))
        for first in range(0, len(reach), WINDOWS_AT_ONCE)
    ]
    return torch.cat(parts)


def _scores(reach: Reach, came_B: Tensor) -> Tensor:
    known_B1 = torch.where(came_B.isfinite(), came_B, 0.0)[:, None]
    around_U = reach.unit_BH.new_tensor(SCALES_AROUND)
    mixture = reach.mixture
    knots_BHKU = mixture.location_BHK[..., None] + mixture.scale_BHK[..., None] * around_U
    knots_BU = torch.cat([(knots_BHKU * reach.unit_BH[..., None, None]).flatten(1), known_B1], 1).sort(1).values
    node_N, weight_N = (reach.unit_BH.new_tensor(each) for each in np.polynomial.legendre.leggauss(NODES_BETWEEN))
    half_BU1 = (knots_BU.diff(dim=1) / 2)[..., None]
    at_BUN = knots_BU[:, :-1, None] + half_BU1 * (1 + node_N)
    at_BQ = at_BUN.flatten(1)
    above_BQ = _above(reach, at_BQ)
    wrong_BQ = torch.where(at_BQ < known_B1, 1 - above_BQ, above_BQ)
    each_BQ = wrong_BQ**2 * 100 * at_BQ.exp() * (half_BU1 * weight_N).flatten(1)
    return torch.where(came_B.isfinite(), each_BQ.sum(1), torch.nan)


def _above(reach: Reach, at_BQ: Tensor) -> Tensor:
    """Survival where its absolute error is all that counts: without logarithms, a fraction of the time."""
    mixture = reach.mixture
    rate_BHK = 1 / (reach.unit_BH[..., None] * mixture.scale_BHK)
    shift_BHK = mixture.location_BHK / mixture.scale_BHK
    each_BHKQ = (shift_BHK[..., None] - at_BQ[:, None, None] * rate_BHK[..., None]).sigmoid_()
    return torch.einsum("bhk,bhkq->bhq", mixture.log_weight_BHK.exp(), each_BHKQ).amax(1)


def sample_crps(sample_N: Array, unit_B: Array, came_B: Array) -> Array:
    """Score a sample of reaches in sigma, taken in the sigma of each window, shape (windows,), in percent of the close.

    Parameters
    ----------
    sample_N : ndarray of shape (sample,)
        Reaches in sigma; more than 999 are thinned to as many of their quantiles.
    unit_B : ndarray of shape (windows,)
        Sigma of so many days.
    came_B : ndarray of shape (windows,)
        As of :func:`reach_crps`.

    Examples
    --------
    >>> sample_crps(np.array([0.0, 1.0]), np.array([0.01]), np.array([np.log(1.01)])).round(4)
    array([0.2513])
    """
    n = min(len(sample_N), SAMPLE)
    z_N = np.quantile(sample_N, (np.arange(n) + 0.5) / n) if n < len(sample_N) else np.sort(sample_N)
    rise_BN = 100 * np.expm1(unit_B[:, None] * z_N)
    away_B = np.abs(rise_BN - 100 * np.expm1(came_B)[:, None]).mean(1)
    apart_B = rise_BN @ (2 * np.arange(1, n + 1) - n - 1) / n**2
    return np.asarray(away_B - apart_B, dtype=np.float64)
