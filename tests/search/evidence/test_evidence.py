"""What noise, and what a planted edge, come out as when the whole of the evidence is applied to them."""

import numpy as np
import pytest

from search.evidence import (
    block_length,
    paired_difference,
    probability_of_overfitting,
    selection_corrected,
    superior_predictive_ability,
)
from search.evidence.scores import daily_losses, score

SEEDS = 100


def evidence(y_D, p_MD, n_resamples):
    losses_MD = daily_losses(y_D, p_MD)
    benchmark_D = daily_losses(y_D, np.full(len(y_D), y_D.mean()))
    block = block_length(losses_MD.mean(axis=0) - benchmark_D, 1)
    tested = superior_predictive_ability(losses_MD, benchmark_D, block=block, n_resamples=n_resamples)
    chosen = selection_corrected(y_D, p_MD, block=block, n_resamples=n_resamples)
    return tested, chosen, probability_of_overfitting(losses_MD, horizon=1)


@pytest.mark.lesson("L23")
@pytest.mark.slow
def test_the_best_of_fifty_that_know_nothing_is_nothing(market, noise):
    found = [evidence(market(seed)[0], noise(seed), n_resamples=150) for seed in range(SEEDS)]
    raw, corrected, expected = (
        np.mean([getattr(chosen, name) for _, chosen, _ in found]) for name in ("raw", "corrected", "null_maximum")
    )
    assert sum(tested.p_value > 0.05 for tested, _, _ in found) >= 90
    assert raw == pytest.approx(0.61, abs=0.02)
    assert corrected == pytest.approx(0.5, abs=0.02)
    assert expected == pytest.approx(raw, abs=0.01)
    assert 0.3 < np.mean([overfit for _, _, overfit in found]) < 0.6
    assert np.mean([chosen.corrected_low <= 0.5 <= chosen.corrected_high for _, chosen, _ in found]) >= 0.85


@pytest.mark.lesson("L23")
def test_a_planted_edge_is_found(market, noise):
    y_D, driver_D = market(5)
    p_MD = noise(5, spread=0.3)
    p_MD[17] = 1 / (1 + np.exp(1.64 - 0.8 * driver_D))
    tested, chosen, overfit = evidence(y_D, p_MD, n_resamples=500)
    assert tested.p_value < 0.05
    assert 17 in tested.superior
    y_long_D, driver_long_D = market(6, n_days=200_000)
    truth = score("roc_auc", y_long_D, driver_long_D)
    assert chosen.corrected_low <= truth <= chosen.corrected_high
    assert chosen.null_p_value < 0.05
    assert overfit < 0.1
    better = paired_difference(y_D, p_MD[17], p_MD[0], horizon=1)
    assert better.p_value < 0.05 and better.high < 0
