"""The question that a distribution is asked: the probability of a rise of so much within so many days.

Shapes in names: B windows, H horizons, U thresholds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real

import torch
from torch import Tensor

from model.network.distribution import Mixture, in_sigma
from model.network.float64 import in_float64
from pipeline.exceptions import InputError
from pipeline.splits.target import Target


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
    """Logits of the probability that is asked for, in float64, shape (windows,).

    Raises
    ------
    InputError
        If the horizon is not one of the model's.
    """
    require_horizon(question.horizon, ahead)
    reach_B1 = in_float64(log_sigma_B).new_full((len(log_sigma_B), 1), question.reach)
    return reach_logits(mixture, reach_B1, ahead, log_sigma_B)[:, ahead.index(question.horizon), 0]


def reach_logits(mixture: Mixture, reach_BU: Tensor, ahead: tuple[int, ...], log_sigma_B: Tensor) -> Tensor:
    """Logits of the probability of each reach within each horizon, in float64, shape (windows, horizons, thresholds).

    What is reached within a day is reached within two: where the mixtures of two horizons cross, the shorter
    one's probability counts for the longer too.  In float64 neither order is lost to rounding.

    Parameters
    ----------
    mixture : Mixture
        Of the windows.
    reach_BU : Tensor of shape (windows, thresholds)
        Logs of the price that is asked about over the close.
    ahead : tuple of int
        Horizons of the mixture, in days.
    log_sigma_B : Tensor of shape (windows,)
        Log of the daily sigma of each window.
    """
    u_BHU = torch.stack([in_sigma(reach_BU, horizon, in_float64(log_sigma_B)[:, None]) for horizon in ahead], 1)
    return mixture.double().reach_logits(u_BHU).cummax(1).values


def require_horizon(horizon: int, ahead: tuple[int, ...]) -> None:
    """Refuse a horizon that is not one of the model's.

    Raises
    ------
    InputError
        With those it forecasts.
    """
    if horizon not in ahead:
        raise InputError(
            f"horizon must be one that the model forecasts, {', '.join(map(str, ahead))}, got {horizon}; a study with "
            f"--horizon {horizon} makes a model that does"
        )


def asked_target(
    own: Target, ahead: tuple[int, ...], horizon: float | None = None, threshold: float | None = None
) -> Target:
    """Give what a model of a target is asked: its own question, and what of it is asked otherwise.

    Parameters
    ----------
    own : Target
        Of its study.
    ahead : tuple of int
        Horizons of its distribution; none of a binary head, which answers its own question alone.
    horizon, threshold : float, optional
        What is asked; the study's own if not given.

    Raises
    ------
    InputError
        If a value is none, or the model can't answer.

    Examples
    --------
    >>> asked_target(Target(horizon=1), (1, 2, 3, 5), 3).name, asked_target(Target(horizon=1), ()).name
    ('h3', 'h1')
    """
    asked = replace(
        own,
        horizon=own.horizon if horizon is None else _whole(horizon),
        threshold=own.threshold if threshold is None else _rise(threshold, own.threshold),
    )
    if not ahead and asked != own:
        raise InputError(
            f"a model with a binary head answers its own question alone, horizon {own.horizon} and threshold "
            f"{own.threshold:g}, got horizon {asked.horizon} and threshold {asked.threshold:g}; leave both out, or "
            "ask a model of --head distribution"
        )
    if ahead:
        require_horizon(asked.horizon, ahead)
    return asked


def _whole(horizon: float) -> int:
    if not isinstance(horizon, Real) or isinstance(horizon, bool) or horizon < 1 or horizon % 1:
        raise InputError(f"horizon must be a whole number of days, at least 1, got {horizon!r}; for instance 1")
    return int(horizon)


def _rise(threshold: float, own: float) -> float:
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if is_number and threshold == own:
        return own
    if not is_number or not 0 <= threshold < 1:
        raise InputError(
            f"threshold must be a rise of the price below 1, 0.01 is 1 % and 0 is direction alone, got {threshold!r}"
        )
    return float(threshold) + 0.0
