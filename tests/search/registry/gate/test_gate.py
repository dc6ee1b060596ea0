from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.metrics import calibration_error
from search.evidence.difference import Difference
from search.evidence.text import difference_text
from search.registry.gate.gate import MIN_COMMON_DAYS, beats_champion, check_gate, unknown_gate
from search.registry.gate.track_record import TrackRecord, no_track_record

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

    def track_record(p, *, trials=noise, name="m/2"):
        tried = np.vstack([p, trials])
        return TrackRecord(
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

    return track_record, squash(-1 + 0.8 * known + 0.8 * hidden), noise[0], baseline


def answers(gate):
    return {each.name: each.answer for each in gate.conditions}


@pytest.mark.lesson("L24")
def test_an_edge_over_the_baseline_passes_every_condition(market):
    track_record, good, _, _ = market
    gate = check_gate(track_record(good), None)
    assert list(answers(gate)) == NAMES
    assert gate.holds and not gate.not_met, list(gate.lines())


@pytest.mark.lesson("L24")
def test_noise_over_the_baseline_is_refused_with_its_figures(market):
    track_record, _, noise, _ = market
    gate = check_gate(track_record(noise), None)
    assert gate.not_met == ("beats the best baseline", "survives the search")
    lines = list(gate.lines())
    assert lines[0] == "gate, on constructed:" and len(lines) == 6
    assert "fail     beats the best baseline: logistic, difference in loss +0.0" in lines[3]
    assert "1,500 days can show 0.0" in lines[3] and (" p 0." in lines[3] or " p 1." in lines[3])
    assert "superior predictive ability of 11 trials over logistic, p " in lines[4]


@pytest.mark.lesson("L23")
def test_a_gain_that_chance_explains_does_not_beat_the_baseline(market):
    track_record, _, _, baseline = market
    nudge = 0.02 * np.random.default_rng(51).normal(size=DAYS)
    found = check_gate(track_record(squash(np.log(baseline / (1 - baseline)) + nudge)), None).conditions[2]
    assert found.figures["value"] < 0 and found.figures["p_value"] > 0.05
    assert found.answer == "fail"


def test_a_lucky_trial_fails_with_the_search_that_it_was_picked_from():
    """Alone its advantage is significant; as the best of two hundred tries it is not."""
    rng = np.random.default_rng(6)
    y = (rng.random(500) < 0.25).astype(float)
    baseline = np.full(500, 0.25)
    tries = squash(np.log(1 / 3) + 0.15 * rng.normal(size=(200, 500)))
    best = tries[np.argmin([losses(y, p).mean() for p in tries])]
    picked = TrackRecord(
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
    track_record, good, _, _ = market
    sharp = squash(3 * np.log(good / (1 - good)) + 1)
    gate = check_gate(track_record(sharp), None)
    assert answers(gate)["calibrated"] == "fail"
    words = gate.conditions[1].words
    assert "calibrated probabilities of these days stay below" in words and "difference" in words and "99%" in words


def test_a_wrong_level_alone_is_not_calibrated(market):
    track_record, good, _, _ = market
    gate = check_gate(track_record(squash(np.log(good / (1 - good)) + 0.15)), None)
    figures = gate.conditions[1].figures
    assert figures["ece"] < figures["ece_limit"] and figures["mean_low"] > 0
    assert gate.conditions[1].answer == "fail"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, 1.0])
def test_a_forecast_that_is_not_finite_fails_and_leaves_the_rest_unknown(market, wrong):
    track_record, good, _, _ = market
    broken = good.copy()
    broken[7] = wrong
    gate = check_gate(replace(track_record(good), p_D=broken), None)
    assert list(answers(gate).values()) == ["fail"] + ["unknown"] * 4
    assert gate.not_met == tuple(NAMES)
    assert gate.conditions[0].words.startswith("1,499 of 1,500")


@pytest.mark.slow
def test_the_champion_has_to_be_beaten_on_the_same_days(market):
    track_record, good, noise, _ = market
    better, worse = track_record(good, name="m/2"), track_record(noise, name="m/1")
    assert check_gate(better, worse).holds
    found = check_gate(worse, better).conditions[4]
    assert found.answer == "fail" and found.words.startswith("m/2, difference in loss +0.")
    assert check_gate(better, better).conditions[4].answer == "fail"


