"""A forecast that can be asked anything: the probability of any rise within any horizon, and quantiles of the rise.

Shapes in names: B windows, H horizons, Q quantiles, M members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.network.distribution import Mixture
from model.network.float64 import in_float64
from model.network.question import Question, answer, reach_logits, require_horizon

STEPS_OUTWARD, STEPS_OF_BISECTION = 12, 70


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What one model says of windows.

    A blend moves the logit of every question of a day by the same: by what the baseline moves the study's own, the only
    one that it knows.  That is a proportional-odds shift (McCullagh, 1980), so that probabilities keep their order
    over thresholds and horizons, and at the study's own question it is the blend itself.

    Parameters
    ----------
    mixture : Mixture
        Predictive distribution.
    ahead : tuple of int
        Its horizons, in days.
    log_sigma_B : Tensor of shape (windows,)
        Log of the daily sigma of each window.
    shift_B : Tensor of shape (windows,), optional
        Of every logit, in a blend.
    """

    mixture: Mixture
    ahead: tuple[int, ...]
    log_sigma_B: Tensor
    shift_B: Tensor | None = None

    def logits(self, question: Question) -> Tensor:
        """Logits of the probability that is asked for, in float64, shape (windows,).

        Raises
        ------
        InputError
            If the horizon is not one of the model's.
        """
        logits_B = answer(self.mixture, question, self.ahead, self.log_sigma_B)
        return logits_B if self.shift_B is None else logits_B + self.shift_B

    def blended(self, question: Question, baseline_B: Tensor, share: float) -> Forecast:
        """Blend with a baseline that knows one question.

        Parameters
        ----------
        question : Question
            That one.
        baseline_B : Tensor of shape (windows,)
            Its logits.
        share : float
            Of the baseline.
        """
        return replace(self, shift_B=blend_shift(self.logits(question), baseline_B, share))

    def survival(self, reach_BQ: Tensor, horizon: int) -> Tensor:
        """Probability of each reach within a horizon, in float64, shape (windows, quantiles).

        Parameters
        ----------
        reach_BQ : Tensor of shape (windows, quantiles)
            Logs of prices over the close.
        horizon : int
            One of the model's.
        """
        logits_BHQ = reach_logits(self.mixture, reach_BQ, self.ahead, self.log_sigma_B)
        logits_BQ = logits_BHQ[:, self.ahead.index(horizon)]
        return (logits_BQ if self.shift_B is None else logits_BQ + self.shift_B[:, None]).sigmoid()


def blend_shift(logits_B: Tensor, baseline_B: Tensor, share: float) -> Tensor:
    """How far a baseline's share of the logit moves the model's own, shape (windows,)."""
    return share * (baseline_B.to(logits_B.device) - logits_B)


def rise_quantiles(members: Sequence[Forecast], horizon: int, shares: Sequence[float]) -> Tensor:
    """Quantiles of the rise of the highest price within a horizon, as fractions, in float64, shape (windows, shares).

    They are those of the mean of the members' distributions, and the inverse of the probabilities that are answered.

    Parameters
    ----------
    members : sequence of Forecast
        Of the same windows.
    horizon : int
        One that every member forecasts.
    shares : sequence of float
        Between 0 and 1: probabilities of staying below.

    Raises
    ------
    InputError
        If the horizon is not one of theirs.
    """
    for each in members:
        require_horizon(horizon, each.ahead)
    log_sigma_B = in_float64(members[0].log_sigma_B)
    above_Q = 1.0 - torch.tensor(shares, dtype=torch.float64, device=log_sigma_B.device)

    def above(reach_BQ: Tensor) -> Tensor:
        return torch.stack([each.survival(reach_BQ, horizon) for each in members]).mean(0)

    high_BQ = torch.ones(len(log_sigma_B), len(shares), dtype=torch.float64, device=log_sigma_B.device)
    low_BQ = -high_BQ
    for _ in range(STEPS_OUTWARD):
        low_BQ = torch.where(above(low_BQ) < above_Q, 2 * low_BQ, low_BQ)
        high_BQ = torch.where(above(high_BQ) > above_Q, 2 * high_BQ, high_BQ)
    for _ in range(STEPS_OF_BISECTION):
        middle_BQ = (low_BQ + high_BQ) / 2
        is_below = above(middle_BQ) > above_Q
        low_BQ, high_BQ = torch.where(is_below, middle_BQ, low_BQ), torch.where(is_below, high_BQ, middle_BQ)
    return torch.expm1((low_BQ + high_BQ) / 2)
