"""The predictive distribution: for each horizon a mixture of logistic distributions of how far the price goes.

Reach is measured in sigma: ``Z = log(highest price / close) / (sigma · sqrt(horizon))``.  Everything that is asked of
a forecast is read off here: the probability of any threshold, density, quantiles.

Shapes in names: B windows, H horizons, K components, U thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.network.float64 import in_float64

N_COMPONENTS = 3
PARTS = 3
"""Numbers a component: logit of its weight, location, logarithm of its scale."""
START_LOCATIONS, START_SCALES = (0.2, 0.6, 1.2), (0.2, 0.3, 0.5)
"""Of the components where the network gives zeros, in sigma: apart, so that they learn apart."""
LEAST_SCALE, LARGEST_LOG_SCALE = 1e-3, 5.0
STEPS_OF_BISECTION = 60


def outputs(n_horizons: int) -> int:
    """Numbers that a head gives for so many horizons.

    Examples
    --------
    >>> outputs(4)
    36
    """
    return n_horizons * N_COMPONENTS * PARTS


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Mixtures of logistic distributions, one a window and horizon.

    Parameters
    ----------
    log_weight_BHK, location_BHK, scale_BHK : Tensor of shape (windows, horizons, components)
        Of the components; weights sum to one.

    References
    ----------
    Bishop (1994), "Mixture density networks"; Salimans et al. (2017), "PixelCNN++", section 2.1 (logistic components).

    Examples
    --------
    >>> mixture = Mixture.of(torch.zeros(1, 36))
    >>> u_BHU = torch.tensor([0.0, 1.0, 2.0]).expand(1, 4, 3)
    >>> [round(p, 3) for p in mixture.reach_logits(u_BHU).sigmoid()[0, 0].tolist()]
    [0.842, 0.275, 0.059]
    """

    log_weight_BHK: Tensor
    location_BHK: Tensor
    scale_BHK: Tensor

    @classmethod
    def of(cls, raw_BO: Tensor) -> Mixture:
        """Read the numbers of a head, shape (windows, outputs)."""
        raw_BHKP = raw_BO.float().unflatten(1, (-1, N_COMPONENTS, PARTS))
        location_K, scale_K = (_made_there(raw_BHKP, each) for each in (START_LOCATIONS, START_SCALES))
        return cls(
            log_weight_BHK=raw_BHKP[..., 0].log_softmax(-1),
            location_BHK=location_K + raw_BHKP[..., 1],
            scale_BHK=LEAST_SCALE + (scale_K.log() + raw_BHKP[..., 2]).clamp(max=LARGEST_LOG_SCALE).exp(),
        )

    def double(self) -> Mixture:
        """Give the same in float64, on the host where the device has none."""
        return Mixture(
            log_weight_BHK=in_float64(self.log_weight_BHK),
            location_BHK=in_float64(self.location_BHK),
            scale_BHK=in_float64(self.scale_BHK),
        )

    def reach_logits(self, u_BHU: Tensor) -> Tensor:
        """Logits of P(Z >= u), shape (windows, horizons, thresholds): as exact far out as in the middle."""
        z_BHUK = (self.location_BHK[:, :, None] - u_BHU[..., None]) / self.scale_BHK[:, :, None]
        log_weight_BH1K = self.log_weight_BHK[:, :, None]
        above = torch.logsumexp(log_weight_BH1K + functional.logsigmoid(z_BHUK), -1)
        below = torch.logsumexp(log_weight_BH1K + functional.logsigmoid(-z_BHUK), -1)
        return above - below

    def survival(self, u_BHU: Tensor) -> Tensor:
        """P(Z >= u), shape (windows, horizons, thresholds)."""
        return self.reach_logits(u_BHU).sigmoid()

    def log_density(self, z_BHU: Tensor) -> Tensor:
        """Logarithm of the density at z, shape (windows, horizons, points)."""
        x_BHUK = (z_BHU[..., None] - self.location_BHK[:, :, None]) / self.scale_BHK[:, :, None]
        log_each = functional.logsigmoid(x_BHUK) + functional.logsigmoid(-x_BHUK) - self.scale_BHK.log()[:, :, None]
        return torch.logsumexp(self.log_weight_BHK[:, :, None] + log_each, -1)

    def quantiles(self, shares: Sequence[float]) -> Tensor:
        """Quantiles of Z, shape (windows, horizons, shares), by bisection between those of the components.

        Parameters
        ----------
        shares : sequence of float
            Between 0 and 1: probabilities of Z staying below.
        """
        mixture = self.double()
        p_U = torch.tensor(shares, dtype=torch.float64, device=mixture.scale_BHK.device)
        each_BHKU = mixture.location_BHK[..., None] + mixture.scale_BHK[..., None] * p_U.logit()
        low_BHU, high_BHU = each_BHKU.amin(2), each_BHKU.amax(2)
        target = -p_U.logit()
        for _ in range(STEPS_OF_BISECTION):
            middle_BHU = (low_BHU + high_BHU) / 2
            too_low = mixture.reach_logits(middle_BHU) > target
            low_BHU, high_BHU = torch.where(too_low, middle_BHU, low_BHU), torch.where(too_low, high_BHU, middle_BHU)
        return (low_BHU + high_BHU) / 2


def _made_there(like: Tensor, values: Sequence[float]) -> Tensor:
    """Fill a vector on the device: a copy from the host would end the recording of a CUDA graph."""
    return torch.stack([like.new_full((), value) for value in values])


def in_sigma(reach: float | Tensor, horizon: int, log_sigma_B: Tensor) -> Tensor:
    """Thresholds in the unit of Z, shape (windows,): a log return over the sigma of so many days.

    Parameters
    ----------
    reach : float or Tensor
        Log of the price that is asked about over the close: ``log(1 + threshold)``.
    horizon : int
        Days ahead.
    log_sigma_B : Tensor of shape (windows,)
        Log of the daily sigma of each window.
    """
    return reach / (log_sigma_B.exp() * math.sqrt(horizon))
