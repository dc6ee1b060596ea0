from dataclasses import replace

import pytest

from model.spec.spec import Spec, Training, flatten
from pipeline.exceptions import InputError
from search.space.drawn import TRAINING
from search.study.named_values import read_values, write_values


@pytest.fixture
def plan(planned):
    return planned[0]


@pytest.mark.lesson("L7")
def test_what_the_plan_fixes_is_in_every_spec_and_the_rest_is_the_trial_s(plan):
    changed = replace(plan, max_epochs=9, patience=4, offset="logistic", seed=11)
    spec = changed.spec(plan.grid().architectures[0], {"learning_rate": 0.5})
    assert spec.training == Training(max_epochs=9, patience=4, offset="logistic", learning_rate=0.5)
    for name in ("data", "target", "split", "budget", "tolerance", "seed"):
        assert getattr(spec, name) == getattr(changed, name)
    assert Spec.from_params(spec.params()) == spec


@pytest.mark.lesson("L9")
def test_a_grid_that_this_code_enumerates_otherwise_is_refused_with_the_remedy(plan):
    with pytest.raises(InputError, match=rf"made on grid 000, got grid {plan.grid_hash} .* --study NAME"):
        replace(plan, grid_hash="000").grid()
    with pytest.raises(InputError, match="was made on grid"):
        replace(plan, n_layers_axis="2,3").grid()


def test_every_budget_of_a_ticker_and_target_is_in_one_experiment_and_another_target_is_not(plan):
    assert replace(plan, budget="20M", seed=5).experiment == plan.experiment
    assert replace(plan, target=replace(plan.target, horizon=2)).experiment != plan.experiment
    assert replace(plan, data=replace(plan.data, ticker="SPY")).experiment != plan.experiment


def test_differences_name_every_field_with_both_values_and_nothing_else(plan):
    assert plan.differences(plan) == []
    for name, value in (("seed", 7), ("budget", "6K"), ("d_model_axis", "8")):
        other = replace(plan, **{name: value})
        assert plan.differences(other) == [f"{name} {dict(flatten(plan))[name]} there, {value} here"]
    moved = replace(plan, target=replace(plan.target, horizon=2, threshold=0.5))
    assert [line.split()[0] for line in plan.differences(moved)] == ["horizon", "threshold"]


def test_what_is_not_given_of_a_searched_setting_is_as_in_forced_trials(plan):
    ranges = read_values(plan.search_ranges) | {
        "learning_rate": "float 1e-05 to 0.0001 log",
        "dropout": "one of 0.3 0.4",
    }
    changed = replace(plan, search_ranges=write_values(ranges))
    training = changed.spec(plan.grid().architectures[0], {"weight_decay": 0.5}).training
    assert (training.weight_decay, training.dropout) == (0.5, 0.3)
    assert training.learning_rate == pytest.approx(10**-4.5) and training.batch_size == Training().batch_size
    assert changed.drawn_of(training).keys() == ranges.keys() and list(changed.ranges) == list(TRAINING)


@pytest.mark.lesson("L37")
def test_ranges_that_are_not_those_of_the_hash_are_not_searched(plan):
    changed = replace(plan, search_ranges=plan.search_ranges.replace("3e-05", "1e-05"))
    with pytest.raises(InputError, match=rf"the ranges that it was made with, got {plan.space_hash} there, .* here"):
        changed.space()
