from dataclasses import replace

import pytest

from search.report.inputs.walked_trial import Walked, missing_baselines, unbiased, walked_best
from search.walk_forward.tables import of_names


def without(material, name):
    names = set(material.walked.names) - {name}
    return replace(material, walked=of_names(material.walked, names))


def chosen(material):
    return material.trials.names[material.trials.best("trial")]


def test_the_chosen_trial_is_compared_on_years_that_did_not_choose_it(walked_material):
    found = walked_best(walked_material, n_resamples=200)
    clean, optimistic = unbiased(walked_material, walked_material.walked)
    assert optimistic and not set(clean.dates_D.year) & set(optimistic)
    assert found.difference.n_days == len(clean.dates_D)
    assert (found.opponent, found.name) == ("logistic", chosen(walked_material))
    assert walked_best(replace(walked_material, walked=None), n_resamples=200) is None


@pytest.mark.lesson("L23")
def test_only_the_studys_lowest_loss_is_compared_however_well_another_does(walked_material):
    walked, name = walked_material.walked, chosen(walked_material)
    p_MD = walked.p_MD.copy()
    other = 1 - walked.row(name)
    p_MD[other] = 0.2 + 0.6 * walked.y_D
    better = replace(walked_material, walked=replace(walked, p_MD=p_MD))
    assert better.walked.best("trial") == other
    found = walked_best(better, n_resamples=200)
    assert isinstance(found, Walked) and found.name == name and found.trial == " ".join(name.split()[:2])
    said = walked_best(without(better, name), n_resamples=200)
    run_id = walked_material.trials.run_ids[walked_material.trials.best("trial")]
    assert said.startswith(found.trial) and f"patchscale walkforward {run_id} does it" in said


def test_the_trial_is_known_by_its_spec_not_by_its_name(walked_material):
    walked = walked_material.walked
    named = replace(walked, names=tuple(name.replace("trial", "spec") for name in walked.names))
    assert isinstance(walked_best(replace(walked_material, walked=named), n_resamples=200), Walked)
    others = dict.fromkeys(walked_material.walked_specs, "0" * 16)
    assert isinstance(walked_best(replace(walked_material, walked_specs=others), n_resamples=200), str)


@pytest.mark.lesson("L23")
def test_a_best_baseline_needs_all_of_them(walked_material):
    lacking = without(walked_material, "baseline boosting")
    assert missing_baselines(lacking.walked) == ["boosting"] and not missing_baselines(walked_material.walked)
    said = walked_best(lacking, n_resamples=200)
    assert "(boosting missing)" in said and "--first-year 2012 --last-year 2015" in said


def test_days_that_all_chose_the_setting_do_not_judge_it(walked_material):
    walked = walked_material.walked
    late = walked.dates_D >= str(walked_material.plan.split.validation_start)
    only = replace(walked, dates_D=walked.dates_D[late], y_D=walked.y_D[late], p_MD=walked.p_MD[:, late])
    said = walked_best(replace(walked_material, walked=only), n_resamples=200)
    assert said == "fewer than 200 days are of years that did not choose the setting."
