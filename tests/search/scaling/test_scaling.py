from dataclasses import replace

import numpy as np
import pytest

from search.scaling.curves import CONSTANT, LINE, POWER_LAW, U_SHAPE
from search.scaling.result import BENDS, FALLS, NONE_FOUND, RISES, UNKNOWN
from search.scaling.scaling import scaling_of_points
from search.scaling.verdict import verdict_of

TRUTH = {"floor": 0.4, "gain": 2.0, "alpha": 0.3}
FOUR, THREE = [1e4, 1e5, 1e6, 1e7], [5e4, 2e5, 2e6]


def found(points, **changed):
    return scaling_of_points(points, **{"horizon": 1, "n_resamples": 300, **changed})


@pytest.mark.slow
@pytest.mark.lesson("L23")
def test_intervals_cover_the_truth_in_90_to_99_of_100_studies(simulated):
    studies = [found(simulated(seed, sizes=FOUR, **TRUTH), seed=seed) for seed in range(200)]
    for name, truth in TRUTH.items():
        intervals = [getattr(study, name) for study in studies]
        covered = np.mean([each.low <= truth <= each.high for each in intervals])
        print(f"{name}: {covered:.1%} of 200 intervals cover {truth}")
        assert 0.90 <= covered <= 0.99
        assert np.median([each.value for each in intervals]) == pytest.approx(truth, rel=0.15)
    assert all(study.finding == FALLS for study in studies)
    assert np.mean([study.chosen == POWER_LAW for study in studies]) > 0.95


@pytest.mark.slow
@pytest.mark.lesson("L23")
@pytest.mark.parametrize("size_sd", [0.02, 0.1])
def test_noise_is_not_announced_as_scaling(simulated, size_sd):
    points = [simulated(1000 + s, sizes=THREE, trials=8, trial_sd=0.002, size_sd=size_sd) for s in range(200)]
    findings = [found(each, n_resamples=200, seed=seed).finding for seed, each in enumerate(points)]
    print(f"size_sd {size_sd}: { ({f: findings.count(f) for f in set(findings)}) }")
    assert np.mean([finding != NONE_FOUND for finding in findings]) <= 0.07


@pytest.mark.slow
@pytest.mark.lesson("L23")
def test_what_days_do_to_all_trials_of_a_size_is_not_taken_for_an_effect_of_size(simulated):
    points = [simulated(seed, sizes=FOUR, trials=30, trial_sd=0.001, size_sd=0.3) for seed in range(12)]
    studies = [found(each) for each in points]
    constant = [study.fit(CONSTANT).aicc for study in studies]
    rivals = [min(fit.aicc for fit in study.fits if fit.name != CONSTANT) for study in studies]
    assert np.mean(np.array(rivals) < constant) > 0.5, "AICc alone takes trials for independent"
    assert sum(study.finding == NONE_FOUND for study in studies) >= 11


def test_a_falling_a_rising_a_bent_and_a_flat_truth_are_told_apart(simulated):
    quiet = {"trial_sd": 0.001, "size_sd": 0.01}
    falling = found(simulated(0, sizes=FOUR, **TRUTH, **quiet))
    assert (falling.finding, falling.chosen) == (FALLS, POWER_LAW)
    assert falling.change.value == pytest.approx(2.0 * (1.2e7**-0.3 - 8e3**-0.3), rel=0.05)
    assert "α = 0.288 [0.2" in verdict_of(falling)
    rising = found(simulated(0, sizes=[1e4, 1e5, 1e6], gain=1e-3, alpha=-0.3, **quiet))
    assert rising.finding in (RISES, BENDS) and rising.change.low > 0
    bent = found(simulated(0, sizes=FOUR, bend=0.004, **quiet))
    assert (bent.finding, bent.chosen) == (BENDS, U_SHAPE)
    assert bent.lowest.low < 3.2e5 < bent.lowest.high
    assert verdict_of(bent).startswith("best near N = ")
    flat = found(simulated(0, sizes=FOUR, **quiet))
    assert (flat.finding, flat.chosen, flat.lowest) == (NONE_FOUND, CONSTANT, None)
    assert "could have shown a difference of" in verdict_of(flat)


def test_two_budgets_say_what_they_cannot_fit(simulated):
    study = found(simulated(0, sizes=[1e4, 1e6], gain=2.0, trial_sd=0.001))
    assert [fit.name for fit in study.fits] == [CONSTANT, LINE]
    assert (study.finding, study.chosen, study.alpha, study.floor) == (FALLS, LINE, None, None)
    assert [line.split(":")[0] for line in study.unfitted] == [POWER_LAW, U_SHAPE]


def test_one_budget_and_lone_trials_are_not_enough(simulated):
    one = found(simulated(0, sizes=[1e4]))
    assert (one.finding, one.chosen, one.change, one.detectable) == (UNKNOWN, "", None, None)
    assert verdict_of(one).startswith("not enough budgets to tell")
    lone = found(simulated(0, sizes=THREE, trials=[1, 9, 9]))
    assert (lone.finding, lone.detectable) == (UNKNOWN, None)
    assert "1 of 50K, 9 of 200K" in verdict_of(lone)
    assert found(simulated(0, sizes=THREE[:2], trials=2)).finding == UNKNOWN
    assert found(simulated(0, sizes=THREE[:2], trials=3)).finding == NONE_FOUND


def test_lone_trials_of_many_sizes_are_enough(simulated):
    sizes = np.geomspace(1e4, 1e8, 30)
    assert found(simulated(0, sizes=sizes, trials=1, **TRUTH)).finding == FALLS
    assert found(simulated(3, sizes=sizes, trials=1)).finding == NONE_FOUND


@pytest.mark.slow
def test_hundreds_of_points(simulated):
    study = found(simulated(0, sizes=FOUR, trials=100, **TRUTH))
    assert len(study.points.names) == 400
    assert study.alpha.low < 0.3 < study.alpha.high
    assert study.alpha.high - study.alpha.low < 0.08


@pytest.mark.lesson("L23")
def test_a_longer_search_of_one_budget_does_not_count_more(simulated):
    points = simulated(0, sizes=THREE, trials=[40, 8, 8])
    improving = points.losses_TD - 0.001 * np.maximum(0, np.arange(56) - 7)[:, None] * (points.budget_T == 0)[:, None]
    study = found(replace(points, losses_TD=np.maximum(improving, 1e-6)))
    assert study.points.counts == (8, 8, 8)
    assert [each.n_finished for each in study.budgets] == [40, 8, 8]
    assert study.finding == NONE_FOUND
