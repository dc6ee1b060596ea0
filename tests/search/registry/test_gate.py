from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from search.registry.claim import Claim, no_claim
from search.registry.gate import MIN_COMMON_DAYS, check_gate

DAYS = 1500
NAMES = ["finite", "calibrated", "beats the best baseline", "survives the search", "beats the champion"]


def squash(z):
    return 1 / (1 + np.exp(-z))


def losses(y, p):
    return -np.log(np.where(y == 1, p, 1 - p))


@pytest.fixture
def market():
    """Days on which half of what moves the probability is known to nobody but a good model."""
    rng = np.random.default_rng(1)
    known, hidden = rng.normal(size=(2, DAYS))
    y = (rng.random(DAYS) < squash(-1 + 0.8 * known + 0.8 * hidden)).astype(float)
    dates = pd.bdate_range("2010-01-01", periods=DAYS)
    baseline = squash(-0.95 + 0.72 * known)
    noise = np.stack([squash(-0.95 + 0.72 * known + 0.15 * rng.normal(size=DAYS)) for _ in range(10)])

    def claim(p, *, trials=noise, name="m/2"):
        tried = np.vstack([p, trials])
        return Claim(
            name=name,
            source="constructed",
            horizon=1,
            dates_D=dates,
            y_D=y,
            p_D=p,
            baseline="logistic",
            p_baseline_D=baseline,
            search_losses_MD=np.stack([losses(y, each) for each in tried]),
            benchmark="logistic",
            benchmark_losses_D=losses(y, baseline),
        )

    return claim, squash(-1 + 0.8 * known + 0.8 * hidden), noise[0], baseline


def answers(gate):
    return {each.name: each.answer for each in gate.conditions}


@pytest.mark.lesson("L24")
def test_an_edge_over_the_baseline_passes_every_condition(market):
    claim, good, _, _ = market
    gate = check_gate(claim(good), None)
    assert list(answers(gate)) == NAMES
    assert gate.holds and not gate.not_met, list(gate.lines())


@pytest.mark.lesson("L24")
def test_noise_over_the_baseline_is_refused_with_its_figures(market):
    claim, _, noise, _ = market
    gate = check_gate(claim(noise), None)
    assert gate.not_met == ("beats the best baseline", "survives the search")
    lines = list(gate.lines())
    assert lines[0] == "gate, on constructed:" and len(lines) == 6
    assert "fail     beats the best baseline: logistic, difference in loss +0.0" in lines[3]
    assert ("1,500 days can show 0.0" in lines[3] and " p 0." in lines[3]) or " p 1." in lines[3]
    assert "superior predictive ability of 11 trials over logistic, p " in lines[4]


@pytest.mark.lesson("L23")
def test_a_gain_that_chance_explains_does_not_beat_the_baseline(market):
    claim, _, _, baseline = market
    nudge = 0.02 * np.random.default_rng(51).normal(size=DAYS)
    found = check_gate(claim(squash(np.log(baseline / (1 - baseline)) + nudge)), None).conditions[2]
    assert found.figures["value"] < 0 and found.figures["p_value"] > 0.05
    assert found.answer == "fail"


def test_a_lucky_trial_fails_with_the_search_that_it_was_picked_from():
    """Alone its advantage is significant; as the best of two hundred tries it is not."""
    rng = np.random.default_rng(5)
    y = (rng.random(500) < 0.25).astype(float)
    baseline = np.full(500, 0.25)
    tries = squash(np.log(1 / 3) + 0.15 * rng.normal(size=(200, 500)))
    best = tries[np.argmin([losses(y, p).mean() for p in tries])]
    picked = Claim(
        name="m/1",
        source="constructed",
        horizon=1,
        dates_D=pd.bdate_range("2010-01-01", periods=500),
        y_D=y,
        p_D=best,
        baseline="base_rate",
        p_baseline_D=baseline,
        search_losses_MD=np.stack([losses(y, p) for p in tries]),
        benchmark="base_rate",
        benchmark_losses_D=losses(y, baseline),
    )
    found = answers(check_gate(picked, None))
    assert found["beats the best baseline"] == "pass"
    assert found["survives the search"] == "fail"


