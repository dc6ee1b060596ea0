"""What a distribution answers: of one threshold and horizon, in order over both."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.network.distribution import Mixture
from model.network.question import Question, answer
from model.spec.architecture import OUTPUTS_A_HORIZON
from pipeline.exceptions import InputError

AHEAD = (1, 2, 3, 5)
raw = st.lists(st.floats(-3, 3), min_size=36, max_size=36).map(lambda values: torch.tensor([values]))
SIGMA = torch.tensor([math.log(0.01)])


@given(raw, st.floats(0, 0.1))
def test_what_is_reached_in_fewer_days_is_reached_in_more(raw_BO: torch.Tensor, threshold: float) -> None:
    mixture = Mixture.of(raw_BO)
    logits = [answer(mixture, Question(horizon=h, threshold=threshold), AHEAD, SIGMA).item() for h in AHEAD]
    assert logits == sorted(logits)


@given(raw, st.sampled_from(AHEAD), st.lists(st.floats(0, 0.2), min_size=2, max_size=6))
def test_more_is_reached_less_often(raw_BO: torch.Tensor, horizon: int, thresholds: list[float]) -> None:
    mixture = Mixture.of(raw_BO)
    asked = [Question(horizon=horizon, threshold=each) for each in sorted(thresholds)]
    logits = [answer(mixture, each, AHEAD, SIGMA).item() for each in asked]
    assert all(a >= b - 1e-4 for a, b in itertools.pairwise(logits))


def test_the_first_horizon_is_read_off_its_own_mixture() -> None:
    mixture = Mixture.of(torch.randn(3, 4 * OUTPUTS_A_HORIZON))
    asked = answer(mixture, Question(horizon=1, threshold=0.01), AHEAD, SIGMA.expand(3))
    u = math.log(1.01) / 0.01
    assert torch.allclose(asked, mixture.reach_logits(torch.full((3, 4, 1), u))[:, 0, 0], rtol=1e-5)


def test_a_horizon_that_the_model_has_not_is_named() -> None:
    with pytest.raises(InputError, match="horizon must be one that the model forecasts, 1, 2, 3, 5, got 4"):
        answer(Mixture.of(torch.zeros(1, 36)), Question(horizon=4, threshold=0.01), AHEAD, SIGMA)
