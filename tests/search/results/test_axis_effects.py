import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kruskal

from search.results.axis_effects import DECIDES, MIN_TRIALS, NOTHING, UNKNOWN, axis_effect
from search.results.seed_noise import SeedNoise

SEEDS = SeedNoise(deviation=0.002, source="6 trials that differ in the seed alone")


def losses_of(values, effect, n=48, seed=0, noise=0.005):
    values_M = np.resize(values, n)
    return values_M, 0.45 + effect * np.log2(values_M) + noise * np.random.default_rng(seed).normal(size=n)


@pytest.mark.lesson("L48")
def test_an_axis_that_changes_nothing_says_so_and_one_that_does_decides():
    nothing, something = (axis_effect("n_heads", *losses_of([2, 4, 8, 16], effect)) for effect in (0.0, 0.01))
    assert (nothing.verdict, something.verdict) == (NOTHING, DECIDES)
    assert nothing.words.startswith("nothing beyond noise: medians of 4 values differ by 0.00")
    assert something.words.startswith("decides: medians of 4 values differ by 0.03")
    assert something.p_value < 0.01 < 0.05 < nothing.p_value
    assert nothing.scatter == pytest.approx(0.005, rel=0.4)


@pytest.mark.lesson("L48")
def test_a_sure_difference_smaller_than_a_seed_makes_decides_nothing():
    values, losses = losses_of([2, 4], 0.001, noise=0.0001)
    assert axis_effect("n_heads", values, losses).verdict == DECIDES
    found = axis_effect("n_heads", values, losses, SEEDS)
    assert found.verdict == NOTHING and found.p_value < 0.01
    assert found.words.startswith("nothing beyond seed noise") and "seeds alone by 0.0020 (6 trials" in found.words


@pytest.mark.lesson("L3")
@given(st.lists(st.tuples(st.sampled_from([2, 4, 8]), st.floats(0.3, 0.7)), min_size=1, max_size=MIN_TRIALS - 1))
@settings(max_examples=30, deadline=None)
def test_too_few_trials_are_unknown_and_never_nothing(trials):
    found = axis_effect("n_layers", *zip(*trials, strict=True))
    assert found.verdict == UNKNOWN and found.words.startswith("unknown") and found.p_value is None


def test_many_trials_at_values_tried_once_or_all_at_one_are_unknown_too():
    once = axis_effect("d_ff", np.arange(1, 31), np.linspace(0.4, 0.5, 30))
    lonely = axis_effect("d_ff", [2.0] * 30 + [4.0], np.linspace(0.4, 0.5, 31))
    one = axis_effect("d_ff", [2.0] * 30, np.linspace(0.4, 0.5, 30))
    assert "0 at values tried 3 times or more, at least 20 are needed" in once.words
    assert lonely.words.endswith("all at one value") and one.words == "unknown, one value tried: 2"


def test_equal_losses_are_nothing():
    found = axis_effect("n_heads", [2, 4] * 12, [0.45] * 24)
    assert (found.verdict, found.spread, found.p_value) == (NOTHING, 0.0, 1.0)


def test_shuffles_find_the_p_value_of_the_test_by_its_formula():
    for seed in range(3):
        values, losses = losses_of([2, 4, 8], 0.001, n=60, seed=seed)
        losses = losses.round(3)
        expected = kruskal(*(losses[values == v] for v in (2, 4, 8))).pvalue
        assert axis_effect("n_heads", values, losses).p_value == pytest.approx(expected, abs=0.03)


def test_pure_noise_rarely_decides():
    found = [axis_effect("n_heads", *losses_of([2, 4, 8], 0.0, n=24, seed=seed)).verdict for seed in range(100)]
    assert found.count(DECIDES) <= 12


def test_the_order_of_trials_does_not_matter_to_the_verdict():
    values, losses = losses_of([2, 4, 8], 0.002)
    order = np.random.default_rng(1).permutation(len(values))
    one, other = axis_effect("a", values, losses), axis_effect("a", values[order], losses[order])
    assert (one.spread, one.scatter) == (other.spread, pytest.approx(other.scatter))
    assert one.p_value == pytest.approx(other.p_value, abs=0.03)
