import pandas as pd
import pytest

from search.report.sections.probabilities import calibration_in_words, probabilities_section


def bins(mean_p):
    return pd.DataFrame({"mean_p": mean_p, "low": 0.1, "high": 0.3})


@pytest.mark.parametrize(
    ("mean_p", "words"),
    [
        ([0.2, 0.25], "In all 2 bins of m the probability lies within"),
        ([0.4, 0.25], "In 1 of 2 bins of m the probability lies outside the interval of what happened: too high in 1."),
        ([0.4, 0.05], "too high in 1 and too low in 1."),
    ],
)
def test_calibration_is_told_in_words(mean_p, words):
    assert words in calibration_in_words(bins(mean_p), "m")


def test_the_best_trial_stands_beside_the_best_baseline(inputs, measured):
    section = probabilities_section(inputs, measured)
    curves, sweep = section.figures
    best = inputs.trials.names[inputs.trials.best("trial")]
    assert set(curves.data["model"]) == {best, "baseline logistic"}
    assert best.removeprefix("baseline ") in sweep.alt
    tables = {block.name: block for block in section.blocks if block.kind == "table"}
    assert set(tables) == {"reliability", "thresholds"}
    assert "base-rate Brier" in tables["reliability"].head
    notes = {row[-1] for row, few in zip(tables["thresholds"].rows, sweep.data["few"], strict=False) if few}
    assert notes == {"fewer than 30"}
