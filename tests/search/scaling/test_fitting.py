import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.scaling.curves import CONSTANT, LINE, POWER_LAW, U_SHAPE
from search.scaling.fitting import fit_curves, huber_delta

SIZES = np.repeat([1e4, 1e5, 1e6, 1e7, 1e8], 4) * np.tile([0.8, 0.95, 1.1, 1.2], 5)
BUDGETS = np.repeat(np.arange(5), 4)


def fits_of(losses, sizes=SIZES, budgets=BUDGETS):
    return {fit.name: fit for fit in fit_curves(sizes, losses, budgets)[0]}


@pytest.mark.slow
@settings(max_examples=40)
@given(
    floor=st.floats(0.05, 2.0),
    share=st.floats(0.05, 2.0),
    alpha=st.floats(0.1, 1.0),
)
def test_a_law_without_noise_is_recovered(floor, share, alpha):
    gain = share * floor * SIZES.min() ** alpha
    fits = fits_of(floor + gain * SIZES**-alpha)
    held = fits[POWER_LAW].parameters
    assert held["E"] == pytest.approx(floor, rel=1e-4)
    assert held["A"] == pytest.approx(gain, rel=1e-3)
    assert held["alpha"] == pytest.approx(alpha, rel=1e-4)
    assert min(fits.values(), key=lambda fit: fit.aicc).name == POWER_LAW


@settings(max_examples=20)
@given(order=st.permutations(range(len(SIZES))), seed=st.integers(0, 1000))
def test_the_order_of_the_points_does_not_matter(order, seed):
    losses = 0.4 + 2 * SIZES**-0.3 + 0.004 * np.random.default_rng(seed).normal(size=len(SIZES))
    order = list(order)
    first, second = fits_of(losses), fits_of(losses[order], SIZES[order], BUDGETS[order])
    for name, fit in first.items():
        assert second[name].aicc == pytest.approx(fit.aicc, abs=1e-4)
        assert second[name].predict(SIZES) == pytest.approx(fit.predict(SIZES), rel=1e-4)


def test_a_u_shape_is_recovered_and_an_upside_down_one_is_none():
    losses = 0.4 * np.exp(0.01 * np.log(SIZES / 3e5) ** 2)
    fits = fits_of(losses)
    assert fits[U_SHAPE].parameters == pytest.approx({"loss": 0.4, "size": 3e5, "curvature": 0.01}, rel=1e-5)
    assert min(fits.values(), key=lambda fit: fit.aicc).name == U_SHAPE
    assert "curve upwards" in fits_of(0.4 / losses)[U_SHAPE].problem


def test_rising_losses_are_no_power_law():
    assert fits_of(0.4 + 1e-4 * SIZES**0.3)[POWER_LAW].problem == "the losses do not fall with size"


def test_one_wild_trial_does_not_move_the_fit():
    noise = 0.001 * np.random.default_rng(0).normal(size=len(SIZES))
    losses = 0.4 + 2 * SIZES**-0.3 + noise
    wild = losses.copy()
    wild[17] = 3.0
    calm, shaken = fits_of(losses), fits_of(wild)
    assert shaken[POWER_LAW].parameters["alpha"] == pytest.approx(calm[POWER_LAW].parameters["alpha"], rel=0.05)
    assert shaken[CONSTANT].parameters["E"] == pytest.approx(calm[CONSTANT].parameters["E"], rel=0.01)
    assert np.log(wild).mean() > np.log(losses).mean() + 0.05


def test_budgets_decide_what_is_fitted():
    losses = 0.4 + 2 * SIZES**-0.3
    for n_budgets, names in ((1, {CONSTANT}), (2, {CONSTANT, LINE}), (3, {CONSTANT, LINE, POWER_LAW, U_SHAPE})):
        few = BUDGETS < n_budgets
        fits, unfitted = fit_curves(SIZES[few], losses[few], BUDGETS[few])
        assert {fit.name for fit in fits} == names
        assert unfitted


def test_the_spread_of_a_budget_decides_what_is_an_outlier():
    budget = np.repeat([0, 1], 500)
    noise = 0.01 * np.random.default_rng(0).normal(size=1000)
    assert huber_delta(budget * 5.0 + noise, budget) == pytest.approx(0.01345, rel=0.1)
    assert huber_delta(budget * 5.0, budget) == 1e-3