@pytest.mark.slow
def test_too_few_common_days_are_unknown_and_unknown_fails(market):
    track_record, good, noise, _ = market
    champion = track_record(noise, name="m/1")
    for days, answer in ((MIN_COMMON_DAYS - 1, "unknown"), (MIN_COMMON_DAYS, "pass")):
        short = replace(champion, dates_D=champion.dates_D[:days], y_D=champion.y_D[:days], p_D=champion.p_D[:days])
        gate = check_gate(track_record(good), short)
        assert gate.conditions[4].answer == answer
        assert gate.holds == (answer == "pass")
    nothing = check_gate(track_record(good), no_track_record("m/1", source="gone")).conditions[4]
    assert (nothing.answer, nothing.words.split()[0]) == ("unknown", "0")


def test_other_outcomes_on_the_common_days_are_unknown(market):
    track_record, good, noise, _ = market
    other = track_record(noise, name="m/1")
    gate = check_gate(track_record(good), replace(other, y_D=1 - other.y_D))
    assert gate.conditions[4].answer == "unknown"
    assert "must have the same outcomes" in gate.conditions[4].words


@pytest.mark.lesson("L24")
def test_without_baselines_the_gate_does_not_hold(market):
    track_record, good, _, _ = market
    bare = replace(track_record(good), baseline="", p_baseline_D=None, search_losses_MD=None, benchmark_losses_D=None)
    gate = check_gate(bare, None)
    assert gate.not_met == ("beats the best baseline", "survives the search")
    assert [gate.conditions[i].answer for i in (2, 3)] == ["unknown", "unknown"]


def test_days_on_which_the_spec_was_chosen_count_for_nothing(market):
    track_record, good, noise, _ = market
    kept = np.arange(DAYS) < 1000
    mixed = np.where(kept, noise, good)
    champion = track_record(noise, name="m/1")
    gate = check_gate(replace(track_record(mixed), walked=True, unchosen_D=kept), champion)
    for condition in (gate.conditions[2], gate.conditions[4]):
        assert (condition.figures["n_days"], condition.answer) == (1000, "fail")
    late = replace(champion, dates_D=champion.dates_D[900:], y_D=champion.y_D[900:], p_D=champion.p_D[900:])
    found = beats_champion(replace(track_record(good), walked=True, unchosen_D=kept), late)
    assert found.answer == "unknown"
    assert found.words.startswith("100 days that both forecast out of sample and that did not choose the spec")


@pytest.mark.slow
@pytest.mark.lesson("L24")
def test_the_best_of_many_challengers_as_good_as_the_champion_passes_far_less_often_than_the_paired_test():
    """Their expected loss is the champion's; the days that chose the best of them are those that it is shown on."""
    worlds, trials, days = 40, 50, 500
    dates = pd.bdate_range("2015-01-01", periods=days)
    paired = both = 0
    for world in range(worlds):
        rng = np.random.default_rng(world)
        known = rng.normal(size=days)
        y = (rng.random(days) < squash(-1 + 0.8 * known)).astype(float)
        p_MD = squash(-1 + 0.8 * known + 0.15 * rng.normal(size=(1 + trials, days)))
        losses_MD = np.stack([losses(y, p) for p in p_MD])
        champion = TrackRecord(name="m/1", source="", horizon=1, dates_D=dates, y_D=y, p_D=p_MD[0])
        best = 1 + losses_MD[1:].mean(axis=1).argmin()
        found = beats_champion(replace(champion, p_D=p_MD[best], search_losses_MD=losses_MD[1:]), champion)
        paired += found.figures["value"] < 0 and found.figures["p_value"] < 0.05
        both += found.holds
    assert paired > 0.35 * worlds
    assert both <= 0.3 * worlds and both < 0.6 * paired


@pytest.mark.slow
def test_on_the_days_that_chose_it_the_whole_search_is_held_against_the_champion(market):
    track_record, good, noise, _ = market
    champion = track_record(noise, name="m/1")
    found = beats_champion(track_record(good), champion)
    assert found.answer == "pass" and found.figures["models"] == 11 and found.figures["search_p_value"] < 0.05
    assert "these days chose the spec: superior predictive ability of 11 trials over the champion, p 0." in found.words
    part = replace(champion, dates_D=champion.dates_D[300:], y_D=champion.y_D[300:], p_D=champion.p_D[300:])
    assert beats_champion(track_record(good), part).figures["n_days"] == DAYS - 300
    assert beats_champion(replace(track_record(good), search_losses_MD=None), champion).answer == "unknown"
    walked = beats_champion(replace(track_record(good), walked=True, search_losses_MD=None), champion)
    assert walked.answer == "pass" and "search_p_value" not in walked.figures


