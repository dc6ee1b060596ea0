from dataclasses import replace

import numpy as np
import pytest

from search.scaling.curves import Fit
from search.scaling.fitting import fit_curves
from search.scaling.resampling import day_shares, refit, resample_losses

SIZES = [1e4, 1e5, 1e6]
FLAT = Fit(name="constant", parameters={"E": 0.4}, aicc=0.0, problem="")


def draw(points, *, n_resamples=1500, block=1):
    share_RD = day_shares(points.n_days, block=block, n_resamples=n_resamples, seed=0)
    return resample_losses(points, FLAT, share_RD, seed=0)


def test_shares_are_means_over_days():
    share_RD = day_shares(50, block=5, n_resamples=20, seed=0)
    assert share_RD.sum(axis=1) == pytest.approx(np.ones(20))
    assert share_RD * 50 == pytest.approx(np.round(share_RD * 50))


@pytest.mark.lesson("L23")
def test_trials_share_their_days(simulated):
    losses = draw(simulated(0, sizes=SIZES, trial_sd=0.0, own_sd=0.0, size_sd=0.0))
    assert np.corrcoef(losses[:, 0], losses[:, -1])[0, 1] == pytest.approx(1.0)
    assert losses[:, 0].std() == pytest.approx(0.6 / np.sqrt(502), rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("own_sd", [0.0, 0.15])
def test_the_spread_of_a_difference_is_that_of_repeated_studies(simulated, own_sd):
    law = {"sizes": SIZES, "trials": 12, "own_sd": own_sd, "size_sd": 0.0, "rho": 0.0, "trial_sd": 0.004}

    def difference(losses):
        return losses[..., -12:].mean(axis=-1) - losses[..., :12].mean(axis=-1)

    truly = np.std([difference(simulated(seed, **law).loss_T) for seed in range(400)])
    drawn = np.mean([difference(draw(simulated(seed, **law), n_resamples=300)).std() for seed in range(20)])
    assert drawn == pytest.approx(truly, rel=0.15)


def test_a_trial_stays_in_its_budget(simulated):
    points = simulated(0, sizes=SIZES, trials=4, trial_sd=0.0, own_sd=0.0, size_sd=0.0)
    shifted = points.losses_TD + np.array([0.0, 1.0, 2.0])[points.budget_T][:, None]
    losses = draw(replace(points, losses_TD=shifted))
    assert np.diff(losses[:, ::4], axis=1) == pytest.approx(np.ones((1500, 2)), abs=0.02)


def test_refits_are_about_the_fit(simulated):
    points = simulated(0, sizes=[*SIZES, 1e7], gain=2.0, alpha=0.3)
    fits = {fit.name: fit for fit in fit_curves(points.n_params_T, points.loss_T, points.budget_T)[0]}
    held = fits["power law"].parameters
    share_RD = day_shares(points.n_days, block=1, n_resamples=400, seed=0)
    losses_RT = resample_losses(points, fits["power law"], share_RD, seed=0)
    drawn = refit(points, losses_RT)
    assert np.median(drawn["alpha"]) == pytest.approx(held["alpha"], rel=0.1)
    assert np.median(drawn["E"]) == pytest.approx(held["E"], rel=0.05)
    assert np.median(drawn["A"]) == pytest.approx(held["A"], rel=0.3)
    for b in range(4):
        mine = points.budget_T == b
        assert losses_RT[:, mine].mean() == pytest.approx(points.loss_T[mine].mean(), rel=0.02)
