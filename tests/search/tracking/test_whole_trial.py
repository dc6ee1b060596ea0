from concurrent.futures import ThreadPoolExecutor

import optuna
import psycopg
import pytest
import sqlalchemy
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

import search.tracking.patience as patience
import search.tracking.whole_trial as whole_trial
from search.study.next_trial import ask
from search.study.sampler import TrialSeededSampler
from search.tracking.whole_trial import NOT_STORED, TakenError, store_whole

SPACE = {"x": FloatDistribution(0, 1), "rank": IntDistribution(0, 9)}
EXACT = 0.1 + 0.2


@pytest.fixture
def schedule(tmp_path):
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/optuna.db")
    yield study
    study._storage._backend.remove_session()
    study._storage._backend.engine.dispose()


def drawn(number, trial_id=NOT_STORED, host="east", **system):
    trial = create_trial(
        state=TrialState.RUNNING,
        params={"x": EXACT, "rank": 4},
        distributions=SPACE,
        user_attrs={"host": host},
        system_attrs=system,
    )
    trial.number, trial._trial_id = number, trial_id
    return trial


def store(schedule, trial):
    return store_whole(schedule._storage, schedule._study_id, trial)


def commits(schedule):
    """Gather what is committed from now on."""
    found = []
    sqlalchemy.event.listen(schedule._storage._backend.engine, "commit", found.append)
    return found


@pytest.mark.parametrize("queued", [False, True])
def test_a_trial_is_stored_with_all_it_has_in_one_transaction(schedule, queued):
    if queued:
        schedule.enqueue_trial({"x": EXACT}, user_attrs={"forced": "extreme", "host": "west"})
        trial = drawn(0, schedule.trials[0]._trial_id, relative="{}")
    else:
        trial = drawn(0, relative="{}")
    found = commits(schedule)
    storage_id = store(schedule, trial)
    assert len(found) == 1
    (held,) = optuna.load_study(study_name=schedule.study_name, storage=schedule._storage).trials
    assert (held._trial_id, held.number, held.state) == (storage_id, 0, TrialState.RUNNING)
    assert (held.params, held.distributions) == (trial.params, trial.distributions)
    assert held.user_attrs == {"host": "east", **({"forced": "extreme"} if queued else {})}
    assert held.system_attrs == {"relative": "{}", **({"fixed_params": {"x": EXACT}} if queued else {})}
    assert held.datetime_start is not None
    schedule.tell(0, 0.5)
    assert schedule.trials[0].value == 0.5


def test_a_number_or_a_queued_trial_that_another_process_took_is_not_taken_twice(schedule):
    schedule.enqueue_trial({"x": EXACT})
    queued = drawn(0, schedule.trials[0]._trial_id)
    store(schedule, queued)
    store(schedule, drawn(1))
    before = schedule.trials
    for late in (queued, drawn(1), drawn(3)):
        with pytest.raises(TakenError):
            store(schedule, late)
    assert schedule.trials == before


def _ask(path, count):
    """Ask as a process of its own does."""
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{path}", sampler=TrialSeededSampler(1))
    numbers = [ask(study, SPACE, "east").number for _ in range(count)]
    study._storage._backend.remove_session()
    return numbers


def test_who_asks_at_once_is_given_what_one_after_the_other_would_be(tmp_path):
    for name in ("together", "alone"):
        study = optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path}/{name}.db")
        for x in (0.1, 0.2, 0.3):
            study.enqueue_trial({"x": x})
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(_ask, tmp_path / "together.db", 5) for _ in range(4)]
    numbers = [number for each in asked for number in each.result()]
    assert sorted(numbers) == sorted(_ask(tmp_path / "alone.db", 20)) == list(range(20))
    together, alone = (
        [(t.number, t.state, t.params) for t in optuna.load_study(study_name="s", storage=f"sqlite:///{path}").trials]
        for path in (tmp_path / "together.db", tmp_path / "alone.db")
    )
    assert together == alone


@pytest.mark.lesson("L29")
@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("arrives", [False, True])
def test_a_trial_whose_answer_was_lost_is_stored_once(schedule, monkeypatch, arrives, queued):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(patience, "WAITING", patience._Waiting())
    patience.WAITING.tell = lambda line: None
    if queued:
        schedule.enqueue_trial({"x": EXACT})
    plain, failed = whole_trial._store, []

    def break_once(*arguments):
        if failed:
            return plain(*arguments)
        failed.append(True)
        if arrives:
            plain(*arguments)
        cause = psycopg.OperationalError("server closed the connection unexpectedly")
        raise sqlalchemy.exc.OperationalError("COMMIT", {}, cause) from cause

    monkeypatch.setattr(whole_trial, "_store", break_once)
    trial = drawn(0, schedule.trials[0]._trial_id if queued else NOT_STORED)
    storage_id = store(schedule, trial)
    (held,) = schedule.trials
    assert (held._trial_id, held.params, held.state) == (storage_id, trial.params, TrialState.RUNNING)
