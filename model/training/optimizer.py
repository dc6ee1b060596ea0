"""The optimizer and its schedule, from the training fields of a spec."""

from __future__ import annotations

import math

import torch
from torch import nn

from model.spec.spec import Training


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW that decays weight matrices only: no norm, bias or position."""
    decayed = [p for name, p in model.named_parameters() if p.ndim >= 2 and "positions" not in name]
    free = [p for name, p in model.named_parameters() if p.ndim < 2 or "positions" in name]
    assert len(decayed) + len(free) == len(list(model.parameters()))
    device = decayed[0].device
    on_gpu = device.type == "cuda"
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": training.weight_decay}, {"params": free, "weight_decay": 0.0}],
        lr=torch.tensor(training.learning_rate, device=device) if on_gpu else training.learning_rate,
        betas=(training.beta1, training.beta2),
        eps=training.epsilon,
        fused=True,
        capturable=on_gpu,
    )


def make_schedule(
    optimizer: torch.optim.Optimizer, training: Training, total_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up over ``warmup_fraction`` of all steps, then a cosine to zero."""
    warmup = round(training.warmup_fraction * total_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total_steps - warmup))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
