import numpy as np
import pandas as pd
import pytest

from search.evidence import draw_days
from search.evidence.bootstrap import day_counts
from search.report.statistics.distribution import (
    THRESHOLDS,
    calibration_over_thresholds,
    horizon_scores,
    horizons_of,
    uniformity,
)

DATES = pd.bdate_range("2015-01-01", periods=500)


def counts(horizon=1, n=200):
    return day_counts(draw_days((np.arange(500) % 4 == 0) * 1.0, horizon, n_resamples=n)[1])


def test_true_distributions_are_calibrated_at_every_threshold(make_distribution):
    asked = horizons_of(make_distribution(DATES))[1]
    found = calibration_over_thresholds(asked, counts(), 0.0125)
    assert found["threshold"].tolist() == sorted([*THRESHOLDS, 0.0125])
    assert found.loc[found["asked"], "threshold"].tolist() == [0.0125]
    many = horizons_of(make_distribution(pd.bdate_range("1990-01-01", periods=8000)))[1]
    far = calibration_over_thresholds(many, np.ones((5, 8000)), 0.0125)
    assert np.allclose(far["mean_p"], far["share"], atol=0.02)
    assert found["mean_p"].between(found["low"], found["high"]).sum() >= 4
    assert found["mean_p"].is_monotonic_decreasing and found["n_reached"].is_monotonic_decreasing


def test_a_model_that_says_too_little_is_found_at_high_thresholds(make_distribution):
    asked = horizons_of(make_distribution(DATES, stretch=1.6))[1]
    found = calibration_over_thresholds(asked, counts(), 0.01)
    assert (found["mean_p"] < found["low"])[found["threshold"].between(0.01, 0.02)].all()


@pytest.mark.lesson("L50")
def test_fewer_than_ten_days_of_a_class_carry_no_interval(make_distribution):
    asked = horizons_of(make_distribution(DATES))[1]
    found = calibration_over_thresholds(asked, counts(), 0.15)
    few = found[np.minimum(found["n_reached"], 500 - found["n_reached"]) < 10]
    assert len(few) and few["low"].isna().all() and few["high"].isna().all()
    assert found.drop(few.index)["low"].notna().all()


@pytest.mark.parametrize("horizon", [1, 5])
def test_uniform_transforms_are_rarely_called_deviant_and_others_always(horizon):
    rng = np.random.default_rng(0)
    found = [uniformity(rng.random(500), horizon, n_simulated=200) for _ in range(20)]
    assert sum(each.holds for each in found) >= 17
    assert not uniformity(rng.random(500) ** 2, horizon).holds
    bins = found[0].bins
    assert (
        bins["share"].sum() == pytest.approx(1) and (bins["band_low"] < 0.1).all() and (bins["band_high"] > 0.1).all()
    )


def test_days_that_overlap_are_allowed_to_deviate_more():
    pit = np.random.default_rng(0).random(500)
    one, five = uniformity(pit, 1), uniformity(pit, 5)
    assert one.deviation == five.deviation and five.limit > 1.4 * one.limit


def test_what_came_is_uniform_in_its_own_distribution(make_distribution):
    for horizon, each in horizons_of(make_distribution(DATES)).items():
        assert uniformity(each.integral_transform, 1).deviation < 0.08, horizon


def test_days_whose_outcome_is_not_known_are_left_out(make_distribution):
    table = make_distribution(DATES)
    table.loc[(table["horizon"] == 5) & (table["date"] >= DATES[-4]), "reach"] = np.nan
    table.loc[(table["horizon"] == 3) & (table["date"] >= DATES[150]), "reach"] = np.nan
    found = horizons_of(table)
    assert {horizon: len(each.table) for horizon, each in found.items()} == {1: 500, 2: 500, 5: 496}
    whole = horizons_of(make_distribution(DATES))[5]
    assert np.array_equal(found[5].integral_transform, whole.integral_transform[:496])
    assert np.array_equal(found[5].rises()["q50"], whole.rises()["q50"][:496])


def test_scores_are_means_of_the_days_beside_the_climatology_s(make_distribution):
    asked = horizons_of(make_distribution(DATES))[2]
    found = horizon_scores(asked, 0.01, uniformity(asked.integral_transform, 2))
    assert found.crps == pytest.approx(asked.table["crps"].mean())
    assert found.less.value == pytest.approx(found.crps - found.crps_climatology)
    assert found.less.low < found.less.value < found.less.high < 0
    y, p = asked.reached(0.01), asked.probability(0.01)
    assert found.log_loss == pytest.approx(-np.where(y == 1, np.log(p), np.log(1 - p)).mean())
    assert found.log_loss < found.base_rate_loss and found.n_reached == y.sum()
