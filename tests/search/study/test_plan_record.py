import json
from dataclasses import replace

import optuna
import pytest
from optuna.distributions import FloatDistribution

from model.spec.migrations import MIGRATIONS, PLAN_SCHEMA, RECORD_SCHEMA, SCHEMA
from pipeline.exceptions import InputError, RecordError, StoreError
from search.space.ranks import TRAINING
from search.study.named_values import read_values, write_values
from search.study.plan import unsearched
from search.study.plan_record import FIRST_RANGES, FIRST_SETTINGS, plan_params, read_plan
from search.study.study import PLAN, load_study, open_or_create_study

JOINED = ("search_ranges", "space_hash", "fixed_settings", "head", "blend", "init", "first_epoch", RECORD_SCHEMA)
FIRST_RATES, OTHER_RATES = FloatDistribution(3e-5, 3e-3, log=True), FloatDistribution(1e-5, 1e-2, log=True)
NAMED = r"learning_rate float 3e-05 to 0.003 log there, float 1e-05 to 0.01 log here"


def first_form(plan):
    """The plan as the first version of the code wrote it."""
    return {name: value for name, value in plan_params(plan).items() if name not in JOINED}


def drawn(distributions):
    """A schedule with a trial from each of these ranges of the learning rate."""
    schedule = optuna.create_study()
    for distribution in distributions:
        schedule.add_trial(
            optuna.create_trial(
                params={"learning_rate": 1e-3}, distributions={"learning_rate": distribution}, value=0.5
            )
        )
    return schedule


def test_a_plan_is_read_as_it_was_written(planned):
    plan = planned[0]
    params = plan_params(plan)
    assert read_plan(params) == plan and params[RECORD_SCHEMA] == str(SCHEMA)


@pytest.mark.lesson("L36")
def test_the_plan_of_a_first_study_has_the_ranges_and_settings_of_its_time(planned):
    plan = read_plan(first_form(planned[0]))
    later = {each.name: each.value for each in MIGRATIONS if each.name in unsearched()}
    settings = write_values({**later, **read_values(FIRST_SETTINGS)})
    assert (plan.search_ranges, plan.fixed_settings) == (FIRST_RANGES, settings)
    assert replace(plan, search_ranges="", space_hash="", fixed_settings="") == replace(
        planned[0], search_ranges="", space_hash="", fixed_settings="", init="normal", first_epoch=1
    )


@pytest.mark.lesson("L37")
def test_the_ranges_of_a_first_study_are_those_that_its_trials_were_drawn_from(planned):
    plan = read_plan(first_form(planned[0]), drawn([OTHER_RATES]))
    assert "learning_rate=float 1e-05 to 0.01 log" in plan.search_ranges
    named = "learning_rate float 1e-05 to 0.01 log there, float 3e-05 to 0.003 log here"
    assert named in plan.differences(planned[0])
    assert plan.space().training == {**TRAINING, "learning_rate": OTHER_RATES}, "it is searched in them alone"


@pytest.mark.lesson("L37")
def test_a_first_study_that_ended_with_two_ranges_names_both(planned):
    plan = read_plan(first_form(planned[0]), drawn([TRAINING["learning_rate"], OTHER_RATES]))
    assert "learning_rate=float 1e-05 to 0.01 log and float 3e-05 to 0.003 log" in plan.search_ranges
    with pytest.raises(InputError, match="can only be searched in the ranges that it was made with"):
        plan.space()


@pytest.mark.lesson("L3")
def test_a_field_that_the_record_should_hold_is_not_guessed(planned):
    params = plan_params(planned[0])
    del params["search_ranges"]
    assert int(params[RECORD_SCHEMA]) >= PLAN_SCHEMA
    with pytest.raises(RecordError, match="missing search_ranges"):
        read_plan(params)


@pytest.mark.lesson("L37")
def test_a_study_is_not_continued_in_other_ranges_and_they_are_named(make_study, stores, planned, monkeypatch):
    study = make_study(2)
    monkeypatch.setitem(TRAINING, "learning_rate", OTHER_RATES)
    plan = planned[0]
    today = replace(plan, search_ranges=plan.search_ranges.replace("3e-05 to 0.003", "1e-05 to 0.01"), space_hash="now")
    with pytest.raises(StoreError, match=NAMED):
        open_or_create_study(stores, today, trials=2, data_root=planned[2])
    own = load_study(stores, study.plan.study).plan.space()
    assert str(own.training["learning_rate"]) == str(FIRST_RATES), "whatever the usual range is by then"


@pytest.mark.lesson("L36")
@pytest.mark.lesson("L37")
def test_a_study_keeps_the_settings_that_no_option_names(make_study, stores, planned):
    """Whatever their standard value is by then: one study never holds two."""
    study = make_study(2)
    held = json.loads(study.schedule.user_attrs[PLAN])
    settings = held["fixed_settings"].replace("beta2=0.95", "beta2=0.9").replace("stride=5", "stride=4")
    plan = planned[0].with_settings(settings)
    assert plan.grid_hash != planned[0].grid_hash
    study.schedule.set_user_attr(PLAN, json.dumps(plan_params(plan)))
    continued = make_study(3).plan
    assert continued == plan == load_study(stores, plan.study).plan
    spec = continued.spec(continued.grid().architectures[0], {})
    assert (spec.training.beta2, spec.architecture.stride) == (0.9, 4)
