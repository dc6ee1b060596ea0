"""The optimizer and its schedule, from the training fields of a spec."""

from __future__ import annotations

import math

import torch
from torch import nn

from model.network.patchtst import PatchTST
from model.spec.choices import FLAT, NONE
from model.spec.spec import Training
from model.training.device import kind_of

BASE_WIDTH = 64
"""Inputs, of a head a token, of a matrix that learns at the spec's rate itself, where rates follow the width."""


def make_optimizer(model: PatchTST, training: Training) -> torch.optim.AdamW:
    """AdamW that decays weight matrices only: no norm, bias or position."""
    named = list(model.named_parameters())
    device = named[0][1].device
    groups: dict[tuple[float, float], list[nn.Parameter]] = {(training.weight_decay, 1.0): [], (0.0, 1.0): []}
    for name, parameter in named:
        decay = 0.0 if parameter.ndim < 2 or "positions" in name else training.weight_decay
        groups.setdefault((decay, rate_share(name, parameter, training, model.architecture.n_tokens)), []).append(
            parameter
        )
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "lr": _rate(share * training.learning_rate, device)}
            for (decay, share), parameters in groups.items()
            if parameters
        ],
        lr=_rate(training.learning_rate, device),
        betas=(training.beta1, training.beta2),
        eps=training.epsilon,
        fused=True,
        capturable=kind_of(device).rate_is_tensor,
    )


def _rate(rate: float, device: torch.device) -> float | torch.Tensor:
    """Rate as the optimizer takes it: a tensor where a recorded step reads it anew."""
    return torch.tensor(rate, device=device) if kind_of(device).rate_is_tensor else rate


def rate_share(name: str, parameter: nn.Parameter, training: Training, n_tokens: int) -> float:
    """Share of the learning rate that a parameter learns at: less the wider what it reads is.

    With Adam, a matrix moves what goes through it in proportion to its inputs; at a rate proportional to one over
    them all widths move alike.  That holds inside the blocks and for the head, which reads every token (muP: Yang et
    al., 2022, "Tensor Programs V", table 3); what reads features has as many inputs at any width.
    """
    if training.width_rates == NONE or parameter.ndim < 2:
        return 1.0
    if name.startswith("blocks."):
        return BASE_WIDTH / parameter.shape[1]
    return BASE_WIDTH * n_tokens / parameter.shape[1] if name == "head.weight" else 1.0


def make_schedule(
    optimizer: torch.optim.Optimizer, training: Training, total_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up over ``warmup_fraction`` of all steps, then a cosine to zero or a flat rate."""
    warmup = round(training.warmup_fraction * total_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if training.schedule == FLAT:
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total_steps - warmup))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
