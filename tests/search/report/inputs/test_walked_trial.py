from dataclasses import replace

import pytest

from search.report.inputs.walked_trial import WalkedTrial, missing_baselines, unbiased, walked_best
from search.walk_forward.tables import of_names


def without(inputs, name):
    names = set(inputs.walked.names) - {name}
    return replace(inputs, walked=of_names(inputs.walked, names))


def chosen(inputs):
    return inputs.trials.names[inputs.trials.best("trial")]


def test_the_chosen_trial_is_compared_on_years_that_did_not_choose_it(walked_inputs):
    found = walked_best(walked_inputs)
    clean, optimistic = unbiased(walked_inputs, walked_inputs.walked)
    assert optimistic and not set(clean.dates_D.year) & set(optimistic)
    assert found.difference.n_days == len(clean.dates_D)
    assert (found.opponent, found.name) == ("logistic", chosen(walked_inputs))
    assert walked_best(replace(walked_inputs, walked=None)) is None


@pytest.mark.lesson("L23")
def test_only_the_studys_lowest_loss_is_compared_however_well_another_does(walked_inputs):
    walked, name = walked_inputs.walked, chosen(walked_inputs)
    p_MD = walked.p_MD.copy()
    other = 1 - walked.row(name)
    p_MD[other] = 0.2 + 0.6 * walked.y_D
    better = replace(walked_inputs, walked=replace(walked, p_MD=p_MD))
    assert better.walked.best("trial") == other
    found = walked_best(better)
    assert isinstance(found, WalkedTrial) and found.name == name and found.trial == " ".join(name.split()[:2])
    said = walked_best(without(better, name))
    run_id = walked_inputs.trials.run_ids[walked_inputs.trials.best("trial")]
    assert said.startswith(found.trial) and f"patchscale walkforward {run_id} does it" in said


def test_the_trial_is_known_by_its_spec_not_by_its_name(walked_inputs):
    walked = walked_inputs.walked
    named = replace(walked, names=tuple(name.replace("trial", "spec") for name in walked.names))
    assert isinstance(walked_best(replace(walked_inputs, walked=named)), WalkedTrial)
    others = dict.fromkeys(walked_inputs.walked_specs, "0" * 16)
    assert isinstance(walked_best(replace(walked_inputs, walked_specs=others)), str)


@pytest.mark.lesson("L23")
def test_a_best_baseline_needs_all_of_them(walked_inputs):
    lacking = without(walked_inputs, "baseline boosting")
    assert missing_baselines(lacking.walked) == ["boosting"] and not missing_baselines(walked_inputs.walked)
    said = walked_best(lacking)
    assert "(boosting missing)" in said and "--first-year 2012 --last-year 2015" in said


def test_days_that_all_chose_the_setting_do_not_judge_it(walked_inputs):
    walked = walked_inputs.walked
    late = walked.dates_D >= str(walked_inputs.plan.split.validation_start)
    only = replace(walked, dates_D=walked.dates_D[late], y_D=walked.y_D[late], p_MD=walked.p_MD[:, late])
    said = walked_best(replace(walked_inputs, walked=only))
    assert said == "fewer than 200 days are of years that did not choose the setting."
