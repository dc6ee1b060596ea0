import pytest

from pipeline.splits.target import Target
from search.report.layout.drawing import png
from search.report.layout.palette import DARK, LIGHT
from search.report.sections.distribution_figures import (
    asked_in_words,
    fan_figure,
    pit_figure,
    price_in_words,
    threshold_figure,
)
from search.report.statistics.distribution import calibration_over_thresholds, horizons_of, uniformity
from search.report.statistics.measure import measure


@pytest.mark.slow
def test_every_picture_is_drawn_on_light_and_dark_pages_alike_each_time(distributed_inputs):
    forecasts = distributed_inputs.forecasts
    asked = horizons_of(distributed_inputs.distribution)[1]
    counts_RD = measure(forecasts, n_resamples=100).counts_RD
    target = distributed_inputs.plan.target
    figures = (
        fan_figure(asked, target),
        threshold_figure(calibration_over_thresholds(asked, counts_RD, target.threshold), target),
        pit_figure(uniformity(asked.integral_transform, 1), 1),
    )
    for figure in figures:
        light, dark = png(figure, LIGHT), png(figure, DARK)
        assert light != dark and light == png(figure, LIGHT) and figure.alt and figure.caption
    data = figures[0].data
    inside = int(data["came"].between(data["q25"], data["q75"]).sum())
    assert f"({inside} of 60 do)" in figures[0].caption


def test_words_follow_the_target():
    assert price_in_words(Target(horizon=1)) == "the highest price of the next day"
    assert price_in_words(Target(horizon=3, rule="close")) == "the highest close of the next 3 days"
    assert asked_in_words(Target(horizon=1, threshold=0.025)) == "+2.5 %"
