import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import norm
from scipy.stats import t as student

from search.evidence.long_run import (
    difference_cosines,
    level_cosines,
    level_in_words,
    mean_interval,
    score_intervals,
    standard_error,
)
from search.evidence.scores import METRICS, score


@pytest.mark.lesson("L23")
@pytest.mark.parametrize(("memory", "n_cosines"), [(0.0, 3), (0.0, 12), (0.97, 3), (0.97, 7)])
def test_a_mean_of_days_that_remember_lies_in_its_interval(memory, n_cosines):
    """The interval's reach by the plain formula, and the truth held as often as is said."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        series_D = lfilter([1], [1, -memory], rng.normal(size=2500))[500:]
        found = mean_interval(series_D, n_cosines)
        held += found.low <= 0 <= found.high
    reach = student.ppf(0.975, n_cosines) * standard_error(series_D, n_cosines)
    assert (found.high - found.low) / 2 == pytest.approx(reach)
    assert 0.92 <= held / 400 <= 0.98


@given(st.integers(0, 100), st.floats(-5, 5), st.floats(0.1, 9))
@settings(max_examples=20)
def test_an_error_does_not_move_with_the_level_and_grows_with_the_scale(seed, level, scale):
    series_D = np.random.default_rng(seed).normal(size=300)
    assert standard_error(level + scale * series_D, 5) == pytest.approx(scale * standard_error(series_D, 5))
    assert standard_error(series_D[::-1], 5) == pytest.approx(standard_error(series_D, 5))


@given(st.integers(20, 6000), st.integers(1, 60))
def test_more_days_take_more_cosines_and_none_turns_within_two_horizons(n_days, horizon):
    n_cosines = difference_cosines(n_days, horizon)
    assert 2 <= n_cosines <= difference_cosines(n_days) <= difference_cosines(n_days + 500)
    assert n_cosines == 2 or n_days / n_cosines >= 2 * horizon
    assert 3 <= level_cosines(n_days) <= level_cosines(n_days + 500)
    assert f"by {level_cosines(n_days)} cosines" in level_in_words(n_days)


@pytest.mark.lesson("L23")
def test_intervals_cover_a_known_auc():
    """Two normal populations a known distance apart: the AUC is known exactly."""
    truth, held = norm.cdf(0.9 / math.sqrt(2)), 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        y_D = (rng.random(500) < 0.25).astype(float)
        found = score_intervals(y_D, norm.cdf(rng.normal(size=500) + 0.9 * y_D))["roc_auc"]
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 300 <= 0.98


@pytest.mark.lesson("L50")
@given(st.integers(0, 20), st.booleans(), st.integers(0, 100))
def test_below_ten_days_of_a_class_there_are_figures_and_no_intervals(n_few, few_are_positive, seed):
    rng = np.random.default_rng(seed)
    y_D = np.full(300, float(not few_are_positive))
    y_D[rng.choice(300, n_few, replace=False)] = float(few_are_positive)
    found = score_intervals(y_D, rng.uniform(0.1, 0.3, 300))
    assert math.isnan(found["roc_auc"].value) == (n_few == 0) and math.isfinite(found["loss"].value)
    for interval in found.values():
        assert math.isnan(interval.low) == math.isnan(interval.high) == (n_few < 10)


@pytest.mark.lesson("L50")
def test_what_ten_days_of_a_class_are_worth():
    """An AUC of few positive days on independent days: with ten most intervals hold it, with two they would not."""
    truth = norm.cdf(1.2 / math.sqrt(2))
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        y_D = np.zeros(502)
        y_D[rng.choice(502, 10, replace=False)] = 1
        found = score_intervals(y_D, norm.cdf(rng.normal(size=502) + 1.2 * y_D))["roc_auc"]
        held += found.low <= truth <= found.high
    assert held / 300 >= 0.88


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_scores_stay_in_their_range_and_inside_their_interval(seed):
    rng = np.random.default_rng(seed)
    y_D = np.repeat([0.0, 1.0], [40, 12])
    found = score_intervals(y_D, np.clip(0.2 + 0.7 * y_D + rng.normal(0, rng.uniform(0, 0.4), 52), 0.001, 0.999))
    assert set(found) == set(METRICS)
    for metric, each in found.items():
        assert 0 <= each.low <= each.value <= each.high
        assert each.high <= 1 or metric != "roc_auc"


@pytest.mark.lesson("L23")
def test_a_model_and_its_mirror_image_have_mirrored_intervals():
    rng = np.random.default_rng(3)
    y_D, p_D = (rng.random(400) < 0.3) * 1.0, rng.random(400)
    there, back = score_intervals(y_D, p_D)["roc_auc"], score_intervals(y_D, 1 - p_D)["roc_auc"]
    assert (back.value, back.low, back.high) == pytest.approx((1 - there.value, 1 - there.high, 1 - there.low))
    assert there.value == score("roc_auc", y_D, p_D)
