"""What a distribution learns: log losses of how far the price goes, at many thresholds at once.

Shapes in names: B windows, H horizons, U thresholds.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.network.distribution import Mixture


def reach_loss(
    mixture: Mixture, reach_BH: Tensor, asked_BH: Tensor, random_BHU: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Log loss of each window, shape (windows,): mean over horizons of the random thresholds' mean and the asked one's.

    A mean over all thresholds is, up to a constant factor, the ranked probability score's counterpart for log loss: it
    is proper, so the distribution that minimises it is the true one.

    Parameters
    ----------
    mixture : Mixture
        Of the windows.
    reach_BH : Tensor of shape (windows, horizons)
        How far the price went, in sigma; NaN where that is unknown, which has no loss.
    asked_BH : Tensor of shape (windows, horizons)
        Threshold of the study's question, in sigma.
    random_BHU : Tensor of shape (windows, horizons, thresholds)
        Thresholds drawn for this step.
    label_smoothing : float
        Share of the way from an outcome to 1/2.
    """
    u_BHU = torch.cat([random_BHU, asked_BH[..., None]], -1)
    reached_BHU = (reach_BH[..., None] >= u_BHU).float()
    smooth_BHU = reached_BHU + label_smoothing * (0.5 - reached_BHU)
    losses_BHU = functional.binary_cross_entropy_with_logits(mixture.reach_logits(u_BHU), smooth_BHU, reduction="none")
    losses_BH = (losses_BHU[..., :-1].mean(-1) + losses_BHU[..., -1]) / 2
    known_BH = reach_BH.isfinite()
    return torch.where(known_BH, losses_BH, 0.0).sum(1) / known_BH.sum(1).clamp(min=1)
