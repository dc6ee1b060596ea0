import optuna
import pytest
from optuna.trial import create_trial

from search.audit.status import seconds_left, study_states
from search.space.ranks import SearchSpace
from search.tracking.locks import study_lock
from search.tracking.stores import open_storage


def state_of(stores):
    (state,) = study_states(stores)
    return state


@pytest.mark.slow
@pytest.mark.lesson("L28")
def test_a_study_is_complete_only_at_its_target(make_study, run_trials, stores):
    study = make_study(3)
    assert (state_of(stores)["state"], state_of(stores)["finished"]) == ("queued", 0)
    run_trials(study, 2)
    assert (state_of(stores)["state"], state_of(stores)["finished"]) == ("incomplete", 2)
    run_trials(study, 1)
    assert (state_of(stores)["state"], state_of(stores)["finished"]) == ("complete", 3)
    make_study(4)
    assert (state_of(stores)["state"], state_of(stores)["target"]) == ("incomplete", 4)


@pytest.mark.slow
@pytest.mark.lesson("L28")
def test_a_timeout_is_said_with_what_was_done(make_trained, run_trials, stores, command):
    study = make_trained(3, 2)
    study.schedule.set_user_attr("stopped", "timeout")
    assert "stopped by timeout, 2/3" in command("status")[1]
    run_trials(study, 1)
    assert state_of(stores)["state"] == "complete"


@pytest.mark.slow
def test_a_running_study_shows_its_workers_and_the_time_left(make_trained, stores):
    study = make_trained(5, 2)
    with study_lock(stores, study.plan.study):
        for _ in range(2):
            study.schedule.ask(SearchSpace(study.plan.grid()).distributions())
        state = state_of(stores)
    seconds = sorted(t.user_attrs["result"]["seconds"] for t in study.finished())
    assert (state["state"], state["workers"]) == ("running", 2)
    assert state["seconds_left"] == pytest.approx(3 * sum(seconds) / 2 / 2)
    assert state["issues"] == ["2 of 6 extremes"]
    assert state_of(stores)["state"] == "incomplete"
    assert "2 interrupted trials to run again" in state_of(stores)["issues"]


@pytest.mark.parametrize(
    ("seconds", "remaining", "workers", "expected"),
    [([10.0, 20.0, 60.0], 6, 2, 60.0), ([], 6, 2, None), ([10.0], 6, 0, None), ([10.0], -1, 1, 0.0)],
)
def test_time_left_is_trials_left_times_their_median_shared_by_workers(seconds, remaining, workers, expected):
    finished = [create_trial(value=0.4, user_attrs={"result": {"seconds": each}}) for each in seconds]
    assert seconds_left(finished, remaining, workers) == expected


@pytest.mark.lesson("L31")
@pytest.mark.lesson("L34")
def test_issues_name_what_went_wrong_in_words(make_trained, run_trials, stores, alter, monkeypatch):
    study = make_trained(3, 2)

    def fail(*arguments):
        raise ValueError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr("search.trial.training.build_model", fail)
        run_trials(study, 1)
    alter(study.schedule.trials[0].user_attrs["run_id"], "n_heads", "8")
    study.client.update_run(study.run_id, status="RUNNING")
    state = state_of(stores)
    assert state["issues"] == [
        "1 of 6 extremes",
        "1 failed trial",
        "1 invalid record",
        "says RUNNING, but no command on this machine works on it: repeat its hpo",
    ]
    study.client.update_run(study.run_id, status="FINISHED")
    assert len(state_of(stores)["issues"]) == 3


def test_depths_that_the_grid_can_not_hold_are_named(make_study, stores, planned):
    from model.spec.budget import Budget
    from search.space.axes import AXIS_NAMES, axis_text
    from search.space.grid import make_grid

    grid = make_grid(Budget(text="2M"), n_features=planned[0].n_features)
    axes = {f"{name}_axis": axis_text(getattr(grid.axes, name)) for name in AXIS_NAMES}
    make_study(3, budget="2M", grid_hash=grid.hash, space_hash=SearchSpace(grid).hash, **axes)
    assert state_of(stores)["issues"] == ["0 of 6 extremes", "L=24 not in grid"]


def test_rows_of_other_origins_are_appended(make_study, stores, monkeypatch, command):
    theirs = {"study": "theirs", "state": "imported", "issues": ["n_heads unknown in 12 imported trials"]}
    monkeypatch.setattr("search.audit.status.legacy_states", lambda client: [theirs])
    make_study(2)
    assert [state["state"] for state in study_states(stores)] == ["queued", "imported"]
    assert "theirs" in command("status")[1]


def test_status_reads_the_stores_alone(make_study, stores, monkeypatch):
    make_study(2).schedule.set_user_attr("data_root", "/nowhere")
    monkeypatch.setattr("search.study.study.load_dataset", lambda *arguments: pytest.fail("data were read"))
    assert state_of(stores)["state"] == "queued"


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize("how", ["study", "file"])
def test_a_study_whose_schedule_was_lost_stands_there_from_its_record(make_trained, stores, home, command, how):
    study = make_trained(3, 2)
    before = state_of(stores)
    if how == "study":
        optuna.delete_study(study_name=study.plan.study, storage=open_storage(stores))
    else:
        (home / "mlruns" / "optuna.db").unlink()
    found = state_of(stores)
    same = ("study", "budget", "horizon", "finished", "best_loss", "best_skill", "run_id")
    assert {name: found[name] for name in same} == {name: before[name] for name in same}
    assert (found["state"], found["issues"]) == ("schedule lost", ["schedule lost, repeat its hpo to restore it"])
    code, out, _ = command("status")
    assert code == 0 and "schedule lost" in out
    for words in (["audit"], ["report"], ["register"], ["baselines"], ["supplement"]):
        code, _, err = command(*words, study.plan.study)
        assert (code, err.count("\n")) == (2, 1) and "schedule lost, repeat its hpo to restore it" in err
