import numpy as np
import pytest

from search.evidence.bootstrap import day_counts, resampled_days
from search.report.statistics.shape import retrial_deviation, shape_effect


@pytest.fixture(scope="module")
def counts():
    return day_counts(resampled_days(300, block=2, n_resamples=400))


def losses(values, shift, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=300)
    return np.stack([0.4 + common + 0.1 * rng.normal(size=300) + shift(v) for v in values])


VALUES = [1, 1, 2, 2, 4, 4]
NAMES = [f"trial {number}" for number in range(6)]


def test_equal_shapes_differ_by_noise_and_a_planted_difference_is_larger(counts):
    same = [shape_effect(VALUES, losses(VALUES, lambda v: 0.0, seed), NAMES, counts) for seed in range(40)]
    assert sum(effect.is_larger_than_noise for effect in same) <= 8
    planted = shape_effect(VALUES, losses(VALUES, lambda v: 0.05 * (v == 4)), NAMES, counts)
    assert planted.is_larger_than_noise
    assert planted.table["difference"].iloc[-1] == planted.spread
    assert planted.table.set_index("value").loc[4, "low"] > 0


def test_the_best_trial_stands_for_its_value(counts):
    found = shape_effect(VALUES, losses(VALUES, float), NAMES, counts).table
    means = losses(VALUES, float).mean(axis=1)
    assert found["loss"].tolist() == pytest.approx([means[:2].min(), means[2:4].min(), means[4:].min()])
    assert found["n_trials"].tolist() == [2, 2, 2]
    assert found["difference"].min() == 0


@pytest.mark.lesson("L23")
def test_the_smallest_detectable_difference_stands_beside_each(counts):
    found = shape_effect(VALUES, losses(VALUES, float), NAMES, counts).table
    compared = found[found["difference"] > 0]
    np.testing.assert_allclose(compared["detectable"], (compared["high"] - compared["low"]) / 3.92 * 2.80, rtol=0.2)


def test_one_value_is_no_comparison(counts):
    assert shape_effect([1, 1], losses([1, 1], float), NAMES[:2], counts) is None
    assert retrial_deviation(["a", "b"], [0.1, 0.2]) is None
