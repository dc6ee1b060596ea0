from dataclasses import replace

import numpy as np
import pytest

from search.report.sections.reality import (
    confidence_set_in_words,
    luck_in_words,
    overfitting_in_words,
    reality_section,
    selection_in_words,
    superiority_in_words,
)
from search.report.statistics.measure import measure


@pytest.mark.lesson("L23")
def test_noise_is_not_called_skill_and_a_planted_edge_is(make_inputs):
    noise = make_inputs(edge=0.0, n_trials=20)
    assert superiority_in_words(noise, measure(noise.forecasts, n_resamples=200)).startswith("Not shown.")
    skill = make_inputs(edge=1.5, n_trials=20, n_days=800)
    words = superiority_in_words(skill, measure(skill.forecasts, n_resamples=200))
    assert words.startswith("Yes.") and "can be named as better" in words


def test_sentences_hold_the_figures(inputs, measured):
    found = measured.selection
    words = selection_in_words(found)
    assert f"{found.raw:.3f}" in words and f"{found.corrected:.3f}" in words and "Tsamardinos" in words
    assert f"{found.null_maximum:.3f}" in luck_in_words(found)
    assert "luck alone explains it" in luck_in_words(replace(found, null_p_value=0.4))
    assert "shuffled" not in luck_in_words(found) and "shifted against the forecasts in a ring" in luck_in_words(found)
    assert f"{found.n_shifts} ways" in luck_in_words(found)
    assert "50 trials" in confidence_set_in_words(inputs, measured)
    assert overfitting_in_words(0.25).startswith("In 25 % of the ways")
    assert overfitting_in_words(np.nan) == "With one trial nothing was chosen."


@pytest.mark.lesson("L23")
@pytest.mark.parametrize(
    ("n_independent", "words"),
    [
        (24, "p = 0.04, the smallest that these days can resolve: it is more than luck"),
        (9, "p = 0.1, the smallest that these days can resolve: these days are too few to tell it from luck"),
    ],
)
def test_no_p_value_is_smaller_than_the_days_can_resolve(measured, n_independent, words):
    found = replace(measured.selection, n_independent=n_independent, null_p_value=1 / (1 + n_independent))
    assert words in luck_in_words(found) and f"about {n_independent} independent draws" in luck_in_words(found)


def test_every_trial_is_in_the_data_of_the_figure(inputs, measured):
    (figure,) = reality_section(inputs, measured).figures
    assert (figure.data["role"] == "trial").sum() == 50
    assert set(figure.data["model"]) > {"corrected best", "best without skill"}
