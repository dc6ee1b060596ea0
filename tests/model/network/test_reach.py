"""How far the price goes within one horizon: one distribution, whichever way it is asked."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.network.distribution import Mixture
from model.network.question import Question, answer
from model.network.reach import Reach

AHEAD = (1, 2, 3, 5)
SHARES = [0.01, 0.05, 0.5, 0.95, 0.99]
raw = st.lists(st.floats(-3, 3), min_size=36, max_size=36).map(lambda values: torch.tensor([values]))
SIGMA = torch.tensor([math.log(0.01)])


@given(raw, st.sampled_from(AHEAD))
def test_quantiles_survival_and_what_lies_below_are_of_one_distribution(raw_BO: torch.Tensor, horizon: int) -> None:
    reach = Reach.of(Mixture.of(raw_BO), AHEAD, SIGMA, horizon)
    quantiles = reach.quantiles(SHARES)
    assert torch.allclose(reach.below(quantiles), torch.tensor([SHARES], dtype=torch.float64), atol=1e-6)
    assert torch.allclose(reach.below(quantiles) + reach.survival(quantiles), torch.ones(1, 5, dtype=torch.float64))
    assert quantiles[0].diff().min() > 0


@given(raw)
@settings(max_examples=30, deadline=None)
def test_a_longer_horizon_goes_at_least_as_far(raw_BO: torch.Tensor) -> None:
    found = torch.stack([Reach.of(Mixture.of(raw_BO), AHEAD, SIGMA, h).quantiles(SHARES)[0] for h in AHEAD])
    assert found.diff(dim=0).min() >= -1e-12


@given(raw, st.sampled_from(AHEAD), st.floats(0, 0.1))
def test_a_threshold_s_probability_is_what_the_model_answers(raw_BO: torch.Tensor, horizon: int, rise: float) -> None:
    mixture = Mixture.of(raw_BO)
    reach = Reach.of(mixture, AHEAD, SIGMA, horizon)
    at = torch.tensor([[math.log1p(rise)]], dtype=torch.float64)
    asked = answer(mixture, Question(horizon=horizon, threshold=rise), AHEAD, SIGMA)
    assert reach.survival(at).item() == pytest.approx(asked.sigmoid().item(), abs=1e-5)


def test_some_of_the_windows_are_what_they_were() -> None:
    reach = Reach.of(Mixture.of(torch.randn(5, 36)), AHEAD, SIGMA.expand(5), 3)
    assert len(reach) == 5 and len(reach[1:3]) == 2
    assert torch.equal(reach[1:3].quantiles(SHARES), reach.quantiles(SHARES)[1:3])
