from dataclasses import replace

import pytest

from model.spec.spec import Spec, Training, flatten
from pipeline.exceptions import InputError


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
