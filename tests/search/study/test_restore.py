import json

import optuna
import pytest
from optuna.trial import TrialState

from model.spec.spec import Spec
from search.study.reconcile import reconcile
from search.study.restore import restore
from search.study.study import load_study, open_or_create_study
from search.tracking.stores import open_storage
from search.trial.runner import TrialRunner


def make_runner(study, dataset):
    return TrialRunner(study, dataset, device="cpu", report=lambda e: None, should_stop=lambda: False)


@pytest.fixture
def study(make_trained):
    """Two finished trials."""
    return make_trained(2, 2)


def run_of(study, number):
    return study.schedule.trials[number].user_attrs["run_id"]


def hard_delete(study, run_id):
    """As ``mlflow gc`` does."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    study.client.delete_run(run_id)
    SqlAlchemyStore(study.client.tracking_uri, "unused")._hard_delete_run(run_id)


@pytest.mark.slow
def test_stores_that_agree_are_left_alone(study):
    assert restore(study) == (study, [])


@pytest.mark.lesson("L29")
def test_a_deleted_run_comes_back_whole(study):
    study.client.delete_run(run_of(study, 1))
    _, (line,) = restore(study)
    assert "of trial 1 was deleted: restored it" in line
    run = study.client.get_run(run_of(study, 1))
    assert run.info.lifecycle_stage == "active" and "best/loss" in run.data.metrics
    assert restore(study)[1] == []


def test_a_run_that_is_gone_for_good_is_recorded_anew_once(study):
    hard_delete(study, run_of(study, 0))
    _, (line,) = restore(study)
    assert "trial 0 had no run: recorded it anew" in line
    trial = study.schedule.trials[0]
    (run,) = study.client.search_runs([study.experiment_id], "tags.`restored.from` = 'schedule'")
    assert Spec.from_params(run.data.params).hash == trial.user_attrs["spec_hash"]
    assert run.data.metrics["best/loss"] == trial.value and run.info.status == "FINISHED"
    assert run.data.metrics["best/roc_auc"] == trial.user_attrs["result"]["roc_auc"]
    assert restore(study)[1] == []


def test_a_finished_trial_whose_run_says_otherwise_is_right(study):
    study.client.update_run(run_of(study, 0), status="RUNNING")
    _, (line,) = restore(study)
    assert "said RUNNING: ended it FINISHED" in line
    assert study.client.get_run(run_of(study, 0)).info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_a_lost_schedule_is_made_again_from_the_record_and_nothing_is_trained_twice(study, stores, planned):
    plan, dataset, root = planned
    before = {
        t.user_attrs["spec_hash"]: (t.value, t.user_attrs["run_id"], t.user_attrs["result"]) for t in study.finished()
    }
    optuna.delete_study(study_name=plan.study, storage=open_storage(stores))
    again = open_or_create_study(stores, plan, trials=3, data_root=root)
    assert again.run_id == study.run_id, "the study's run is the one it had"
    again, lines = restore(again)
    assert ["entered it as trial" in line for line in lines] == [True, True]
    after = {
        t.user_attrs["spec_hash"]: (t.value, t.user_attrs["run_id"], t.user_attrs["result"]) for t in again.finished()
    }
    assert after == before
    assert {t.user_attrs["forced"] for t in again.finished()} == {"extreme"}
    runner = make_runner(load_study(stores, plan.study), dataset)
    while len(again.finished()) < 3:
        runner.run_next()
    assert len(again.client.search_runs([again.experiment_id], "tags.`run.role` = 'trial'")) == 3
    for trial in again.finished():
        assert again.client.get_run(trial.user_attrs["run_id"]).data.tags["trial.number"] == str(trial.number)
    assert restore(again)[1] == [] and reconcile(again) == []


@pytest.mark.slow
def test_a_run_of_another_plan_is_not_entered(study):
    run = study.client.create_run(study.experiment_id, tags={"run.role": "trial", "study.name": study.plan.study})
    study.client.set_terminated(run.info.run_id, "FINISHED")
    _, (line,) = restore(study)
    assert "can't be entered: a record must hold every field of its spec" in line
    assert len(study.finished()) == 2


def test_the_study_s_run_is_restored_or_made_anew(study, stores, planned):
    study.client.delete_run(study.run_id)
    assert "was deleted: restored it" in restore(study)[1][0]
    hard_delete(study, study.run_id)
    renewed, (line,) = restore(study)
    assert "the study's run was gone" in line
    assert load_study(stores, planned[0].study).run_id == renewed.run_id
    runs = study.client.search_runs([study.experiment_id], "tags.`run.role` = 'trial'")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {renewed.run_id}
    assert (
        json.loads(study.schedule.user_attrs["plan"])["study"]
        == study.client.get_run(renewed.run_id).data.params["study"]
    )


def test_waiting_trials_need_no_run(study):
    assert study.schedule.get_trials(states=(TrialState.WAITING,))
    assert restore(study)[1] == []
