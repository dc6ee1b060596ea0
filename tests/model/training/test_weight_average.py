"""The moving average of weights: what it holds, and that it leaves the weights themselves alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model.training.weight_average import WeightAverage


def _line(value: float) -> nn.Linear:
    line = nn.Linear(1, 1, bias=False)
    nn.init.constant_(line.weight, value)
    return line


def test_it_is_the_exponential_mean_of_the_weights_after_each_step() -> None:
    line = _line(1.0)
    average, expected = WeightAverage(line, 0.9), 1.0
    for value in (2.0, -1.0, 5.0):
        nn.init.constant_(line.weight, value)
        average.update()
        expected = 0.9 * expected + 0.1 * value
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-6)
    assert line.weight.item() == 5.0


def test_the_model_has_its_own_weights_again_after_an_error() -> None:
    line = _line(0.0)
    average = WeightAverage(line, 0.5)
    nn.init.constant_(line.weight, 1.0)
    with pytest.raises(KeyError), average.in_place():
        assert line.weight.item() == 0.0
        raise KeyError
    assert line.weight.item() == 1.0 and average.weights["weight"].item() == 0.0


def test_an_average_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="every parameter of its model"):
        WeightAverage(_line(0.0), 0.5).load({"bias": torch.zeros(1)})
