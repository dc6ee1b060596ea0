from dataclasses import replace

import pytest

from search.report.sections.architecture import ASPECT, HEADS, architecture_section, effect_in_words, shape_effects
from search.report.statistics.measure import measure


def words(section):
    return " ".join(block.text for block in section.blocks if block.kind == "text")


@pytest.mark.slow
def test_importances_name_both_methods_and_few_trials_have_none(inputs, measured, make_inputs):
    section = architecture_section(inputs, measured)
    assert "PED-ANOVA" in words(section) and "fANOVA" in words(section)
    assert [figure.name for figure in section.figures] == ["importance", "shape", "size"]
    few = make_inputs(n_trials=5)
    section = architecture_section(few, measure(few.forecasts, n_resamples=200))
    assert "it takes 20 finished trials" in words(section) and "there are 5" in words(section)


@pytest.mark.slow
def test_shape_is_judged_against_noise(inputs, measured):
    effects = shape_effects(inputs, measured)
    assert set(effects) == {ASPECT, HEADS}
    for effect in effects.values():
        assert ("larger than noise" in effect_in_words(effect)) == effect.is_larger_than_noise
        assert effect.table["n_trials"].sum() == 50


def test_equal_shapes_are_not_judged(make_inputs):
    inputs = make_inputs(n_trials=3)
    spec = inputs.trial_specs()[0]
    same = replace(inputs, specs=dict.fromkeys(inputs.specs, spec))
    section = architecture_section(same, measure(same.forecasts, n_resamples=200))
    assert "all trials have the same aspect ratio and head count" in words(section)


@pytest.mark.parametrize("name", ["size", "shape"])
def test_every_trial_is_drawn(inputs, measured, name):
    figure = next(f for f in architecture_section(inputs, measured).figures if f.name == name)
    assert figure.data["model"].tolist() == list(inputs.trials.names)
