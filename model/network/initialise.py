"""How weights start."""

from __future__ import annotations

import math

import torch
from torch import nn

from model.spec.choices import FAN_IN

INITIAL_STD = 0.02
RESIDUAL = ("attention_output", "contract")


@torch.no_grad()
def initialise(model: nn.Module, positions: nn.Parameter, init: str, *, n_layers: int) -> None:
    """Draw weights, in place; biases start at zero, positions at a standard deviation of 0.02.

    With 0.02 for every matrix (GPT-2, whose width is 768) the scores of queries and keys of a narrow model hardly
    differ, and attention starts, and stays, uniform.  One over the root of a matrix's inputs keeps the spread of what
    goes through it (LeCun et al., 1998, "Efficient BackProp", section 4.6).

    Parameters
    ----------
    model : nn.Module
        Whose matrices are drawn, in the order of its modules; on the meta device nothing is.
    positions : nn.Parameter
        Of its tokens, drawn first.
    init : {"fan_in", "normal"}
        Standard deviation of weights: one over the root of the inputs, or 0.02; on outputs of residual branches
        divided by the root of twice the layers (Radford et al., 2019, GPT-2, section 2.3).
    n_layers : int
        Of the model.
    """
    if positions.is_meta:
        return
    nn.init.normal_(positions, std=INITIAL_STD)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            scale = 1 / math.sqrt(2 * n_layers) if name.endswith(RESIDUAL) else 1.0
            std = 1 / math.sqrt(module.in_features) if init == FAN_IN else INITIAL_STD
            nn.init.normal_(module.weight, std=std * scale)
            nn.init.zeros_(module.bias)
