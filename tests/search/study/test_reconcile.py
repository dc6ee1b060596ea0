from dataclasses import replace

import pytest
from optuna.trial import TrialState

from search.space.ranks import SearchSpace
from search.study.reconcile import MAX_RETRIES, close_stale, reconcile
from search.study.study import open_or_create_study
from search.trial.runner import TrialRunner


@pytest.fixture
def study(stores, planned):
    plan, _, root = planned
    return open_or_create_study(stores, plan, trials=2, data_root=root)


@pytest.fixture
def runner(study, planned):
    return TrialRunner(study, planned[1], device="cpu", report=lambda e: None, should_stop=lambda: False)


def crash(monkeypatch, runner, where):
    """Leave the stores as a kill at this call would: nothing after it happens."""

    class Killed(BaseException):
        pass

    def die(*arguments, **names):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(where, die)
        with pytest.raises(Killed):
            runner.run_next()


def statuses(study):
    runs = study.client.search_runs([study.experiment_id], "tags.`run.role` = 'trial'")
    return sorted(r.info.status for r in runs)


@pytest.mark.slow
@pytest.mark.lesson("L29")
@pytest.mark.parametrize(
    "where",
    [
        "search.trial.runner.TrialRunner._spec",
        "search.trial.training.build_model",
        "search.tracking.run.RunWriter.conclude",
    ],
)
def test_a_crash_is_closed_and_the_same_trial_queued_again(study, runner, monkeypatch, where):
    crash(monkeypatch, runner, where)
    before = study.schedule.trials[0]
    assert reconcile(study)
    assert reconcile(study) == []
    assert "RUNNING" not in statuses(study)
    assert study.schedule.trials[0].state == TrialState.FAIL
    retry = study.schedule.trials[-1]
    assert retry.user_attrs["retry_of"] == 0
    assert retry.user_attrs["forced"] == "extreme"
    space = SearchSpace(study.plan.grid())
    assert space.decode(retry.system_attrs["fixed_params"]) == space.decode(
        before.params or before.system_attrs["fixed_params"]
    )


@pytest.mark.slow
def test_a_trial_that_finished_but_was_not_told_is_completed_from_its_run(study, runner, monkeypatch):
    crash(monkeypatch, runner, "optuna.study.Study.tell")
    assert "completed it from its run" in reconcile(study)[0]
    (trial,) = study.finished()
    assert trial.value == study.client.get_run(trial.user_attrs["run_id"]).data.metrics["best/loss"]
    assert statuses(study) == ["FINISHED"]
    assert reconcile(study) == []


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_is_retried_twice_only(study, runner, monkeypatch):
    while study.schedule.get_trials(states=(TrialState.WAITING,)):
        crash(monkeypatch, runner, "search.trial.training.build_model")
        reconcile(study)
    chains = [t for t in study.schedule.trials if t.user_attrs.get("retries") == MAX_RETRIES]
    assert len(chains) == 6
    assert all("its worker died 3 times" in t.user_attrs["error"] for t in chains)
    assert statuses(study) == ["FAILED"] * 6, "each chain is one run"
    assert len(study.schedule.trials) == 6 * (MAX_RETRIES + 1)


def test_a_living_trial_is_not_touched(study, runner, monkeypatch):
    for _ in range(2):
        crash(monkeypatch, runner, "search.trial.training.build_model")
    reconcile(study, alive={0})
    assert [t.state for t in study.schedule.trials[:2]] == [TrialState.RUNNING, TrialState.FAIL]
    assert statuses(study) == ["KILLED", "RUNNING"]


class Killed(BaseException):
    pass


def kill_after_epoch(runner, monkeypatch, epoch):
    """Leave the stores as a kill after this epoch's state was saved would."""

    def report(event):
        if event.get("epoch") == epoch:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(runner, "report", report)
        with pytest.raises(Killed):
            runner.run_next()


@pytest.mark.slow
@pytest.mark.lesson("L29")
def test_a_killed_trial_goes_on_in_its_run_after_its_last_epoch_with_the_same_result(
    stores, planned, monkeypatch, tmp_path
):
    short, dataset, root = planned
    plan = replace(short, max_epochs=3, patience=3)
    other = replace(stores, **{name: f"sqlite:///{tmp_path / name}.db" for name in ("tracking_uri", "storage_uri")})
    study = open_or_create_study(stores, plan, trials=2, data_root=root)
    undisturbed = open_or_create_study(replace(other, home=tmp_path), plan, trials=2, data_root=root)
    runner, other_runner = (
        TrialRunner(each, dataset, device="cpu", report=lambda e: None, should_stop=lambda: False)
        for each in (study, undisturbed)
    )
    other_runner.run_next()
    kill_after_epoch(runner, monkeypatch, 1)
    run_id = study.schedule.trials[0].user_attrs["run_id"]
    assert study.training_state(run_id).exists()
    reconcile(study)
    while not study.finished():
        runner.run_next() if _next_is_retry(study) else _skip(study)
    (finished,) = study.finished()
    run = study.client.get_run(run_id)
    assert finished.user_attrs["run_id"] == run_id and finished.user_attrs["retry_of"] == 0
    assert run.info.status == "FINISHED"
    assert run.data.tags["resume.after_epoch"] == "1"
    assert run.data.tags["trial.number"] == str(finished.number)
    steps = [m.step for m in study.client.get_metric_history(run_id, "val/loss")]
    assert steps == [1, 2, 3]
    (expected,) = undisturbed.finished()
    assert finished.value == expected.value
    assert not study.training_state(run_id).exists()


def _next_is_retry(study):
    return "retry_of" in study.schedule.get_trials(states=(TrialState.WAITING,))[0].user_attrs


def _skip(study):
    study.schedule.tell(study.schedule.ask(SearchSpace(study.plan.grid()).distributions()), state=TrialState.FAIL)


@pytest.mark.slow
def test_a_run_of_other_code_is_not_gone_on_with(study, runner, monkeypatch):
    kill_after_epoch(runner, monkeypatch, 1)
    run_id = study.schedule.trials[0].user_attrs["run_id"]
    reconcile(study)
    study.client.set_tag(run_id, "git.commit", "0" * 40)
    while not _next_is_retry(study):
        _skip(study)
    runner.run_next()
    (finished,) = study.finished()
    assert finished.user_attrs["run_id"] != run_id
    assert study.client.get_run(run_id).info.status == "KILLED"


@pytest.mark.slow
def test_an_unusable_state_is_refused_and_the_trial_starts_anew(study, runner, monkeypatch):
    kill_after_epoch(runner, monkeypatch, 1)
    run_id = study.schedule.trials[0].user_attrs["run_id"]
    study.training_state(run_id).write_bytes(b"cut short")
    reconcile(study)
    while not _next_is_retry(study):
        _skip(study)
    runner.run_next()
    run = study.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert "must be a training state" in run.data.tags["resume.refused"]


def test_what_a_kill_left_running_is_closed(make_study):
    study = make_study(1)
    run_id = study.start_run("x", role="work").run_id
    close_stale(study, "work")
    run = study.client.get_run(run_id)
    assert (run.info.status, run.data.tags["status.reason"]) == ("KILLED", "killed")
    assert run.data.tags["mlflow.parentRunId"] == study.run_id
