"""How far the price goes within one horizon, as a model answers it: survival, quantiles, where an outcome lies.

What is reached within a day is reached within two, so at each price the highest probability of all horizons up to the
asked one counts, as in :func:`model.network.question.answer`.  Everything is in logs of a price over the close and
float64.

Shapes in names: B windows, H horizons, K components, U prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.network.distribution import Mixture
from model.network.float64 import in_float64


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Predictive distribution of the log of the highest price over the close.

    Parameters
    ----------
    mixture : Mixture
        Of the horizons up to the asked one.
    unit_BH : Tensor of shape (windows, horizons)
        Sigma of so many days.

    Examples
    --------
    >>> reach = Reach.of(Mixture.of(torch.zeros(1, 36)), (1, 2, 3, 5), torch.tensor([0.01]).log(), 2)
    >>> [round(each, 4) for each in reach.quantiles([0.05, 0.5, 0.95])[0].tolist()]
    [-0.0034, 0.0076, 0.0297]
    """

    mixture: Mixture
    unit_BH: Tensor

    @classmethod
    def of(cls, mixture: Mixture, ahead: tuple[int, ...], log_sigma_B: Tensor, horizon: int) -> Reach:
        """Take what a model of these horizons says of one of them."""
        n, held = ahead.index(horizon) + 1, mixture.double()
        log_sigma_B = in_float64(log_sigma_B)
        root_H = torch.tensor(ahead[:n], dtype=torch.float64, device=log_sigma_B.device).sqrt()
        return cls(
            mixture=Mixture(
                log_weight_BHK=held.log_weight_BHK[:, :n],
                location_BHK=held.location_BHK[:, :n],
                scale_BHK=held.scale_BHK[:, :n],
            ),
            unit_BH=log_sigma_B.exp()[:, None] * root_H,
        )

    def __getitem__(self, windows: slice) -> Reach:
        """Take some of the windows."""
        mixture = self.mixture
        return Reach(
            mixture=Mixture(
                log_weight_BHK=mixture.log_weight_BHK[windows],
                location_BHK=mixture.location_BHK[windows],
                scale_BHK=mixture.scale_BHK[windows],
            ),
            unit_BH=self.unit_BH[windows],
        )

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.unit_BH)

    def logits(self, reach_BU: Tensor) -> Tensor:
        """Logits of the probability of going at least so far, shape (windows, prices)."""
        return self.mixture.reach_logits(reach_BU[:, None] / self.unit_BH[..., None]).amax(1)

    def survival(self, reach_BU: Tensor) -> Tensor:
        """Probability of going at least so far, shape (windows, prices)."""
        return self.logits(reach_BU).sigmoid()

    def below(self, reach_BU: Tensor) -> Tensor:
        """Probability of staying below, shape (windows, prices): of what came, the probability integral transform."""
        return (-self.logits(reach_BU)).sigmoid()

    def quantiles(self, shares: Sequence[float]) -> Tensor:
        """Quantiles, shape (windows, shares): of each horizon's the farthest, since what one reaches the next does."""
        return (self.mixture.quantiles(shares) * self.unit_BH[..., None]).amax(1)
