from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from search.evidence.difference import paired_difference
from search.evidence.retrained import Retrained, claim_against, further_plan
from search.evidence.scores import daily_losses, score


def retrained(seed, n_finalists, skill=1.0, n_days=500):
    rng = np.random.default_rng(seed)
    known = skill * rng.normal(size=n_days)
    y = (rng.random(n_days) < expit(-1.4 + known)) * 1.0
    p = expit(-1.4 + known + 0.3 * rng.normal(size=(3, n_finalists, n_days)))
    names = tuple(f"trial {number} d8" for number in range(n_finalists))
    return Retrained(names=names, seeds=(0, 1, 2), y_D=y, p_SMD=p), np.full(n_days, y.mean())


def test_the_winner_is_the_lowest_loss_of_the_seeds_mean_probability():
    found, _ = retrained(0, 4)
    by_hand = [score("loss", found.y_D, found.p_SMD[:, row].mean(axis=0)) for row in range(4)]
    assert found.losses_M == pytest.approx(by_hand) and found.order[0] == int(np.argmin(by_hand))
    assert found.losses_SM[1, 2] == pytest.approx(score("loss", found.y_D, found.p_SMD[1, 2]))
    assert (found.losses_M < found.losses_SM.mean(axis=0)).all()


@pytest.mark.lesson("L23")
def test_one_finalist_is_a_paired_difference_and_more_of_them_widen_it():
    found, baseline = retrained(1, 5)
    winner = int(found.order[0])
    p_D = found.p_SMD[:, winner].mean(axis=0)
    alone = Retrained(names=("a",), seeds=found.seeds, y_D=found.y_D, p_SMD=found.p_SMD[:, [winner]])
    plain = paired_difference(found.y_D, p_D, baseline, horizon=1)
    claim, wide = claim_against(alone, baseline, horizon=1), claim_against(found, baseline, horizon=1)
    assert (claim.interval.value, claim.interval.low, claim.interval.high, claim.p_value) == pytest.approx(
        (plain.value, plain.low, plain.high, plain.p_value)
    )
    assert wide.interval.low < plain.low and plain.high < wide.interval.high
    assert wide.p_value == pytest.approx(min(1, 5 * plain.p_value))


@pytest.mark.lesson("L23")
def test_of_equally_good_finalists_the_winner_is_rarely_called_better_than_another_as_good():
    called = 0
    for seed in range(200):
        found, _ = retrained(seed, 6)
        alone = Retrained(names=found.names[:5], seeds=found.seeds, y_D=found.y_D, p_SMD=found.p_SMD[:, :5])
        called += claim_against(alone, found.p_SMD[:, 5].mean(axis=0), horizon=1).interval.high < 0
    assert called <= 0.05 * 200
    assert daily_losses(found.y_D, found.p_SMD).shape == found.p_SMD.shape


def test_further_seeds_are_none_that_a_trial_has(planned):
    plan = replace(planned[0], n_seeds=3)
    plans = (plan, further_plan(plan, 1), further_plan(plan, 2))
    seeds = [plan.seed + further for plan in plans for further in range(plan.n_seeds)]
    assert len(set(seeds)) == 9 and len({each.study for each in plans}) == 3


@pytest.mark.lesson("L50")
def test_below_ten_days_of_a_class_nothing_is_claimed():
    found, baseline = retrained(2, 2)
    y = np.zeros(500)
    y[:9] = 1
    claim = claim_against(
        Retrained(names=found.names, seeds=found.seeds, y_D=y, p_SMD=found.p_SMD), baseline, horizon=1
    )
    assert np.isnan([claim.interval.low, claim.interval.high, claim.p_value]).all() and np.isfinite(
        claim.interval.value
    )
