"""The continuous ranked probability score against brute force, and against what it must be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.network.crps import SAMPLE, reach_crps, sample_crps
from model.network.distribution import Mixture
from model.network.reach import Reach

AHEAD = (1, 2, 3, 5)
raw = st.lists(st.floats(-2, 1), min_size=36, max_size=36).map(lambda values: torch.tensor([values]))


def _reach(raw_BO: torch.Tensor, horizon: int, sigma: float = 0.01) -> Reach:
    return Reach.of(Mixture.of(raw_BO), AHEAD, torch.full((len(raw_BO),), math.log(sigma)), horizon)


def _brute_force(reach: Reach, came: float) -> float:
    """Rectangles of equal width over the rise, in percent of the close."""
    rise = torch.linspace(-60, 150, 200_001, dtype=torch.float64)
    middle = (rise[1:] + rise[:-1]) / 2
    wrong = reach.below(torch.log1p(middle / 100)[None])[0] - (middle >= 100 * math.expm1(came)).double()
    return float((wrong**2).sum() * rise.diff()[0])


@pytest.mark.slow
@given(raw, st.sampled_from(AHEAD), st.floats(-0.05, 0.3))
@settings(max_examples=10, deadline=None)
def test_the_integral_is_that_of_brute_force(raw_BO: torch.Tensor, horizon: int, came: float) -> None:
    reach = _reach(raw_BO, horizon)
    found = reach_crps(reach, torch.tensor([came], dtype=torch.float64)).item()
    assert found == pytest.approx(_brute_force(reach, came), rel=2e-3, abs=1e-3)


def test_narrow_components_far_apart_are_integrated_too() -> None:
    raw_BO = torch.zeros(1, 36)
    raw_BO[0, 2::3] = -5.0
    reach = _reach(raw_BO, 1)
    assert reach_crps(reach, torch.tensor([0.004])).item() == pytest.approx(_brute_force(reach, 0.004), rel=2e-3)


def test_a_single_number_is_scored_by_its_absolute_error() -> None:
    raw_BO = torch.zeros(1, 36)
    raw_BO[0, 0:9:3] = torch.tensor([9.0, -9.0, -9.0])
    raw_BO[0, 2::3] = -9.0
    reach = _reach(raw_BO, 1)
    said = reach.quantiles([0.5]).item()
    found = reach_crps(reach, torch.tensor([0.05])).item()
    assert found == pytest.approx(100 * (math.exp(0.05) - math.exp(said)), rel=2e-3)


def test_it_is_proper_and_what_is_not_known_has_no_score() -> None:
    torch.manual_seed(0)
    raw_BO = torch.zeros(4000, 36)
    truth = _reach(raw_BO, 1)
    u = torch.rand(4000, dtype=torch.float64)
    grid = torch.linspace(-0.1, 0.1, 4001, dtype=torch.float64)
    came = grid[torch.searchsorted(truth[:1].below(grid[None])[0], u).clamp(max=4000)]
    wide, shifted = raw_BO.clone(), raw_BO.clone()
    wide[:, 2::3], shifted[:, 1::3] = 0.5, 0.4
    scores = [reach_crps(_reach(each, 1), came).mean().item() for each in (raw_BO, wide, shifted)]
    assert scores[0] < min(scores[1:])
    assert reach_crps(truth[:2], torch.tensor([0.01, math.nan])).isnan().tolist() == [False, True]


@given(st.lists(st.floats(-2, 4), min_size=1, max_size=30), st.floats(0.002, 0.05), st.floats(-0.05, 0.1))
def test_a_sample_is_scored_by_its_definition(sample: list[float], unit: float, came: float) -> None:
    x, at = 100 * np.expm1(unit * np.array(sample)), 100 * np.expm1(came)
    expected = np.abs(x - at).mean() - np.abs(x[:, None] - x).mean() / 2
    assert sample_crps(np.array(sample), np.array([unit]), np.array([came]))[0] == pytest.approx(expected, abs=1e-9)


def test_a_long_sample_is_thinned_without_changing_its_score() -> None:
    sample = np.random.default_rng(0).logistic(size=20 * SAMPLE)
    unit, came = np.array([0.01]), np.array([0.02])
    every = 100 * np.expm1(0.01 * np.sort(sample))
    n = len(every)
    exact = np.abs(every - 100 * np.expm1(0.02)).mean() - every @ (2 * np.arange(1, n + 1) - n - 1) / n**2
    assert sample_crps(sample, unit, came)[0] == pytest.approx(exact, rel=1e-3)
