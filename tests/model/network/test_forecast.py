"""A forecast that can be asked anything: its order, its blend, and quantiles that are the inverse of its answers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.network.distribution import Mixture
from model.network.forecast import Forecast, blend_shift, rise_quantiles
from model.network.question import Question
from model.spec.architecture import OUTPUTS_A_HORIZON
from pipeline.exceptions import InputError

AHEAD, SHARES = (1, 2, 3, 5), (0.05, 0.25, 0.5, 0.75, 0.95)
SAME = 1e-12
seeds = st.integers(0, 2**32)


def drawn(seed: int, n_windows: int = 3) -> Forecast:
    """A forecast of wild mixtures: those of several horizons cross."""
    generator = torch.Generator().manual_seed(seed)
    raw = 2 * torch.randn(n_windows, len(AHEAD) * OUTPUTS_A_HORIZON, generator=generator)
    log_sigma = math.log(0.01) + 0.5 * torch.randn(n_windows, generator=generator)
    return Forecast(mixture=Mixture.of(raw), ahead=AHEAD, log_sigma_B=log_sigma)


def blend(seed: int, share: float) -> Forecast:
    baseline = 3 * torch.randn(3, generator=torch.Generator().manual_seed(seed + 1))
    return drawn(seed).blended(Question(horizon=1, threshold=0.01), baseline, share)


@given(seeds, st.floats(0.05, 0.95), st.lists(st.floats(0, 0.3), min_size=2, max_size=5))
def test_a_blend_keeps_both_orders(seed: int, share: float, thresholds: list[float]) -> None:
    forecast = blend(seed, share)
    p = torch.stack(
        [
            torch.stack([forecast.logits(Question(horizon=h, threshold=t)).sigmoid() for h in AHEAD])
            for t in sorted(thresholds)
        ]
    )
    assert (p[1:] <= p[:-1] + SAME).all(), "falls with the threshold"
    assert (p[:, 1:] >= p[:, :-1]).all(), "rises with the horizon"


@given(seeds, st.floats(0.05, 0.95))
def test_a_blend_is_the_mean_of_logits_at_its_own_question_and_the_same_shift_at_any_other(
    seed: int, share: float
) -> None:
    own, other = Question(horizon=1, threshold=0.01), Question(horizon=3, threshold=0.02)
    baseline, plain = torch.randn(3, generator=torch.Generator().manual_seed(seed)), drawn(seed)
    forecast = plain.blended(own, baseline, share)
    mean = (1 - share) * plain.logits(own) + share * baseline
    torch.testing.assert_close(forecast.logits(own), mean, rtol=1e-6, atol=1e-6)
    moved = [forecast.logits(question) - plain.logits(question) for question in (own, other)]
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-9, atol=1e-9)


def test_a_shift_is_the_share_of_the_way_to_the_baseline() -> None:
    assert blend_shift(torch.tensor([1.0]), torch.tensor([3.0]), 0.25).tolist() == [0.5]


@given(seeds, st.sampled_from(AHEAD), st.booleans())
def test_quantiles_are_the_inverse_of_the_members_mean_probability(seed: int, horizon: int, is_blend: bool) -> None:
    members = [drawn(seed), blend(seed, 0.5) if is_blend else drawn(seed + 1)]
    members[1] = Forecast(
        mixture=members[1].mixture,
        ahead=AHEAD,
        log_sigma_B=members[0].log_sigma_B,
        shift_B=members[1].shift_B,
    )
    rises_BQ = rise_quantiles(members, horizon, SHARES)
    reach_BQ = rises_BQ.log1p()
    found = torch.stack([each.survival(reach_BQ, horizon) for each in members]).mean(0)
    expected = (1 - torch.tensor(SHARES, dtype=torch.float64)).expand_as(found)
    exact = found.sub(expected).abs() < 1e-9
    jumps = [[each.survival(reach_BQ + step, horizon) for each in members] for step in (-1e-9, 1e-9)]
    left, right = (torch.stack(each).mean(0) for each in jumps)
    assert (exact | ((left >= expected) & (right <= expected))).all(), "or as steep as a step"
    assert all((a <= b).all() for a, b in itertools.pairwise(rises_BQ.T))


def test_quantiles_of_one_logistic_are_its_own() -> None:
    from scipy.stats import logistic

    raw = torch.zeros(1, 1, 3, 3)
    raw[..., 0] = torch.tensor([50.0, 0.0, 0.0])
    forecast = Forecast(mixture=Mixture.of(raw.flatten(1)), ahead=(1,), log_sigma_B=torch.tensor([math.log(0.01)]))
    expected = torch.expm1(0.01 * torch.tensor(logistic.ppf(SHARES, loc=0.2, scale=0.201)))
    torch.testing.assert_close(rise_quantiles([forecast], 1, SHARES)[0], expected, rtol=1e-5, atol=1e-8)


def test_quantiles_rise_with_the_horizon() -> None:
    forecast = drawn(0, 50)
    rises = torch.stack([rise_quantiles([forecast], horizon, SHARES) for horizon in AHEAD])
    assert (rises[1:] >= rises[:-1] - SAME).all()


def test_quantiles_of_a_horizon_that_is_not_forecast_are_refused() -> None:
    with pytest.raises(InputError, match="horizon must be one that the model forecasts, 1, 2, 3, 5, got 4; a study wi"):
        rise_quantiles([drawn(0)], 4, SHARES)
