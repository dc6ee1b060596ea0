"""The linear distribution: it finds a line, knows no later row, and gives the same bits again."""

from __future__ import annotations

import pytest
import torch

from model.network.distribution import Mixture, outputs
from model.network.distribution_linear import DistributionLinear, fit_distribution_linear


def _fitted(z_NS: torch.Tensor, reach_NH: torch.Tensor, seed: int = 0) -> DistributionLinear:
    linear = DistributionLinear(z_NS.shape[1], outputs(reach_NH.shape[1]))
    asked_NH = torch.full_like(reach_NH, 1.0)
    fit_distribution_linear(linear, z_NS, reach_NH, asked_NH, largest_threshold=3.0, seed=seed)
    return linear


@pytest.fixture(scope="module")
def samples() -> tuple[torch.Tensor, torch.Tensor]:
    """Many days: reach rises with the first feature, at one horizon more than at the other."""
    generator = torch.Generator().manual_seed(3)
    z_NS = torch.randn(20000, 4, generator=generator)
    noise = torch.randn(20000, 2, generator=generator) * 0.2
    return z_NS, torch.stack([1 + 0.3 * z_NS[:, 0], 1 + 0.6 * z_NS[:, 0]], 1) + noise


def test_it_finds_what_moves_the_distribution_and_no_more(samples: tuple[torch.Tensor, torch.Tensor]) -> None:
    linear = _fitted(*samples)
    z_BS = torch.zeros(3, 4)
    z_BS[:, 0], z_BS[1, 1] = torch.tensor([-1.0, 0.0, 1.0]), 1.0
    median_BH = Mixture.of(linear(z_BS)).quantiles([0.5])[..., 0]
    assert median_BH[:, 0].tolist() == pytest.approx([0.7, 1.0, 1.3], abs=0.12)
    assert median_BH[:, 1].tolist() == pytest.approx([0.4, 1.0, 1.6], abs=0.15)


def test_the_same_seed_gives_the_same_bits_and_unknown_rows_change_nothing(
    samples: tuple[torch.Tensor, torch.Tensor],
) -> None:
    z_NS, reach_NH = samples[0][:500], samples[1][:500].clone()
    first, again, other = _fitted(z_NS, reach_NH), _fitted(z_NS, reach_NH), _fitted(z_NS, reach_NH, seed=1)
    assert torch.equal(first.weight_OS, again.weight_OS) and torch.equal(first.bias_O, again.bias_O)
    assert not torch.equal(first.weight_OS, other.weight_OS)
    reach_NH[400:] = torch.nan
    hidden = _fitted(z_NS, reach_NH)
    reach_NH[:400] += 1
    assert hidden.weight_OS.isfinite().all() and not torch.equal(hidden.weight_OS, first.weight_OS)


def test_what_was_fitted_is_in_buffers_that_nothing_trains() -> None:
    linear = DistributionLinear(4, 9)
    assert not list(linear.parameters()) and set(linear.state_dict()) == {"weight_OS", "bias_O"}
