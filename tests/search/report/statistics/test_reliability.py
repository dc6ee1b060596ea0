import numpy as np
import pytest

from search.evidence.bootstrap import day_counts, resampled_days
from search.report.statistics.reliability import calibration_bins, reliability


@pytest.fixture(scope="module")
def said():
    rng = np.random.default_rng(1)
    p = rng.beta(2, 5, size=2000)
    return p, (rng.random(2000) < p).astype(float), day_counts(resampled_days(2000, block=1, n_resamples=300))


def test_every_day_is_in_one_bin_and_bins_ascend(said):
    p, y, counts = said
    bins = calibration_bins(y, p, counts)
    assert bins["n_days"].tolist() == [200] * 10
    assert bins["n_positive"].sum() == y.sum()
    assert bins["mean_p"].is_monotonic_increasing
    assert ((bins["low"] <= bins["observed"]) & (bins["observed"] <= bins["high"])).all()


def test_a_calibrated_model_is_within_and_a_bold_one_is_not(said):
    p, y, counts = said
    bins = calibration_bins(y, p, counts)
    assert ((bins["low"] <= bins["mean_p"]) & (bins["mean_p"] <= bins["high"])).sum() >= 9
    bold = calibration_bins(y, p**3 / (p**3 + (1 - p) ** 3), counts)
    assert ((bold["low"] <= bold["mean_p"]) & (bold["mean_p"] <= bold["high"])).sum() <= 5


def test_the_order_of_days_does_not_matter_and_equal_probabilities_share_a_bin(said):
    p, y, _ = said
    once = np.ones((1, len(y)))
    order = np.random.default_rng(2).permutation(len(y))
    coarse = np.round(p, 1)
    one, other = (calibration_bins(y[o], coarse[o], once) for o in (np.arange(len(y)), order))
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy())
    assert len(calibration_bins(y, np.full(len(y), 0.3), once)) == 1


def test_murphys_parts_make_the_brier_score_where_a_bin_says_one_probability():
    p, y = np.repeat([0.1, 0.4, 0.8], 100), np.tile([0.0, 1.0, 1.0, 0.0], 75)
    found = reliability(y, p, n_bins=3)
    assert found.brier == pytest.approx(found.reliability - found.resolution + found.base_rate_brier)
