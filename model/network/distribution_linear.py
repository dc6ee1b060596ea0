"""A distribution that is linear in the static features: fitted first and kept frozen, as an offset.

What was fitted lies in buffers, so that a checkpoint holds it.

Shapes in names: B windows, S static features, O outputs of the head, H horizons, U thresholds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from model.network.distribution import Mixture
from model.network.reach_loss import reach_loss

LEARNING_RATE, WEIGHT_DECAY, BATCH_SIZE, EPOCHS, N_THRESHOLDS = 5e-3, 1.0, 256, 8, 6
"""AdamW holds no weight above one over its decay: 1 lets a strong edge through, and 0.01 learns noise (docs/log)."""


class DistributionLinear(nn.Module):
    """Numbers of the head from standardised static features.

    Examples
    --------
    >>> DistributionLinear(33, 36)(torch.zeros(2, 33)).shape
    torch.Size([2, 36])
    """

    weight_OS: Tensor
    bias_O: Tensor

    def __init__(self, n_static: int, n_outputs: int) -> None:
        super().__init__()
        self.register_buffer("weight_OS", torch.zeros(n_outputs, n_static))
        self.register_buffer("bias_O", torch.zeros(n_outputs))

    def forward(self, z_BS: Tensor) -> Tensor:
        """Give the numbers of the head, shape (windows, outputs)."""
        with torch.autocast(z_BS.device.type, enabled=False):
            return torch.addmm(self.bias_O, z_BS.float(), self.weight_OS.mT)


def fit_distribution_linear(
    linear: DistributionLinear,
    z_NS: Tensor,
    reach_NH: Tensor,
    asked_NH: Tensor,
    *,
    largest_threshold: float,
    seed: int,
) -> None:
    """Fit to training samples, in place: AdamW at 5e-3 to zero by a cosine, eight epochs of batches of 256.

    Parameters
    ----------
    linear : DistributionLinear
        What is fitted.
    z_NS : Tensor of shape (samples, statics)
        Standardised static features.
    reach_NH, asked_NH : Tensor of shape (samples, horizons)
        How far the price went, and the threshold that is asked about, both in sigma; reach is NaN where unknown.
    largest_threshold : float
        Of the random thresholds.
    seed : int
        Of batch order and thresholds.
    """
    generator = torch.Generator(device="cpu").manual_seed(seed)
    weight = nn.Parameter(torch.zeros_like(linear.weight_OS))
    bias = nn.Parameter(torch.zeros_like(linear.bias_O))
    optimizer = torch.optim.AdamW(
        [{"params": [weight], "weight_decay": WEIGHT_DECAY}, {"params": [bias], "weight_decay": 0.0}], lr=LEARNING_RATE
    )
    steps = EPOCHS * math.ceil(len(z_NS) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(z_NS), generator=generator)
        for chosen in order.split(BATCH_SIZE):
            rows = chosen.to(z_NS.device)
            optimizer.zero_grad()
            mixture = Mixture.of(torch.addmm(bias, z_NS[rows], weight.mT))
            u = torch.rand((*reach_NH[rows].shape, N_THRESHOLDS), generator=generator) * largest_threshold
            loss = reach_loss(mixture, reach_NH[rows], asked_NH[rows], u.to(z_NS.device))
            loss.mean().backward()
            optimizer.step()
            schedule.step()
    linear.weight_OS.copy_(weight.detach())
    linear.bias_O.copy_(bias.detach())
