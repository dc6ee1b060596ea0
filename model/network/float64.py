"""Float64: where the device has it, and on the host where it has not, as Apple's has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

WITHOUT = ("mps",)
"""Types of device that have no float64."""


def in_float64(tensor: Tensor) -> Tensor:
    """Give a tensor in float64, on the host where its device has none.

    Examples
    --------
    >>> in_float64(torch.tensor([0.5])).dtype
    torch.float64
    """
    return tensor.cpu().double() if tensor.device.type in WITHOUT else tensor.double()


class HostFloat64(nn.Module):
    """A module of float64 buffers, which stays on the host when its model moves to a device without float64."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if fn(torch.zeros(0)).device.type in WITHOUT:
            return self
        moved: Any = super()._apply(fn, recurse)
        return moved
