import re

import optuna
import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from pipeline.exceptions import StoreError
from search.results.trial_runs import recorded_trials
from search.study.life_cycle import find_or_create_experiment, lost_record
from search.study.restore import restore
from search.study.study import load_study, open_or_create_study
from search.tracking.stores import open_storage, open_tracking


@pytest.fixture
def study(make_trained):
    return make_trained(2, 2)


def delete(study, what):
    """As the UI does, or ``mlflow gc`` after it."""
    store = SqlAlchemyStore(study.client.tracking_uri, "unused")
    if what.startswith("experiment"):
        study.client.delete_experiment(study.experiment_id)
    else:
        study.client.delete_run(study.run_id)
    if what == "experiment for good":
        for run in [study.run_id, *(trial.user_attrs["run_id"] for trial in study.finished())]:
            store._hard_delete_run(run)
        store._hard_delete_experiment(study.experiment_id)
    elif what == "run for good":
        store._hard_delete_run(study.run_id)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("experiment", "its experiment .* was deleted"),
        ("experiment for good", "its experiment .* is gone for good"),
        ("run", "its run .* was deleted"),
        ("run for good", "its run .* is gone for good"),
    ],
)
def test_what_was_deleted_is_said_with_the_remedy_and_restored_by_it(study, stores, planned, what, said):
    plan, _, root = planned
    losses = sorted(trial.value for trial in study.finished())
    assert lost_record(study.client, study.experiment_id, study.run_id) == ""
    delete(study, what)
    with pytest.raises(
        StoreError, match=rf"{said}; patchscale reconcile {re.escape(plan.study)} restores what can be$"
    ):
        load_study(stores, plan.study)
    opened = open_or_create_study(stores, plan, trials=2, data_root=root)
    restored, lines = restore(opened)
    assert lines
    assert lost_record(restored.client, restored.experiment_id, restored.run_id) == ""
    again = load_study(stores, plan.study)
    assert sorted(trial.loss for trial in recorded_trials(again) if trial.finished) == losses
    assert restore(again)[1] == []


def test_a_lost_schedule_is_named_by_whoever_asks_for_the_study(study, stores):
    optuna.delete_study(study_name=study.plan.study, storage=open_storage(stores))
    with pytest.raises(StoreError, match="schedule lost, repeat its hpo to restore it"):
        load_study(stores, study.plan.study)


@pytest.mark.lesson("L40")
def test_an_experiment_that_somebody_made_at_the_same_moment_is_taken(stores, monkeypatch):
    client, other = open_tracking(stores), open_tracking(stores)
    find, made = client.get_experiment_by_name, []

    def made_meanwhile(name):
        found = find(name)
        if not made:
            made.append(other.create_experiment(name))
        return found

    monkeypatch.setattr(client, "get_experiment_by_name", made_meanwhile)
    assert find_or_create_experiment(client, stores, "new") == made[0]
