import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from pipeline.exceptions import InputError
from search.evidence.difference import errors_to_detect, paired_difference
from search.evidence.long_run import difference_cosines
from search.evidence.scores import METRICS, daily_losses, score


def models(seed, n_days=500, skill=1.0):
    """Outcomes, a model that knows something of them, and one that knows less."""
    rng = np.random.default_rng(seed)
    z_D = rng.normal(size=n_days)
    y_D = (rng.random(n_days) < 1 / (1 + np.exp(1.4 - skill * z_D))).astype(float)
    return y_D, 1 / (1 + np.exp(1.4 - skill * z_D)), 1 / (1 + np.exp(1.4 - 0.3 * rng.normal(size=n_days)))


@pytest.mark.lesson("L23")
def test_interval_p_value_and_smallest_difference_stand_beside_every_comparison():
    y_D, good_D, poor_D = models(0)
    for metric in METRICS:
        found = paired_difference(y_D, good_D, poor_D, horizon=1, metric=metric)
        assert found.value == pytest.approx(score(metric, y_D, good_D) - score(metric, y_D, poor_D))
        assert found.low < found.value < found.high
        assert found.detectable > 0
        assert found.p_value < 0.01
        assert all(np.isfinite(each) for each in dataclasses.astuple(found)[1:])


@given(st.integers(0, 100), st.sampled_from(METRICS), st.integers(1, 30))
@settings(max_examples=10)
def test_a_model_does_not_differ_from_itself(seed, metric, horizon):
    y_D, p_D, _ = models(seed, n_days=250)
    found = paired_difference(y_D, p_D, p_D.copy(), horizon=horizon, metric=metric)
    assert (found.value, found.low, found.high, found.p_value, found.detectable) == (0, 0, 0, 1, 0)
    assert found.block >= horizon


@pytest.mark.parametrize("metric", METRICS)
def test_the_other_way_round_is_the_opposite(metric):
    y_D, good_D, poor_D = models(1)
    there = paired_difference(y_D, good_D, poor_D, horizon=1, metric=metric)
    back = paired_difference(y_D, poor_D, good_D, horizon=1, metric=metric)
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))
    assert back.detectable == pytest.approx(there.detectable)
    assert there.p_value < 0.05 < 0.9 < back.p_value


@pytest.mark.slow
@pytest.mark.lesson("L23")
@pytest.mark.parametrize("metric", METRICS)
def test_more_days_show_smaller_differences(metric):
    few, more = (
        [paired_difference(*models(seed, n_days=n), horizon=1, metric=metric) for seed in range(2, 7)]
        for n in (500, 4000)
    )
    assert np.mean([each.detectable for each in more]) < np.mean([each.detectable for each in few]) / 2
    assert {(one.n_days, other.n_days) for one, other in zip(few, more, strict=True)} == {(500, 4000)}


@pytest.mark.lesson("L23")
def test_the_smallest_difference_is_shown_four_times_in_five():
    """Independent days: shift a model's loss by what was called detectable and count how often it is seen."""
    seen, planned = 0, []
    for seed in range(120):
        y_D, good_D, poor_D = models(seed, n_days=400, skill=0.5)
        found = paired_difference(y_D, good_D, poor_D, horizon=1)
        planned.append(found.detectable)
    errors = np.array(planned) / errors_to_detect(difference_cosines(400))
    y_D, good_D, poor_D = models(0, n_days=400_000, skill=0.5)
    gap_D = daily_losses(y_D, good_D) - daily_losses(y_D, poor_D)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(gap_D.std() / 20, rel=0.1)
    rng = np.random.default_rng(0)
    means = rng.choice(gap_D - gap_D.mean(), (4000, 400)).mean(axis=1) + np.mean(planned)
    # Student's t: what is seen is divided by an error that is estimated too
    estimated = gap_D.std() / 20 * np.sqrt(rng.chisquare(difference_cosines(400), 4000) / difference_cosines(400))
    seen = np.mean(means / estimated > student.ppf(0.975, difference_cosines(400)))
    assert 0.7 <= seen <= 0.9


def test_other_days_are_refused():
    with pytest.raises(InputError, match="both models on the same days, got 3 outcomes, 3 and 2 probabilities"):
        paired_difference(np.ones(3), np.ones(3), np.ones(2), horizon=1)


@pytest.mark.lesson("L50")
@pytest.mark.parametrize(("n_few", "known"), [(0, False), (2, False), (9, False), (10, True)])
@pytest.mark.parametrize("metric", ["loss", "roc_auc"])
def test_below_ten_days_of_a_class_there_is_a_difference_and_nothing_else(n_few, known, metric):
    rng = np.random.default_rng(0)
    y_D = np.zeros(300)
    y_D[rng.choice(300, n_few, replace=False)] = 1
    for outcomes_D in (y_D, 1 - y_D):
        found = paired_difference(outcomes_D, *rng.uniform(0.1, 0.9, (2, 300)), horizon=1, metric=metric)
        assert np.isfinite(found.value) == (n_few > 0 or metric == "loss")
        for figure in (found.low, found.high, found.p_value, found.detectable):
            assert np.isfinite(figure) == known