def test_overconfident_probabilities_are_not_calibrated(market):
    claim, good, _, _ = market
    sharp = squash(3 * np.log(good / (1 - good)) + 1)
    gate = check_gate(claim(sharp), None)
    assert answers(gate)["calibrated"] == "fail"
    words = gate.conditions[1].words
    assert "calibrated probabilities of these days stay below" in words and "difference" in words and "99%" in words


def test_a_wrong_level_alone_is_not_calibrated(market):
    claim, good, _, _ = market
    gate = check_gate(claim(squash(np.log(good / (1 - good)) + 0.15)), None)
    figures = gate.conditions[1].figures
    assert figures["ece"] < figures["ece_limit"] and figures["mean_low"] > 0
    assert gate.conditions[1].answer == "fail"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, 1.0])
def test_a_forecast_that_is_not_finite_fails_and_leaves_the_rest_unknown(market, wrong):
    claim, good, _, _ = market
    broken = good.copy()
    broken[7] = wrong
    gate = check_gate(replace(claim(good), p_D=broken), None)
    assert list(answers(gate).values()) == ["fail"] + ["unknown"] * 4
    assert gate.not_met == tuple(NAMES)
    assert gate.conditions[0].words.startswith("1,499 of 1,500")


def test_the_champion_has_to_be_beaten_on_the_same_days(market):
    claim, good, noise, _ = market
    better, worse = claim(good, name="m/2"), claim(noise, name="m/1")
    assert check_gate(better, worse).holds
    found = check_gate(worse, better).conditions[4]
    assert found.answer == "fail" and found.words.startswith("m/2, difference in loss +0.")
    assert check_gate(better, better).conditions[4].answer == "fail"


def test_too_few_common_days_are_unknown_and_unknown_fails(market):
    claim, good, noise, _ = market
    champion = claim(noise, name="m/1")
    for days, answer in ((MIN_COMMON_DAYS - 1, "unknown"), (MIN_COMMON_DAYS, "pass")):
        short = replace(champion, dates_D=champion.dates_D[:days], y_D=champion.y_D[:days], p_D=champion.p_D[:days])
        gate = check_gate(claim(good), short)
        assert gate.conditions[4].answer == answer
        assert gate.holds == (answer == "pass")
    nothing = check_gate(claim(good), no_claim("m/1", source="gone")).conditions[4]
    assert (nothing.answer, nothing.words.split()[0]) == ("unknown", "0")


def test_other_outcomes_on_the_common_days_are_unknown(market):
    claim, good, noise, _ = market
    other = claim(noise, name="m/1")
    gate = check_gate(claim(good), replace(other, y_D=1 - other.y_D))
    assert gate.conditions[4].answer == "unknown"
    assert "must have the same outcomes" in gate.conditions[4].words


@pytest.mark.lesson("L24")
def test_without_baselines_the_gate_does_not_hold(market):
    claim, good, _, _ = market
    bare = replace(claim(good), baseline="", p_baseline_D=None, search_losses_MD=None, benchmark_losses_D=None)
    gate = check_gate(bare, None)
    assert gate.not_met == ("beats the best baseline", "survives the search")
    assert [gate.conditions[i].answer for i in (2, 3)] == ["unknown", "unknown"]


def test_days_on_which_the_spec_was_chosen_count_for_the_champion_only(market):
    claim, good, noise, _ = market
    mixed = np.where(np.arange(DAYS) < 1000, noise, good)
    kept = np.arange(DAYS) < 1000
    gate = check_gate(replace(claim(mixed), unchosen_D=kept), claim(noise, name="m/1"))
    assert gate.conditions[2].figures["n_days"] == 1000
    assert gate.conditions[2].answer == "fail"
    assert gate.conditions[4].figures["n_days"] == DAYS
    assert gate.conditions[4].answer == "pass"


def test_the_record_holds_every_figure(market):
    claim, good, _, _ = market
    held = check_gate(claim(good), None).to_dict()
    assert held["holds"] is True
    assert [each["answer"] for each in held["conditions"]] == ["pass"] * 5
    assert set(held["conditions"][2]["figures"]) == {"value", "low", "high", "p_value", "detectable", "n_days"}
