"""Window units: channels of a window measured in the sigma of its last day, as the tier declares them.

Shapes in names: B windows, T days of context, F channels of the window, S static features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.tiers import find_tier
from pipeline.tiers.feature import IN_SIGMA, OVER_SIGMA
from pipeline.tiers.scaled import SIGMA


class WindowUnits(nn.Module):
    """Takes raw features apart: the window's channels in sigma, and the static features of the last day.

    Parameters
    ----------
    tier : str
        Of two parts; its static features come last, sigma's logarithm first among them.

    Examples
    --------
    >>> units = WindowUnits("s40")
    >>> x_BTF, x_BS = units(torch.zeros(2, 30, 40))
    >>> x_BTF.shape, x_BS.shape
    (torch.Size([2, 30, 7]), torch.Size([2, 33]))
    """

    divided_F: Tensor
    shifted_F: Tensor
    limit_F: Tensor
    limit_S: Tensor

    def __init__(self, tier: str) -> None:
        super().__init__()
        channels = [feature for feature in find_tier(tier) if not feature.static]
        statics = [feature for feature in find_tier(tier) if feature.static]
        assert statics[0].name == SIGMA
        self.n_channels = len(channels)
        for name, values in {
            "divided_F": [each.unit == IN_SIGMA for each in channels],
            "shifted_F": [each.unit == OVER_SIGMA for each in channels],
            "limit_F": [each.limit for each in channels],
            "limit_S": [each.limit for each in statics],
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    def log_sigma(self, x_BTF: Tensor) -> Tensor:
        """Logarithm of the sigma of each window's last day, shape (windows,)."""
        return x_BTF[:, -1, self.n_channels]

    def forward(self, x_BTF: Tensor) -> tuple[Tensor, Tensor]:
        """Channels in their units within their limits, shape (windows, days, channels); static features as they are."""
        log_sigma_B11 = self.log_sigma(x_BTF)[:, None, None]
        window_BTF = x_BTF[..., : self.n_channels]
        scaled_BTF = (window_BTF - self.shifted_F * log_sigma_B11) * (-self.divided_F * log_sigma_B11).exp()
        return scaled_BTF.clamp(-self.limit_F, self.limit_F), x_BTF[:, -1, self.n_channels :]
