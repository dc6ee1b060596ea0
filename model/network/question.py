"""The question that a distribution is asked: the probability of a rise of so much within so many days.

Shapes in names: B windows, H horizons, U thresholds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.network.distribution import Mixture, in_sigma
from pipeline.exceptions import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A rise within days.

    Parameters
    ----------
    horizon : int
        Days ahead.
    threshold : float
        Rise as a fraction.
    """

    horizon: int
    threshold: float

    @property
    def reach(self) -> float:
        """Logarithm of the price that is to be reached over the close."""
        return math.log1p(self.threshold)


def answer(mixture: Mixture, question: Question, ahead: tuple[int, ...], log_sigma_B: Tensor) -> Tensor:
    """Logits of the probability that is asked for, shape (windows,).

    What is reached within a day is reached within two: where the mixtures of two horizons cross, the shorter
    one's probability counts for the longer too.

    Raises
    ------
    InputError
        If the horizon is not one of the model's.
    """
    if question.horizon not in ahead:
        raise InputError(
            f"horizon must be one that the model forecasts, {', '.join(map(str, ahead))}, got {question.horizon}"
        )
    until = ahead[: ahead.index(question.horizon) + 1]
    u_BH = torch.stack([in_sigma(question.reach, horizon, log_sigma_B) for horizon in until], 1)
    first = Mixture(
        log_weight_BHK=mixture.log_weight_BHK[:, : len(until)],
        location_BHK=mixture.location_BHK[:, : len(until)],
        scale_BHK=mixture.scale_BHK[:, : len(until)],
    )
    return first.reach_logits(u_BH[..., None]).squeeze(-1).amax(1)