@pytest.mark.slow
def test_a_missing_baseline_is_named_with_its_command(market):
    track_record, good, _, _ = market
    bare = replace(
        track_record(good), walked=True, p_baseline_D=None, baseline_missing="missing ewma; patchscale walkforward"
    )
    found = check_gate(bare, None).conditions[2]
    assert (found.answer, found.words) == ("unknown", "missing ewma; patchscale walkforward")


@pytest.mark.parametrize(("ece", "answer"), [(0.04, "pass"), (0.08, "fail")])
def test_small_calibration_errors_are_tolerated_on_any_number_of_days(ece, answer):
    """Logistic probabilities that are too steep, on so many days that simulations allow less than 0.04."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=4000)
    y = (rng.random(4000) < squash(z)).astype(float)
    steep = next(s for s in np.arange(1, 4, 0.01) if calibration_error(y, squash(s * z)) >= ece)
    dates = pd.bdate_range("2000-01-01", periods=4000)
    steep_record = TrackRecord(name="m/1", source="", horizon=1, dates_D=dates, y_D=y, p_D=squash(steep * z))
    found = check_gate(steep_record, None).conditions[1]
    assert found.figures["ece_limit"] < 0.04 and found.figures["ece"] == pytest.approx(ece, abs=0.005)
    assert found.answer == answer
    assert "up to 0.05 is tolerated on any number of days" in found.words
    assert "up to 0.02 either way is tolerated" in found.words


@pytest.mark.parametrize(("shift", "answer"), [(0.015, "pass"), (0.03, "fail")])
def test_a_small_difference_of_the_mean_is_tolerated(shift, answer):
    y = np.tile([0.0, 0.0, 0.0, 1.0], 1000)
    dates = pd.bdate_range("2000-01-01", periods=4000)
    off = TrackRecord(name="m/1", source="", horizon=1, dates_D=dates, y_D=y, p_D=np.full(4000, 0.25 + shift))
    found = check_gate(off, None).conditions[1]
    assert found.figures["mean_low"] > 0 and found.answer == answer


def test_without_evidence_every_condition_is_unknown():
    gate = unknown_gate("the study was deleted")
    assert list(answers(gate)) == NAMES and set(answers(gate).values()) == {"unknown"} and not gate.holds
    assert next(iter(gate.lines())) == "gate, on no evidence: the study was deleted:"


def test_words_say_which_figure_is_one_sided_and_which_two_sided():
    found = Difference(
        metric="loss", value=-0.01, low=-0.02, high=0.0, p_value=0.03, detectable=0.014, n_days=500, block=21
    )
    words = difference_text(found)
    assert "one-sided p 0.0300; 500 days can show 0.0140 (two-sided, 80% power)" in words


def test_the_record_holds_every_figure(market):
    track_record, good, _, _ = market
    held = check_gate(track_record(good), None).to_dict()
    assert held["holds"] is True
    assert [each["answer"] for each in held["conditions"]] == ["pass"] * 5
    assert set(held["conditions"][2]["figures"]) == {"value", "low", "high", "p_value", "detectable", "n_days"}


@pytest.mark.lesson("L50")
@pytest.mark.parametrize("n_positive", [0, 2, 9])
def test_too_few_positive_days_leave_every_condition_unknown(market, n_positive):
    track_record, good, _, _ = market
    y_D = np.zeros(DAYS)
    y_D[:n_positive] = 1
    gate = check_gate(replace(track_record(good), y_D=y_D), None)
    assert [each.answer for each in gate.conditions] == ["pass", *["unknown"] * 4]
    assert f"1,500 days, {n_positive} positive: fewer than 10 of a class carry no interval" in list(gate.lines())[2]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"threshold": 0.01}, "of +1 % within 1 day: calibration error 0."),
        ({"threshold": 0.025, "horizon": 3}, "of +2.5 % within 3 days: calibration error 0."),
        ({"horizon": 2}, "of a rise within 2 days: calibration error 0."),
    ],
)
def test_calibration_names_the_threshold_and_the_horizon_that_it_covers(market, asked, words):
    track_record, good, _, _ = market
    calibrated = check_gate(replace(track_record(good), **asked), None).conditions[1]
    assert calibrated.words.startswith(words)
    assert calibrated.figures["threshold"] == asked.get("threshold") and calibrated.figures["horizon"] == asked.get(
        "horizon", 1
    )
