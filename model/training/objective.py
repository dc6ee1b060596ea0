"""The objective: the mean loss of a batch, of a binary head or of a distribution.

Shapes in names: B windows, T days, F features, H horizons, U thresholds, D days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from model.network.base_logit import training_base_logits
from model.network.distribution import in_sigma
from model.network.distribution_linear import DistributionLinear
from model.network.patchtst import PatchTST
from model.network.reach_loss import reach_loss
from model.spec.spec import Training
from model.windows import Windows


class Objective(Protocol):
    """From forecast rows to their mean loss."""

    def __call__(self, rows: Tensor, n: int) -> Tensor:
        """Mean loss of the first ``n`` rows; the others fill up a batch."""


@dataclass(frozen=True)
class BinaryObjective:
    """Log loss of the event that the study asks about.

    Parameters
    ----------
    model : PatchTST
        In training.
    windows : Windows
        On its device.
    label_smoothing : float
        Share of the way from an outcome to 1/2.
    base_logit_D : Tensor of shape (days,), optional
        Frozen part of the logit by row, if the model has one.
    """

    model: PatchTST
    windows: Windows
    label_smoothing: float
    base_logit_D: Tensor | None = None

    def __call__(self, rows: Tensor, n: int) -> Tensor:
        """Mean loss of the first ``n`` rows."""
        x_BTF, y_B = self.windows.batch(rows)
        y_B = y_B + self.label_smoothing * (0.5 - y_B)
        logits_B = self.model(x_BTF, None if self.base_logit_D is None else self.base_logit_D[rows])
        return functional.binary_cross_entropy_with_logits(logits_B[:n].float(), y_B[:n])


@dataclass(frozen=True)
class DistributionObjective:
    """Log losses of how far the price goes, at thresholds drawn anew for every window, horizon and step.

    Parameters
    ----------
    model, windows, label_smoothing
        As of :class:`BinaryObjective`.
    reach_DH, asked_DH : Tensor of shape (days, horizons)
        How far the price went, and what the study asks about, in sigma, by row.
    n_thresholds : int
        Drawn, from torch's generator, which every epoch seeds.
    largest_threshold : float
        Of these, in sigma.
    """

    model: PatchTST
    windows: Windows
    label_smoothing: float
    reach_DH: Tensor
    asked_DH: Tensor
    n_thresholds: int
    largest_threshold: float

    def __call__(self, rows: Tensor, n: int) -> Tensor:
        """Mean loss of the first ``n`` rows."""
        mixture = self.model.mixture(self.windows.batch(rows)[0])
        reach_BH, asked_BH = self.reach_DH[rows], self.asked_DH[rows]
        random_BHU = self.draw((*reach_BH.shape, self.n_thresholds), rows.device) * self.largest_threshold
        return reach_loss(mixture, reach_BH, asked_BH, random_BHU, self.label_smoothing)[:n].mean()

    @staticmethod
    def draw(shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Draw uniform numbers on the device itself: those of two kinds of device differ."""
        return torch.rand(shape, device=device)


def make_objective(model: PatchTST, windows: Windows, training: Training) -> Objective:
    """Make what a model is trained to; a baseline in it is cross-fitted here."""
    if not model.architecture.ahead:
        base_logit_D = None
        if model.offset is not None:
            assert not isinstance(model.offset, DistributionLinear)
            base_logit_D = training_base_logits(model.offset, windows, horizon=model.question.horizon)
        return BinaryObjective(model, windows, training.label_smoothing, base_logit_D)
    reach_DH, asked_DH = training_reach(model, windows)
    return DistributionObjective(
        model, windows, training.label_smoothing, reach_DH, asked_DH, training.n_thresholds, training.largest_threshold
    )


def training_reach(model: PatchTST, windows: Windows) -> tuple[Tensor, Tensor]:
    """How far the price went on training rows, and the asked threshold, both of shape (days, horizons), in sigma."""
    assert model.units is not None and windows.horizons == model.architecture.ahead
    log_sigma_D = model.units.log_sigma(windows.x_DF[:, None])
    reach_DH = windows.training_reach(model.question.horizon)
    unit_DH = torch.stack([in_sigma(1.0, horizon, log_sigma_D) for horizon in windows.horizons], 1)
    return reach_DH * unit_DH, model.question.reach * unit_DH
