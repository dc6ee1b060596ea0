from dataclasses import replace

import pytest

from search.evidence import Difference
from search.report.inputs.walked_trial import WalkedTrial
from search.report.sections.verdict import answer, judge, page_head
from search.report.statistics.measure import measure


def difference(low, high):
    return Difference(
        metric="loss", value=(low + high) / 2, low=low, high=high, p_value=0.5, detectable=0.01, n_days=400, block=1
    )


@pytest.mark.lesson("L23")
@pytest.mark.parametrize(
    ("low", "high", "p_value", "words"),
    [
        (-0.006, 0.004, 0.4, "No evidence that the search beats the boosting baseline."),
        (-0.006, 0.004, 0.01, "No evidence that the search beats the boosting baseline."),
        (-0.006, -0.001, 0.06, "but not once all 50 trials are counted (p = 0.06)"),
        (
            -0.006,
            -0.001,
            0.01,
            "on these days, by less than so many days show reliably, all 50 trials counted (p = 0.01).",
        ),
        (-0.06, -0.01, 0.01, "beats the boosting baseline on these days, all 50 trials counted (p = 0.01)."),
        (0.001, 0.006, 1.0, "The search does not beat the boosting baseline: its best trial is worse"),
    ],
)
def test_the_answer_says_no_more_than_the_figures(low, high, p_value, words):
    assert words in answer(difference(low, high), p_value, "boosting", 50)


@pytest.mark.lesson("L22")
def test_the_first_screen_counts_the_openings_of_the_test_split(inputs, measured):
    facts = dict(page_head(inputs, measured).facts)
    assert facts["Sealed test"].startswith("never opened;")
    twice = dict(page_head(replace(inputs, n_openings=2), measured).facts)
    assert twice["Sealed test"].startswith("opened 2 times;")


@pytest.mark.lesson("L18")
@pytest.mark.lesson("L23")
def test_raw_and_corrected_stand_side_by_side_with_what_must_be_said(inputs, measured):
    head = page_head(inputs, measured)
    raw, corrected, *_ = head.numbers
    assert (raw.what, corrected.what) == ("AUC, raw", "AUC, corrected")
    assert raw.value == f"{measured.selection.raw:.3f}" and corrected.value == f"{measured.selection.corrected:.3f}"
    said = " ".join(judge(inputs, measured).reasons)
    best = measured.against_baseline[inputs.trials.names[inputs.trials.best("trial")]]
    assert f"{best.detectable:.4f}" in said and f"{measured.base_rate_loss:.4f}" in said
    assert "chose the model" in head.cautions[0]


def test_what_is_not_whole_is_said(inputs, measured):
    head = page_head(replace(inputs, target_trials=60, code={"abc with changes": 30, "def": 20}), measured)
    said = " ".join(head.cautions)
    assert "50 of 60 trials" in said and "uncommitted" in said and "2 versions of the code" in said


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.006, 0.018, "Walked forward, its lowest-loss trial (trial 44) is worse than the boosting baseline."),
        (-0.006, 0.018, "Walked forward, its lowest-loss trial (trial 44) can't be told from the boosting baseline."),
        (-0.018, -0.006, "Walked forward, its lowest-loss trial (trial 44) is better than the boosting baseline."),
    ],
)
def test_a_walk_forward_has_the_last_word(inputs, measured, low, high, words):
    walked = WalkedTrial(
        trial="trial 44",
        name="trial 44",
        opponent="boosting",
        days="2012-2022, 2,768 days",
        difference=difference(low, high),
    )
    found = judge(inputs, measured, walked)
    assert found.answer.endswith(words)
    assert "2,768 days: trial 44 less boosting" in found.reasons[-1] and "detectable 0.0100" in found.reasons[-1]


def test_a_walk_forward_that_can_not_be_compared_has_no_word_in_the_answer(inputs, measured):
    found = judge(inputs, measured, "trial 3, the lowest loss, was not walked forward.")
    assert found.answer == judge(inputs, measured).answer
    assert found.reasons[-1].endswith("does not rest on it: trial 3, the lowest loss, was not walked forward.")


def test_pure_noise_is_not_praised(make_inputs):
    noise = make_inputs(edge=0.0, n_trials=20, seed=3)
    assert "The search beats" not in judge(noise, measure(noise.forecasts, n_resamples=200)).answer
