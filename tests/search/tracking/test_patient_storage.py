import optuna
import psycopg
import pytest
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import TrialState

import search.tracking.patience as patience
from pipeline.exceptions import LostLeaseError
from search.tracking.held import held
from search.tracking.patient_storage import REPEATED, WRITES, PatientStorage


def away():
    cause = psycopg.OperationalError("server closed the connection unexpectedly")
    raise sqlalchemy.exc.OperationalError("COMMIT", {}, cause) from cause


@pytest.fixture
def storage(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(patience, "WAITING", patience._Waiting())
    patience.WAITING.tell = lambda line: None
    storage = PatientStorage(f"sqlite:///{tmp_path}/optuna.db", heartbeat_interval=60)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


def break_once(monkeypatch, name, *, arrives):
    """Let a call fail once: before it reached the database, or after it did and its answer was lost."""
    plain, failed = getattr(RDBStorage, name), []

    def call(self, *arguments, **named):
        if failed:
            return plain(self, *arguments, **named)
        failed.append(True)
        if arrives:
            plain(self, *arguments, **named)
        return away()

    monkeypatch.setattr(RDBStorage, name, call)


def test_every_call_that_optuna_makes_is_one_of_ours():
    import inspect
    import re

    called = set(re.findall(r"_backend\.(\w+)\(", inspect.getsource(_CachedStorage)))
    local = {"get_heartbeat_interval", "get_heartbeat_stale_trial_callback", "remove_session"}
    own = {"set_trial_state_values", "record_heartbeat", "create_new_study", "delete_study"}
    assert called - {*REPEATED, *local} == own <= vars(PatientStorage).keys()


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("arrives", [False, True])
def test_a_result_is_told_once_whether_or_not_it_had_arrived(storage, monkeypatch, arrives):
    study = optuna.create_study(storage=storage)
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    break_once(monkeypatch, "set_trial_state_values", arrives=arrives)
    study.tell(trial, 0.5)
    (held,) = study.get_trials()
    assert (held.state, held.value) == (TrialState.COMPLETE, 0.5)


@pytest.mark.lesson("L29")
def test_a_trial_that_another_closed_is_still_closed_for_us(storage, monkeypatch):
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    optuna.load_study(study_name=study.study_name, storage=storage).tell(trial.number, state=TrialState.FAIL)
    break_once(monkeypatch, "set_trial_state_values", arrives=False)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [0.5])


def test_a_sign_of_life_that_does_not_arrive_is_not_waited_for(storage, monkeypatch):
    trial = optuna.create_study(storage=storage).ask()
    monkeypatch.setattr(RDBStorage, "record_heartbeat", lambda self, trial_id: away())
    storage.record_heartbeat(trial._trial_id)


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("name", ["create_new_study", "delete_study"])
def test_a_study_is_made_and_deleted_once_whether_or_not_that_had_arrived(storage, monkeypatch, name, arrives):
    break_once(monkeypatch, name, arrives=arrives)
    study = optuna.create_study(study_name="s", storage=storage)
    assert [(each.study_name, each._study_id) for each in storage.get_all_studies()] == [("s", study._study_id)]
    optuna.delete_study(study_name="s", storage=storage)
    assert storage.get_all_studies() == []


@pytest.mark.parametrize("fill", [lambda study: study.ask(), lambda study: study.set_user_attr("a", 1)])
def test_a_study_that_another_filled_is_not_taken_for_the_one_whose_answer_was_lost(storage, monkeypatch, fill):
    fill(optuna.create_study(study_name="s", storage=storage))
    break_once(monkeypatch, "create_new_study", arrives=False)
    with pytest.raises(optuna.exceptions.DuplicatedStudyError):
        optuna.create_study(study_name="s", storage=storage)


@pytest.mark.lesson("L40")
def test_who_lost_a_lease_writes_nothing_and_reads_on(storage):
    study = optuna.create_study(storage=storage, study_name="s")
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    held_before = storage.get_all_trials(1)

    def lost():
        raise LostLeaseError("taken over")

    writes = [
        lambda: optuna.create_study(storage=storage, study_name="t"),
        lambda: optuna.delete_study(storage=storage, study_name="s"),
        lambda: study.set_user_attr("a", 1),
        lambda: study._storage.set_study_system_attr(1, "a", 1),
        study.ask,
        lambda: trial.suggest_float("y", 0, 1),
        lambda: trial.report(0.5, 1),
        lambda: trial.set_user_attr("a", 1),
        lambda: study._storage.set_trial_system_attr(trial._trial_id, "a", 1),
        lambda: study.tell(trial, 0.5),
    ]
    assert len(writes) == len(WRITES)
    with held(lost):
        for write in writes:
            with pytest.raises(LostLeaseError):
                write()
        assert storage.get_all_trials(1) == held_before
        assert [each.study_name for each in storage.get_all_studies()] == ["s"]
        assert storage.get_study_user_attrs(1) == {}
    study.tell(trial, 0.5)
