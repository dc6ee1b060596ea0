import numpy as np
import pytest
from scipy.stats import t as student

from search.evidence.bootstrap import percentile_interval
from search.scaling.intervals import detectable, expanded_interval

DRAWN = np.random.default_rng(0).normal(size=40_000)


def test_many_trials_make_it_the_percentile_interval():
    wide, plain = expanded_interval(0.0, DRAWN, 100_000), percentile_interval(0.0, DRAWN)
    assert (wide.low, wide.high) == pytest.approx((plain.low, plain.high), abs=0.02)


@pytest.mark.lesson("L23")
def test_few_trials_make_it_a_t_interval():
    found = expanded_interval(0.0, DRAWN, 8)
    assert found.high == pytest.approx(student.ppf(0.975, 7) * np.sqrt(8 / 7), rel=0.03)


def test_a_real_difference_of_the_detectable_size_is_found_in_four_of_five():
    random = np.random.default_rng(1)
    difference = detectable(DRAWN, 10_000)
    assert np.mean(difference + random.normal(size=20_000) > 1.96) == pytest.approx(0.8, abs=0.01)
