"""What a distribution answers: of one threshold and horizon, in order over both."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.network.distribution import Mixture
from model.network.question import Question, answer, asked_target
from model.spec.architecture import OUTPUTS_A_HORIZON
from pipeline.exceptions import InputError
from pipeline.splits.target import Target

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
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(logits))


def test_the_first_horizon_is_read_off_its_own_mixture() -> None:
    mixture = Mixture.of(torch.randn(3, 4 * OUTPUTS_A_HORIZON))
    asked = answer(mixture, Question(horizon=1, threshold=0.01), AHEAD, SIGMA.expand(3))
    u = math.log(1.01) / 0.01
    assert torch.allclose(asked, mixture.double().reach_logits(torch.full((3, 4, 1), u))[:, 0, 0], rtol=1e-5)


def test_a_horizon_that_the_model_has_not_is_named() -> None:
    with pytest.raises(InputError, match="horizon must be one that the model forecasts, 1, 2, 3, 5, got 4"):
        answer(Mixture.of(torch.zeros(1, 36)), Question(horizon=4, threshold=0.01), AHEAD, SIGMA)


def test_answers_are_as_exact_as_float64() -> None:
    mixture = Mixture.of(torch.randn(3, 4 * OUTPUTS_A_HORIZON))
    assert answer(mixture, Question(horizon=2, threshold=0.01), AHEAD, SIGMA.expand(3)).dtype == torch.float64


def test_what_is_not_asked_is_the_studys_own() -> None:
    own = Target(horizon=2, threshold=0.013)
    assert asked_target(own, AHEAD) == asked_target(own, ()) == asked_target(own, (), 2, 0.013) == own
    assert asked_target(own, AHEAD, 5) == Target(horizon=5, threshold=0.013)
    assert asked_target(own, AHEAD, threshold=0) == Target(horizon=2, threshold=0.0)
    asked = asked_target(own, AHEAD, 3.0, 0.02)
    assert asked == Target(horizon=3, threshold=0.02) and isinstance(asked.horizon, int)
    fallen = Target(horizon=1, threshold=-0.02)
    assert asked_target(fallen, ()) == asked_target(fallen, (), 1, -0.02) == fallen, "what was recorded is asked on"


@pytest.mark.parametrize(
    ("ahead", "horizon", "threshold", "rule"),
    [
        (AHEAD, 4, None, "horizon must be one that the model forecasts, 1, 2, 3, 5, got 4; a study with --horizon 4 m"),
        ((), 3, None, "binary head .* horizon 1 and threshold 0.01, got horizon 3 and threshold 0.01; leave both out"),
        ((), None, 0.02, "answers its own question alone, .* got horizon 1 and threshold 0.02; .* --head distribution"),
        (AHEAD, 0, None, "horizon must be a whole number of days, at least 1, got 0"),
        (AHEAD, 2.5, None, "horizon must be a whole number of days, at least 1, got 2.5"),
        (AHEAD, True, None, "horizon must be a whole number of days"),
        (AHEAD, "3", None, "horizon must be a whole number of days, at least 1, got '3'"),
        (AHEAD, math.nan, None, "horizon must be a whole number of days, at least 1, got nan"),
        (AHEAD, math.inf, None, "horizon must be a whole number of days, at least 1, got inf"),
        (AHEAD, None, -0.01, "threshold must be a rise of the price below 1, .* got -0.01"),
        (AHEAD, None, 1.0, "threshold must be a rise of the price below 1, .* got 1.0"),
        (AHEAD, None, math.nan, "threshold must be a rise of the price below 1, .* got nan"),
        (AHEAD, None, "x", "threshold must be a rise of the price below 1, .* got 'x'"),
        (AHEAD, None, True, "threshold must be a rise of the price below 1"),
    ],
)
def test_a_question_that_can_not_be_answered_is_refused(
    ahead: tuple[int, ...], horizon: Any, threshold: Any, rule: str
) -> None:
    with pytest.raises(InputError, match=rule):
        asked_target(Target(horizon=1), ahead, horizon, threshold)
