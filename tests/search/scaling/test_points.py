from dataclasses import replace

import numpy as np
import pytest

from pipeline.exceptions import InputError


def test_losses_of_one_size_only_are_refused_with_the_reason(simulated):
    points = simulated(0, sizes=[1e4, 1e5])
    with pytest.raises(InputError, match=r"sizes must differ.*got 20 trials of 5,000 parameters"):
        replace(points, n_params_T=np.full(20, 5000.0))


@pytest.mark.parametrize("loss", [np.nan, np.inf, -0.1])
@pytest.mark.lesson("L25")
def test_a_broken_loss_is_refused_with_the_trial(simulated, loss):
    points = simulated(0, sizes=[1e4, 1e5])
    broken = points.losses_TD.copy()
    broken[7, 3] = loss
    with pytest.raises(InputError, match=r"losses must be finite.*got others of trial 7;"):
        replace(points, losses_TD=broken)


def test_a_broken_size_is_refused(simulated):
    points = simulated(0, sizes=[1e4, 1e5])
    with pytest.raises(InputError, match="sizes finite and above 0, got others of trial 0,"):
        replace(points, n_params_T=np.zeros(20))


def test_too_few_days_are_refused(simulated):
    with pytest.raises(InputError, match="at least 30 days, got 29"):
        simulated(0, sizes=[1e4, 1e5], n_days=29)


@pytest.mark.lesson("L23")
def test_equal_effort_keeps_the_first_of_each(simulated):
    points = simulated(0, sizes=[1e4, 1e5, 1e6], trials=[5, 2, 3])
    kept = points.equal_effort()
    assert kept.names == tuple(f"trial {t}" for t in (0, 1, 5, 6, 7, 8))
    assert kept.counts == (2, 2, 2)
    assert (kept.losses_TD == points.losses_TD[[0, 1, 5, 6, 7, 8]]).all()
