from dataclasses import replace

import pytest

from search.report.sections.architecture import ASPECT, HEADS, architecture_section, effect_in_words, shape_effects
from search.report.statistics.measure import measure


def words(section):
    return " ".join(block.text for block in section.blocks if block.kind == "text")


def test_importances_name_both_methods_and_few_trials_have_none(material, measured, make_material):
    section = architecture_section(material, measured)
    assert "PED-ANOVA" in words(section) and "fANOVA" in words(section)
    assert [figure.name for figure in section.figures] == ["importance", "shape", "size"]
    few = make_material(n_trials=5)
    section = architecture_section(few, measure(few.forecasts, n_resamples=200))
    assert "it takes 20 finished trials" in words(section) and "there are 5" in words(section)


def test_shape_is_judged_against_noise(material, measured):
    effects = shape_effects(material, measured)
    assert set(effects) == {ASPECT, HEADS}
    for effect in effects.values():
        assert ("larger than noise" in effect_in_words(effect)) == effect.is_larger_than_noise
        assert effect.table["n_trials"].sum() == 50


def test_equal_shapes_are_not_judged(make_material):
    material = make_material(n_trials=3)
    spec = material.trial_specs()[0]
    same = replace(material, specs=dict.fromkeys(material.specs, spec))
    section = architecture_section(same, measure(same.forecasts, n_resamples=200))
    assert "all trials have the same aspect ratio and head count" in words(section)


@pytest.mark.parametrize("name", ["size", "shape"])
def test_every_trial_is_drawn(material, measured, name):
    figure = next(f for f in architecture_section(material, measured).figures if f.name == name)
    assert figure.data["model"].tolist() == list(material.trials.names)
