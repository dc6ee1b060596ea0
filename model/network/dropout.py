"""Dropout: torch's own on a GPU; on a CPU in float32, masks that cost a quarter of the random numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DRAWS = 2**16
DRAWS_IN_WORD = 4


class Masks:
    """Dropout masks from torch's generator: 0 with probability ``rate``, else what keeps the mean.

    One 64-bit random number serves four elements with 16 bits each, so the rate is rounded to a multiple
    of 2⁻¹⁶; the scale is that of the rounded rate.

    Parameters
    ----------
    like : Tensor
        On a CPU, float32 or float64: a mask has its shape and type.
    rate : float
        In [0, 1).

    Examples
    --------
    >>> masks = Masks(torch.empty(1000), 0.5)
    >>> sorted(masks.draw().unique().tolist())
    [0.0, 2.0]
    """

    def __init__(self, like: Tensor, rate: float) -> None:
        dropped = round(rate * DRAWS)
        self._least, self._scale, self._type = dropped - DRAWS // 2, DRAWS / (DRAWS - dropped), like.dtype
        self._words = torch.empty(-(-like.numel() // DRAWS_IN_WORD), dtype=torch.int64, device=like.device)
        self._draws = self._words.view(torch.int16)[: like.numel()].view(like.shape)

    def draw(self, out: Tensor | None = None) -> Tensor:
        """Draw a mask, into a tensor if one is given."""
        self._words.random_(-(2**63), None)
        mask = self._draws.to(self._type) if out is None else out.copy_(self._draws)
        return mask.ge_(self._least).mul_(self._scale)


def keep_mask(like: Tensor, rate: float) -> Tensor:
    """Draw one mask of :class:`Masks`."""
    return Masks(like, rate).draw()


def draws_by_hand(tensor: Tensor) -> bool:
    """Whether :func:`keep_mask` serves a tensor; the meta device counts as the CPU that it plans for."""
    return tensor.device.type in ("cpu", "meta") and tensor.dtype in (torch.float32, torch.float64)


class Dropout(nn.Dropout):
    """Dropout with the masks of :func:`keep_mask` where they serve, unless ``plain``."""

    plain = False

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements in training."""
        if self.plain or not self.training or self.p == 0 or not draws_by_hand(x):
            return super().forward(x)
        return x * keep_mask(x, self.p)
