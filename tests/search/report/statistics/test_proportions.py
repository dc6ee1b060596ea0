import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from search.evidence.bootstrap import day_counts, resampled_days
from search.report.statistics.proportions import share_intervals


@given(st.integers(1, 200), st.floats(0, 1))
def test_without_resamples_that_say_more_it_is_wilsons(total, share):
    hits = round(share * total)
    constant = np.full((3, 1), float(hits)), np.full((3, 1), float(total))
    low, high = share_intervals(np.array([float(hits)]), np.array([float(total)]), *constant)
    expected = binomtest(hits, total).proportion_ci(method="wilson")
    assert low[0] == pytest.approx(expected.low, abs=1e-9)
    assert high[0] == pytest.approx(expected.high, abs=1e-9)


def test_days_that_depend_on_each_other_widen_it():
    y = np.repeat(np.random.default_rng(0).random(20) < 0.3, 20).astype(float)
    widths = []
    for block in (1, 20):
        counts = day_counts(resampled_days(400, block=block, n_resamples=500))
        low, high = share_intervals(np.array([y.sum()]), np.array([400.0]), counts @ y[:, None], counts.sum(1)[:, None])
        widths.append(high[0] - low[0])
    assert widths[1] > 2 * widths[0]


def test_a_share_of_no_days_has_no_interval():
    nothing = np.zeros((3, 1))
    low, high = share_intervals(np.zeros(1), np.zeros(1), nothing, nothing)
    assert np.isnan(low[0]) and np.isnan(high[0])
