import numpy as np
import pytest

from search.scaling.selected import selected_losses


@pytest.mark.lesson("L23")
def test_more_trials_of_the_same_worth_do_not_look_better():
    random = np.random.default_rng(0)
    noise = [0.45 + 0.1 * random.normal(size=(50, 500)) for _ in range(40)]
    raw = np.mean([each.mean(axis=1).min() for each in noise])
    many, few = (np.mean([selected_losses(each[:n]).mean() for each in noise]) for n in (50, 2))
    assert raw < 0.443
    assert many == pytest.approx(0.45, abs=0.001)
    assert few == pytest.approx(0.45, abs=0.002)


def test_a_better_trial_is_found():
    losses = 0.45 + 0.1 * np.random.default_rng(0).normal(size=(10, 500))
    losses[4] -= 0.1
    assert selected_losses(losses) == pytest.approx(losses[4])


def test_one_trial_is_its_own_loss():
    losses = np.random.default_rng(0).random((1, 61))
    assert selected_losses(losses) == pytest.approx(losses[0])
