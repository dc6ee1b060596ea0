import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LinearRegression

from search.scaling.fitting import fit_curve
from search.scaling.huber import fit_linear, fit_power_law, huber_cost, profile_alpha

U = np.linspace(-3, 3, 24)
DELTA = 0.01


def noisy(n_resamples, **law):
    random = np.random.default_rng(0)
    return np.log(0.4 + 0.05 * np.exp(-0.4 * U) + 0.005 * random.standard_t(3, size=(n_resamples, len(U))))


def test_many_fits_at_once_are_those_of_scipy_one_by_one():
    log_loss = noisy(12)
    _, _, alpha, cost = fit_power_law(U, log_loss, DELTA)
    for row, losses in enumerate(log_loss):
        one = fit_curve("power law", np.exp(U), losses, DELTA)
        held = one.parameters
        best = huber_cost(losses - np.log(one.predict(np.exp(U))), DELTA)
        assert cost[row] == pytest.approx(best, rel=2e-3)
        assert alpha[row] == pytest.approx(held["alpha"], rel=0.05)


def test_chunks_do_not_change_a_fit(monkeypatch):
    log_loss = noisy(7)
    whole = fit_power_law(U, log_loss, DELTA)
    monkeypatch.setattr("search.scaling.huber.CHUNK", 1)
    for one, other in zip(whole, fit_power_law(U, log_loss, DELTA), strict=True):
        assert one == pytest.approx(other, rel=1e-9)


def test_neither_floor_nor_gain_is_negative():
    steep, rising = np.log(np.exp(-U * 0.005)), np.log(0.4 + 0.01 * U)
    profile = profile_alpha(np.full((2, 1), 0.5), U, np.stack([steep, rising]), DELTA, n_steps=8)
    assert (profile.floor_RG >= 0).all() and (profile.gain_RG >= 0).all()
    assert profile.gain_RG[1, 0] == 0


def test_regression_is_least_squares_inside_delta_and_hubers_beyond():
    design = np.vander(U, 2, increasing=True)
    log_loss = noisy(1)
    (wide,), _ = fit_linear(design, log_loss, 1e3)
    reference = LinearRegression().fit(U[:, None], log_loss[0])
    assert wide == pytest.approx([reference.intercept_, reference.coef_[0]])
    (robust,), (cost,) = fit_linear(design, log_loss, DELTA, n_steps=200)
    found = minimize(lambda b: huber_cost(log_loss[0] - design @ b, DELTA), wide, method="BFGS")
    assert cost == pytest.approx(found.fun, rel=1e-5)
    assert robust == pytest.approx(found.x, abs=1e-4)
