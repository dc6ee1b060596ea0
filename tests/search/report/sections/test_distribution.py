from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from search.report.sections.distribution import (
    distribution_section,
    pit_in_words,
    scores_in_words,
    thresholds_in_words,
)
from search.report.statistics.distribution import Scores, uniformity
from search.report.statistics.measure import measure


@pytest.fixture(scope="module")
def section(distributed_inputs):
    return distribution_section(distributed_inputs, measure(distributed_inputs.forecasts, n_resamples=200))


def test_a_binary_head_says_in_one_line_that_it_has_none(inputs, measured):
    (block,) = distribution_section(inputs, measured).blocks
    best = inputs.trials.names[inputs.trials.best("trial")]
    assert block.text == (
        f"None: {best}, the best, has a binary head, which gives one probability a day and no distribution."
    )


def test_distributions_of_other_days_are_not_shown(distributed_inputs, measured):
    table = distributed_inputs.distribution
    for other in (table.assign(date=table["date"] + pd.Timedelta(days=1)), table[table["horizon"] != 1]):
        section = distribution_section(replace(distributed_inputs, distribution=other), measured)
        assert len(section.blocks) == 1 and section.blocks[0].text.startswith("None: ")


def test_fan_thresholds_histogram_and_scores_are_shown(section, distributed_inputs):
    assert [figure.name for figure in section.figures] == ["reach_fan", "reach_calibration", "reach_pit"]
    tables = {block.name: block for block in section.blocks if block.kind == "table"}
    assert set(tables) == {"reach_calibration", "reach_scores"}
    assert [row[0] for row in tables["reach_scores"].rows] == ["1 day", "2 days", "3 days", "5 days"]
    assert tables["reach_scores"].marked == {0}
    assert [row[0] for row in tables["reach_calibration"].rows] == ["0.25 %", "0.5 %", "1 %", "1.5 %", "2 %", "3 %"]
    assert tables["reach_calibration"].marked == {2}
    fan = section.figures[0].data
    assert len(fan) == 60 and fan["date"].iloc[-1] == distributed_inputs.forecasts.dates_D[-1]
    assert (fan[["q05", "q25", "q50", "q75", "q95"]].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert all(block.data.equals(tables[block.name].data) for block in section.figures if block.name in tables)


def test_what_is_blended_is_said_to_be_shown_before_the_blend(distributed_inputs, measured):
    specs = {
        run_id: replace(spec, training=replace(spec.training, blend="boosting:0.5"))
        for run_id, spec in distributed_inputs.specs.items()
    }
    for inputs, said in ((replace(distributed_inputs, specs=specs), True), (distributed_inputs, False)):
        text = distribution_section(inputs, measured).blocks[0].text
        assert ("before it is blended (boosting:0.5)" in text) == said
        assert "says of every day how far the highest price of the next day may go, not only +1 % or not" in text


@pytest.mark.lesson("L50")
def test_thresholds_are_told_in_words(planned):
    frame = pd.DataFrame(
        {
            "threshold": [0.005, 0.01, 0.02],
            "mean_p": [0.3, 0.2, 0.01],
            "share": [0.31, 0.1, 0.01],
            "low": [0.2, 0.05, np.nan],
            "high": [0.4, 0.15, np.nan],
        }
    )
    said = thresholds_in_words(frame, planned[0].target)
    assert "At 1 of 2 thresholds" in said and "1 % (20.0 % said, 10.0 % came)" in said
    assert "1 more carry no interval: fewer than 10 days of a class" in said
    assert thresholds_in_words(frame.iloc[:1], planned[0].target).startswith("At all 1 threshold the mean")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(-0.02, -0.01, "better than"), (-0.01, 0.01, "not to be told from"), (0.01, 0.02, "worse than")],
)
def test_scores_are_told_in_words(low, high, word):
    from search.evidence import Interval

    found = Scores(
        horizon=3,
        n_days=500,
        n_reached=90,
        crps=0.4,
        crps_climatology=0.41,
        less=Interval(value=-0.01, low=low, high=high),
        log_loss=0.5,
        base_rate_loss=0.6,
        pit=uniformity(np.random.default_rng(0).random(300), 3, n_simulated=50),
    )
    assert f"Within 3 days the distribution is {word} the climatology on these days: CRPS 0.4000 %" in scores_in_words(
        found
    )


def test_where_outcomes_lie_is_told_in_words():
    spread = np.linspace(0.001, 0.999, 500)
    even, crooked = uniformity(spread, 1), uniformity(spread**2, 1)
    assert "as true distributions would have it" in pit_in_words(even, 1)
    assert "farther than true distributions would have it" in pit_in_words(crooked, 1)
