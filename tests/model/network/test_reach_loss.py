"""The loss of a distribution: by hand, where nothing is known, and at its least for the truth."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from model.network.distribution import Mixture
from model.network.reach_loss import reach_loss
from model.spec.architecture import OUTPUTS_A_HORIZON


def _mixture(windows: int, horizons: int) -> Mixture:
    return Mixture.of(torch.randn(windows, horizons * OUTPUTS_A_HORIZON, generator=torch.Generator().manual_seed(1)))


def test_it_is_the_mean_over_horizons_of_random_and_asked_thresholds_alike() -> None:
    mixture, reach, asked = _mixture(2, 2), torch.tensor([[0.5, 1.5], [0.1, 0.2]]), torch.full((2, 2), 0.7)
    random = torch.rand(2, 2, 4) * 3
    each = functional.binary_cross_entropy_with_logits(
        mixture.reach_logits(torch.cat([random, asked[..., None]], -1)),
        torch.cat([(reach[..., None] >= random), (reach >= asked)[..., None]], -1).float(),
        reduction="none",
    )
    expected = ((each[..., :4].mean(-1) + each[..., 4]) / 2).mean(1)
    assert torch.allclose(reach_loss(mixture, reach, asked, random), expected)


def test_what_is_unknown_has_no_loss_and_no_gradient() -> None:
    raw = torch.randn(2, 2 * OUTPUTS_A_HORIZON, requires_grad=True)
    reach = torch.tensor([[0.5, torch.nan], [torch.nan, torch.nan]])
    losses = reach_loss(Mixture.of(raw), reach, torch.full((2, 2), 0.7), torch.rand(2, 2, 4))
    losses.sum().backward()
    assert raw.grad is not None and raw.grad.isfinite().all()
    assert losses[1] == 0 and not raw.grad[1].any() and not raw.grad[0, OUTPUTS_A_HORIZON:].any()
    assert raw.grad[0, :OUTPUTS_A_HORIZON].any()


def test_smoothing_moves_every_outcome_towards_the_middle() -> None:
    mixture, reach = _mixture(1, 1), torch.tensor([[5.0]])
    asked, random = torch.tensor([[0.5]]), torch.full((1, 1, 4), 0.5)
    logit = mixture.reach_logits(torch.tensor([[[0.5]]])).squeeze()
    expected = functional.binary_cross_entropy_with_logits(logit, torch.tensor(0.9))
    assert reach_loss(mixture, reach, asked, random, 0.2).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("part", "by"), [(1, 0.2), (1, -0.2), (2, 0.3), (2, -0.3)])
def test_the_truth_has_the_least_loss(part: int, by: float) -> None:
    """A proper score: samples of a mixture cost more under one that is shifted, wider or narrower."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.zeros(1, OUTPUTS_A_HORIZON)
    truth = Mixture.of(raw).double()
    shares = torch.rand(4000, generator=generator).clamp(1e-6, 1 - 1e-6)
    reach = truth.quantiles(shares.tolist())[0, 0][:, None].float()
    u = torch.rand(4000, 1, 4, generator=generator) * 3

    def loss(numbers: torch.Tensor) -> float:
        many = Mixture.of(numbers.expand(4000, -1))
        return float(reach_loss(many, reach, torch.full((4000, 1), 0.8), u).mean())

    moved = raw.clone()
    moved[0, part::3] += by
    assert loss(moved) > loss(raw) + 5e-4
