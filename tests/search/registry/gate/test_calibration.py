import numpy as np
import pytest

from search.registry.gate.calibration import Calibration, calibration_of


@pytest.mark.parametrize("horizon", [1, 5])
def test_calibrated_forecasts_are_refused_about_once_in_a_hundred(horizon):
    """Outcomes overlap as windows of the horizon do; taking them for independent would refuse far more often."""
    refused = {"overlapping": 0, "independent": 0}
    rng = np.random.default_rng(0)
    p = np.clip(0.3 + 0.1 * np.sin(np.arange(400) / 40), 0.05, 0.95)
    from scipy.stats import norm

    for draw in range(60):
        noise = rng.standard_normal(400 + horizon - 1)
        mean = np.convolve(noise, np.ones(horizon), mode="valid") / np.sqrt(horizon)
        y = (mean < norm.ppf(p)).astype(float)
        for kind, reach in (("overlapping", horizon), ("independent", 1)):
            found = calibration_of(y, p, horizon=reach, n_simulated=200, seed=draw)
            refused[kind] += found.ece > found.limit
    assert refused["overlapping"] <= 4
    if horizon > 1:
        assert refused["independent"] > refused["overlapping"]


def test_too_few_days_are_unknown():
    assert calibration_of(np.array([0.0, 1.0]), np.array([0.3, 0.4]), horizon=1).holds is None


def test_a_constant_off_by_much_is_refused_and_a_seed_repeats_the_answer():
    y = np.tile([0.0, 0.0, 0.0, 1.0], 100)
    found = calibration_of(y, np.full(400, 0.4), horizon=1, seed=3)
    assert not found.holds and found == calibration_of(y, np.full(400, 0.4), horizon=1, seed=3)
    assert calibration_of(y, np.full(400, 0.25), horizon=1).holds


def test_an_error_holds_below_the_simulated_limit_or_the_tolerance_whichever_is_higher():
    assert Calibration(ece=0.04, limit=0.02).holds and not Calibration(ece=0.051, limit=0.02).holds
    assert Calibration(ece=0.08, limit=0.09).holds and not Calibration(ece=0.1, limit=0.09).holds
