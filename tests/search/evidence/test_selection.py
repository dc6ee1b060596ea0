import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from pipeline.exceptions import InputError
from search.evidence.scores import METRICS, score
from search.evidence.selection import days_apart, independent_draws, null_best, selection_corrected, shift_p_value


@pytest.fixture
def edge():
    """Independent days; the first of 20 models has a known AUC, the others know nothing."""

    def make(seed, distance=0.9):
        rng = np.random.default_rng(seed)
        y_D = (rng.random(500) < 0.25).astype(float)
        z_MD = rng.normal(size=(20, 500))
        z_MD[0] += distance * y_D
        return y_D, norm.cdf(z_MD), norm.cdf(distance / math.sqrt(2))

    return make


@pytest.mark.lesson("L23")
def test_a_planted_edge_is_held_and_its_interval_covers_it(edge):
    found = [(selection_corrected(*edge(seed)[:2], block=1, n_resamples=100), edge(seed)[2]) for seed in range(20)]
    assert sum(each.corrected_low <= truth <= each.corrected_high for each, truth in found) >= 16
    assert np.mean([each.corrected - truth for each, truth in found]) == pytest.approx(0, abs=0.02)
    assert all(each.null_p_value < 0.05 for each, _ in found)


@pytest.mark.lesson("L23")
def test_what_knows_nothing_is_worth_nothing(edge):
    found = [selection_corrected(*edge(seed, distance=0.0)[:2], block=1, n_resamples=100) for seed in range(20)]
    assert np.mean([each.raw for each in found]) > 0.55
    assert np.mean([each.corrected for each in found]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.lesson("L23")
@pytest.mark.parametrize("metric", METRICS)
def test_raw_and_corrected_stand_side_by_side(edge, metric):
    y_D, p_MD, _ = edge(0)
    found = selection_corrected(y_D, p_MD, block=1, metric=metric, n_resamples=200)
    scores = [score(metric, y_D, p_D) for p_D in p_MD]
    assert found.raw == (max(scores) if metric == "roc_auc" else min(scores))
    assert found.corrected_low < found.corrected < found.corrected_high
    assert (found.n_models, found.n_days, found.metric) == (20, 500, metric)


def test_one_model_or_equal_ones_are_not_corrected_by_more_than_the_days_outside(edge):
    y_D, p_MD, _ = edge(3)
    alone = selection_corrected(y_D, p_MD[:1], block=1, n_resamples=400)
    twins = selection_corrected(y_D, np.tile(p_MD[0], (5, 1)), block=1, n_resamples=400)
    assert alone.corrected == pytest.approx(alone.raw, abs=0.01)
    assert (twins.raw, twins.corrected, twins.null_p_value) == (alone.raw, alone.corrected, alone.null_p_value)


def test_blocks_are_two_months_or_a_tenth_of_the_days_or_what_was_asked(edge):
    y_D, p_MD, _ = edge(0)
    assert selection_corrected(y_D, p_MD, block=5, n_resamples=20).block == 40
    assert selection_corrected(y_D, p_MD, block=60, n_resamples=20).block == 60
    assert selection_corrected(y_D[:250], p_MD[:, :250], block=5, n_resamples=20).block == 25


def test_days_outside_keep_their_distance():
    rng = np.random.default_rng(0)
    counts_RD = (rng.random((30, 200)) < 0.05).astype(float)
    apart_RD = days_apart(counts_RD, 4)
    for counts_D, apart_D in zip(counts_RD, apart_RD, strict=True):
        drawn = np.flatnonzero(counts_D)
        assert apart_D.tolist() == [float(np.abs(drawn - day).min() > 4) for day in range(200)]


@pytest.mark.parametrize("metric", METRICS)
def test_the_null_is_the_best_score_against_shifted_outcomes(edge, metric):
    y_D, p_MD, _ = edge(1)
    found_S = null_best(metric, y_D, p_MD, block=250, n_shifts=10)
    best = max if metric == "roc_auc" else min
    (expected,) = {best(score(metric, np.roll(y_D, shift), p_D) for p_D in p_MD) for shift in (125,)}
    assert found_S[0] == pytest.approx(expected)
    assert metric != "roc_auc" or expected == pytest.approx(max(roc_auc_score(np.roll(y_D, 125), p) for p in p_MD))


def test_days_of_one_class_are_undefined(edge):
    _, p_MD, _ = edge(0)
    found = selection_corrected(np.zeros(500), p_MD, block=5, n_resamples=20)
    assert all(math.isnan(each) for each in (found.raw, found.corrected, found.null_maximum, found.null_p_value))


@pytest.mark.parametrize("shape", [(0, 500), (3, 400)])
def test_no_model_or_other_days_are_refused(shape):
    with pytest.raises(InputError, match="probabilities must be of at least one model on 500 days"):
        selection_corrected(np.zeros(500), np.zeros(shape), block=5)


@pytest.mark.parametrize("memory", [0.0, 0.8, 0.95])
def test_a_series_that_remembers_is_worth_the_fewer_draws_that_its_mean_says(memory):
    n, noise = 2000, np.random.default_rng(1).normal(size=(20, 2300))
    series = lfilter([1], [1, -memory], noise, axis=1)[:, 300:]
    expected = n * (1 - memory) / (1 + memory)
    assert np.median([independent_draws(each) for each in series]) == pytest.approx(expected, rel=0.25)


def test_a_constant_series_is_one_draw():
    assert independent_draws(np.ones(50)) == 1
    assert shift_p_value(np.ones(50), 1.0, 1) == 1.0


@pytest.mark.lesson("L23")
def test_shifts_of_what_persists_resolve_no_small_p_value(market, noise):
    y_D, driver_D = market(5)
    p_MD = noise(5, memory=0.98)
    p_MD[17] = driver_D - driver_D.min()
    found = selection_corrected(y_D, p_MD / p_MD.max(), block=20)
    assert found.n_shifts > 400 > 80 > found.n_independent
    assert found.null_p_value >= found.smallest_p_value == 1 / (1 + found.n_independent) > 0.01


@pytest.mark.slow
@pytest.mark.lesson("L23")
def test_luck_that_persists_is_rarely_called_more(market, noise):
    found = [
        selection_corrected(market(seed)[0], noise(seed, memory=0.98), block=20, n_resamples=400) for seed in range(60)
    ]
    assert sum(each.null_p_value <= 0.05 for each in found) <= 4
