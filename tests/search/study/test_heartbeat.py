import socket
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy
from optuna.trial import TrialState

from search.space.ranks import SearchSpace
from search.study.heartbeat import alive_elsewhere, beating
from search.study.reconcile import reconcile
from search.study.study import open_or_create_study
from search.tracking.stores import HEARTBEAT_GRACE_SECONDS


@pytest.fixture
def study(stores, planned):
    plan, _, root = planned
    return open_or_create_study(stores, plan, trials=2, data_root=root)


def ask(study):
    return study.schedule.ask(SearchSpace(study.plan.grid()).distributions())


@pytest.mark.slow
def test_a_running_trial_gives_signs_of_life_and_says_where(study):
    trial = ask(study)
    with beating(study.schedule, trial):
        pass
    assert trial.user_attrs["host"] == socket.gethostname()
    assert study.schedule._storage._get_stale_trial_ids(study.schedule._study_id) == []


@pytest.mark.lesson("L29")
def test_a_trial_of_another_machine_is_left_alone_until_its_signs_of_life_end(study, stores, monkeypatch):
    trial = ask(study)
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "elsewhere")
        with beating(study.schedule, trial):
            pass
    assert alive_elsewhere(study.schedule) == {trial.number}
    assert reconcile(study) == []
    assert study.schedule.trials[trial.number].state == TrialState.RUNNING
    engine = sqlalchemy.create_engine(stores.storage_uri)
    old = f"{datetime.now(UTC) - timedelta(seconds=HEARTBEAT_GRACE_SECONDS + 60):%Y-%m-%d %H:%M:%S.000000}"
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE trial_heartbeats SET heartbeat = :old"), {"old": old})
    engine.dispose()
    assert alive_elsewhere(study.schedule) == set()
    assert any("was interrupted" in line for line in reconcile(study))


def test_a_trial_of_this_machine_is_stale_once_the_lock_is_free(study):
    trial = ask(study)
    with beating(study.schedule, trial):
        pass
    assert alive_elsewhere(study.schedule) == set()
    assert any(f"trial {trial.number} was interrupted" in line for line in reconcile(study))
