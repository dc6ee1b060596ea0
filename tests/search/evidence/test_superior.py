import numpy as np
import pytest
from arch.bootstrap import SPA

from pipeline.exceptions import InputError
from search.evidence.superior import model_confidence_set, superior_predictive_ability


@pytest.fixture
def losses_MD():
    """A benchmark-like row, two better ones, seven worse ones."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(10, 600)) + np.array([0, -0.4, -0.4, *[0.3] * 7])[:, None]


def test_what_is_better_is_found_and_nothing_else(losses_MD):
    benchmark_D = np.random.default_rng(1).normal(size=600)
    found = superior_predictive_ability(losses_MD, benchmark_D, block=5, seed=2)
    assert found.p_lower <= found.p_value <= found.p_upper < 0.05
    assert found.superior.tolist() == [1, 2]
    assert (found.n_models, found.block) == (10, 5)


def test_no_better_model_is_no_superiority(losses_MD):
    benchmark_D = losses_MD.min(axis=0)
    found = superior_predictive_ability(losses_MD, benchmark_D, block=5)
    assert found.p_value > 0.3
    assert not len(found.superior)


def test_the_benchmark_itself_and_twins_change_nothing(losses_MD):
    benchmark_D = losses_MD[0]
    alone = superior_predictive_ability(benchmark_D[None], benchmark_D, block=5)
    assert (alone.p_value, len(alone.superior)) == (1.0, 0)
    once = superior_predictive_ability(losses_MD[1:], benchmark_D, block=5)
    with_twins = superior_predictive_ability(np.concatenate([losses_MD, losses_MD]), benchmark_D, block=5)
    assert with_twins.p_value == once.p_value
    assert with_twins.superior.tolist() == [1, 2, 11, 12]


def test_one_model_is_a_test_of_one(losses_MD):
    found = superior_predictive_ability(losses_MD[1:2], losses_MD[0], block=5)
    assert found.p_value < 0.05
    assert found.superior.tolist() == [0]


def test_a_loud_model_does_not_hide_a_quiet_good_one():
    """Differences are divided by their errors: arch alone compares plain means."""
    rng = np.random.default_rng(3)
    benchmark_D = rng.normal(size=600)
    quiet_D, loud_D = benchmark_D - 0.05 + 0.2 * rng.normal(size=600), benchmark_D + 5 * rng.normal(size=600)
    losses_MD = np.stack([quiet_D, loud_D])
    plain = SPA(benchmark_D, losses_MD.T, block_size=5, seed=0)
    plain.compute()
    assert plain.pvalues["consistent"] > 0.2
    assert superior_predictive_ability(losses_MD, benchmark_D, block=5).p_value < 0.01


def test_the_set_keeps_what_cannot_be_told_from_the_best(losses_MD):
    assert model_confidence_set(losses_MD, block=5).tolist() == [1, 2]


def test_the_set_treats_twins_alike(losses_MD):
    kept = model_confidence_set(np.concatenate([losses_MD, losses_MD]), block=5)
    assert kept.tolist() == [1, 2, 11, 12]
    assert model_confidence_set(np.tile(losses_MD[0], (4, 1)), block=5).tolist() == [0, 1, 2, 3]


def test_the_set_drops_what_is_worse_on_every_day(losses_MD):
    worse_D = losses_MD[1] + 0.001
    assert model_confidence_set(np.stack([worse_D, losses_MD[1]]), block=5).tolist() == [1]
    assert model_confidence_set(losses_MD[:1], block=5).tolist() == [0]


@pytest.mark.parametrize("shape", [(0, 600), (3, 500)])
def test_no_model_or_other_days_are_refused(shape):
    with pytest.raises(InputError, match="losses must be of at least one model on 600 days"):
        superior_predictive_ability(np.zeros(shape), np.zeros(600), block=5)
