from itertools import combinations

import numpy as np
import pytest

from pipeline.exceptions import InputError
from search.evidence.overfitting import probability_of_overfitting


def plain(losses_MD, n_blocks):
    """The definition, way by way."""
    blocks = np.array_split(np.arange(losses_MD.shape[1]), n_blocks)
    below = []
    for half in combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[i] for i in half])
        outside = np.setdiff1d(np.arange(losses_MD.shape[1]), inside)
        best = losses_MD[:, inside].mean(axis=1).argmin()
        means_M = losses_MD[:, outside].mean(axis=1)
        better, worse = (means_M < means_M[best]).sum(), (means_M > means_M[best]).sum()
        below.append(1.0 if better > worse else 0.5 if better == worse else 0.0)
    return float(np.mean(below))


@pytest.mark.parametrize("n_models", [2, 5, 8])
def test_it_is_the_definition(n_models):
    losses_MD = np.random.default_rng(n_models).normal(size=(n_models, 203))
    assert probability_of_overfitting(losses_MD, horizon=1, n_blocks=6) == pytest.approx(plain(losses_MD, 6))


@pytest.mark.slow
@pytest.mark.lesson("L23")
def test_noise_gives_a_half_and_an_edge_little():
    found = [
        probability_of_overfitting(np.random.default_rng(seed).normal(size=(50, 502)), horizon=1) for seed in range(30)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)
    edge_MD = np.random.default_rng(0).normal(size=(50, 502))
    edge_MD[7] -= 0.3
    assert probability_of_overfitting(edge_MD, horizon=1) < 0.05


def test_equal_models_give_a_half_and_one_model_nothing():
    losses_D = np.random.default_rng(0).normal(size=502)
    assert probability_of_overfitting(np.tile(losses_D, (4, 1)), horizon=1) == 0.5
    assert np.isnan(probability_of_overfitting(losses_D[None], horizon=1))


def test_blocks_shorter_than_the_horizon_are_refused():
    losses_MD = np.zeros((3, 320))
    probability_of_overfitting(losses_MD, horizon=20)
    with pytest.raises(InputError, match="at least as long as the horizon of 21, got 16 blocks of 320 days, 20 each"):
        probability_of_overfitting(losses_MD, horizon=21)


@pytest.mark.parametrize("n_blocks", [0, 7])
def test_blocks_must_be_even(n_blocks):
    with pytest.raises(InputError, match="n_blocks must be an even number"):
        probability_of_overfitting(np.zeros((3, 320)), horizon=1, n_blocks=n_blocks)
