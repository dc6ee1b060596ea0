import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from pipeline.exceptions import InputError
from search.evidence.bootstrap import block_length, day_counts, draw_days, metric_intervals, resampled_days
from search.evidence.scores import METRICS


@pytest.mark.lesson("L23")
@given(st.integers(1, 60), st.integers(0, 1000), st.floats(0, 0.99))
@settings(max_examples=60)
def test_a_block_is_never_shorter_than_the_horizon(horizon, seed, memory):
    rng = np.random.default_rng(seed)
    series_D = rng.normal(size=250) + memory * np.sin(np.arange(250) / 20)
    assert horizon <= block_length(series_D, horizon) < 250


def test_a_series_that_remembers_longer_has_longer_blocks():
    rng = np.random.default_rng(1)
    white_D, walk_D = rng.normal(size=2000), np.cumsum(rng.normal(size=2000))
    assert block_length(white_D, 1) == 21
    assert block_length(walk_D, 1) > 2 * 21


@pytest.mark.parametrize(("horizon", "n_days"), [(0, 300), (300, 300), (-1, 300)])
def test_a_horizon_that_does_not_fit_is_refused(horizon, n_days):
    with pytest.raises(InputError, match="horizon must be at least 1 and shorter"):
        block_length(np.arange(float(n_days)), horizon)


@pytest.mark.parametrize("block", [0, 301])
def test_a_block_that_does_not_fit_is_refused(block):
    with pytest.raises(InputError, match="block must be between 1 and the number of days, 300"):
        resampled_days(300, block=block)


def test_resamples_are_seeded_and_come_in_blocks():
    days_RD = resampled_days(400, block=20, n_resamples=100, seed=3)
    assert days_RD.shape == (100, 400)
    assert np.array_equal(days_RD, resampled_days(400, block=20, n_resamples=100, seed=3))
    assert not np.array_equal(days_RD, resampled_days(400, block=20, n_resamples=100, seed=4))
    broken = (np.diff(days_RD, axis=1) % 400 != 1).mean()
    assert broken == pytest.approx(1 / 20, rel=0.1)


def test_counts_are_of_the_days_drawn():
    counts_RD = day_counts(np.array([[0, 0, 2], [1, 2, 0]]))
    assert counts_RD.tolist() == [[2, 0, 1], [1, 1, 1]]


@pytest.mark.lesson("L23")
def test_intervals_cover_a_known_auc():
    """Two normal populations a known distance apart: the AUC is known exactly."""
    truth = norm.cdf(0.9 / math.sqrt(2))
    held = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        y_D = (rng.random(500) < 0.25).astype(float)
        p_D = norm.cdf(rng.normal(size=500) + 0.9 * y_D)
        found = metric_intervals(y_D, p_D, resampled_days(500, block=5, n_resamples=200, seed=seed))["roc_auc"]
        held += found.low <= truth <= found.high
    assert 0.89 <= held / 150 <= 0.99


@pytest.mark.lesson("L50")
@given(st.integers(0, 20), st.booleans(), st.integers(0, 100))
def test_below_ten_days_of_a_class_there_are_figures_and_no_intervals(n_few, few_are_positive, seed):
    rng = np.random.default_rng(seed)
    y_D = np.full(300, float(not few_are_positive))
    y_D[rng.choice(300, n_few, replace=False)] = float(few_are_positive)
    found = metric_intervals(y_D, rng.uniform(0.1, 0.3, 300), resampled_days(300, block=5, n_resamples=50))
    assert math.isnan(found["roc_auc"].value) == (n_few == 0) and math.isfinite(found["loss"].value)
    for interval in found.values():
        assert math.isnan(interval.low) == math.isnan(interval.high) == (n_few < 10)


@given(st.integers(0, 1000), st.integers(1, 10))
@settings(max_examples=20)
def test_days_are_drawn_by_outcomes_and_horizon_alone(seed, horizon):
    y_D = (np.random.default_rng(seed).random(300) < 0.3).astype(float)
    block, days_RD = draw_days(y_D, horizon, n_resamples=3)
    assert block == block_length(y_D, horizon)
    assert np.array_equal(days_RD, draw_days(y_D.copy(), horizon, n_resamples=3)[1])


def test_a_resample_of_one_class_is_left_out():
    y_D = np.zeros(300)
    y_D[140:150] = 1
    found = metric_intervals(y_D, np.linspace(0, 1, 300), resampled_days(300, block=5, n_resamples=200))
    assert set(found) == set(METRICS)
    assert 0 <= found["roc_auc"].low <= found["roc_auc"].high <= 1
