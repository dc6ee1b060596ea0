"""A study whose command was killed anywhere while it was being made is made by the same command; others stay."""

import json
import re
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from pipeline.exceptions import StoreError
from search.study.half_made import PLAN, RUN_ID, is_half_made
from search.study.plan_record import plan_params
from search.study.stored_plan import stored_plan
from search.study.study import load_study, open_or_create_study
from search.tracking.stores import open_storage, open_tracking
from tests.killed_between import kills

MAKES_IT = """
import json
from pathlib import Path
from search.study.plan_record import read_plan
from search.study.study import open_or_create_study
from search.tracking.stores import resolve_stores

params, root = sys.argv[1:]
open_or_create_study(resolve_stores(), read_plan(json.loads(params)), trials=8, data_root=Path(root))
"""
CLIENT, STORAGE = "mlflow.MlflowClient", "optuna.storages.RDBStorage"
WRITES = [
    *(f"{STORAGE}.{name}" for name in ("create_new_study", "set_study_user_attr")),
    *(f"{CLIENT}.{name}" for name in ("create_run", "log_batch", "log_dict")),
]
MADE = {PLAN: "{}", RUN_ID: "f"}


@pytest.fixture
def storage(stores):
    return open_storage(stores)


@pytest.fixture
def make(stores, planned):
    plan, _, root = planned
    return lambda: open_or_create_study(stores, plan, trials=8, data_root=root)


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_a_study_whose_making_is_killed_anywhere_is_made_by_the_same_command(home, stores, planned):
    plan, _, root = planned
    killed = list(kills(home, [json.dumps(plan_params(plan)), str(root)], WRITES, MAKES_IT))
    assert len(killed) == 11, "before each of ten writes of its making, and after them"
    study = load_study(stores, plan.study)
    assert (study.plan, study.target_trials) == (plan, 8)
    assert len(study.schedule.get_trials(states=(TrialState.WAITING,))) == 6
    assert [run.info.run_id for run in study.client.search_runs([study.experiment_id])] == [study.run_id]


def of_nobody(study):
    pass


def with_plan(study):
    study.set_user_attr(PLAN, "{}")


def made(study):
    study.set_user_attr(PLAN, "{}")
    study.set_user_attr(RUN_ID, "f")


def with_attribute(study):
    study.set_user_attr("contributors", ["somebody"])


def with_trial(study):
    study.ask()


def with_system_attribute(study):
    study._storage.set_study_system_attr(study._study_id, "of:a:sampler", 1)


@pytest.mark.parametrize(
    ("fill", "directions", "expected"),
    [
        (of_nobody, ["minimize"], True),
        (with_plan, ["minimize"], True),
        (made, ["minimize"], False),
        (of_nobody, ["maximize"], False),
        (of_nobody, ["minimize", "minimize"], False),
        (with_attribute, ["minimize"], False),
        (with_trial, ["minimize"], False),
        (with_system_attribute, ["minimize"], False),
    ],
)
def test_only_what_nobody_has_used_is_half_made(storage, fill, directions, expected):
    fill(optuna.create_study(study_name="s", storage=storage, directions=directions))
    (summary,) = optuna.get_all_study_summaries(storage)
    assert is_half_made(storage, summary) == expected


@pytest.mark.parametrize("fill", [with_attribute, with_trial])
def test_a_study_that_somebody_else_made_is_refused_and_stays(storage, make, planned, fill):
    name = planned[0].study
    fill(optuna.create_study(study_name=name, storage=storage))
    with pytest.raises(StoreError, match=re.escape(f"must be one that patchscale made, got '{name}' (no")):
        make()
    assert [each.study_name for each in optuna.get_all_study_summaries(storage)] == [name]


def test_one_that_is_half_made_is_named_with_its_remedy_and_is_no_plan(stores, storage, make, planned):
    plan = planned[0]
    optuna.create_study(study_name=plan.study, storage=storage)
    with pytest.raises(StoreError, match="must be finished being made, got no 'plan'; repeat its hpo"):
        load_study(stores, plan.study)
    assert stored_plan(stores, plan.study) is None
    assert make().plan == plan


def test_a_run_without_params_is_of_no_study(stores, storage, make, planned):
    study = make()
    optuna.delete_study(study_name=study.plan.study, storage=storage)
    client = open_tracking(stores)
    tags = {"study.name": study.plan.study, "run.role": "study"}
    for of in (study.plan, replace(study.plan, study="never")):
        client.create_run(study.experiment_id, tags={**tags, "study.name": of.study})
    assert stored_plan(stores, "never") is None
    assert make().run_id == study.run_id, "its own, with its plan, though the other is later"
