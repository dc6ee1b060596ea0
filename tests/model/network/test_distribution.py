"""The mixture against numerical integration and scipy, its quantiles, and its tails."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import logistic

from model.network.distribution import N_COMPONENTS, PARTS, Mixture, in_sigma, outputs
from model.spec.architecture import OUTPUTS_A_HORIZON

HORIZONS = 2
raw = st.lists(st.floats(-3, 3), min_size=HORIZONS * OUTPUTS_A_HORIZON, max_size=HORIZONS * OUTPUTS_A_HORIZON).map(
    lambda values: torch.tensor([values], dtype=torch.float32)
)


def _at(points: np.ndarray) -> torch.Tensor:
    return torch.tensor(points, dtype=torch.float64).expand(1, HORIZONS, len(points))


def test_a_head_has_as_many_numbers_as_the_count_says() -> None:
    assert outputs(1) == OUTPUTS_A_HORIZON == N_COMPONENTS * PARTS


@given(raw)
def test_the_density_integrates_to_what_the_survival_function_says(raw_BO: torch.Tensor) -> None:
    mixture = Mixture.of(raw_BO).double()
    low, high = float(mixture.location_BHK.min()) - 3, float(mixture.location_BHK.max()) + 3
    points = np.linspace(low, high, 40_001)
    density = mixture.log_density(_at(points)).exp()[0].numpy()
    inside = np.trapezoid(density, points, axis=-1)
    survival = mixture.survival(_at(points[[0, -1]]))[0].numpy()
    assert inside == pytest.approx(survival[:, 0] - survival[:, 1], abs=5e-4)


@given(st.floats(-2, 2), st.floats(-2, 1), st.lists(st.floats(-8, 8), min_size=1, max_size=20))
def test_one_component_is_the_logistic_distribution_of_scipy(
    shift: float, log_scale: float, points: list[float]
) -> None:
    mixture = Mixture(
        log_weight_BHK=torch.tensor([0.0, -1e9, -1e9]).expand(1, HORIZONS, 3),
        location_BHK=torch.full((1, HORIZONS, 3), shift),
        scale_BHK=torch.full((1, HORIZONS, 3), float(np.exp(log_scale))),
    ).double()
    expected = logistic(loc=float(mixture.location_BHK[0, 0, 0]), scale=float(mixture.scale_BHK[0, 0, 0]))
    at = np.array(points)
    assert mixture.survival(_at(at))[0, 0].numpy() == pytest.approx(expected.sf(at), rel=1e-9, abs=1e-300)
    assert mixture.log_density(_at(at))[0, 0].numpy() == pytest.approx(expected.logpdf(at), rel=1e-9, abs=1e-9)
    shares = [0.01, 0.25, 0.5, 0.9, 0.999]
    assert mixture.quantiles(shares)[0, 0].numpy() == pytest.approx(expected.ppf(shares), rel=1e-6, abs=1e-6)


@given(raw, st.lists(st.floats(-5, 5), min_size=2, max_size=10))
def test_probabilities_fall_with_the_threshold(raw_BO: torch.Tensor, thresholds: list[float]) -> None:
    survival = Mixture.of(raw_BO).survival(torch.tensor(sorted(thresholds)).expand(1, HORIZONS, len(thresholds)))
    assert (survival.diff(dim=-1) <= 1e-6).all() and (survival >= 0).all() and (survival <= 1).all()


@given(raw, st.floats(0.001, 0.999))
def test_a_quantile_is_where_the_distribution_has_its_share(raw_BO: torch.Tensor, share: float) -> None:
    mixture = Mixture.of(raw_BO).double()
    quantile_BHU = mixture.quantiles([share])
    assert (1 - mixture.survival(quantile_BHU)).numpy() == pytest.approx(np.full((1, HORIZONS, 1), share), abs=1e-6)


def test_far_out_logits_are_exact_where_probabilities_round_to_nothing() -> None:
    logits = Mixture.of(torch.zeros(1, OUTPUTS_A_HORIZON)).reach_logits(torch.tensor([[[-200.0, 200.0]]]))
    assert logits.isfinite().all() and logits[0, 0, 0] > 300 and logits[0, 0, 1] < -300


def test_a_network_that_gives_zeros_has_components_apart() -> None:
    mixture = Mixture.of(torch.zeros(1, OUTPUTS_A_HORIZON))
    assert len(set(mixture.location_BHK.flatten().tolist())) == N_COMPONENTS
    assert mixture.log_weight_BHK.exp().sum() == pytest.approx(1.0)


def test_a_threshold_in_sigma_is_a_log_return_over_the_sigma_of_the_days() -> None:
    assert in_sigma(0.03, 9, torch.tensor([0.01]).log()).item() == pytest.approx(1.0)
