"""The moving average of weights that is evaluated and kept, beside those that the optimizer moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's weights, by step, from those it starts with.

    Parameters
    ----------
    model : nn.Module
        Whose parameters are averaged.
    decay : float
        Share of the average that stays at a step.

    References
    ----------
    Polyak and Juditsky (1992), "Acceleration of stochastic approximation by averaging".

    Examples
    --------
    >>> line = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(line.weight)
    >>> average = WeightAverage(line, 0.9)
    >>> _ = nn.init.ones_(line.weight)
    >>> average.update()
    >>> with average.in_place():
    ...     inside = line.weight.item()
    >>> round(inside, 6), line.weight.item()
    (0.1, 1.0)
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._parameters = dict(model.named_parameters())
        self.weights = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        torch._foreach_lerp_(list(self.weights.values()), list(self._parameters.values()), 1.0 - self.decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model its averaged weights inside, and its own again after."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self) -> None:
        """Give the model its averaged weights for good."""
        self._swap()

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from an average that was stored.

        Raises
        ------
        ValueError
            If it is not of this model's parameters.
        """
        if weights.keys() != self.weights.keys():
            raise ValueError("an average must hold every parameter of its model")
        for name, held in self.weights.items():
            held.copy_(weights[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, held in self.weights.items():
            parameter = self._parameters[name]
            kept = parameter.detach().clone()
            parameter.copy_(held)
            held.copy_(kept)
